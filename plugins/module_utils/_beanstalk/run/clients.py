# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of AWS for one set of connection arguments, made once and shared by all items that have the same.

A boto3 session reads botocore's models once for all of its clients, which is most of what making one takes.
"""

from __future__ import annotations

import copy
import json
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..core.answers import request_timeouts

try:
    import boto3
    from botocore.config import Config
except ImportError:
    pass  # AnsibleAWSModule says what is missing

ARGUMENTS = (
    "region",
    "profile",
    "endpoint_url",
    "access_key",
    "secret_key",
    "session_token",
    "validate_certs",
    "aws_ca_bundle",
    "aws_config",
)
"""Names of amazon.aws's connection arguments, as every module of this collection takes them."""
_TIMEOUTS = request_timeouts(math.inf)


ONE_ATTEMPT = {"retries": {"total_max_attempts": 1}, "connect_timeout": 10, "read_timeout": 45}
"""For a client whose requests must not be repeated by the SDK: one that takes effect twice may undo itself."""


def connection_key(params: Mapping[str, Any]) -> str:
    """The same text for items that have the same account, region and endpoint, as far as that can be told."""
    return json.dumps({name: params.get(name) for name in ARGUMENTS}, sort_keys=True, default=str)


class Clients:
    """``get(service)`` is the client of a service; ``prepare`` is called with each new one.

    ``timeouts`` are settings of botocore's that all of them have; ``guard`` is called with every client, those of
    :meth:`new` included.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        prepare: Callable[[Any], Any] = lambda client: client,
        timeouts: Mapping[str, Any] | None = None,
        guard: Callable[[Any], object] = lambda client: None,
    ) -> None:
        self._params, self._prepare, self._timeouts = params, prepare, timeouts or _TIMEOUTS
        self._guard = guard
        self._session: Any = boto3.session.Session(profile_name=params.get("profile") or None)
        self._clients: dict[str, Any] = {}
        # A client may be used by many threads, but a session must not make two at a time.
        self._lock = threading.Lock()

    def get(self, service: str) -> Any:
        """The client of a service, such as ``elasticbeanstalk``."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._prepare(self.new(service))
            return self._clients[service]

    def new(self, service: str, aws_config: Mapping[str, Any] | None = None) -> Any:
        """Another client of a service, with settings of botocore's that only this one has."""
        params = self._params
        config = Config(user_agent_extra="jack.beanstalk", **self._timeouts)
        for more in (params.get("aws_config"), aws_config):
            config = config.merge(Config(**copy.deepcopy(dict(more)))) if more else config  # botocore writes into it
        verify: bool | str | None = None if params.get("validate_certs", True) else False
        if verify is None and params.get("aws_ca_bundle"):
            verify = str(params["aws_ca_bundle"])
        client = self._session.client(
            service,
            region_name=params.get("region") or None,
            endpoint_url=params.get("endpoint_url") or None,
            aws_access_key_id=params.get("access_key") or None,
            aws_secret_access_key=params.get("secret_key") or None,
            aws_session_token=params.get("session_token") or None,
            verify=verify,
            config=config,
        )
        self._guard(client)
        return client
