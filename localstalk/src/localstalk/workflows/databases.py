# SPDX-License-Identifier: GPL-3.0-or-later
"""The database that lives and dies with its environment (namespace aws:rds:dbinstance).

Event texts: captured runs of the eb CLI with a database; the developer guide's "eb stop". Deletion: DBDeletionPolicy.
"""

from __future__ import annotations

from localstalk.elasticbeanstalk.databases import RDS, RefusedDatabase
from localstalk.workflows.work import NotCreated, Work

_LOGICAL_ID = "AWSEBRDSDatabase"
_CREATE_SECONDS = 400.0
_DELETE_SECONDS = 250.0


def wanted(work: Work) -> bool:
    """Whether the options ask for a database: by HasCoupledDatabase, else by any other option but the policy."""
    given = {name: value for (space, name), value in work.region.given(work.environment).items() if space == RDS}
    coupled = given.pop("HasCoupledDatabase", "")
    given.pop("DBDeletionPolicy", "")
    return coupled == "true" if coupled else bool(given)


async def couple(work: Work) -> None:
    """Create the database that the options want, unless it is there. Raises :class:`NotCreated`."""
    environment = work.environment
    if environment.resources.database or not wanted(work):
        return
    group = work.fleet.create_security_group(environment, "AWSEBRDSDBSecurityGroup")
    work.say(f"Created security group named: {group}")
    name = f"{environment.resources.stack.name}-{_LOGICAL_ID}-{work.control.suffix()}".lower()
    work.say(f"Creating RDS database named: {name}. This may take a few minutes.")
    try:
        work.region.databases.create(environment, name, work.region.effective(environment))
    except RefusedDatabase as error:
        raise NotCreated(f"RDS database named: {name}", _LOGICAL_ID, str(error)) from error
    await work.wait(_CREATE_SECONDS)
    work.say(f"Created RDS database named: {name}")


async def uncouple(work: Work) -> None:
    """Part with the database as DBDeletionPolicy says: delete it, also after a snapshot, or leave it to its owner."""
    environment, name = work.environment, work.environment.resources.database
    if not name:
        return
    policy = work.option(RDS, "DBDeletionPolicy", "Delete")
    environment.resources.database = ""
    if policy == "Retain":
        return
    snapshot = f"{environment.resources.stack.name}-snapshot-{_LOGICAL_ID}-{work.control.suffix()}".lower()
    work.region.databases.delete(name, snapshot if policy == "Snapshot" else None)
    await work.wait(_DELETE_SECONDS)
    work.say(f"Deleted RDS database named: {name}")


async def adjust(work: Work) -> None:
    """Follow changed options: couple, decouple, or change class, storage and zones of the database there is."""
    environment = work.environment
    if not wanted(work):
        await uncouple(work)
    elif environment.resources.database:
        work.region.databases.modify(environment.resources.database, work.region.effective(environment))
    else:
        await couple(work)
