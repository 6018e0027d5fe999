# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application's own source, read and never run: what the linter knows, and Django against what is wanted of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ...bundle.files import SourceFolder
from ...bundle.secrets import secret_paths
from ...core.user_errors import BundleError
from ...lint import findings as lint
from ...lint.bundle import Bundle, UnreadableBundleError, open_bundle
from ...lint.django import commands_in, unknown_commands
from ...lint.runner import lint_bundle
from ...lint.settings import UNKNOWN, Settings, find_settings
from ..facts import Facts
from ..findings import Finding, error, ok, warning
from ..wanted import Wanted

_PROCESS = "aws:elasticbeanstalk:environment:process:default"
_DOMAINS = {"aws-cn": "eb.amazonaws.com.cn"}
_LOOKS = "django.middleware.common.CommonMiddleware"
# What this collection says better, because it knows hooks and properties.
_SAID_HERE = ("django-allowed-hosts", "django-command", "django-static-root")


def source(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """All rules of the linter over the source, and Django's settings."""
    if not wanted.source:
        return
    try:
        report = lint_bundle(wanted.source, wanted.platform or None, _SAID_HERE)
        with closing(open_bundle(wanted.source)) as bundle:
            django = list(_django(bundle, find_settings(bundle), facts, wanted))
    except UnreadableBundleError as unreadable:
        yield error(str(unreadable), "Correct eb_source.path.")
        return
    for one in report.findings:
        rule = lint.RULES[one.rule]
        make = error if one.severity == lint.ERROR else warning
        yield make(f"{one}.", rule.mend)
    yield from django
    if not report.count(lint.ERROR):
        yield ok(f"The source has nothing that Elastic Beanstalk refuses or ignores ({report.files} files looked at).")


def secret_files(_facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Files that git ignores and the bundle needs are there."""
    if not wanted.source or not wanted.secret_files or not Path(wanted.source).is_dir():
        return
    with SourceFolder(os.fsencode(wanted.source)) as folder:
        for pattern in wanted.secret_files:
            try:
                secret_paths(folder, [pattern])
            except BundleError as problem:
                yield error(str(problem), "Correct eb_secrets_files.")


def _django(bundle: Bundle, settings: Settings, facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    called = [name for command in wanted.hooks for name in commands_in(command)]
    if not settings.files:
        if called and not _has_manage(bundle):
            yield warning(
                f"A hook calls manage.py {called[0]}, and the source has no manage.py.",
                "Leave such hooks out where the application is not Django (eb_hooks: []), or correct eb_source.path.",
            )
        return
    yield from _hosts(settings, facts, wanted)
    yield from _redirects(settings, wanted)
    yield from _static(settings, wanted)
    if not settings.open_ended:
        for name in sorted(unknown_commands(bundle, settings, called)):
            yield error(
                f"A hook calls manage.py {name}, and no application of the project has that command.",
                "Add the command, or give the hook another one: the preset createsuperuser makes a superuser of "
                "DJANGO_SUPERUSER_USERNAME, _EMAIL and _PASSWORD with a command that Django has.",
            )


def _has_manage(bundle: Bundle) -> bool:
    """At the top or one folder below; or the code may be in an image that was built elsewhere."""
    folders = ["", *(name for name in bundle.listing("") if name.endswith("/"))]
    return any("manage.py" in bundle.listing(folder.rstrip("/")) for folder in folders) or not bundle.has("Dockerfile")


def _hosts(settings: Settings, facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Visitors come with the CNAME or a domain; load balancers ask with an instance's address."""
    allowed = _allowed(settings, wanted)
    if allowed is None or "*" in allowed:
        return
    if not allowed:  # load balancers get the same answer
        yield error("ALLOWED_HOSTS is empty: Django answers all visitors with 400.", "Allow the CNAME and your domain.")
        return
    name = _cname(facts, wanted)
    if name and not any(name == one or (one.startswith(".") and name.endswith(one)) for one in allowed):
        yield warning(
            f"ALLOWED_HOSTS ({', '.join(allowed)}) has not the CNAME {name}: Django answers with 400 there.",
            "Allow it, or let smoke tests ask with your domain (smoke_tests[].host).",
        )
    if wanted.balanced and not _answers_first(settings):
        yield warning(
            f"Load balancers ask for {_health_path(wanted)} with an instance's address as host, which ALLOWED_HOSTS "
            f"({', '.join(allowed)}) does not allow: the instances never become healthy.",
            "Answer the path in a middleware before the host is looked at, as examples/blog does.",
        )


def _cname(facts: Facts, wanted: Wanted) -> str:
    """The CNAME that there is, or would be; "" for a worker."""
    if not wanted.cname_prefix:
        return ""
    domain = _DOMAINS.get(facts.partition, "elasticbeanstalk.com")
    return str((facts.live or {}).get("CNAME") or f"{wanted.cname_prefix}.{facts.region}.{domain}").lower()


def _answers_first(settings: Settings) -> bool:
    """Whether a middleware that is not Django's stands before the one that looks at the host, or may."""
    middleware = settings.surely("MIDDLEWARE", [])
    if not isinstance(middleware, list | tuple):
        return True
    before = list(middleware)[: middleware.index(_LOOKS) if _LOOKS in middleware else None]
    return any(not str(one).startswith(("django.", "whitenoise.")) for one in before)


def _allowed(settings: Settings, wanted: Wanted) -> list[str] | None:
    """What is written out, or the environment property of the same name; None when neither tells."""
    value: Any = settings.surely("ALLOWED_HOSTS", [])
    if value is UNKNOWN:
        given = wanted.properties.get("ALLOWED_HOSTS") or wanted.properties.get("DJANGO_ALLOWED_HOSTS")
        return [one.strip() for one in given.split(",")] if given else None
    return [str(one) for one in value] if isinstance(value, list | tuple) else None


def _health_path(wanted: Wanted) -> str:
    given = wanted.option(_PROCESS, "HealthCheckPath")
    return given or wanted.option("aws:elasticbeanstalk:application", "Application Healthcheck URL") or "/"


def _redirects(settings: Settings, wanted: Wanted) -> Iterator[Finding]:
    codes = wanted.option(_PROCESS, "MatcherHTTPCode")
    if wanted.balanced and settings.surely("SECURE_SSL_REDIRECT", False) is True and "3" not in codes:
        yield warning(
            f"SECURE_SSL_REDIRECT answers the load balancer's request for {_health_path(wanted)} with 301, and only "
            "200 is healthy.",
            f"Exempt the path (SECURE_REDIRECT_EXEMPT), or set MatcherHTTPCode of {_PROCESS} to 200,301.",
        )


def _static(settings: Settings, wanted: Wanted) -> Iterator[Finding]:
    stores = ("STATIC_ROOT", "STORAGES", "STATICFILES_STORAGE")
    runs = any("collectstatic" in command for command in wanted.hooks)
    if runs and not settings.open_ended and not any(name in settings.values for name in stores):
        yield error(
            f"The hook collectstatic runs, and {settings.files[0]} has no STATIC_ROOT.",
            "Set STATIC_ROOT, or drop the hook.",
        )
