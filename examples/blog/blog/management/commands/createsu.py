# SPDX-License-Identifier: GPL-3.0-or-later
"""Create the superuser that the environment properties describe, once."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Safe to run again: an existing user, password included, is left alone."""

    help = "Create the superuser named by DJANGO_SUPERUSER_USERNAME unless that user exists."

    def handle(self, *args: Any, **options: Any) -> None:
        name = os.environ.get("DJANGO_SUPERUSER_USERNAME", "")
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
        if not name or not password:
            raise CommandError("Set DJANGO_SUPERUSER_USERNAME and DJANGO_SUPERUSER_PASSWORD (environment properties).")
        users = get_user_model().objects
        if users.filter(username=name).exists():
            self.stdout.write(f"Superuser {name} exists.")
            return
        users.create_superuser(name, os.environ.get("DJANGO_SUPERUSER_EMAIL", ""), password)
        self.stdout.write(f"Superuser {name} created.")
