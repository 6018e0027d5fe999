# SPDX-License-Identifier: GPL-3.0-or-later
"""The blog application."""

from __future__ import annotations

from django.apps import AppConfig


class BlogConfig(AppConfig):
    """Registers the blog with Django."""

    name = "blog"
