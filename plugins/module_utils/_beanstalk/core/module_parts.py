# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules have in common: checks of their parameters, and how they end.

Apart from the facade because a module is packed, sent and compiled with everything that it imports.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from . import names
from .answers import Answers, in_time, request_timeouts
from .api import CallCounter
from .errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, advice
from .shown import all_shown, shown
from .user_errors import NameRefusedError

LIMIT_SECONDS = 60.0
"""For a module that has no ``wait_timeout``."""
_Result = TypeVar("_Result")


class ModuleCalls(CallCounter):
    """The requests of one module: counted, and with an end where AWS does not answer."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._module, self._answers = module, Answers()
        self._limit = float(module.params.get("wait_timeout") or LIMIT_SECONDS)

    def client(self, service: str, **more: Any) -> Any:
        """A client of a service, such as ``elasticbeanstalk``; ``more`` as for ``AnsibleAWSModule.client``."""
        client = self._module.client(service, config=request_timeouts(self._limit), **more)
        self._answers.attach(client)
        return self.attach(client)

    def in_time(self, work: Callable[[], _Result]) -> _Result:
        """Do the module's work; an error when its limit has passed and AWS does not answer."""
        return in_time(work, self._limit, self._answers)

    def answer(self, work: Callable[[], dict[str, Any]]) -> NoReturn:
        """Do the work of a module that only reads, and end it with what was found."""
        try:
            found = self.in_time(work)
        except AnsibleBeanstalkError as error:
            fail(self._module, error, api_calls=self.total)
        self._module.exit_json(changed=False, **found, api_calls=self.total)
        raise AssertionError("exit_json ends the module")


def check_application_params(params: dict[str, Any]) -> None:
    """Refuse names that Elastic Beanstalk would refuse."""
    try:
        names.check_application_name(params["name"])
        names.check_description(params["description"] or "")
        names.check_tags(params["tags"] or {})
    except NameRefusedError as error:
        raise AnsibleBeanstalkRefusedError(message=str(error)) from error


def check_version_params(params: dict[str, Any]) -> None:
    """Refuse names that Elastic Beanstalk would refuse."""
    try:
        names.check_application_name(params["application"])
        names.check_version_label(params["version_label"])
        names.check_description(params["description"] or "")
        names.check_tags(params["tags"] or {})
    except NameRefusedError as error:
        raise AnsibleBeanstalkRefusedError(message=str(error)) from error


def fail(module: Any, error: AnsibleBeanstalkError, **extra: Any) -> NoReturn:
    """End the module with one sentence, what to do about it, and the report of a wait that failed.

    ``changed`` has to say whether something was done before it failed; a module that only reads leaves it out.
    """
    report = {**all_shown(getattr(error, "report", {})), **extra}
    hint = advice(error)
    text = shown(str(error.message))
    if error.exception is None:
        module.fail_json(msg=text, **report)
    module.fail_json_aws(error.exception, msg=f"{text} ({hint})" if hint else text, **report)
    raise AssertionError("fail_json ends the module")


def finish(module: Any, changed: bool, result: dict[str, Any]) -> NoReturn:
    """End the module; the diff is shown only when it was asked for, and ``warnings`` are sentences."""
    answer = dict(result)
    for text in answer.pop("warnings", []):
        module.warn(text)
    diff = answer.pop("diff", None)
    if module._diff and diff is not None:
        answer["diff"] = diff
    module.exit_json(changed=changed, **answer)
    raise AssertionError("exit_json ends the module")


def remove_bundle(module: Any) -> None:
    """Remove the bundle ``src`` where that is asked for, whatever the outcome; a warning when it cannot be."""
    src = module.params["src"]
    if not module.params["remove_src"] or not src or module.check_mode:
        return
    try:
        Path(src).unlink(missing_ok=True)
    except OSError as error:
        module.warn(f"The source bundle {src} could not be removed ({error.strerror}): remove it, it may hold secrets.")
