# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform, the CNAME, and the environment behind it."""

from __future__ import annotations

from collections.abc import Iterator

from ...core import cnames
from ...core.errors import AnsibleBeanstalkRefusedError
from ...observe.lookup import loses_database
from ...option_settings.comparison import current_values
from ...platform import resolution
from ..facts import Facts
from ..findings import Finding, error, ok, warning
from ..wanted import ENVIRONMENT, Wanted


def platform(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Named, the newest of its branch, and not retired."""
    if not wanted.platform or not facts.stacks:
        return
    try:
        chosen = resolution.resolve(wanted.platform, facts.stacks)
    except AnsibleBeanstalkRefusedError as refused:
        yield error(str(refused.message), "Correct eb_platform.")
        return
    newest = resolution.newest_of_branch(resolution.wanted_platform(wanted.platform).branch, facts.stacks)
    (name,) = chosen.values()
    if facts.branch_state == "Retired":
        yield error(
            f"The platform branch of {name} is retired: it gets no more updates.",
            "Choose a newer branch; a live environment moves there with eb_deploy_strategy: swap.",
        )
    elif facts.branch_state == "Deprecated":
        yield warning(f"The platform branch of {name} will be retired.", "Plan to move to a newer branch.")
    elif newest and "SolutionStackName" in chosen and newest != name:
        yield warning(f"The platform {name} is not the newest: that is {newest}.", "Name the newest, or the branch.")
    else:
        yield ok(f"The platform is {name}.")


def cname(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Free, or ours."""
    prefix = wanted.cname_prefix
    if not prefix:
        return
    unclear = cnames.unclear(facts.environments, wanted.application, prefix, facts.region, wanted.name)
    if facts.live:
        yield ok(f"The CNAME {facts.live.get('CNAME')} is held by {cnames.describe(facts.live)}.")
    elif unclear:
        yield error(unclear, "Correct eb_cname_prefix.")
    elif cnames.is_generated(prefix):
        yield error(cnames.not_created_sentence(wanted.application, prefix), "Correct eb_cname_prefix.")
    elif facts.cname_free is False:
        yield error(
            f"The CNAME prefix {prefix} is taken, and not by an environment of {wanted.application}.",
            "Choose another eb_cname_prefix: they are shared by all accounts of the region.",
        )
    elif facts.cname_free:
        yield ok(f"The CNAME prefix {prefix} is free.")


def live_environment(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """What keeps it from being recreated."""
    if not facts.live or not wanted.cycles:
        return
    values = current_values(facts.live_settings)
    name = cnames.describe(facts.live)
    if cnames.is_worker(facts.live):
        yield warning(f"{name} is a worker: it has no CNAME to swap.", "Leave it out of recreate_and_swap.yml.")
    if (values.get(ENVIRONMENT, {}).get("LoadBalancerIsShared") or "").lower() == "true":
        yield warning(f"{name} shares its load balancer: cycles refuse it.", "Leave it out of recreate_and_swap.yml.")
    if loses_database(values.get("aws:rds:dbinstance", {})):
        yield warning(
            f"{name} has a coupled database that goes with it: cycles refuse it.",
            "Decouple the database (DBDeletionPolicy Retain or Snapshot) first.",
        )
