# SPDX-License-Identifier: GPL-3.0-or-later
"""A first post, so that the page shows a row that only a migration can have made."""

from __future__ import annotations

from django.db import migrations

TITLE = "First post"


def create(apps, schema_editor):
    apps.get_model("blog", "Post").objects.create(
        title=TITLE, body="Written by a data migration, which the leader ran once for this database."
    )


def remove(apps, schema_editor):
    apps.get_model("blog", "Post").objects.filter(title=TITLE).delete()


class Migration(migrations.Migration):
    dependencies = [("blog", "0001_initial")]
    operations = [migrations.RunPython(create, remove)]
