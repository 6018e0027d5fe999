# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tarball."""

from __future__ import annotations

from built import elsewhere, installed, tarball

__all__ = ["elsewhere", "installed", "tarball"]
