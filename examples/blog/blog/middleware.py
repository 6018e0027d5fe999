# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer the load balancer."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def health_check(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer /healthz before ALLOWED_HOSTS is looked at: health checks bring the instance's address as host."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        return get_response(request)

    return middleware
