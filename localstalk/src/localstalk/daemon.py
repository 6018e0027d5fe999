# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon: one process with the API, the workflows and a driver. Started by ``localstalk up``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from localstalk import accounts, ec2, iam
from localstalk.clock import ScaledClock
from localstalk.driver import Driver
from localstalk.home import Home, Record
from localstalk.keys import ACCOUNT
from localstalk.log import write_log

log = logging.getLogger(__name__)
_WORKERS = 16
"""Driver calls at once: more than a few dozen instances on one machine are for the sim driver."""


def make_driver(name: str, home: Home, speed: float) -> Driver:
    """The driver of that name; the container driver is imported only when it is wanted."""
    if name == "container":
        from localstalk.drivers.container import ContainerDriver

        container: Driver = ContainerDriver(home.path, home.runtime, speed)
        return container
    from localstalk.drivers.sim import SimDriver

    return SimDriver(home.path, home.runtime, speed, int(os.environ.get("LOCALSTALK_SEED", "0")))


def serve(home: Home, chosen: argparse.Namespace, asked_to_end: Callable[[], bool]) -> None:
    """Run until SIGTERM or SIGINT, then remove everything that the driver made."""
    from localstalk.instance_api import opener
    from localstalk.model.control import Control
    from localstalk.server import Application
    from localstalk.serving import Serving

    os.environ.setdefault("MOTO_ALLOW_NONEXISTENT_REGION", "true")
    # The eb CLI attaches AWS's own policies to the roles that it creates.
    os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    driver = make_driver(chosen.driver, home, chosen.speed)
    try:
        workers = 0 if chosen.driver == "sim" else _WORKERS
        control = Control(ScaledClock(chosen.speed), driver, home.path, workers=workers)
        control.driver_reason = chosen.reason
        quotas = {name: int(count) for name, _, count in (each.partition("=") for each in chosen.quota)}
        control.quotas |= quotas
        control.launch_configurations = chosen.launch_configurations
        key = control.keys.administrator
        application = Application(control, auth=not chosen.no_auth)
        driver.offer_api(opener(application))
        if chosen.iam:
            iam.enforce(ACCOUNT, key)
        serving = Serving(application, chosen.port)
        _stop_on_signal(serving.stop)
        if asked_to_end():
            return
        control.scheduler.start()
        record = Record(
            os.getpid(), serving.port, chosen.driver, chosen.speed, quotas, chosen.iam, not chosen.no_auth,
            chosen.launch_configurations, key.access_key, key.secret_key,
        )  # fmt: skip
        home.write(record)
        threading.Thread(target=_warm_up, daemon=True).start()
        serving.run()
        control.scheduler.stop()
    finally:
        driver.close()


def _warm_up() -> None:
    """Import what the first environment needs while nobody waits for it: it takes moto about a second."""
    from moto.backends import get_backend

    for service in ("s3", "ec2", "autoscaling", "elbv2"):
        get_backend(service)
    accounts.iam(ACCOUNT)
    ec2.install()


def _stop_on_signal(shutdown: object) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        # shutdown() waits for the loop that this very thread runs, so it needs another one.
        assert callable(shutdown)
        threading.Thread(target=shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _end_on_signal() -> Callable[[], bool]:
    """Let a signal end the process where it is; returns a function that tells whether one came.

    Python drops what a handler raises in a callback of its own, of an import or of the garbage collector, with a
    traceback: so there is nothing to be said of it, and the daemon asks again before it serves.
    """
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        sys.exit(0)

    def unraisable(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, SystemExit):
            sys.__unraisablehook__(dropped)

    sys.unraisablehook = unraisable
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return lambda: bool(came)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of ``python -m localstalk.daemon``; the last line of the log says why a start failed."""
    parser = argparse.ArgumentParser(prog="localstalk-daemon")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--speed", type=float, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--reason", default="")
    parser.add_argument("--quota", action="append", default=[])
    parser.add_argument("--iam", action="store_true")
    parser.add_argument("--launch-configurations", action="store_true")
    parser.add_argument("--no-auth", action="store_true")
    parser.add_argument("--lock", type=int, help="descriptor of the daemon's lock, locked by whoever starts it")
    chosen = parser.parse_args(arguments)
    home = Home(chosen.home)
    home.create()
    try:
        # Until it serves; what was made is removed on the way out.
        asked_to_end = _end_on_signal()
        with _own(home, chosen.lock):
            home.write(Record(os.getpid(), 0, chosen.driver, chosen.speed))
            write_log(home.log)
            serve(home, chosen, asked_to_end)
    except BlockingIOError:
        return _failed(f"another daemon already runs in {home.path}")
    except Exception as error:
        log.exception("the daemon ended")
        return _failed(str(error) or type(error).__name__)
    return 0


@contextlib.contextmanager
def _own(home: Home, lock: int | None) -> Iterator[None]:
    """Hold the daemon's lock until the process ends; no program that it starts holds it too."""
    if lock is None:
        with home.lock("daemon", wait=False):
            yield
    else:
        os.set_inheritable(lock, False)
        yield


def _failed(reason: str) -> int:
    with contextlib.suppress(OSError):
        os.write(2, f"{reason}\n".encode())
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
