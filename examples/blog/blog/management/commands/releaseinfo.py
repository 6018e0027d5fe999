# SPDX-License-Identifier: GPL-3.0-or-later
"""Note which version runs on which instance, for the page to show.

A bundle cannot contain its own version label (the label is made from the bundle's hash), and Elastic Beanstalk does not
tell the container. The hooks of the role hooks know both and hand them over as HOOK_VERSION_LABEL and HOOK_INSTANCE_ID.
"""

from __future__ import annotations

import json
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Writes run/release.json beside the code."""

    help = "Write the version label and the instance id that the deployment hook knows to a file."

    def handle(self, *args: Any, **options: Any) -> None:
        release = {
            "version_label": os.environ.get("HOOK_VERSION_LABEL", ""),
            "instance_id": os.environ.get("HOOK_INSTANCE_ID", ""),
        }
        settings.RELEASE_FILE.parent.mkdir(exist_ok=True)
        part = settings.RELEASE_FILE.with_suffix(".part")
        part.write_text(json.dumps(release), encoding="utf-8")
        part.replace(settings.RELEASE_FILE)
        self.stdout.write(f"Version {release['version_label']} on instance {release['instance_id']}.")
