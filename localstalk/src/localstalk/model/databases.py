# SPDX-License-Identifier: GPL-3.0-or-later
"""Coupled databases as moto's RDS objects. Nothing answers at their endpoints: there is no database engine here."""

from __future__ import annotations

from typing import Any

from localstalk.model.state import Environment, Settings

RDS = "aws:rds:dbinstance"
_NAME = "ebdb"
_DEFAULTS = {"DBEngine": "mysql", "DBInstanceClass": "db.t2.micro", "DBAllocatedStorage": "5", "DBUser": "ebroot"}
"""The guide's defaults; they are no defaults of the environment's options, because options here mean a database."""


class RefusedDatabase(Exception):  # noqa: N818 - what RDS answered
    """RDS does not make this database; the text is its message."""


class Databases:
    """RDS of one account and region."""

    def __init__(self, account: str, region: str) -> None:
        self.account = account
        self.region = region

    def _backend(self) -> Any:
        from moto.backends import get_backend

        return get_backend("rds")[self.account][self.region]

    def create(self, environment: Environment, name: str, settings: Settings) -> None:
        """Make the database ``name``, from a snapshot if the options name one. Raises :class:`RefusedDatabase`."""
        from moto.core.exceptions import ServiceException

        options = _options(settings)
        snapshot, password = options.get("DBSnapshotIdentifier"), options.get("DBPassword")
        if not snapshot and not password:
            raise RefusedDatabase("The parameter MasterUserPassword must be provided and must not be blank.")
        resources = environment.resources
        wanted = _changeable(options) | {
            "db_instance_identifier": name,
            "vpc_security_group_ids": [resources.security_groups["AWSEBRDSDBSecurityGroup"]],
            "tags": [{"Key": key, "Value": value} for key, value in (environment.tags | environment.own_tags).items()],
        }
        try:
            if snapshot:
                self._backend().restore_db_instance_from_db_snapshot(snapshot, wanted)
            else:
                wanted |= {
                    "engine": options["DBEngine"],
                    "engine_version": options.get("DBEngineVersion") or None,
                    "db_name": _NAME,
                    "master_username": options["DBUser"],
                    "master_user_password": password,
                }
                self._backend().create_db_instance(wanted)
        except ServiceException as error:
            raise RefusedDatabase(str(error.message)) from error
        resources.database = name

    def modify(self, name: str, settings: Settings) -> None:
        """Change what can be changed in place; silent when somebody has deleted the database."""
        if name in self._backend().databases:
            self._backend().modify_db_instance(name, _changeable(_options(settings)))

    def delete(self, name: str, snapshot: str | None) -> None:
        """Delete a database, after a final snapshot of that name; silent when it is gone already."""
        if name in self._backend().databases:
            self._backend().delete_db_instance(name, snapshot, skip_final_snapshot=snapshot is None)

    def properties(self, environment: Environment, settings: Settings) -> dict[str, str]:
        """The RDS_* environment properties that instances get (developer guide, "Connecting to a database")."""
        name = environment.resources.database
        database = self._backend().databases.get(name) if name else None
        if database is None:
            return {}
        return {
            "RDS_HOSTNAME": str(database.address),
            "RDS_PORT": str(database.port),
            "RDS_DB_NAME": str(database.db_name or _NAME),
            "RDS_USERNAME": str(database.master_username),
            "RDS_PASSWORD": settings.get((RDS, "DBPassword"), ""),
        }


def _options(settings: Settings) -> dict[str, str]:
    return _DEFAULTS | {name: value for (space, name), value in settings.items() if space == RDS and value}


def _changeable(options: dict[str, str]) -> dict[str, Any]:
    return {
        "db_instance_class": options["DBInstanceClass"],
        "allocated_storage": int(options["DBAllocatedStorage"]),
        "multi_az": options.get("MultiAZDatabase") == "true",
    }
