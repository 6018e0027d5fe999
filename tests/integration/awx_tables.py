# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the double of AWX's REST API: resources, their fields with AWX's defaults, and what belongs to what."""

from __future__ import annotations

from typing import Any

Item = dict[str, Any]

TEMPLATE_TYPES = ("projects", "inventory_sources", "job_templates", "workflow_job_templates")
ASKS = [
    "credential", "diff_mode", "execution_environment", "forks", "instance_groups", "inventory", "job_slice_count",
    "job_type", "labels", "limit", "scm_branch", "skip_tags", "tags", "timeout", "variables", "verbosity",
]  # fmt: skip
# Fields and their defaults, as a GET on a new object shows them.
FIELDS: dict[str, Item] = {
    "organizations": {"max_hosts": 0, "custom_virtualenv": None, "default_environment": None},
    "credential_types": {"kind": "", "namespace": None, "managed": False, "inputs": {}, "injectors": {}},
    "credentials": {"organization": None, "credential_type": None, "managed": False, "inputs": {}},
    "execution_environments": {"organization": None, "image": "", "managed": False, "credential": None, "pull": ""},
    "projects": {"organization": None, "scm_type": "", "scm_url": "", "scm_branch": "", "scm_refspec": "",
                 "scm_clean": False, "scm_delete_on_update": False, "scm_track_submodules": False, "credential": None,
                 "scm_update_on_launch": False, "scm_update_cache_timeout": 0, "allow_override": False, "timeout": 0,
                 "default_environment": None, "local_path": "", "scm_revision": "", "status": "never updated",
                 "custom_virtualenv": None, "signature_validation_credential": None},
    "inventories": {"organization": None, "kind": "", "host_filter": None, "variables": "",
                    "pending_deletion": False, "prevent_instance_group_fallback": False},
    "inventory_sources": {"inventory": None, "source": "", "source_path": "", "source_vars": "", "scm_branch": "",
                          "source_project": None, "update_on_launch": False, "update_cache_timeout": 0, "limit": "",
                          "overwrite": False, "overwrite_vars": False, "timeout": 0, "verbosity": 1,
                          "credential": None, "execution_environment": None, "enabled_var": "", "enabled_value": "",
                          "host_filter": "", "custom_virtualenv": None, "organization": None},
    "job_templates": {"organization": None, "project": None, "inventory": None, "playbook": "", "job_type": "run",
                      "scm_branch": "", "forks": 0, "limit": "", "verbosity": 0, "extra_vars": "", "job_tags": "",
                      "force_handlers": False, "skip_tags": "", "start_at_task": "", "timeout": 0,
                      "use_fact_cache": False, "execution_environment": None, "host_config_key": "",
                      "survey_enabled": False, "become_enabled": False, "diff_mode": False,
                      "allow_simultaneous": False, "custom_virtualenv": None, "job_slice_count": 1,
                      "webhook_service": "", "webhook_credential": None, "prevent_instance_group_fallback": False,
                      **{f"ask_{what}_on_launch": False for what in ASKS}},
    "workflow_job_templates": {"organization": None, "inventory": None, "limit": None, "scm_branch": None,
                               "extra_vars": "", "survey_enabled": False, "allow_simultaneous": False,
                               "webhook_service": "", "webhook_credential": None, "job_tags": None, "skip_tags": None,
                               **{f"ask_{what}_on_launch": False
                                  for what in ("inventory", "labels", "limit", "scm_branch", "skip_tags", "tags",
                                               "variables")}},
    "workflow_job_template_nodes": {"workflow_job_template": None, "unified_job_template": None, "identifier": "",
                                    "all_parents_must_converge": False, "extra_data": {}, "limit": None,
                                    "inventory": None, "job_type": None, "scm_branch": None},
    "schedules": {"rrule": "", "unified_job_template": None, "enabled": True, "extra_data": {}, "limit": None,
                  "inventory": None, "job_type": None, "scm_branch": None, "verbosity": None, "diff_mode": None},
    "notification_templates": {"organization": None, "notification_type": "", "notification_configuration": {},
                               "messages": {"started": None, "success": None, "error": None,
                                            "workflow_approval": None}},
    "project_updates": {"project": None, "status": "pending", "finished": None},
    "inventory_updates": {"inventory": None, "status": "pending", "finished": None},
    "instance_groups": {"max_concurrent_jobs": 0},
    "labels": {"organization": None},
    "users": {"is_superuser": True},
}  # fmt: skip
REFERENCES = {
    "organization": "organizations", "credential_type": "credential_types", "credential": "credentials",
    "project": "projects", "source_project": "projects", "inventory": "inventories",
    "execution_environment": "execution_environments", "default_environment": "execution_environments",
    "workflow_job_template": "workflow_job_templates",
}  # fmt: skip
NOTICES = {f"notification_templates_{event}": "notification_templates" for event in ("started", "success", "error")}
ASSOCIATIONS: dict[str, dict[str, str]] = {
    "organizations": {"galaxy_credentials": "credentials", "instance_groups": "instance_groups", **NOTICES},
    "projects": NOTICES,
    "inventory_sources": NOTICES,
    "inventories": {"instance_groups": "instance_groups"},
    "job_templates": {
        "credentials": "credentials", "labels": "labels", "instance_groups": "instance_groups", **NOTICES,
    },
    "workflow_job_templates": {"labels": "labels", **NOTICES},
    "workflow_job_template_nodes": {
        **{f"{when}_nodes": "workflow_job_template_nodes" for when in ("always", "success", "failure")},
        "credentials": "credentials", "labels": "labels", "instance_groups": "instance_groups",
    },
    "schedules": {"credentials": "credentials", "labels": "labels", "instance_groups": "instance_groups"},
}  # fmt: skip
# What goes with an object: (resource, field that refers to it).
CASCADES = {
    "inventories": [("inventory_sources", "inventory")],
    "workflow_job_templates": [("workflow_job_template_nodes", "workflow_job_template")],
    "credential_types": [],
}
NOTIFICATION_DEFAULTS: dict[str, Item] = {
    "webhook": {"http_method": "POST", "disable_ssl_verification": False, "username": "", "password": ""},
}
