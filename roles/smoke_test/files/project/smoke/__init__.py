# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny Django, for the smoke test."""
