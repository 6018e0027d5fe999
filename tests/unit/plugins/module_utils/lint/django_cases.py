# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the linter's rules: Django projects."""

from __future__ import annotations

from .cases import PYTHON, Case, command, options


def django(*settings: str) -> dict[str, str]:
    """A Django project with an application shop that has the command createsu."""
    return {
        "manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")\n',
        "config/settings.py": "".join(f"{line}\n" for line in settings),
        "shop/management/commands/createsu.py": "",
        "shop/__init__.py": "",
    }


CASES = [
    Case(
        "django-static-root",
        {**django("INSTALLED_APPS = []"), **command("python manage.py collectstatic")},
        {**django("INSTALLED_APPS = []", "STATIC_ROOT = BASE / 'static'"), **command("python manage.py collectstatic")},
        4,
        PYTHON,
    ),
    Case(
        "django-static-root",
        {**django("INSTALLED_APPS = []"), **command("python manage.py collectstatic")},
        {
            **django("from shared.settings import *", "INSTALLED_APPS = []"),
            **command("python manage.py collectstatic"),
        },
        4,
    ),
    Case(
        "django-allowed-hosts",
        django("INSTALLED_APPS = []", "ALLOWED_HOSTS = []"),
        django("INSTALLED_APPS = []", "ALLOWED_HOSTS = []", "ALLOWED_HOSTS += [os.environ['HOST']]"),
        2,
    ),
    Case("django-allowed-hosts", django("INSTALLED_APPS = []"), django("ALLOWED_HOSTS = ['*']"), 0),
    Case(
        "django-command",
        {**django("INSTALLED_APPS = ['django.contrib.auth', 'shop']"), **command("python manage.py createus")},
        {
            **django("INSTALLED_APPS = ['django.contrib.auth', 'shop']"),
            **command("python manage.py createsu && python manage.py migrate"),
        },
        4,
    ),
    Case(
        "django-command",
        {**django("INSTALLED_APPS = ['shop']"), **command("./manage.py rebuild_index")},
        {**django("INSTALLED_APPS = ['shop', 'haystack']"), **command("./manage.py rebuild_index")},
        4,
    ),
    Case(
        "django-csrf",
        {**django("DEBUG = False"), **options("aws:elbv2:listener:443", "Protocol: HTTPS")},
        {
            **django("CSRF_TRUSTED_ORIGINS = ['https://shop.example.com']"),
            **options("aws:elbv2:listener:443", "Protocol: HTTPS"),
        },
    ),
    Case(
        "django-sqlite",
        django("DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE / 'db'}}"),
        django(
            "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}",
            "if 'RDS_HOSTNAME' in os.environ:",
            "    DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}",
        ),
        1,
    ),
]
