# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A list of deployment hooks as files of the source bundle: scripts by the role's templates, and where they go.

Where Elastic Beanstalk looks for hooks, and what it runs when: "Platform hooks" of its developer guide, and "Custom
platform hooks" of the older guide for the retired Amazon Linux AMI. In which container: lint/targets.py.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from . import collectstatic

Hook = dict[str, Any]
Render = Callable[..., str]

# What a preset stands for; every key can be overridden in the list.
PRESETS: dict[str, Hook] = {
    # The new container that a configuration deployment starts has no static files either.
    "collectstatic": {
        "name": "collectstatic",
        "command": collectstatic.COMMAND,
        "on_config_deploy": True,
    },
    "migrate": {"name": "migrate", "command": "python manage.py migrate --noinput", "leader_only": True},
    # Of the environment properties DJANGO_SUPERUSER_*; one that is there already is what was wanted.
    "createsuperuser": {
        "name": "createsuperuser",
        "leader_only": True,
        "command": r"""said=$(python manage.py createsuperuser --noinput 2>&1) && code=0 || code=$?
printf '%s\n' "$said"
case $said in *'is already taken.'*) code=0 ;; esac
exit "$code"
""".rstrip(),
    },
    # A command of the project's own.
    "createsu": {"name": "createsu", "command": "python manage.py createsu", "leader_only": True},
    # An instance profile that may not set tags is no reason to fail a deployment. The tag has the form that the module
    # leader_info and the inventory plugin instances read.
    "tag_leader": {
        "name": "tag_leader",
        "where": "host",
        "on_failure": "warn",
        "command": r"""case ${EB_IS_COMMAND_LEADER:-} in
  true) says=leader ;;
  false) says=not_leader ;;
  *) echo 'Elastic Beanstalk does not say whether this instance leads; no tag is set.' && exit 0 ;;
esac
value="$says ${HOOK_DEPLOYMENT_ID:--} $(date -u +%Y-%m-%dT%H:%M:%SZ) ${HOOK_VERSION_LABEL}"
value=${value//\\/\\\\}
value=${value//\"/\\\"}
aws ec2 create-tags --resources "$HOOK_INSTANCE_ID" --tags "Key=jack:leader,Value=\"$value\""
""".rstrip(),
    },
}
_DEFAULTS: Hook = {
    "name": "",
    "command": "",
    "leader_only": False,
    "where": "container",
    "phase": "postdeploy",
    "on_config_deploy": False,
    "on_failure": "fail",
    "service": "",
    "user": "",
    "workdir": "",
}
# An inventory may say "no" or "60" as text.
_TYPES: tuple[tuple[tuple[str, ...], Callable[[Any], Any]], ...] = (
    (("name", "command", "service", "user", "workdir"), str),
    (("order", "timeout"), int),
    (("leader_only", "on_config_deploy"), boolean),
)
# Where a phase lives on the legacy AMI. The owner's prefix sorts after the digits of EB's own scripts, so that a hook
# in appdeploy/pre finds the built image.
_LEGACY_FOLDERS = {"predeploy": "appdeploy/pre", "postdeploy": "appdeploy/post"}

_PREFIX = re.compile(r"[a-z][a-z0-9]{0,30}")
_ONCE_STORE = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.*()/-]*[^/]")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def resolve(items: Sequence[Mapping[str, Any]], prefix: str, timeout: int) -> list[Hook]:
    """The list with presets and defaults filled in, in the order in which Elastic Beanstalk will run it.

    ``timeout`` is in seconds, for hooks that have none.
    """
    hooks = []
    for number, item in enumerate(items, 1):
        own = {**PRESETS.get(item.get("preset") or "", {}), **item}
        hook = {**_DEFAULTS, "timeout": timeout, "environment": {}, "order": number * 10, **own}
        for keys, made in _TYPES:
            hook.update((key, made(hook[key])) for key in keys)
        hooks.append({**hook, "file": f"{prefix}_{hook['order']:02d}_{hook['name']}"})
    return sorted(hooks, key=lambda hook: str(hook["file"]).lower())


def problems(
    items: Sequence[Mapping[str, Any]], prefix: str, generation: str, once_store: str, timeout: int
) -> list[str]:
    """What is wrong with a hook list, a sentence each."""
    found = []
    if items and not _PREFIX.fullmatch(prefix):
        found.append(f'The hook prefix "{prefix}" must be 1 to 31 small letters and digits, a letter first.')
    if once_store and not _ONCE_STORE.fullmatch(once_store):
        found.append(f'The once store "{once_store}" must be a bucket and a prefix, as in my-bucket/hooks/production.')
    for number, item in enumerate(items, 1):
        if "preset" not in item and not {"name", "command"} <= item.keys():
            label = item.get("name", "no name")
            found.append(f"Hook {number} ({label}): it needs a preset, or a name and a command.")
    if found:
        return found
    hooks = resolve(items, prefix, timeout)
    for hook in hooks:
        found += [f'Hook "{hook["name"]}": {text}' for text in _problems_of(hook, generation)]
    if len({hook["name"] for hook in hooks}) != len(hooks):
        found.append("Two hooks have the same name; names tell their markers apart.")
    return found


def _problems_of(hook: Hook, generation: str) -> list[str]:
    phase, legacy = hook["phase"], generation == "al1"
    checks = [
        (
            not _NAME.fullmatch(hook["name"]),
            "the name must be 1 to 61 small letters, digits and underscores, a letter first.",
        ),
        (not hook["command"].strip(), "it has no command."),
        (
            not 1 <= hook["timeout"] <= 3600,
            "timeout must be 1 to 3600 seconds, which is as long as Elastic Beanstalk waits for a command.",
        ),
        (not 0 <= hook["order"] <= 99, "order must be 0 to 99."),
        (
            hook["where"] == "container" and phase == "prebuild",
            "in the phase prebuild the application is not built yet; use predeploy, or where: host.",
        ),
        (
            hook["service"] and phase != "postdeploy",
            f"in the phase {phase} no compose service of this version runs yet; use postdeploy.",
        ),
        (
            hook["leader_only"] and hook["on_config_deploy"],
            "configuration deployments elect no leader, so leader_only and on_config_deploy exclude each other.",
        ),
        (
            hook["leader_only"] and (phase == "prebuild" or (phase == "predeploy" and legacy)),
            f"the leader is marked after the phase {phase}, so a leader_only hook cannot run in it.",
        ),
        (
            legacy and (phase == "prebuild" or hook["service"]),
            "the legacy AMI knows neither the phase prebuild nor compose services.",
        ),
    ]
    names = [name for name in hook["environment"] if not _VARIABLE.fullmatch(name)]
    return [text for wrong, text in checks if wrong] + [
        f'"{name}" is not a name for an environment variable.' for name in names
    ]


def overlay(
    hooks: Sequence[Hook], prefix: str, generation: str, once_store: str, render: Render, to_yaml: Callable[[Any], str]
) -> list[dict[str, str]]:
    """The files that the hooks put into the bundle: path, mode, content.

    ``hooks`` are resolved and have no problems. ``render(file, **variables)`` fills a file of the role in.
    """
    library = render("files/hooks.sh")
    legacy = generation == "al1"
    where = f"/opt/elasticbeanstalk/{prefix}_hooks/hooks.sh" if legacy else f".platform/files/{prefix}_hooks.sh"
    word = where if legacy else f'"$(dirname -- "$0")/../../files/{prefix}_hooks.sh"'
    scripts = {hook["file"]: script(hook, prefix, once_store, word, render) for hook in hooks}
    files = []
    config: dict[str, Any] = {}
    if legacy:
        shipped = {where: library}
        for hook in hooks:
            for folder in (_LEGACY_FOLDERS[hook["phase"]], *(["configdeploy/post"] * hook["on_config_deploy"])):
                shipped[f"/opt/elasticbeanstalk/hooks/{folder}/{hook['file']}.sh"] = scripts[hook["file"]]
        clean = f"/opt/elasticbeanstalk/hooks/appdeploy/post/{prefix}_9999_clean.sh"
        shipped[clean] = render("templates/clean.sh.j2", prefix=prefix)
        owned = {"mode": "000755", "owner": "root", "group": "root"}
        config["files"] = {path: {**owned, "content": content} for path, content in shipped.items()}
    else:
        files.append(_file(where, library, "0755"))
        for hook in hooks:
            for folder in ("hooks", *(["confighooks"] * hook["on_config_deploy"])):
                path = f".platform/{folder}/{hook['phase']}/{hook['file']}.sh"
                files.append(_file(path, scripts[hook["file"]], "0755"))
    marks = {
        hook["file"]: {"command": f"bash {where} mark {prefix} {hook['name']}", "leader_only": True}
        for hook in hooks
        if hook["leader_only"]
    }
    if marks:
        config["container_commands"] = marks
    prepare = render("templates/prepare.sh.j2", prefix=prefix, generation=generation)
    prepared = {"commands": {f"{prefix}_00_prepare": {"command": prepare}}}
    files.append(_file(f".ebextensions/{prefix}_00_prepare.config", to_yaml(prepared)))
    if config:
        files.append(_file(f".ebextensions/{prefix}_hooks.config", to_yaml(config)))
    return files


def script(hook: Hook, prefix: str, once_store: str, library: str, render: Render) -> str:
    """The script of one resolved hook; ``library`` is the shell word for the common part."""
    return render(
        "templates/hook.sh.j2",
        hook={key: value for key, value in hook.items() if key != "environment"},
        quoted={key: shlex.quote(hook[key]) for key in ("service", "user", "workdir")},
        environment=" ".join(shlex.quote(f"{name}={value}") for name, value in hook["environment"].items()),
        delimiter=f"END_OF_COMMAND_{hashlib.sha256(hook['command'].encode()).hexdigest()[:16]}",
        once_store=shlex.quote(once_store),
        library=library,
        prefix=prefix,
    )


def _file(path: str, content: str, mode: str = "0644") -> dict[str, str]:
    return {"path": path, "mode": mode, "content": content}
