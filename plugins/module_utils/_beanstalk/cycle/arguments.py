# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parameters of the cycle module. Those that belong to the planner's policy have the names of its fields."""

from __future__ import annotations

from typing import Any

ARGUMENTS: dict[str, dict[str, Any]] = {
    "accepted_health": {"default": ["Green"], "type": "list", "elements": "str", "choices": ["Green", "Yellow"]},
    "application": {"required": True, "type": "str"},
    "bucket": {"type": "str"},
    "cname_prefix": {"required": True, "type": "str"},
    "create_timeout": {"default": 2700, "type": "float"},
    "cycle_limit": {"default": 21600, "type": "float"},
    "dns_margin": {"default": 30, "type": "float"},
    "dns_ttl": {"default": 60, "type": "float"},
    "drain_max": {"default": 900, "type": "float"},
    "force": {"default": False, "type": "bool"},
    "goal": {"default": "recreate", "type": "str", "choices": ["recreate", "deploy", "rollback"]},
    "jitter": {"default": 0, "type": "int"},
    "keep_failed": {"default": 0, "type": "float"},
    "keep_retired": {"default": 0, "type": "float"},
    "keep_versions": {"default": 3, "type": "int"},
    "lease_ttl": {"default": 180, "type": "float"},
    "lock_wait": {"default": 0, "type": "float"},
    "min_age": {"default": 21600, "type": "int"},
    "name": {"type": "str"},
    "noise_floor": {"default": 5, "type": "int"},
    "option_settings": {"default": {}, "no_log": True, "type": "raw"},
    "owner": {"required": True, "type": "str"},
    "platform": {"type": "str"},
    "platform_downgrade": {"default": False, "type": "bool"},
    "poll_interval": {"default": 10, "type": "float"},
    "probes": {
        "default": [],
        "type": "list",
        "elements": "dict",
        "options": {
            "path": {"default": "/", "type": "str"},
            "status": {"default": [200], "type": "list", "elements": "int"},
            "body": {"type": "str"},
            "headers": {"type": "dict"},
            "latency": {"default": 0, "type": "float"},
            "timeout": {"default": 10, "type": "float"},
        },
    },
    "probes_in_a_row": {"default": 3, "type": "int"},
    "progress_file": {"type": "path"},
    "proof_timeout": {"default": 300, "type": "float"},
    "purge_properties": {"default": False, "type": "raw"},
    "ready_timeout": {"default": 900, "type": "float"},
    "recreate_unhealthy": {"default": False, "type": "bool"},
    "require_leader_tasks": {"default": False, "type": "bool"},
    "red_grace": {"default": 30, "type": "float"},
    "rollback_timeout": {"default": 900, "type": "float"},
    "settle": {"default": 90, "type": "float"},
    "soak": {"default": 60, "type": "float"},
    "stage_ttl": {"default": 900, "type": "int"},
    "step_fresh": {"default": 20, "type": "float"},
    "swap_timeout": {"default": 600, "type": "float"},
    "terminate_timeout": {"default": 1800, "type": "float"},
    "until": {
        "type": "str",
        "choices": [
            "before_candidate",
            "after_candidate",
            "before_swap",
            "after_swap",
            "before_retire",
            "after_retire",
        ],
    },
    "url_service": {"type": "str", "no_log": True},
    "verify_timeout": {"default": 900, "type": "float"},
    "version_label": {"type": "str"},
    "window": {"type": "str"},
}
