# SPDX-License-Identifier: GPL-3.0-or-later
"""The database that lives and dies with its environment (namespace aws:rds:dbinstance).

Event texts: captured runs of the eb CLI with a database; the developer guide's "eb stop". Deletion: DBDeletionPolicy.
"""

from __future__ import annotations

from localstalk.model.databases import RDS, RefusedDatabase
from localstalk.model.settings import effective_settings, given_settings
from localstalk.workflows.context import NotCreated, WorkflowContext

_LOGICAL_ID = "AWSEBRDSDatabase"
_CREATE_SECONDS = 400.0
_DELETE_SECONDS = 250.0


def wanted(context: WorkflowContext) -> bool:
    """Whether the options ask for a database: by HasCoupledDatabase, else by any other option but the policy."""
    wishes = {name: value for (space, name), value in given_settings(context.environment).items() if space == RDS}
    coupled = wishes.pop("HasCoupledDatabase", "")
    wishes.pop("DBDeletionPolicy", "")
    return coupled == "true" if coupled else bool(wishes)


async def couple(context: WorkflowContext) -> None:
    """Create the database that the options want, unless it is there. Raises :class:`NotCreated`."""
    environment = context.environment
    if environment.resources.database or not wanted(context):
        return
    group = context.fleet.create_security_group(environment, "AWSEBRDSDBSecurityGroup")
    context.record_event(f"Created security group named: {group}")
    name = f"{environment.resources.stack.name}-{_LOGICAL_ID}-{context.control.suffix()}".lower()
    context.record_event(f"Creating RDS database named: {name}. This may take a few minutes.")
    try:
        context.region.databases.create(environment, name, effective_settings(environment))
    except RefusedDatabase as error:
        raise NotCreated(f"RDS database named: {name}", _LOGICAL_ID, str(error)) from error
    await context.wait(_CREATE_SECONDS)
    context.record_event(f"Created RDS database named: {name}")


async def uncouple(context: WorkflowContext) -> None:
    """Part with the database as DBDeletionPolicy says: delete it, also after a snapshot, or leave it to its owner."""
    environment, name = context.environment, context.environment.resources.database
    if not name:
        return
    policy = context.option(RDS, "DBDeletionPolicy", "Delete")
    environment.resources.database = ""
    if policy == "Retain":
        return
    snapshot = f"{environment.resources.stack.name}-snapshot-{_LOGICAL_ID}-{context.control.suffix()}".lower()
    context.region.databases.delete(name, snapshot if policy == "Snapshot" else None)
    await context.wait(_DELETE_SECONDS)
    context.record_event(f"Deleted RDS database named: {name}")


async def adjust(context: WorkflowContext) -> None:
    """Follow changed options: couple, decouple, or change class, storage and zones of the database there is."""
    environment = context.environment
    if not wanted(context):
        await uncouple(context)
    elif environment.resources.database:
        context.region.databases.modify(environment.resources.database, effective_settings(environment))
    else:
        await couple(context)
