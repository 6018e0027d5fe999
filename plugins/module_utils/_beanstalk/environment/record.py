# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record object of a logical environment: names of the settings that this collection set there, and no values.

Elastic Beanstalk does not tell who set a property, nor what it made of an option that it does not describe back. So the
names are kept in S3, beside the lock: one object per logical environment, written with ``If-Match`` and
``If-None-Match`` ("Conditional writes" of the Amazon S3 User Guide). It is a cache, not the truth: where it is missing
or cannot be read, nothing is removed on its account.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.cnames import key_of
from ..core.errors import AnsibleBeanstalkError
from ..core.shape import Kind, ShapeError, check, load, text, whole
from ..option_settings.keys import PROPERTIES, SECRETS, Key, Settings, is_hidden
from ..option_settings.values import canonical

FORMAT = 1
MAX_BYTES = 1 << 20
_KNOWN = ("format", "options", "properties", "secrets", "settled")
_NAME = text(1024)
_PAIR = Kind("a pair of digests", lambda pair: isinstance(pair, list) and list(map(type, pair)) == [str, str])
_SHAPE = {
    "format": whole(FORMAT, FORMAT),
    "properties": [_NAME],
    "secrets": [_NAME],
    "options": [_NAME],
    "settled": {"environment": _NAME, "options": {str: _PAIR}},
}


class RecordUnreadableError(AnsibleBeanstalkError):
    """The object is none of ours, or of a newer format; the message is one sentence."""


@dataclass(frozen=True)
class Record:
    """What is known of a logical environment.

    ``properties`` and ``secrets`` are names of environment properties and of secrets by reference that were set,
    ``options`` labels of other settings. ``settled`` says for one environment (by id) what it made of settings that are
    not as they were asked for after a successful update: label to the digests of what was asked for and of what is
    reported, "" for neither. Hidden values have no digest. ``rest`` are members of other versions, kept as they are.
    """

    properties: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    environment: str = ""
    settled: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def variables(self) -> frozenset[Key]:
        """The properties and references that were set."""
        return frozenset(
            {Key(PROPERTIES, name) for name in self.properties} | {Key(SECRETS, name) for name in self.secrets}
        )

    def knows(self, wanted: Settings) -> bool:
        """Whether all names that are to be set are in it."""
        return self.with_names(wanted) == self

    def with_names(self, wanted: Settings) -> Record:
        """With the names of what is to be set."""
        names = [key for key, value in wanted.items() if value is not None]
        return replace(
            self,
            properties=self.properties | {key.option for key in names if key.namespace == PROPERTIES},
            secrets=self.secrets | {key.option for key in names if key.namespace == SECRETS},
            options=self.options | {key.label for key in names if not key.is_variable},
        )

    def without(self, removed: Iterable[Key]) -> Record:
        """Without the names of what was removed."""
        gone = set(removed)
        return replace(
            self,
            properties=self.properties - {key.option for key in gone if key.namespace == PROPERTIES},
            secrets=self.secrets - {key.option for key in gone if key.namespace == SECRETS},
            options=self.options - {key.label for key in gone if not key.is_variable},
        )

    def with_settled(self, environment_id: str, settled: Mapping[str, tuple[str, str]]) -> Record:
        """With what the environment made of settings that are not as asked for."""
        return replace(self, environment=environment_id, settled=dict(settled))

    def settled_of(self, environment_id: str) -> Mapping[str, tuple[str, str]]:
        """What this environment made of settings; what another one did says nothing."""
        return self.settled if environment_id == self.environment else {}


def can_settle(key: Key, wanted: str | None) -> bool:
    """Whether a setting may be noted: not a hidden one, unless there is nothing to hide."""
    return not is_hidden(key) or (key.is_variable and wanted == "")


def digests(key: Key, wanted: str | None, reported: str | None) -> tuple[str, str]:
    """What was asked for and what is reported, each as a digest."""
    return _digest(key, wanted), _digest(key, reported)


def _digest(key: Key, value: str | None) -> str:
    if not value:
        return "" if value is None else "empty"
    return hashlib.sha256(canonical(key, value).encode()).hexdigest()[:16]


def record_key(application: str, logical: str) -> str:
    """Where the record is, in the bucket of the lock. ``logical`` is the CNAME prefix; a worker's name, after ``@``."""
    return f"jack.beanstalk/records/{application}/{key_of(logical)}.json"


def encode(record: Record) -> bytes:
    """The object's content."""
    document = {
        **record.rest,
        "format": FORMAT,
        "properties": sorted(record.properties),
        "secrets": sorted(record.secrets),
        "options": sorted(record.options),
        "settled": {"environment": record.environment, "options": dict(sorted(record.settled.items()))},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def decode(body: bytes) -> Record:
    """Read the object's content. Raises RecordUnreadableError when it is none of ours, or of a newer format."""
    try:
        document = load(body, {"format": whole(0, 1 << 31)})
        if document["format"] > FORMAT:
            raise RecordUnreadableError(
                message=f"it has format {document['format']}, and this collection knows format {FORMAT}: "
                "update the collection"
            )
        check(document, _SHAPE)
    except ShapeError as error:
        raise RecordUnreadableError(
            message=f"it is not a record of this collection ({error}): remove it to begin anew"
        ) from error
    settled = document["settled"]
    return Record(
        properties=frozenset(document["properties"]),
        secrets=frozenset(document["secrets"]),
        options=frozenset(document["options"]),
        environment=settled["environment"],
        settled={name: (asked, reported) for name, (asked, reported) in settled["options"].items()},
        rest={name: value for name, value in document.items() if name not in _KNOWN},
    )
