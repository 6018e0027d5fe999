# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a list as a module takes it to items of a run: each checked and masked by itself, so that it fails alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ..core.cnames import key_of
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, advice, error_text
from ..option_settings.hiding import secret_values

Params = dict[str, Any]

LOCK_ARGUMENTS: dict[str, Any] = {
    "bucket": {"type": "str"},
    "owner": {"type": "str"},
    "ttl": {"default": 180, "type": "int"},
    "wait_timeout": {"default": 300, "type": "int"},
}
"""Of every module that takes a lock for its own time."""

_PLACE = ("region", "profile", "access_key", "endpoint_url", "application")


@dataclass(frozen=True)
class ItemSpec:
    """What items of one kind look like. ``check`` raises AnsibleBeanstalkRefusedError for what no type can say."""

    arguments: Mapping[str, Any]
    check: Callable[[Mapping[str, Any]], object]
    required_one_of: tuple[tuple[str, ...], ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Old names of arguments to new ones: an old name is an error that says the new one."""

    def checked(
        self, given: Iterable[Mapping[str, Any]], connection: Mapping[str, Any], shared: Mapping[str, Any]
    ) -> tuple[dict[str, Params], dict[str, str]]:
        """Items with all their arguments by name, and those that cannot be used, with a sentence each.

        ``connection`` is the argument specification for reaching AWS, ``shared`` its values for items that name no
        region. Two for one logical environment are both refused.
        """
        validator = ArgumentSpecValidator(
            {**connection, **self.arguments, "item": {"required": True, "type": "str"}},
            required_one_of=self.required_one_of,
        )
        good: dict[str, Params] = {}
        bad: dict[str, str] = {}
        holders: dict[tuple[Any, ...], str] = {}
        for number, one in enumerate(given):
            name = str(one.get("item") or f"number {number + 1}")
            if "problem" in one:
                bad[name] = str(one["problem"])
                continue
            params, problems = self._validated(validator, {**({} if one.get("region") else shared), **one})
            if problems:
                bad[name] = f"The environment of {name} cannot be managed: {'; '.join(problems).rstrip('.')}."
            elif name in good or name in bad:
                bad[name] = f"Two environments have the item {name}."
            else:
                good[name] = params
            if problems or not params.get("cname_prefix"):
                continue
            prefix = params["cname_prefix"]
            other = holders.setdefault((*(str(params.get(key)) for key in _PLACE), key_of(prefix)), name)
            if other != name:
                text = f"{other} and {name} are for the same logical environment, {prefix}; leave one out."
                bad[name] = bad[other] = text
        return {name: params for name, params in good.items() if name not in bad}, bad

    def _validated(self, validator: ArgumentSpecValidator, one: Mapping[str, Any]) -> tuple[Params, list[str]]:
        if old := [name for name in self.renamed if name in one]:
            return dict(one), [f"{name} is called {self.renamed[name]} now" for name in old]
        checked = validator.validate({name: value for name, value in one.items() if value is not None})
        params = dict(checked.validated_parameters)
        if unknown := sorted(map(_dotted, checked.unsupported_parameters)):
            return params, [f"there is no option {name}" for name in unknown]
        if checked.error_messages:
            return params, list(checked.error_messages)
        try:
            self.check(params)
        except AnsibleBeanstalkRefusedError as error:
            return params, [str(error.message)]
        return params, []


def _dotted(name: Any) -> str:
    return name if isinstance(name, str) else ".".join(name)


def mask_of(params: Mapping[str, Any], *more: str) -> Callable[[Any], Any]:
    """Hides the secrets of one item, and nobody else's; ``more`` are texts that are secret, too."""
    secrets = secret_values(params["option_settings"]) | {text for text in more if text}
    secrets |= {str(params[key]) for key in ("secret_key", "session_token") if params.get(key)}
    return lambda value: remove_values(value, secrets)


def failure_sentence(error: BaseException) -> str:
    """What went wrong, in AWS's words where it said something, and what to do about it."""
    if not isinstance(error, AnsibleBeanstalkError):
        return f"{type(error).__name__}: {error}"
    text = str(error.message)
    if error.exception is not None:
        text = f"{text.rstrip('.')}: {error_text(error)}"
    hint = advice(error)
    return f"{text} ({hint})" if hint else text
