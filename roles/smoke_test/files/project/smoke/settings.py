# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest project that migrates a database and collects static files."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["*"]  # health checks come by address, and there is nothing here to protect
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.staticfiles"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
ROOT_URLCONF = "smoke.urls"
WSGI_APPLICATION = "smoke.wsgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/tmp/smoke.sqlite3"}}  # noqa: S108 - the container's
STATIC_URL = "/static/"
STATIC_ROOT = "/tmp/static"  # noqa: S108 - the container's
