# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket with one object and conditional writes, in memory."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from email.utils import format_datetime
from io import BytesIO
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import Leases, decode
from botocore.exceptions import ClientError


class Bucket:
    """One object of S3's. ``lose_answers`` writes are carried out and then answered as if somebody was quicker.

    So many answers as ``cut_heads`` break off after their first line, which http.client takes for whole ones.
    """

    def __init__(self) -> None:
        self.body, self.number = b"", 0
        self.calls: Counter[str] = Counter()
        self.lose_answers = self.cut_heads = 0
        self.refusal = ""
        self._lock = threading.Lock()

    @property
    def leases(self) -> Leases:
        return decode(self.body) if self.number else Leases.of({})

    def owners(self) -> dict[str, str]:
        return {name: lease.owner for name, lease in self.leases.items()}

    def _answer(self, **more: Any) -> dict[str, Any]:
        date = format_datetime(datetime.now(UTC), usegmt=True)
        return {"ResponseMetadata": {"HTTPHeaders": {"date": date}, "HTTPStatusCode": 200}, **more}

    def _error(self, code: str, operation: str) -> ClientError:
        return ClientError({"Error": {"Code": code}, **self._answer()}, operation)

    def get_object(self, **_where: Any) -> dict[str, Any]:
        with self._lock:
            self.calls["get"] += 1
            if not self.number:
                raise self._error("NoSuchKey", "GetObject")
            if self._cut():
                return {"ResponseMetadata": {"HTTPHeaders": {}, "HTTPStatusCode": 200}, "Body": BytesIO()}
            return self._answer(Body=BytesIO(self.body), ContentLength=len(self.body), ETag=str(self.number))

    def put_object(self, Body: bytes, **condition: Any) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            self.calls["put"] += 1
            if self.refusal or condition.get("IfMatch", "0") != str(self.number):
                raise self._error(self.refusal or "PreconditionFailed", "PutObject")
            self.body, self.number = Body, self.number + 1
            if self.lose_answers:
                self.lose_answers -= 1
                raise self._error("PreconditionFailed", "PutObject")
            if self._cut():
                return {"ResponseMetadata": {"HTTPHeaders": {}, "HTTPStatusCode": 200}}
            return self._answer(ETag=str(self.number))

    def _cut(self) -> bool:
        self.cut_heads -= 1
        return self.cut_heads >= 0


class Clock:
    """A controller's monotonic clock; sleeping only moves it."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
