# SPDX-License-Identifier: GPL-3.0-or-later
"""Posts in Django's admin."""

from __future__ import annotations

from django.contrib import admin

from blog.models import Post


@admin.register(Post)
class PostAdmin(admin.ModelAdmin):
    """The list of posts."""

    list_display = ["title", "published"]
    search_fields = ["title", "body"]
