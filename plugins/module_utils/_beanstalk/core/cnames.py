# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that reads a CNAME: which prefix it has, who holds a prefix, and what to write where that is unclear.

A name is PREFIX.REGION.elasticbeanstalk.com, PREFIX.elasticbeanstalk.com where it is old, and in China
PREFIX.REGION.eb.amazonaws.com.cn (Public Suffix List; Elastic Beanstalk's endpoints in the AWS General Reference). An
environment that is made without a prefix gets NAME.eba-xxxxxxxx in its place (API reference of CreateEnvironment,
EnvironmentName): what stands there is a prefix too, but one that can only be found. Environments are as
DescribeEnvironments tells them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

Environment = Mapping[str, Any]
_Told = TypeVar("_Told", bound=Environment)

_DOMAIN = "elasticbeanstalk.com"
_DOMAIN_CHINA = "eb.amazonaws.com.cn"
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d+")


@lru_cache(maxsize=8192)
def prefix_of(cname: str | None, region: str) -> str | None:
    """All that stands before Elastic Beanstalk's own part of a CNAME, in lower case; None for a name of elsewhere."""
    name, own = (cname or "").lower(), f".{region}".lower()
    endings = [own + f".{_DOMAIN}", f".{_DOMAIN}"]
    if own.startswith(".cn-"):
        endings.insert(0, own + f".{_DOMAIN_CHINA}")
    ending = next((one for one in endings if name.endswith(one)), None)
    prefix = name.removesuffix(ending) if ending else ""
    before, _dot, last = prefix.rpartition(".")
    if not prefix or (before and _REGION.fullmatch(last)):
        return None  # of another region, or of another service
    return prefix


def whole_name(prefix: str, region: str) -> str:
    """The CNAME that an environment with this prefix gets today."""
    return f"{prefix}.{region}.{_DOMAIN_CHINA if region.startswith('cn-') else _DOMAIN}"


def key_of(prefix: str) -> str:
    """A CNAME prefix as it is compared, and as locks and tags have it: DNS knows no upper case."""
    return prefix.strip().lower()


def logical_name(application: str, prefix: str) -> str:
    """The name of a logical environment, as the tag jack:logical has it."""
    return f"{application}/{key_of(prefix)}"


def logical_of(tag: str) -> str:
    """The value of a tag jack:logical as :func:`logical_name` writes it; "" for none."""
    application, slash, prefix = tag.rpartition("/")
    return f"{application}{slash}{key_of(prefix)}"


def is_generated(prefix: str) -> bool:
    """Whether Elastic Beanstalk made the prefix up: one that is chosen has letters, digits and hyphens only."""
    return "." in prefix


def is_whole(prefix: str) -> bool:
    """Whether somebody wrote a whole CNAME in place of its prefix."""
    return key_of(prefix).rstrip("./").endswith((f".{_DOMAIN}", f".{_DOMAIN_CHINA}"))


def whole_sentence(prefix: str) -> str:
    """What to write in place of a whole CNAME."""
    return (
        f"{key_of(prefix)} is a whole CNAME; write its prefix, which is all that stands before .REGION.{_DOMAIN} "
        f"(in China .REGION.{_DOMAIN_CHINA})."
    )


def holders(environments: Iterable[_Told], prefix: str, region: str) -> list[_Told]:
    """The environments that hold a prefix; one that is being terminated counts only when it is the only one."""
    wanted = key_of(prefix)
    found = [one for one in environments if prefix_of(one.get("CNAME"), region) == wanted]
    return [one for one in found if one.get("Status") != "Terminating"] or found


def describe(environment: Environment) -> str:
    """How sentences name an environment: by name and id, as the name alone can match two of them."""
    return f"{environment['EnvironmentName']} ({environment['EnvironmentId']})"


def two_sentence(found: Sequence[Environment], prefix: str) -> str:
    """Why a prefix names nobody although it is held, with what to write. The old name without a region is the case."""
    names = " and ".join(f"{describe(one)} as {one['CNAME']}" for one in found)
    ids = " or ".join(str(one["EnvironmentId"]) for one in found)
    return (
        f"The CNAME prefix {key_of(prefix)} is held by {names}; write the id of the one that is meant, {ids}, in place "
        "of the prefix, and let it be the only holder before it is swapped or replaced."
    )


def others(
    environments: Iterable[Environment], prefix: str, region: str, name: str = ""
) -> tuple[list[Environment], list[Environment]]:
    """Who else may be meant by a prefix that nobody holds: those whose CNAME was made up, and workers.

    They are of the wanted name, which is ``name`` or the prefix itself, or have a CNAME that begins with the prefix.
    """
    wanted = key_of(prefix)
    generated, workers = [], []
    for one in environments:
        held = prefix_of(one.get("CNAME"), region)
        named = one["EnvironmentName"].lower() in (name.lower(), wanted)
        if held and is_generated(held) and (named or held.startswith(f"{wanted}.")):
            generated.append(one)
        elif named and is_worker(one):
            workers.append(one)
    return generated, workers


def generated_sentence(environment: Environment, region: str) -> str:
    """What to write for an environment whose CNAME Elastic Beanstalk made up."""
    return (
        f"The environment {describe(environment)} has the CNAME {environment['CNAME']}, which Elastic Beanstalk made "
        f"up: write the CNAME prefix {prefix_of(environment['CNAME'], region)} to mean it."
    )


def hint(environments: Iterable[Environment], prefix: str, region: str) -> str:
    """Who else may be meant by a prefix that nobody holds, and what to write; empty when nobody can be."""
    generated, workers = others(environments, prefix, region)
    sentences = [generated_sentence(one, region) for one in generated]
    sentences += [
        f"The environment {describe(one)} is a worker environment, which has no CNAME: write its name or id."
        for one in workers
    ]
    return " ".join(sentences)


def unclear(environments: Iterable[Environment], application: str, prefix: str, region: str, name: str = "") -> str:
    """Why it cannot be told whose CNAME is to be moved; empty when it can, or when one can be made for the prefix."""
    if is_whole(prefix):
        return whole_sentence(prefix)
    there = list(environments)
    held = holders(there, prefix, region)
    if held:
        return two_sentence(held, prefix) if len(held) > 1 else ""
    generated, workers = others(there, prefix, region, name)
    if generated:
        told = " ".join(generated_sentence(one, region) for one in generated)
        return f"{nobody_sentence(application, prefix)} {told}"
    if workers:
        return f"{describe(workers[0])} is a worker environment: it has no CNAME, so there is nothing to swap."
    return not_created_sentence(application, prefix) if is_generated(prefix) else ""


def is_worker(environment: Environment) -> bool:
    """Whether an environment is of the tier that has no CNAME."""
    return (environment.get("Tier") or {}).get("Name") == "Worker"


def nobody_sentence(application: str | None, prefix: str) -> str:
    """That nobody holds a prefix; what is made with it, when that is a question, is for the caller to say."""
    where = f"of {application}" if application else "of this region"
    return f"No environment {where} holds the CNAME prefix {key_of(prefix)}."


def not_created_sentence(application: str, prefix: str) -> str:
    """Why a prefix of Elastic Beanstalk's own making creates nothing, and what to write."""
    chosen = key_of(prefix).partition(".")[0]
    return (
        f"{nobody_sentence(application, prefix)} Elastic Beanstalk makes such names itself, so one can find an "
        f"environment but not create it: write a CNAME prefix without a dot, such as {chosen}, for a new one."
    )
