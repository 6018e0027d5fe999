# SPDX-License-Identifier: GPL-3.0-or-later
"""The blog by itself, on SQLite: python manage.py test (needs DJANGO_SECRET_KEY)."""

from __future__ import annotations

import json
import os
import tempfile
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings

SUPERUSER = {"DJANGO_SUPERUSER_USERNAME": "editor", "DJANGO_SUPERUSER_PASSWORD": "not-a-secret"}


class CreateSuperuser(TestCase):
    def run_command(self) -> str:
        out = StringIO()
        call_command("createsu", stdout=out)
        return out.getvalue().strip()

    def test_creates_once(self) -> None:
        with patch.dict(os.environ, SUPERUSER):
            self.assertEqual(self.run_command(), "Superuser editor created.")
            self.assertEqual(self.run_command(), "Superuser editor exists.")
        self.assertTrue(get_user_model().objects.get(username="editor").is_superuser)

    def test_says_what_is_missing(self) -> None:
        with patch.dict(os.environ, SUPERUSER | {"DJANGO_SUPERUSER_PASSWORD": ""}):
            self.assertRaisesMessage(CommandError, "DJANGO_SUPERUSER_PASSWORD", self.run_command)


class Pages(TestCase):
    def test_home_shows_the_row_of_the_data_migration(self) -> None:
        response = self.client.get("/")
        self.assertContains(response, "First post")
        self.assertContains(response, '<span id="posts">1</span>')

    def test_home_shows_what_the_hook_noted(self) -> None:
        with tempfile.TemporaryDirectory() as folder, override_settings(RELEASE_FILE=Path(folder, "release.json")):
            with patch.dict(os.environ, {"HOOK_VERSION_LABEL": "blog-1", "HOOK_INSTANCE_ID": "i-0"}):
                call_command("releaseinfo", stdout=StringIO())
            self.assertEqual(json.loads(Path(folder, "release.json").read_text())["version_label"], "blog-1")
            self.assertContains(self.client.get("/"), '<code id="version-label">blog-1</code>')

    def test_health_check_ignores_the_host_name(self) -> None:
        self.assertEqual(self.client.get("/healthz", headers={"host": "10.1.2.3"}).status_code, 200)
        self.assertEqual(self.client.get("/", headers={"host": "10.1.2.3"}).status_code, 400)
