# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which platform and tier a project is for: as it says, or the successor of the same family where that is retired.

Branches: "Elastic Beanstalk supported platforms" and "platform schedule" of the AWS documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..platform.generation import recognise
from ..platform.resolution import wanted_platform
from .source import Source

SYSTEM = "64bit Amazon Linux 2023"
# What Amazon Linux 2023 has of each family, oldest version first; "" for a family without versions.
_BRANCHES: dict[str, tuple[str, ...]] = {
    "Docker": ("",),
    "ECS": ("",),
    "Python": ("3.9", "3.11", "3.12", "3.13", "3.14"),
    "Node.js": ("20", "22", "24"),
    "Ruby": ("3.2", "3.3", "3.4"),
    "PHP": ("8.2", "8.3", "8.4"),
    "Go": ("1",),
    ".NET": ("8", "9"),
    "Tomcat": tuple(
        f"{tomcat} with Corretto {java}"
        for tomcat, java in ((9, 11), (9, 17), (10, 17), (10, 21), (11, 17), (11, 21), (11, 25))
    ),
    "Corretto": ("8", "11", "17", "21", "25"),
}
# What Amazon Linux 2 still has, though AWS has announced its end; everything else of it is retired.
_AMAZON_LINUX_2 = ("Docker", "ECS", "Python 3.8", "Node.js 18", "PHP 8.1", "Go 1")
_SWAP = "An environment on AWS gets there with eb_deploy_strategy: swap."
# As branches, solution stacks and the short names of `eb init --platform` call the families.
_FAMILIES = (
    ("ECS", r"multi-?container|\becs\b"),
    ("Docker", r"\bdocker\b"),
    ("Python", r"\bpython\b"),
    ("Node.js", r"\bnode(?:\.?js)?\b"),
    ("Ruby", r"\bruby\b|\bpuma\b"),
    ("PHP", r"\bphp\b"),
    ("Go", r"\bgo(?:lang)?\b"),
    (".NET", r"(?<!\w)\.net(?: core)?\b(?: on linux)?"),
    ("Tomcat", r"\btomcat\b"),
    ("Corretto", r"\bcorretto\b|\bjava\b"),
)
# Of Tomcat a version is "10 with Corretto 17", or "10 Corretto 17", or "8.5-java-8".
_AND_JAVA = r"(?:[\s_-]+(?:with\s)?(?:corretto|java)[\s_-]+\d+)?"


@dataclass(frozen=True)
class Choice:
    """A platform for the inventory, the file that decided it, why in a sentence, and whether the user decides."""

    platform: str
    file: str
    reason: str
    open: bool = False


def choose(named: str, file: str, source: Source, options: Mapping[tuple[str, str], str]) -> Choice:
    """The platform for the inventory: what the EB CLI's configuration names, or what the files are for."""
    if not named:
        return _by_files(source, options)
    known = recognise(named)
    family, version = _family(named)
    if known.is_modern and (branch := wanted_platform(named).branch):
        if known.generation == "al2" and branch.partition(" running on ")[0] in _AMAZON_LINUX_2:
            successor = _branch(family, version)
            text = f"Platform: {branch}. Amazon Linux 2 has reached its end: {successor} is the successor. {_SWAP}"
            return Choice(branch, file, text, open=True)
        if not family or _is_offered(family, version, branch):
            return Choice(branch, file, f"Platform: {branch}, its newest version.")
    if not family or known.generation == "windows":
        return Choice(
            named,
            file,
            f"The platform {named} is not one that this knows: name the branch with adopt_platform.",
            open=True,
        )
    branch = _branch(family, version)
    was = "is retired" if known.generation else "does not say which Amazon Linux"
    text = (
        f"The platform {named} {was}: the inventory takes {branch}, the "
        f"successor of the same family. Name another one with adopt_platform. {_SWAP}"
    )
    return Choice(branch, file, text, open=True)


def _is_offered(family: str, version: str, branch: str) -> bool:
    return SYSTEM.lower() in branch.lower() and _number(version) in map(_number, _BRANCHES[family])


def _by_files(source: Source, options: Mapping[tuple[str, str], str]) -> Choice:
    for family, version, file, reason in _signs(source, options):
        branch = _branch(family, version)
        return Choice(branch, file, f"No platform is named; {reason}, so the inventory takes {branch}.", open=True)
    branch = _branch("Docker", "")
    return Choice(
        branch, ".", f"No platform is named, and nothing says which; the inventory takes {branch}.", open=True
    )


def _signs(source: Source, options: Mapping[tuple[str, str], str]) -> list[tuple[str, str, str, str]]:
    """What speaks for a family, the strongest first: family, version, file, reason."""
    namespaces = {namespace for namespace, _option in options}
    found = []
    if any(name.startswith("aws:elasticbeanstalk:container:python") for name in namespaces):
        found.append(
            ("Python", _python_version(source), ".ebextensions", "the option settings are those of Python platforms")
        )
    if any(name.startswith("aws:elasticbeanstalk:container:nodejs") for name in namespaces):
        found.append(("Node.js", "", ".ebextensions", "the option settings are those of Node.js platforms"))
    if source.has("Dockerrun.aws.json"):
        text = source.text("Dockerrun.aws.json") or ""
        ecs = re.search(r'"AWSEBDockerrunVersion"\s*:\s*"?2\b', text)
        found.append(
            ("ECS" if ecs else "Docker", "", "Dockerrun.aws.json", "the file is for " + ("ECS" if ecs else "Docker"))
        )
    for name in ("docker-compose.yml", "Dockerfile"):
        if source.has(name):
            found.append(("Docker", "", name, f"there is a {name}"))
    for name in ("requirements.txt", "Pipfile", "manage.py"):
        if source.has(name):
            found.append(("Python", _python_version(source), name, f"there is a {name} and nothing for Docker"))
    if source.has("package.json"):
        found.append(
            ("Node.js", _node_version(source), "package.json", "there is a package.json and nothing for Docker")
        )
    if source.has("pom.xml") and "<packaging>war</packaging>" in (source.text("pom.xml") or ""):
        found.append(("Tomcat", "", "pom.xml", "pom.xml makes a war"))
    for name, family in (
        ("Gemfile", "Ruby"),
        ("composer.json", "PHP"),
        ("go.mod", "Go"),
        ("pom.xml", "Corretto"),
        ("build.gradle", "Corretto"),
    ):
        if source.has(name):
            found.append((family, "", name, f"there is a {name} and nothing for Docker"))
    return found


def is_worker(source: Source, options: Mapping[tuple[str, str], str]) -> bool:
    """Whether something says that the project is for the tier Worker."""
    return source.has("cron.yaml") or any(namespace == "aws:elasticbeanstalk:sqsd" for namespace, _option in options)


def _family(name: str) -> tuple[str, str]:
    """Family and version of any of a platform's names: ("Python", "3.6") for "python-3.6"; ("", "") for another."""
    text = re.sub(r"amazon linux[\d. ]*(?:v[\d.]+)?", " ", name.lower().rpartition("platform/")[2])
    for family, pattern in _FAMILIES:
        found = re.search(rf"(?:{pattern})[\s_-]*(\d+(?:\.\d+)?{_AND_JAVA})?", text)
        if found:
            return family, found[1] or ""
    return "", ""


def _branch(family: str, version: str) -> str:
    """The branch of Amazon Linux 2023 with that version, the next newer one, or the newest."""
    versions = _BRANCHES[family]
    wanted = _number(version)
    fitting = [one for one in versions if version and _number(one) >= wanted]
    chosen = fitting[0] if fitting else versions[-1]
    return f"{f'{family} {chosen}'.strip()} running on {SYSTEM}"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _python_version(source: Source) -> str:
    for name, pattern in (
        (".python-version", r"^(\d+\.\d+)"),
        ("runtime.txt", r"python-(\d+\.\d+)"),
        ("Pipfile", r'python_version\s*=\s*"(\d+\.\d+)"'),
    ):
        found = re.search(pattern, source.text(name) or "") if source.has(name) else None
        if found:
            return found[1]
    return ""


def _node_version(source: Source) -> str:
    try:
        wanted = json.loads(source.text("package.json") or "")["engines"]["node"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    found = re.search(r"\d+", str(wanted))
    return found[0] if found else ""
