# SPDX-License-Identifier: GPL-3.0-or-later
"""localstalk: a local Elastic Beanstalk."""

from __future__ import annotations

__version__ = "1.0.0rc1"
