# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: start, stop and ask the daemon. Imports little, so that asking is quick."""

from __future__ import annotations

import argparse
import base64
import json
import os
import shlex
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localstalk import __version__, process
from localstalk.faults import KINDS
from localstalk.home import Home, Record
from localstalk.quotas import QUOTAS

_SPEED = 20.0
_SWITCHES = ("iam", "launch_configurations", "no_auth")
"""Options of ``up`` that the daemon has, too."""


class CliError(Exception):
    """One sentence for the user."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (1 = failed, 3 = status of a daemon that does not run)."""
    chosen = _parser().parse_args(arguments)
    home = Home(chosen.home)
    try:
        return int(chosen.command(home, chosen))
    except (CliError, process.ProcessError, OSError) as error:
        print(f"localstalk: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localstalk", description="A local Elastic Beanstalk.")
    parser.add_argument("--version", action="version", version=f"localstalk {__version__}")
    parser.add_argument("--home", type=Path, help="state directory (default: $LOCALSTALK_HOME, or in the installation)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start the daemon unless it runs")
    up.add_argument(
        "--driver",
        choices=["container", "sim", "auto"],
        help="what instances are: containers (default), a simulation, or containers where they can run (auto)",
    )
    up.add_argument("--speed", type=_speed, help="how much faster than the wall the clock runs (default 20)")
    up.add_argument("--port", type=_port, default=0, help="port of the API on 127.0.0.1 (default: a free one)")
    up.add_argument(
        "--quota",
        action="append",
        default=[],
        type=_quota,
        metavar="NAME=COUNT",
        help=f"change a quota: {', '.join(QUOTAS)}",
    )
    up.add_argument("--iam", action="store_true", help="enforce IAM: check the policies of every caller")
    up.add_argument(
        "--launch-configurations",
        action="store_true",
        help="let accounts have launch configurations, as those from before October 2024 do",
    )
    up.add_argument("--no-auth", action="store_true", help="take requests with any signature, or none, from everybody")
    up.set_defaults(command=_up)
    down = commands.add_parser("down", help="stop the daemon and remove everything that it made")
    down.set_defaults(command=_down)
    env = commands.add_parser("env", help="print what a shell needs to use it")
    env.add_argument("--format", choices=["shell", "json"], default="shell")
    env.set_defaults(command=_env)
    status = commands.add_parser("status", help="say whether it runs, and what environments there are")
    status.set_defaults(command=_status)
    database = commands.add_parser("database", help="start a PostgreSQL server for a database; prints JSON")
    database.add_argument("name")
    database.set_defaults(command=_database)
    url = commands.add_parser("url", help="print the plain URL of a CNAME or CNAME prefix")
    url.add_argument("name")
    url.set_defaults(command=_url)
    page = commands.add_parser(
        "ui", help="print a link, good for once, to a page that shows environments and their events"
    )
    page.set_defaults(command=_ui)
    _add_fault_commands(commands.add_parser("fault", help="let things go wrong"))
    return parser


def _add_fault_commands(fault: argparse.ArgumentParser) -> None:
    commands = fault.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="add a fault; prints it as JSON")
    add.add_argument("kind", help=f"one of {', '.join(KINDS)}")
    add.add_argument("fields", nargs="*", metavar="FIELD=VALUE", type=_field, help="see the README of localstalk")
    add.set_defaults(command=_fault_add)
    show = commands.add_parser("list", help="print all faults as JSON")
    show.set_defaults(command=_fault_list)
    clear = commands.add_parser("clear", help="remove faults, all of them unless ids are given")
    clear.add_argument("ids", nargs="*", metavar="ID")
    clear.set_defaults(command=_fault_clear)


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text} is not FIELD=VALUE")
    return name, value


def _speed(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _quota(text: str) -> str:
    name, _, count = text.partition("=")
    if name not in QUOTAS:
        raise argparse.ArgumentTypeError(f"{name} is not a quota; there are {', '.join(QUOTAS)}")
    if not count.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=COUNT")
    return text


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("must be between 0 and 65535")
    return value


def _up(home: Home, chosen: argparse.Namespace) -> int:
    if chosen.iam and chosen.no_auth:
        raise CliError("--iam has to know who calls, so it cannot go with --no-auth")
    try:
        home.create()
    except OSError as error:
        raise CliError(f"cannot write {error.filename}: {error.strerror}") from error
    with home.lock("up"):
        running = process.settled(home)
        if running is not None:
            _check_same(running, chosen)
            print(f"localstalk is already running at {running.url} (driver {running.driver}, pid {running.pid}).")
            _warn(running)
            return 0
        if home.clean():
            print("The last localstalk here did not stop properly; what it left behind was removed.")
            home.create()
        driver, reason = _choose_driver(chosen.driver)
        record = _start(home, driver, reason, chosen)
    print(f"localstalk is running at {record.url} (driver {record.driver}, pid {record.pid}).")
    _warn(record)
    return 0


def _warn(record: Record) -> None:
    if not record.auth:
        print("It takes every request (--no-auth): all users of this machine can use it.")
    if record.driver == "container":
        print(
            "Code in an instance is root on this machine: instances run privileged, because a Docker engine is nested "
            "in them."
        )


def _check_same(running: Record, chosen: argparse.Namespace) -> None:
    """What was asked for must be what there is; what was not asked for may be as it is."""
    other = []
    if chosen.driver not in (None, "auto", running.driver):
        other.append(f"with the {running.driver} driver")
    if chosen.speed not in (None, running.speed):
        other.append(f"at speed {running.speed:g}")
    if chosen.port not in (0, running.port):
        other.append(f"on port {running.port}")
    for name, count in _quotas(chosen).items():
        have = running.quotas.get(name, QUOTAS[name])
        if have != count:
            other.append(f"with --quota {name}={have}")
    if chosen.iam and not running.iam:
        other.append("without --iam")
    if chosen.launch_configurations and not running.launch_configurations:
        other.append("without --launch-configurations")
    if chosen.no_auth and running.auth:
        other.append("without --no-auth")
    if other:
        raise CliError(f"it already runs {', '.join(other)}; stop it first with: localstalk down")


def _quotas(chosen: argparse.Namespace) -> dict[str, int]:
    return {name: int(count) for name, _, count in (each.partition("=") for each in chosen.quota)}


def _choose_driver(wanted: str | None) -> tuple[str, str]:
    """The driver, and why it is not the one with containers, if nobody asked for that."""
    if wanted == "sim":
        return "sim", ""
    from localstalk.drivers import container

    reason = container.preflight()
    if reason is None:
        return "container", ""
    if wanted == "auto":
        reason = reason.rstrip(".")
        print(
            f"Containers cannot run here ({reason}), so no application will really run: going on with the sim driver."
        )
        return "sim", reason
    raise CliError(reason)


def _start(home: Home, driver: str, reason: str, chosen: argparse.Namespace) -> Record:
    speed = chosen.speed or _SPEED
    options = ["--driver", driver, "--speed", str(speed), "--port", str(chosen.port), "--reason", reason]
    options += [f"--quota={each}" for each in chosen.quota]
    options += [f"--{each.replace('_', '-')}" for each in _SWITCHES if getattr(chosen, each)]
    return process.start(home, Record(0, 0, driver, speed), options, _alive)


def _alive(record: Record) -> bool:
    try:
        return bool(json.loads(_ask(record, "health"))["pid"] == record.pid)
    except (CliError, ValueError, KeyError):
        return False


def _down(home: Home, chosen: argparse.Namespace) -> int:
    if not home.path.exists():
        print("localstalk is not running.")
        return 0
    with home.lock("up"):
        ended = process.end(home)
        left = home.clean()
    if ended:
        print("localstalk was stopped.")
    elif left:
        print("localstalk was not running; what it left behind was removed.")
    else:
        print("localstalk is not running.")
    return 0


def _running(home: Home) -> Record:
    record = home.running()
    if record is None:
        starting = home.held()
        raise CliError("it is starting" if starting else "it is not running; start it with: localstalk up")
    return record


def _ask(record: Record, path: str, method: str = "GET", body: bytes | None = None) -> str:
    keys = base64.b64encode(f"{record.access_key}:{record.secret_key}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - our own URL
        f"{record.url}/_localstalk/{path}", body, {"Authorization": f"Basic {keys}"}, method=method
    )
    # A proxy from the environment must not get between us and the loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=300) as answer:
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as error:
        raise CliError(error.read().decode().strip()) from error
    except OSError as error:
        raise CliError(f"the daemon at {record.url} does not answer: {error}") from error


def _variables(record: Record) -> dict[str, str]:
    region = os.environ.get("LOCALSTALK_REGION", "us-east-1")
    return {
        "AWS_ENDPOINT_URL": record.url,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": record.access_key,
        "AWS_SECRET_ACCESS_KEY": record.secret_key,
    }


def _env(home: Home, chosen: argparse.Namespace) -> int:
    record = _running(home)
    variables = _variables(record)
    if record.driver != "sim":
        variables["LOCALSTALK_DNS"] = _ask(record, "dns").strip()
    if chosen.format == "json":
        print(json.dumps(variables))
    else:
        # With these of another account, a client would not use the keys below, or not as they are.
        print("unset AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE")
        for name, value in variables.items():
            print(f"export {name}={shlex.quote(value)}")
    return 0


def _status(home: Home, chosen: argparse.Namespace) -> int:
    record = home.running()
    if record is None:
        print("localstalk is not running.")
        return 3
    print(f"localstalk is running at {record.url} (driver {record.driver}, speed {record.speed:g}, pid {record.pid}).")
    environments: list[dict[str, Any]] = json.loads(_ask(record, "environments"))
    for each in environments:
        parts = [each["application"], each["name"], each["id"], each["status"], each["health"], each["version"] or "-"]
        print("  " + "  ".join([*parts, each["url"] or each["cname"] or "-"]))
    return 0


def _database(home: Home, chosen: argparse.Namespace) -> int:
    print(_ask(_running(home), f"database/{chosen.name}", "POST").strip())
    return 0


def _url(home: Home, chosen: argparse.Namespace) -> int:
    print(_ask(_running(home), f"url/{chosen.name}").strip())
    return 0


def _ui(home: Home, chosen: argparse.Namespace) -> int:
    running = _running(home)
    print(running.url + _ask(running, "ui/link", "POST").strip())
    return 0


def _fault_add(home: Home, chosen: argparse.Namespace) -> int:
    wanted = {"kind": chosen.kind} | dict(chosen.fields)
    print(_ask(_running(home), "faults", "POST", json.dumps(wanted).encode()).strip())
    return 0


def _fault_list(home: Home, chosen: argparse.Namespace) -> int:
    for each in json.loads(_ask(_running(home), "faults")):
        print(json.dumps(each))
    return 0


def _fault_clear(home: Home, chosen: argparse.Namespace) -> int:
    for each in chosen.ids or [""]:
        _ask(_running(home), f"faults/{each}" if each else "faults", "DELETE")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
