# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules use; the code itself is in _beanstalk/, which is private to this collection."""

from __future__ import annotations

import os
from typing import Any, NoReturn

from ansible.module_utils.common.parameters import remove_values

from ._beanstalk import naming, settings
from ._beanstalk.api import CallCounter
from ._beanstalk.applications import ensure_application
from ._beanstalk.bundle import make_bundle, source_spec
from ._beanstalk.bundle_types import BundleError, NameRefusedError
from ._beanstalk.common import (
    AnsibleBeanstalkError,
    AnsibleBeanstalkRefusedError,
    AnsibleBeanstalkWaitError,
    advice,
)
from ._beanstalk.environment_manager import EnvironmentManager
from ._beanstalk.friendly import ARGUMENTS as CAPACITY_ARGUMENTS
from ._beanstalk.info import ask_leader
from ._beanstalk.info import describe as describe_environment
from ._beanstalk.info import select as select_environments
from ._beanstalk.progress import FILE_NAME, Progress
from ._beanstalk.queries import (
    fetch_logs,
    list_applications,
    list_events,
    list_instances,
    list_platforms,
    list_versions,
)
from ._beanstalk.swap import Swap
from ._beanstalk.versions import ensure_version
from ._beanstalk.write_lock import write_lock

__all__ = [
    "CAPACITY_ARGUMENTS",
    "AnsibleBeanstalkError",
    "AnsibleBeanstalkRefusedError",
    "AnsibleBeanstalkWaitError",
    "BundleError",
    "CallCounter",
    "EnvironmentManager",
    "NameRefusedError",
    "Swap",
    "ask_leader",
    "check_application_params",
    "check_version_params",
    "describe_environment",
    "ensure_application",
    "ensure_version",
    "fail",
    "fetch_logs",
    "finish",
    "guard_secrets",
    "list_applications",
    "list_events",
    "list_instances",
    "list_platforms",
    "list_versions",
    "listener",
    "make_bundle",
    "select_environments",
    "source_spec",
    "write_lock",
]


def check_application_params(params: dict[str, Any]) -> None:
    """Refuse names that Elastic Beanstalk would refuse."""
    try:
        naming.check_application_name(params["name"])
        naming.check_description(params["description"] or "")
        naming.check_tags(params["tags"] or {})
    except NameRefusedError as error:
        raise AnsibleBeanstalkRefusedError(message=str(error)) from error


def check_version_params(params: dict[str, Any]) -> None:
    """Refuse names that Elastic Beanstalk would refuse."""
    try:
        naming.check_application_name(params["application"])
        naming.check_version_label(params["version_label"])
        naming.check_description(params["description"] or "")
        naming.check_tags(params["tags"] or {})
    except NameRefusedError as error:
        raise AnsibleBeanstalkRefusedError(message=str(error)) from error


def guard_secrets(module: Any) -> dict[str, Any]:
    """Hide secret property values everywhere, and no other values; returns what the module was called with.

    Ansible would blank every value of a hidden option out of every answer, a "2" in an instance id included.
    """
    params = module.params
    given = params["option_settings"]
    # AnsibleAWSModule wraps the module that does the hiding.
    inner = getattr(module, "_module", module)
    inner.no_log_values = (inner.no_log_values - _texts(given)) | settings.secret_values(given)
    shown = {key: value for key, value in params.items() if key not in ("secret_key", "session_token", "access_key")}
    return {"module_args": {**shown, "option_settings": settings.hide_properties(given)}}


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {text for item in value.values() for text in _texts(item)}
    if isinstance(value, (list, tuple)):
        return {text for item in value for text in _texts(item)}
    return {str(value)}


def listener(module: Any) -> Progress:
    """Where to tell what happens while the module waits: to its action plugin, if that listens."""
    inner = getattr(module, "_module", module)
    folder = getattr(inner, "_tmpdir", None)
    path = os.path.join(folder, FILE_NAME) if folder else None  # noqa: PTH118
    return Progress(path, lambda text: str(remove_values(text, inner.no_log_values)))


def fail(module: Any, error: AnsibleBeanstalkError, **extra: Any) -> NoReturn:
    """End the module with one sentence, what to do about it, and the report of a wait that failed."""
    report = {**getattr(error, "report", {}), **extra}
    hint = advice(error)
    if error.exception is None:
        module.fail_json(msg=str(error.message), **report)
    module.fail_json_aws(error.exception, msg=f"{error.message} ({hint})" if hint else error.message, **report)
    raise AssertionError("fail_json ends the module")


def finish(module: Any, changed: bool, result: dict[str, Any]) -> NoReturn:
    """End the module; the diff is shown only when it was asked for."""
    answer = dict(result)
    diff = answer.pop("diff", None)
    if module._diff and diff is not None:
        answer["diff"] = diff
    module.exit_json(changed=changed, **answer)
    raise AssertionError("exit_json ends the module")
