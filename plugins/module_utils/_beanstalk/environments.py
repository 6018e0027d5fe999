# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding environments: the live one by CNAME, never by name alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import api
from .common import AnsibleBeanstalkRefusedError
from .settings import current_values
from .transformations import cname_prefix

Environment = dict[str, Any]


def holder_of(environments: Sequence[Environment], prefix: str) -> Environment | None:
    """The environment that holds a CNAME prefix."""
    wanted = prefix.lower()
    return next((item for item in environments if cname_prefix(item.get("CNAME")) == wanted), None)


def find_environment(
    client: Any, params: Mapping[str, Any], look: Callable[[], list[Environment]] | None = None
) -> Environment | None:
    """The environment that the parameters name: by id, else by CNAME, else by name.

    ``look`` replaces the request for all environments of the application.
    Raises AnsibleBeanstalkRefusedError when the names contradict each other or point into another application.
    """
    application = params["application"]
    if params.get("environment_id"):
        found = api.describe_environments(client, EnvironmentIds=[params["environment_id"]])
        environment = found[0] if found else None
        return _same_application(environment, application)
    environments = look() if look else api.describe_environments(client, ApplicationName=application)
    named = next((item for item in environments if item["EnvironmentName"] == params.get("name")), None)
    if not params.get("cname_prefix"):
        return named
    live = holder_of(environments, params["cname_prefix"])
    if live is None and named is not None and (named.get("CNAME") or params.get("state") == "absent"):
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment {named['EnvironmentName']} ({named['EnvironmentId']}) does not hold the CNAME "
            f"prefix {params['cname_prefix']} but {cname_prefix(named.get('CNAME'))}, and no other environment of "
            f"{application} holds it; swap CNAMEs, or name another environment."
        )
    # An environment has no CNAME yet in the first moments of its launch.
    return live or named


def _same_application(environment: Environment | None, application: str) -> Environment | None:
    if environment is not None and environment["ApplicationName"] != application:
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment {environment['EnvironmentName']} belongs to the application "
            f"{environment['ApplicationName']}, not to {application}."
        )
    return environment


def check_names_free(client: Any, params: Mapping[str, Any]) -> None:
    """Refuse to create what could not be created: names are unique in an account, CNAMEs in a region."""
    taken = api.describe_environments(client, EnvironmentNames=[params["name"]])
    if taken:
        _same_application(taken[0], params["application"])
    prefix = params["cname_prefix"]
    if prefix and not api.cname_available(client, prefix):
        raise AnsibleBeanstalkRefusedError(
            message=f"The CNAME prefix {prefix} is taken by an environment that is not of the application "
            f"{params['application']}; choose another one."
        )


def check_may_terminate(
    client: Any, environment: Environment, tags: Mapping[str, str], named_prefix: str | None
) -> None:
    """Refuse to terminate what is live, protected, or would take a database with it (promise 2 of the design).

    The tag jack:logical tells which CNAME is the live one. `named_prefix` is the CNAME prefix that the user named.
    """
    name = environment["EnvironmentName"]
    prefix = cname_prefix(environment.get("CNAME"))
    if not named_prefix and prefix and tags.get("jack:logical", "").rpartition("/")[2].lower() == prefix:
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment {name} holds the live CNAME {prefix}; swap it away first, or name the "
            "environment by cname_prefix if the whole logical environment shall go."
        )
    if str(tags.get("jack:protected", "")).lower() == "true":
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment {name} is protected by its tag jack:protected; remove the tag first."
        )
    described = api.describe_settings(client, environment["ApplicationName"], name)
    database = current_values(described).get("aws:rds:dbinstance", {})
    if loses_database(database):
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment {name} has a coupled database that would be deleted with it; set "
            "DBDeletionPolicy in aws:rds:dbinstance to Retain or Snapshot first, or decouple the database."
        )


def loses_database(database: Mapping[str, str | None]) -> bool:
    """Whether terminating deletes a coupled database without a trace. DBDeletionPolicy is Delete when it is not set."""
    coupled = database.get("HasCoupledDatabase")
    has_one = coupled.lower() == "true" if coupled else bool(database.get("DBEngine") or database.get("DBUser"))
    policy = database.get("DBDeletionPolicy") or "Delete"
    return has_one and policy.lower() not in ("retain", "snapshot")
