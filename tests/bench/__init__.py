# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurements of the budgets, each beside its peer in the same run: ``make bench``."""
