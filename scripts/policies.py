#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/iam from the table of permissions: python scripts/policies.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.permissions import (  # noqa: E402
    PLAYBOOKS,
    policy,
)

for name in PLAYBOOKS:
    (ROOT / "docs" / "iam" / f"{name}.json").write_text(json.dumps(policy(name), indent=2) + "\n", encoding="utf-8")
