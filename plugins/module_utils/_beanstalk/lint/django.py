# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Django's settings against what a deployment will ask of them. Settings are read, never run: see settings.py."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .bundle import Bundle
from .findings import Finding, finding
from .settings import UNKNOWN, Settings, commands_of, find_settings

# The commands of Django itself and of its contrib applications: "django-admin and manage.py" of its documentation.
_BUILT_IN = frozenset(
    (
        *("changepassword", "check", "clearsessions", "collectstatic", "compilemessages", "createcachetable"),
        *("createsuperuser", "dbshell", "diffsettings", "dumpdata", "findstatic", "flush"),
        *("help", "inspectdb", "loaddata", "makemessages", "makemigrations", "migrate"),
        *("ogrinspect", "optimizemigration", "remove_stale_contenttypes", "runserver", "sendtestemail", "shell"),
        *("showmigrations", "sqlflush", "sqlmigrate", "sqlsequencereset", "squashmigrations", "startapp"),
        *("startproject", "test", "testserver", "version"),
    )
)
OF_COMMANDS = ("django-static-root", "django-command")
"""Rules about what a deployment runs, wherever that stands."""

_CALLS = re.compile(r"\bmanage\.py\s+([a-z_]\w*)")
_TLS = re.compile(r"aws:elb(?:v2)?:listener:443")
_READ = (".ebextensions", ".platform")


def lint_django(bundle: Bundle, namespaces: set[str]) -> list[Finding]:
    """Look at a project whose manage.py names settings of the bundle; ``namespaces`` are those of its options."""
    settings = find_settings(bundle)
    if not settings.files or settings.open_ended:
        return []
    called = list(_called(bundle))
    found = [*_static(bundle, settings), *_hosts(settings), *_database(settings)]
    if any(_TLS.fullmatch(name) for name in namespaces):
        found += _origins(settings)
    return found + _commands(bundle, settings, called)


def _static(bundle: Bundle, settings: Settings) -> Iterator[Finding]:
    stores = ("STATIC_ROOT", "STORAGES", "STATICFILES_STORAGE")
    if "INSTALLED_APPS" not in settings.values or any(name in settings.values for name in stores):
        return
    for file, line, text in _texts(bundle):
        if "collectstatic" in text:
            yield finding(
                "django-static-root", file, line, f"collectstatic runs, and {settings.files[0]} has no STATIC_ROOT"
            )
            return


def _hosts(settings: Settings) -> Iterator[Finding]:
    if "INSTALLED_APPS" in settings.values and settings.surely("ALLOWED_HOSTS", []) == []:
        file, line, _value = settings.last("ALLOWED_HOSTS") or (settings.files[0], 0, None)
        yield finding("django-allowed-hosts", file, line, "ALLOWED_HOSTS is empty")


def _database(settings: Settings) -> Iterator[Finding]:
    found = settings.values.get("DATABASES", [])
    if found and all(_engine(value).endswith("sqlite3") for _file, _line, value in found):
        file, line, _value = found[-1]
        yield finding("django-sqlite", file, line, "the database is SQLite, in a file on the instance")


def _engine(value: Any) -> str:
    default = value.get("default") if isinstance(value, dict) else None
    engine = default.get("ENGINE") if isinstance(default, dict) else None
    return engine if isinstance(engine, str) else ""


def _origins(settings: Settings) -> Iterator[Finding]:
    if not {"CSRF_TRUSTED_ORIGINS", "SECURE_PROXY_SSL_HEADER"} & settings.values.keys():
        message = "the load balancer ends TLS, and there is neither CSRF_TRUSTED_ORIGINS nor SECURE_PROXY_SSL_HEADER"
        yield finding("django-csrf", settings.files[0], 0, message)


def _commands(bundle: Bundle, settings: Settings, called: list[tuple[str, int, str]]) -> list[Finding]:
    unknown = unknown_commands(bundle, settings, [name for _file, _line, name in called])
    return [
        finding("django-command", file, line, f"manage.py {name}: no application of the project has that command")
        for file, line, name in called
        if name in unknown
    ]


def unknown_commands(bundle: Bundle, settings: Settings, names: Collection[str]) -> set[str]:
    """Commands that nothing has; none where an application is neither the project's own nor Django's."""
    applications = settings.surely("INSTALLED_APPS", UNKNOWN)
    if (
        not names
        or not isinstance(applications, list | tuple)
        or not all(_is_own(bundle, settings, name) for name in applications)
    ):
        return set()
    return set(names) - _BUILT_IN - commands_of(bundle)


def commands_in(text: str) -> list[str]:
    """Names of the management commands that a shell command calls."""
    return _CALLS.findall(text)


def _is_own(bundle: Bundle, settings: Settings, name: Any) -> bool:
    top = str(name).partition(".")[0]
    roots = {"", *(file.split("/")[0] for file in settings.files if file.count("/") > 1)}
    return str(name).startswith("django.contrib.") or any(f"{top}/" in bundle.listing(root) for root in roots)


def _called(bundle: Bundle) -> Iterator[tuple[str, int, str]]:
    for file, line, text in _texts(bundle):
        for name in commands_in(text):
            yield file, line, name


def _texts(bundle: Bundle) -> Iterator[tuple[str, int, str]]:
    """The lines of what runs at a deployment."""
    files: Mapping[str, None] = dict.fromkeys(
        [
            *(name for folder in _READ for name in bundle.below(folder)),
            *(name for name in ("Dockerfile", "Procfile") if bundle.has(name)),
        ]
    )
    for name in files:
        for number, line in enumerate(bundle.content(name).decode("utf-8", "replace").splitlines(), 1):
            if not line.lstrip().startswith("#"):
                yield name, number, line
