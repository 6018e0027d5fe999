# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding environments: the live one by CNAME, never by name alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core import api, cnames
from ..core.errors import AnsibleBeanstalkRefusedError
from ..option_settings.comparison import current_values

Environment = dict[str, Any]


def holder_of(environments: Sequence[Environment], prefix: str, region: str) -> Environment | None:
    """The environment that holds a CNAME prefix; AnsibleBeanstalkRefusedError when two do, or when it is no prefix."""
    if cnames.is_whole(prefix):
        raise AnsibleBeanstalkRefusedError(message=cnames.whole_sentence(prefix))
    found = cnames.holders(environments, prefix, region)
    if len(found) > 1:
        raise AnsibleBeanstalkRefusedError(message=cnames.two_sentence(found, prefix))
    return found[0] if found else None


def live_or_refused(
    environments: Sequence[Environment], prefix: str, region: str, application: str | None = None
) -> Environment | None:
    """The environment that holds a CNAME prefix, or None when nobody does and nobody else can be meant.

    AnsibleBeanstalkRefusedError when two hold it, or when an environment of that name has another CNAME, or none.
    """
    live = holder_of(environments, prefix, region)
    if live is None and (sentence := cnames.hint(environments, prefix, region)):
        raise AnsibleBeanstalkRefusedError(message=f"{cnames.nobody_sentence(application, prefix)} {sentence}")
    return live


def find_environment(
    client: Any, params: Mapping[str, Any], observe: Callable[[], list[Environment]] | None = None
) -> Environment | None:
    """The environment that the parameters name: by id, else by CNAME, else by name.

    ``observe`` replaces the request for all environments of the application.
    Raises AnsibleBeanstalkRefusedError when the names contradict each other or point into another application.
    """
    application = params["application"]
    if params.get("environment_id"):
        found = api.describe_environments(client, EnvironmentIds=[params["environment_id"]])
        environment = found[0] if found else None
        return _same_application(environment, application)
    environments = observe() if observe else api.describe_environments(client, ApplicationName=application)
    named = next((item for item in environments if item["EnvironmentName"] == params.get("name")), None)
    prefix, region = params.get("cname_prefix"), api.region_of(client)
    if not prefix:
        return named
    if not params.get("name"):
        return live_or_refused(environments, prefix, region, application)
    live = holder_of(environments, prefix, region)
    ends = params.get("state") == "absent"
    if named is not None and live is None and (named.get("CNAME") or ends):
        raise AnsibleBeanstalkRefusedError(message=_not_its_prefix(named, prefix, region))
    # Of another CNAME, it is what the last swap left; but one whose made up CNAME begins alike may be meant as well.
    alike = named is not None and (cnames.prefix_of(named.get("CNAME"), region) or "").startswith(f"{prefix}.".lower())
    if ends and named is not None and live is not None and alike:
        raise AnsibleBeanstalkRefusedError(
            message=f"name means {cnames.describe(named)}, and cname_prefix means {cnames.describe(live)}, which holds "
            f"{prefix}; leave out the one that is not to be terminated."
        )
    # An environment has no CNAME yet in the first moments of its launch, and a worker never has one.
    return live or named


def _not_its_prefix(named: Environment, prefix: str, region: str) -> str:
    """Why an environment that the user names is not the one that the CNAME prefix means, and what to write."""
    who, application = f"The environment {cnames.describe(named)}", named["ApplicationName"]
    if cnames.is_worker(named):
        return f"{who} is a worker environment, which has no CNAME; leave cname_prefix out to mean it."
    if not named.get("CNAME"):
        return f"{who} has no CNAME yet, and nobody holds the CNAME prefix {prefix}; try again later."
    held = cnames.prefix_of(named["CNAME"], region) or named["CNAME"]
    return (
        f"{who} does not hold the CNAME prefix {prefix} but {held}, and no other environment of {application} holds "
        f"it; write the CNAME prefix {held} to mean this one, swap CNAMEs, or name another environment."
    )


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
    """Refuse to terminate what is live, protected, or would take a database with it.

    The tag jack:logical tells which CNAME is the live one. `named_prefix` is the CNAME prefix that the user named.
    """
    name = environment["EnvironmentName"]
    prefix = cnames.prefix_of(environment.get("CNAME"), api.region_of(client))
    is_live = prefix is not None and cnames.key_of(tags.get("jack:logical", "").rpartition("/")[2]) == prefix
    # Named by its id beside a prefix that is another's, a live environment was not named by its prefix.
    if is_live and cnames.key_of(named_prefix or "") != prefix:
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
