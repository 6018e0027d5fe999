# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of the blog."""

from __future__ import annotations

from blog.views import home
from django.contrib import admin
from django.urls import path

urlpatterns = [path("", home, name="home"), path("admin/", admin.site.urls)]
