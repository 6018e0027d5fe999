# SPDX-License-Identifier: GPL-3.0-or-later
"""The only page."""

from __future__ import annotations

import json
import socket

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from blog.models import Post


def release() -> dict[str, str]:
    """What the deployment hook noted (see the command releaseinfo); the host name stands in until it has run."""
    try:
        noted = json.loads(settings.RELEASE_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        noted = {}
    return {
        "version_label": noted.get("version_label") or "not known yet",
        "instance_id": noted.get("instance_id") or socket.gethostname(),
    }


@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """Version, instance and rows; 503 as long as nobody has migrated the database."""
    context: dict[str, object] = {"release": release()}
    try:
        context |= {"posts": list(Post.objects.all()), "users": get_user_model().objects.count()}
    except DatabaseError:
        return render(request, "blog/not_ready.html", context, status=503)
    return render(request, "blog/home.html", context)
