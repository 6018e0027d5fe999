# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules of the engine do: one item and its result, or a list of them whose results are lines of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from .engine import Engine, Item
from .items import ItemSpec
from .progress import ProgressFile

MakeItem = Callable[[str, Mapping[str, Any], bool, ProgressFile], Item]
"""Makes an item of its name, its arguments, whether it is check mode, and where to tell how it goes on."""


def run_one(module: Any, make: MakeItem, invocation: Mapping[str, Any]) -> NoReturn:
    """Run the module's own parameters as the only item, and end the module with its result."""
    params = module.params
    file = ProgressFile(params["progress_file"])
    item = make("", params, module.check_mode, file)
    engine = Engine(abandoned=file.abandoned)
    engine.run([item])
    result = {**(item.result or {}), "api_calls": engine.api_calls, "invocation": invocation}
    for text in [*engine.warnings, *result.pop("warnings", [])]:
        module.warn(text)
    if not module._diff:
        result.pop("diff", None)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
    raise AssertionError("exit_json ends the module")


def run_many(module: Any, key: str, spec: ItemSpec, make: MakeItem, connection: Mapping[str, Any]) -> NoReturn:
    """Run the items of the option ``key``, and end the module; ``connection`` is the specification for reaching AWS.

    The results are in the file, each masked with its own secrets: here each would be masked with everybody's.
    """
    file = ProgressFile(module.params["progress_file"])
    shared = {name: module.params[name] for name in connection}
    good, bad = spec.checked(module.params[key], connection, shared)
    for name, problem in bad.items():
        file.write({"item": name, "result": {"changed": False, "failed": True, "msg": problem}})
    items = [make(name, params, module.check_mode, file) for name, params in good.items()]
    engine = Engine(abandoned=file.abandoned)
    engine.run(items)
    for text in engine.warnings:
        module.warn(text)
    changed = any((item.result or {}).get("changed") for item in items)
    module.exit_json(changed=changed, api_calls=engine.api_calls)
    raise AssertionError("exit_json ends the module")
