# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m localstalk``."""

from __future__ import annotations

from localstalk.cli import main

raise SystemExit(main())
