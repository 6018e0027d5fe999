# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas of an account in a region. A module of its own, so that the command line need not import the service."""

QUOTAS = {
    "Application": 75,
    "ApplicationVersion": 1000,
    "Environment": 200,
    "ConfigurationTemplate": 2000,
    "CustomPlatform": 50,
}
"""AWS's defaults (docs/elastic_beanstalk.md §9; all but the versions' are recalled)."""
