# SPDX-License-Identifier: GPL-3.0-or-later
"""Access keys: the daemon's own, and those that IAM and STS gave out under it."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

ACCOUNT = "123456789012"
"""The account of the daemon's own key."""
_SECRET_LENGTH = 40


@dataclass(frozen=True)
class Key:
    """An access key. A session's key has a token; its end is a moment of real time."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    ends: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether the session is over."""
        return self.ends is not None and self.ends <= datetime.now(UTC)


def create() -> Key:
    """A new key nobody can guess, in the form of AWS's: letters 5 to 12 of the id tell the account."""
    from moto.iam.utils import generate_access_key_id_from_account_id

    letters = string.ascii_letters + string.digits
    secret = "".join(secrets.choice(letters) for _ in range(_SECRET_LENGTH))
    told = generate_access_key_id_from_account_id(ACCOUNT, "AKIA")[:13]
    rest = "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(20 - len(told)))
    return Key(told + rest, secret)


class KeyRing:
    """The keys of one daemon: its administrator's, and all that exist in its accounts."""

    def __init__(self, administrator: Key) -> None:
        self.administrator = administrator

    def find(self, access_key: str) -> Key | None:
        """The key with that id, of whatever account; None for one that does not exist or was made inactive."""
        if access_key == self.administrator.access_key:
            return self.administrator
        from moto.backends import get_backend

        for account, partitions in list(get_backend("iam").items()):
            found = partitions["aws"].access_keys.get(access_key)
            if found is not None:
                return _session(account, found) if found.role_arn else _of_user(found)
        return None


def _of_user(found: Any) -> Key | None:
    return Key(found.access_key_id, found.secret_access_key) if found.status == "Active" else None


def _session(account: str, found: Any) -> Key | None:
    from moto.backends import get_backend

    sts: Any = get_backend("sts")[account]["aws"]
    session = sts.get_assumed_role_from_access_key(found.access_key_id)
    if session is None:
        return None
    ends = session.expiration.replace(tzinfo=UTC)
    return Key(session.access_key_id, session.secret_access_key, session.session_token, ends)
