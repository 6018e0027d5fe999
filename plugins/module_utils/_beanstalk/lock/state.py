# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the lock of a logical environment be as the user wants it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ..core.shown import shown
from .lease import BrokenLockError, Lease, LeaseLostError, LeaseState, LockedError
from .store import LockStore


def ensure_lock(store: LockStore, params: Mapping[str, Any], check_mode: bool) -> tuple[bool, dict[str, Any]]:
    """Carry the parameters out; returns (changed, result). Raises LockedError when somebody else has the lock."""
    absent = params["state"] == "absent"
    try:
        lease = store.read()
    except BrokenLockError as error:
        if not (absent and params["force"]):
            raise
        if not check_mode:
            store.remove_broken(error.etag)
        return True, _result(store, Lease(reason="broken"), Lease())
    if absent:
        return _ensure_absent(store, lease, params, check_mode)
    return _ensure_present(store, lease, params, check_mode)


def look_up(store: LockStore) -> dict[str, Any]:
    """The lock as it is now; writes nothing."""
    return {"lock": show(store.read(), store.now), "bucket": store.bucket, "key": store.key}


def _ensure_present(
    store: LockStore, lease: Lease, params: Mapping[str, Any], check_mode: bool
) -> tuple[bool, dict[str, Any]]:
    owner, reason, ttl = params["owner"], params["reason"], params["ttl"]
    state = lease.state(owner, store.now)
    if state is LeaseState.OURS and lease.expires - store.now > ttl / 2:
        return False, _result(store, lease, lease)
    if check_mode:
        if state is LeaseState.HELD and not params["force"] and not params["wait_timeout"]:
            raise LockedError(lease, store.now)
        token = lease.token if state is LeaseState.OURS else lease.token + 1
        return True, _result(
            store, lease, replace(lease, owner=owner, reason=reason, token=token, expires=store.now + ttl)
        )
    if params["force"] and state is LeaseState.HELD:
        return True, _result(store, lease, store.take(lease, owner, reason, ttl))
    wait, poll = params["wait_timeout"], params["poll_interval"]
    return True, _result(store, lease, store.acquire(owner, reason, ttl, wait=wait, poll=poll))


def _ensure_absent(
    store: LockStore, lease: Lease, params: Mapping[str, Any], check_mode: bool
) -> tuple[bool, dict[str, Any]]:
    if not lease.owner or (lease.owner != params["owner"] and not params["force"]):
        return False, _result(store, lease, lease)
    freed = lease.freed()
    if not check_mode:
        try:
            freed = store.release(lease)
        except LeaseLostError:
            # It was taken over between the two calls, so it is not ours to free.
            current = store.read()
            return False, _result(store, current, current)
    return True, _result(store, lease, freed)


def _result(store: LockStore, before: Lease, after: Lease) -> dict[str, Any]:
    return {
        "lock": show(after, store.now),
        "bucket": store.bucket,
        "key": store.key,
        "diff": {"before": _diff(before), "after": _diff(after)},
    }


def show(lease: Lease, now: float) -> dict[str, Any]:
    """The lock as the module returns it, at ``now`` on S3's clock."""
    held = bool(lease.owner) and now < lease.expires
    return {
        "held": held,
        "stopped": lease.state("", now) in (LeaseState.EXPIRED, LeaseState.ORPHANED),
        "owner": shown(lease.owner) or None,
        "reason": shown(lease.reason) or None,
        "token": lease.token,
        "acquired": _text(lease.acquired),
        "expires": _text(lease.expires),
        "seconds_left": round(lease.expires - now) if held else 0,
    }


def _diff(lease: Lease) -> dict[str, Any]:
    return {"owner": shown(lease.owner) or None, "reason": shown(lease.reason) or None, "token": lease.token}


def _text(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds") if seconds else None
