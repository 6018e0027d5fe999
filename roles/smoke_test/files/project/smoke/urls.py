# SPDX-License-Identifier: GPL-3.0-or-later
"""One page."""

from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda _request: HttpResponse("It runs.\n", content_type="text/plain"))]
