# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and writes the record object of a logical environment in S3; see ``record``."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..core.api import ThrottlingRetry
from ..core.errors import AnsibleBeanstalkError, denied_action, error_code, translate_errors
from ..core.reading import Allowance, ask_again, receive, whole_head
from .record import MAX_BYTES, Record, RecordUnreadableError, decode, encode, record_key

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
# 412 when the condition does not hold, 409 when two write at once, 404 when the object was removed meanwhile.
_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409"})
_TRIES = 12
_PAUSE_SECONDS = 0.3
_READ_SECONDS = 30.0


class RecordStore:
    """The record of one logical environment. Reads once, and again when somebody else wrote it.

    ``s3`` and ``bucket`` are called when they are needed first. No method raises for what S3 says: ``problem`` is a
    sentence then, and nothing is known.
    """

    def __init__(
        self,
        s3: Callable[[], Any],
        bucket: Callable[[], str],
        application: str,
        logical: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._s3, self._bucket, self.key = s3, bucket, record_key(application, logical)
        self._sleep = sleep
        self._etag: str | None = None
        self._record: Record | None = None
        self.exists = False
        self.problem = ""

    def read(self) -> Record | None:
        """The record; an empty one where there is none, None where it cannot be read."""
        if self._record is None and not self.problem:
            self._read()
        return self._record

    def change(self, change: Callable[[Record], Record]) -> bool:
        """Write what ``change`` makes of the record, unless that is what it is; whether it is so now."""
        for number in range(_TRIES):
            known = self.read()
            if known is None:
                return False
            wanted = change(known)
            if wanted == known:
                return True
            if self._write(wanted):
                return True
            if self.problem:
                return False
            self._sleep(random.uniform(0, _PAUSE_SECONDS * (number + 1)))  # noqa: S311 -- only spreads the writers
            self._record = None
        self.problem = f"The record {self.key} was not written: others kept changing it."
        return False

    def _read(self) -> None:
        try:
            body, etag = self._get(self._s3(), self._bucket())
            self._record, self._etag, self.exists = decode(body), etag, True
        except RecordUnreadableError as error:
            self.problem = f"The record {self.key} of what was set here cannot be used: {error.message}."
        except AnsibleBeanstalkError as error:
            if error_code(error) in _MISSING:
                self._record, self._etag, self.exists = Record(), None, False
            else:
                self.problem = _sentence(f"The record {self.key} of what was set here cannot be read", error)

    def _write(self, record: Record) -> bool:
        condition = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        try:
            answer = self._put(self._s3(), self._bucket(), encode(record), condition)
        except AnsibleBeanstalkError as error:
            if error_code(error) not in _LOST:
                self.problem = _sentence(f"The record {self.key} of what is set here cannot be written", error)
            return False
        if not answer.get("ETag"):
            return False  # it broke off: what came of the request is read
        self._record, self._etag, self.exists = record, str(answer["ETag"]), True
        return True

    @translate_errors("read the record")
    @ThrottlingRetry.jittered_backoff(retries=12, delay=1, max_delay=20)  # type: ignore[untyped-decorator]
    @ask_again
    def _get(self, s3: Any, bucket: str) -> tuple[bytes, str]:
        answer = s3.get_object(Bucket=bucket, Key=self.key)
        whole_head(answer, "ETag", "ContentLength")
        return receive(answer["Body"], Allowance(MAX_BYTES, _READ_SECONDS)), str(answer["ETag"])

    @translate_errors("write the record")
    @ThrottlingRetry.jittered_backoff(retries=12, delay=1, max_delay=20)  # type: ignore[untyped-decorator]
    def _put(self, s3: Any, bucket: str, body: bytes, condition: Mapping[str, str]) -> dict[str, Any]:
        return dict(
            s3.put_object(
                Bucket=bucket,
                Key=self.key,
                Body=body,
                ContentType="application/json",
                ServerSideEncryption="AES256",
                **condition,
            )
        )


def _sentence(what: str, error: AnsibleBeanstalkError) -> str:
    action = denied_action(error)
    return f"{what}: allow {action}, see docs/iam of jack.beanstalk." if action else f"{what}: {error}."
