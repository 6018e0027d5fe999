# SPDX-License-Identifier: GPL-3.0-or-later
"""moto looks for a service's URLs beside its models."""

from moto.cloudformation.urls import url_bases, url_paths

__all__ = ["url_bases", "url_paths"]
