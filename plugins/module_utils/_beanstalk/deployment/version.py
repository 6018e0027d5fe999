# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The version that an environment shall run, made of the source bundle that is at hand."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ..application import versions
from ..core.errors import AnsibleBeanstalkError, is_missing, is_unreadable
from ..core.waiters import Deadline

Environment = Mapping[str, Any]


class EnvironmentVersion:
    """The version of one run of the environment module. What is cached of it is a hint, dropped when it is wrong.

    ``clients`` makes a client for a service.
    """

    def __init__(
        self,
        client: Any,
        clients: Callable[[str], Any] | None,
        params: Mapping[str, Any],
        check_mode: bool,
        deadline: Deadline,
    ) -> None:
        self._client, self._clients, self._check_mode, self._deadline = client, clients, check_mode, deadline
        self._wanted: versions.Wanted | None = None
        if clients is not None and params["src"] and params["version_label"]:
            description = params["version_description"] or ""
            self._wanted = versions.Wanted(params["application"], params["version_label"], params["src"], description)
        self._provided = False
        self._lost = False

    def provide(self, environment: Environment | None) -> bool:
        """Make the version if need be, before the lock keeps anybody waiting; whether it was (or would be) made."""
        if self._wanted is None or self._provided:
            return False
        self._provided = True
        if self._check_mode:
            return not versions.get_version(self._client, self._wanted.application, self._wanted.label)
        arn = str((environment or {}).get("EnvironmentArn") or "")
        return versions.provide(self._client, self._s3(), self._wanted, arn, self._deadline)

    def restore(self, error: AnsibleBeanstalkError) -> str:
        """Where an error says that the version or its bundle is gone, make it again of the bundle at hand, once.

        Returns what was done, "" when the run cannot go on. A lifecycle rule may have removed either of them since this
        controller saw it, or somebody the whole application.
        """
        vanished = is_missing(error) and ("Application Version" in str(error) or "No Application named" in str(error))
        if self._wanted is None or self._lost or not (vanished or is_unreadable(error)):
            return ""
        self._lost = True
        made = versions.restore(self._client, self._s3(), self._wanted, self._deadline)
        return "create_version" if made else "upload_bundle"

    def changes(self, running: str) -> dict[str, Any]:
        """What of the bundle differs from that of the version that runs, by name; empty without diff mode."""
        if self._wanted is None:
            return {}
        return versions.bundle_changes(self._client, self._s3(), self._wanted.application, self._wanted.src, running)

    def _s3(self) -> Callable[[], Any]:
        if self._clients is None:
            raise AssertionError("there is a bundle only where there are clients")
        return functools.partial(self._clients, "s3")
