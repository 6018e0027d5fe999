# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of a logical environment, held by one module for as long as it changes something there."""

from __future__ import annotations

import contextlib
import getpass
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import api
from . import holder as processes
from .cnames import key_of
from .common import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, error_code, is_transient
from .lease import Claim, Lease, LeaseLostError, LockedError, held_sentence
from .lock_store import LockStore
from .memory import memory_of
from .naming import own_bucket
from .wave import Alone, Held, Wave, WaveBusyError


class WriteLock:
    """Taken before the first write, renewed while waiting, freed at the end.

    ``store`` is called with the name of a bucket ("": Elastic Beanstalk's own is asked for), and only when something
    is to be written, so that a run with nothing to do asks S3 nothing. ``ttl`` and ``wait`` are seconds. With a
    ``wave``, the leases of the ``companions`` that nobody else holds are taken, renewed and freed in the same requests.
    """

    def __init__(
        self,
        store: Callable[[str], LockStore],
        reason: str,
        *,
        owner: str = "",
        ttl: float = 180,
        wait: float = 300,
        wave: Wave | None = None,
        companions: Sequence[str] = (),
    ) -> None:
        self._make, self._reason, self._ttl, self._wait = store, reason, ttl, wait
        self._may_have_it = bool(owner)
        self._wave = wave or Alone(owner or made_up_owner())
        self._companions = [key_of(name) for name in companions] if wave else []
        self._store: LockStore | None = None
        self._lease = Lease()

    def take(self, arn: str = "", looked: float = 0.0) -> float:
        """Take the lock; returns since when (monotonic) nobody else can have written, 0 when ``looked`` is after that.

        ``arn`` is that of anything of Elastic Beanstalk's in the account, ``looked`` the time (monotonic) of the look
        at the world. Raises LockedError with the holder's name and reason when it is still held after the wait.
        """
        if self._store is not None:
            return 0.0
        try:
            since = self._take(self._make(own_bucket(arn)))
        except AnsibleBeanstalkError as error:
            if error_code(error) != "NoSuchBucket":
                raise
            since = self._take(self._make(""))
        self.renew()
        return since if looked < since else 0.0

    def _take(self, store: LockStore) -> float:
        since = store.patiently(lambda: self._attempt(store), self._wait)
        self._store = store
        return since

    def _attempt(self, store: LockStore) -> float:
        try:
            with self._wave.held() as held:
                return self._join(store, held)
        except LockedError:
            # Companions who are free now may be done when the wait is over.
            self._companions = []
            raise

    def _join(self, store: LockStore, held: Held) -> float:
        name = store.cname_prefix
        store.recall()
        lease = store.lease()
        if held.is_used(name):
            raise LockedError(held_sentence(lease, store.now), lease)
        if name in held.since and lease.valid(held.owner, store.now):
            self._lease, since = lease, held.since[name]
        else:
            taken = store.attempt(held.owner, self._reason, self._ttl, self._companions)
            self._lease, since = taken[name].lease, taken[name].since
            # A lease that the user's own owner had before stays when this is over.
            stays = Claim.OURS if self._may_have_it else None
            held.since |= {one: got.since for one, got in taken.items() if got.before is not stays}
        held.users[name] = dict(self._wave.user)
        return since

    def renew(self) -> None:
        """Make a lock that is half over last longer. Raises LeaseLostError when somebody took it by force."""
        if self._store is None or self._lasts(self._lease):
            return
        try:
            self._renew(self._store)
        except AnsibleBeanstalkError as error:
            passes = is_transient(error) or isinstance(error, WaveBusyError)
            if not passes or not self._lease.valid(self._lease.owner, self._store.now):
                raise

    def _renew(self, store: LockStore) -> None:
        owner, name = self._lease.owner, store.cname_prefix
        with self._wave.held() as held:
            store.recall()
            if store.lease().owner == owner and self._lasts(store.lease()):
                self._lease = store.lease()
                return
            known = {one: store.lease(one) for one in held.since if store.lease(one).owner == owner}
            known.setdefault(name, self._lease)
            wanted = {one: lease.taken(owner, self._reason, store.now, self._ttl) for one, lease in known.items()}
            with contextlib.suppress(LeaseLostError):
                store.write_all(wanted)
            # What is not as it was remembered may have been renewed by another host of the wave.
            if store.lease().owner != owner:
                raise LeaseLostError(message=f"The lock of {name} was taken by {store.lease().owner or 'nobody'}.")
            self._lease = store.lease()

    def _lasts(self, lease: Lease) -> bool:
        return self._store is not None and lease.expires - self._store.now > self._ttl / 2

    def release(self) -> str:
        """Free the lock unless it was ours before, or leave that to the last one of the wave.

        Returns a sentence when that failed, as the lock ends by itself.
        """
        store, self._store = self._store, None
        if store is None:
            return ""
        name = store.cname_prefix
        try:
            with self._wave.held() as held:
                held.users.pop(name, None)
                if name in held.since:
                    held.since[name] = time.monotonic()
                names = set() if held.is_used() else set(held.since)
                lost = names - self._free(store, names)
                if names:
                    held.since.clear()
        except AnsibleBeanstalkError as error:
            return f"The lock {store.key} could not be freed and ends by itself: {error}"
        return f"{store.lease().owner or 'Nobody'} holds the lock of {name} now: it was taken." if name in lost else ""

    def _free(self, store: LockStore, names: set[str]) -> set[str]:
        """Free those of the leases that are still ours; returns which."""
        owner, freed = self._lease.owner, set[str]()
        store.recall()
        if any(store.lease(name).owner != owner for name in names):
            store.read()
        while ours := {name: store.lease(name).freed() for name in names if store.lease(name).owner == owner}:
            # What is not as it was remembered has been read now.
            with contextlib.suppress(LeaseLostError):
                freed |= set(store.write_all(ours))
        return freed


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

    client_eb = eb or client("elasticbeanstalk")
    application, name = params["application"], params["cname_prefix"]

    def store(own: str) -> LockStore:
        bucket = wanted["bucket"] or own or api.create_storage_location(client_eb)
        return LockStore(client("s3"), bucket, application, name, memory=memory_of(client_eb, application, "lock"))

    wave, memory = None, memory_of(client_eb, application, "waves")
    run, user = processes.this_run(), processes.this_process()
    if wanted["companions"] and not wanted["owner"] and run and user and memory.lasts:
        wave = Wave(memory, run, user, made_up_owner())
    return WriteLock(
        store,
        reason,
        owner=wanted["owner"] or "",
        ttl=wanted["ttl"],
        wait=wanted["wait_timeout"],
        wave=wave,
        companions=wanted["companions"],
    )
