# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of a logical environment, held by one module for as long as it changes something there."""

from __future__ import annotations

import getpass
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from . import api
from . import holder as processes
from .common import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, error_code, is_transient
from .lease import Claim, Lease, LeaseLostError, LockStore, decode, encode, lock_key
from .memory import Memory
from .naming import own_bucket


class WriteLock:
    """Taken before the first write, renewed while waiting, freed at the end.

    ``store`` is called with the name of a bucket ("": Elastic Beanstalk's own is asked for), and only when something
    is to be written, so that a run with nothing to do asks S3 nothing. ``ttl`` and ``wait`` are seconds.
    """

    def __init__(
        self, store: Callable[[str], LockStore], reason: str, *, owner: str = "", ttl: float = 180, wait: float = 300
    ) -> None:
        self.owner = owner or made_up_owner()
        self._make, self._reason, self._ttl, self._wait = store, reason, ttl, wait
        self._store: LockStore | None = None
        self._lease = Lease()
        self.memory = Memory(None)
        self._borrowed = False

    def take(self, arn: str = "", memory: Memory | None = None, looked: float = 0.0) -> bool:
        """Take the lock; True when somebody may have written meanwhile, so that the world must be looked at again.

        ``arn`` is that of anything of Elastic Beanstalk's in the account, ``looked`` the time (monotonic) of the look
        at the world. Raises LockedError with the holder's name and reason when it is still held after ``wait``.
        """
        if self._store is not None:
            return False
        self.memory = memory or self.memory
        store = self._make(own_bucket(arn))
        try:
            return self._take(store, looked)
        except AnsibleBeanstalkError as error:
            if error_code(error) != "NoSuchBucket":
                raise
            return self._take(self._make(""), looked)

    def _take(self, store: LockStore, looked: float) -> bool:
        remembered = self._remembered(store, looked)
        if remembered is not None:
            try:
                # Written over what a run on this controller left before the look: nobody had the lock since then.
                self._lease = store.take(remembered, self.owner, self._reason, self._ttl)
                self._store = store
                return False
            except LeaseLostError:
                pass
        lease = store.read()
        self._borrowed = lease.claim(self.owner, store.now) is Claim.OURS
        self._lease = store.acquire(self.owner, self._reason, self._ttl, wait=self._wait, lease=lease)
        self._store = store
        return True

    def _remembered(self, store: LockStore, looked: float) -> Lease | None:
        found = self.memory.get("lease") or {}
        # The monotonic clock, which carries S3's clock on, begins anew with every boot.
        if found.get("place") != [store.bucket, store.key, processes.boot()]:
            return None
        if found["released"] > looked:
            return None
        store.resume_clock(found["offset"])
        lease = decode(found["body"], found["etag"])
        return None if lease.owner else lease

    def renew(self) -> None:
        """Make a lock that is half over last longer. Raises LeaseLostError when somebody took it by force."""
        if self._store is None or self._lease.expires - self._store.now > self._ttl / 2:
            return
        try:
            self._lease = self._store.take(self._lease, self.owner, self._reason, self._ttl)
        except AnsibleBeanstalkError as error:
            if not is_transient(error) or not self._lease.valid(self.owner, self._store.now):
                raise

    def release(self) -> str:
        """Free the lock unless it was ours before; returns a sentence when that failed, as it ends by itself."""
        store, self._store = self._store, None
        if store is None or self._borrowed:
            return ""
        try:
            free = store.release(self._lease)
        except AnsibleBeanstalkError as error:
            return f"The lock {store.key} could not be freed and ends by itself: {error}"
        place = [store.bucket, store.key, processes.boot()]
        found = {"place": place, "offset": store.offset, "etag": free.etag, "body": encode(free).decode()}
        self.memory.put(lease={**found, "released": time.monotonic()})
        return ""


def made_up_owner() -> str:
    """Who runs this, and something that differs for every run."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in a container
        user = "somebody"
    return f"{user}@{socket.gethostname()} {secrets.token_hex(4)}"


def write_lock(
    client: Callable[[str], Any], params: Mapping[str, Any], reason: str, eb: Any | None = None
) -> WriteLock | None:
    """The lock that the parameter ``lock`` asks for; None when it does not. ``client`` makes a client for a service."""
    wanted = params.get("lock")
    if wanted is None:
        return None
    if not params.get("cname_prefix"):
        raise AnsibleBeanstalkRefusedError(message="lock needs cname_prefix, which names the logical environment.")

    def store(own: str) -> LockStore:
        bucket = wanted["bucket"] or own or api.create_storage_location(eb or client("elasticbeanstalk"))
        return LockStore(client("s3"), bucket, lock_key(params["application"], params["cname_prefix"]))

    return WriteLock(store, reason, owner=wanted["owner"] or "", ttl=wanted["ttl"], wait=wanted["wait_timeout"])
