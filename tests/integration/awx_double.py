# SPDX-License-Identifier: GPL-3.0-or-later
"""A small double of AWX's REST API, modelled on AWX's sources of 23 October 2024 (e21dd0a, after 24.6.1).

Enough for the collection awx.awx. Its tables were compared field by field with what an AWX of that commit says of
itself (OPTIONS), and the same variables were applied twice to both: the second runs changed nothing.

Generic objects with AWX's own traits, the ones that make a second run report a change or make a removal fail: defaults
and normalised values in answers, secrets shown as ``$encrypted$``, playbooks that are not known before the first update
of a project, updates that block removal, inventories that go in the background, references that must exist.
No permissions, no jobs, no pages: every list is answered whole.
"""

from __future__ import annotations

import base64
import copy
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from awx_rules import ENCRYPTED, RefusedError, checked_survey, matches, shown_survey, stored_rule
from awx_tables import ASSOCIATIONS, CASCADES, FIELDS, NOTIFICATION_DEFAULTS, REFERENCES, TEMPLATE_TYPES, Item

ACTIVE = ("new", "pending", "waiting", "running")


def singular(resource: str) -> str:
    return "inventory" if resource == "inventories" else resource.removesuffix("s")


class Store:
    """All objects, and AWX's rules about them."""

    def __init__(self, removal_seconds: float) -> None:
        self.removal_seconds = removal_seconds
        self.objects: dict[str, dict[int, Item]] = {resource: {} for resource in FIELDS}
        self.associated: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], Item] = {}
        self.secrets: list[str] = []
        self.last_id = 0
        for name, secret in {
            "Amazon Web Services": ("password", "security_token"),
            "Source Control": ("password", "ssh_key_data"),
            "Vault": ("vault_password",),
        }.items():
            fields = [{"id": field, "label": field, "type": "string", "secret": True} for field in secret]
            self.add("credential_types", {"name": name, "managed": True, "inputs": {"fields": fields}})
        self.add("users", {"name": "admin", "username": "admin"})

    def add(self, resource: str, data: Item) -> Item:
        self.last_id += 1
        item = {"id": self.last_id, "type": singular(resource), "name": "", "description": ""}
        item |= copy.deepcopy(FIELDS[resource]) | data
        item["url"] = f"/api/v2/{resource}/{self.last_id}/"
        item["created"] = item["modified"] = "2026-01-01T00:00:00.000000Z"
        self.objects[resource][self.last_id] = item
        return item

    def shown(self, resource: str, item: Item) -> Item:
        """An object as a GET shows it: related links, summaries, no secrets."""
        shown = {name: copy.deepcopy(value) for name, value in item.items() if not name.startswith("_")}
        related = {name: f"{item['url']}{name}/" for name in ASSOCIATIONS.get(resource, {})}
        if resource in ("job_templates", "workflow_job_templates"):
            related["survey_spec"] = f"{item['url']}survey_spec/"
        summary = {}
        for field, target in REFERENCES.items():
            other = self.objects[target].get(item.get(field) or 0)
            if other:
                summary[field] = {"id": other["id"], "name": other["name"]}
        for update in self.objects["project_updates"].values():
            if resource == "projects" and update["project"] == item["id"] and update["status"] in ACTIVE:
                summary["current_update"] = {"id": update["id"], "status": update["status"]}
        if resource == "credentials":
            for field in self.secret_fields(item):
                if field in shown["inputs"]:
                    shown["inputs"][field] = ENCRYPTED
        if resource == "notification_templates" and shown["notification_configuration"].get("password"):
            shown["notification_configuration"]["password"] = ENCRYPTED
        return shown | {"related": related, "summary_fields": summary}

    def secret_fields(self, credential: Item) -> list[str]:
        kind = self.objects["credential_types"][credential["credential_type"]]
        return [field["id"] for field in kind["inputs"].get("fields", []) if field.get("secret")]

    def everything(self, resource: str) -> list[Item]:
        self.sweep()
        resources = TEMPLATE_TYPES if resource == "unified_job_templates" else (resource,)
        return [self.shown(name, item) for name in resources for item in self.objects[name].values()]

    def sweep(self) -> None:
        """Remove the inventories whose time has come."""
        for key, item in list(self.objects["inventories"].items()):
            if item["pending_deletion"] and time.monotonic() >= item["_gone_at"]:
                self.drop("inventories", key)

    def drop(self, resource: str, key: int) -> None:
        del self.objects[resource][key]
        for child, field in CASCADES.get(resource, []):
            for other in [k for k, item in self.objects[child].items() if item[field] == key]:
                self.drop(child, other)
        if resource == "organizations":
            for inventory in self.objects["inventories"].values():
                inventory["organization"] = None if inventory["organization"] == key else inventory["organization"]
        if resource in TEMPLATE_TYPES:
            for other in [k for k, item in self.objects["schedules"].items() if item["unified_job_template"] == key]:
                self.drop("schedules", other)
        for (kind, _, name), ids in self.associated.items():
            if ASSOCIATIONS[kind].get(name) == resource and key in ids:
                ids.remove(key)

    # Writing

    def write(self, resource: str, item: Item | None, data: Item) -> Item:
        """Create or change an object. Fields that AWX does not know are ignored, as AWX ignores them."""
        known = {"name", "description", *FIELDS[resource]} - {"managed", "pending_deletion", "status", "scm_revision"}
        if resource == "job_templates":
            known.remove("organization")  # read-only: the project's
        fresh = {name: copy.deepcopy(value) for name, value in data.items() if name in known}
        before = item or copy.deepcopy(FIELDS[resource])
        self.check_references(fresh)
        self.normalise(resource, before, fresh)
        self.check_unique(resource, before, fresh)
        check = getattr(self, f"check_{resource}", None)
        if check:
            check(before, fresh)
        if item is None:
            item = self.add(resource, fresh)
            if resource == "projects" and item["scm_type"]:
                name = {"name": item["name"], "project": item["id"]}
                self.add("project_updates", name)
        else:
            item |= fresh
        if resource == "job_templates":
            item["organization"] = self.objects["projects"][item["project"]]["organization"]
        if resource == "inventory_sources":
            item["organization"] = self.objects["inventories"][item["inventory"]]["organization"]
        return item

    def check_references(self, fresh: Item) -> None:
        for field, target in REFERENCES.items():
            value = fresh.get(field)
            if value is not None and value not in self.objects[target]:
                raise RefusedError(400, {field: [f'Invalid pk "{value}" - object does not exist.']})

    def normalise(self, resource: str, before: Item, fresh: Item) -> None:
        for field, value in fresh.items():
            default = FIELDS[resource].get(field, "")
            if value is None and isinstance(default, str):
                fresh[field] = ""
            elif isinstance(default, bool) and not isinstance(value, bool):
                raise RefusedError(400, {field: ["Must be a valid boolean."]})
            elif isinstance(default, str) and not isinstance(value, str):
                raise RefusedError(400, {field: ["Not a valid string."]})
        if "identifier" not in FIELDS[resource] and not (fresh.get("name") or before.get("name")):
            raise RefusedError(400, {"name": ["This field is required."]})

    def check_unique(self, resource: str, before: Item, fresh: Item) -> None:
        wanted = before | fresh
        keys = ("name", "organization", "credential_type", "inventory", "unified_job_template", "identifier",
                "workflow_job_template")  # fmt: skip
        for other in self.objects[resource].values():
            if other["id"] != before.get("id") and all(other.get(k) == wanted.get(k) for k in keys if k in wanted):
                raise RefusedError(400, {"__all__": [f"{singular(resource)} with this name already exists."]})

    def check_credential_types(self, before: Item, fresh: Item) -> None:
        for field in fresh.get("inputs", {}).get("fields", []):
            field.setdefault("type", "string")
        used = any(item["credential_type"] == before.get("id") for item in self.objects["credentials"].values())
        if used and fresh.get("inputs", before["inputs"]) != before["inputs"]:
            raise RefusedError(403, {"detail": "Modifications to inputs are not allowed for credential types in use"})

    def check_credentials(self, before: Item, fresh: Item) -> None:
        kind = self.objects["credential_types"][fresh.get("credential_type") or before["credential_type"]]
        fields = {field["id"]: field for field in kind["inputs"].get("fields", [])}
        for name, value in fresh.get("inputs", {}).items():
            if not kind["managed"] and name not in fields:
                raise RefusedError(400, {"inputs": [f"{name} is not an input of {kind['name']}"]})
            if fields.get(name, {}).get("secret"):
                self.secrets.append(value)

    def check_job_templates(self, before: Item, fresh: Item) -> None:
        project = self.objects["projects"].get((before | fresh)["project"] or 0)
        if project is None:
            raise RefusedError(400, {"project": ["This field is required."]})
        # Nothing was ever fetched here, so only with branch override AWX takes a playbook that it has not seen.
        if fresh.get("playbook") and not project["allow_override"]:
            raise RefusedError(400, {"playbook": ["Playbook not found for project."]})
        json.loads(fresh.get("extra_vars") or "{}")

    def check_inventory_sources(self, before: Item, fresh: Item) -> None:
        if (before | fresh)["source"] == "scm" and (before | fresh)["source_project"] is None:
            raise RefusedError(400, {"source_project": ["Project required for scm type sources."]})

    def check_schedules(self, before: Item, fresh: Item) -> None:
        if "rrule" in fresh:
            fresh["rrule"] = stored_rule(fresh["rrule"])
        target = (before | fresh)["unified_job_template"]
        templates = [self.objects[kind].get(target) for kind in TEMPLATE_TYPES]
        template = next((item for item in templates if item), None)
        if template is None:
            raise RefusedError(400, {"unified_job_template": ["This field is required."]})
        if fresh.get("limit") and not template.get("ask_limit_on_launch"):
            raise RefusedError(400, {"limit": ["Field is not configured to prompt on launch."]})
        given = (before | fresh)["extra_data"]
        for question in self.surveys.get((f"{template['type']}s", target), {}).get("spec", []):
            if question["required"] and not question.get("default") and question["variable"] not in given:
                raise RefusedError(400, {"variables_needed_to_start": [f"'{question['variable']}' value missing"]})

    def check_notification_templates(self, before: Item, fresh: Item) -> None:
        configuration = fresh.get("notification_configuration")
        if configuration is None:
            return
        kind = (before | fresh)["notification_type"]
        for name, value in NOTIFICATION_DEFAULTS.get(kind, {}).items():
            configuration.setdefault(name, value)
        if kind == "webhook" and not {"url", "headers"} <= configuration.keys():
            raise RefusedError(400, {"notification_configuration": ["Missing required fields."]})
        if configuration.get("password"):
            self.secrets.append(configuration["password"])

    def remove(self, resource: str, item: Item) -> int:
        key = item["id"]
        for kind, field in (("project_updates", "project"), ("inventory_updates", "inventory")):
            for update in self.objects[kind].values():
                busy = update["status"] in ACTIVE and update[field] == key and resource == REFERENCES[field]
                if busy:
                    raise RefusedError(409, {"error": "Resource is being used by running jobs."})
        if resource == "credential_types" and any(
            c["credential_type"] == key for c in self.objects["credentials"].values()
        ):
            raise RefusedError(403, {"detail": "Credential types that are in use cannot be deleted"})
        if resource == "inventories":
            if item["pending_deletion"]:
                raise RefusedError(400, {"error": "Inventory is already pending deletion."})
            item["pending_deletion"] = True
            item["_gone_at"] = time.monotonic() + self.removal_seconds
            return 202
        self.drop(resource, key)
        return 204


class Handler(BaseHTTPRequestHandler):
    """One request. The server object carries the store, the password and the journal of writes."""

    protocol_version = "HTTP/1.1"
    server: AwxDouble

    def answer(self, status: int, body: Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        url = urlsplit(self.path)
        path = [unquote(part) for part in url.path.split("/") if part][2:]
        try:
            with self.server.lock:
                status, body = self.route(path, parse_qsl(url.query, keep_blank_values=True), json.loads(raw or b"{}"))
        except RefusedError as refused:
            status, body = refused.status, refused.body
        if self.command != "GET" and path[0] != "tokens" and status < 400:
            self.server.writes.append(f"{self.command} {url.path}")
        self.answer(status, body)

    def do_GET(self) -> None:
        self.handle_any()

    def do_POST(self) -> None:
        self.handle_any()

    def do_PATCH(self) -> None:
        self.handle_any()

    def do_DELETE(self) -> None:
        self.handle_any()

    def route(self, path: list[str], query: list[tuple[str, str]], data: Item) -> tuple[int, Any]:
        if path[:1] == ["ping"]:
            return 200, {"version": "24.6.1", "ha": False}
        self.authorise()
        if path[:1] == ["tokens"]:
            return (201, {"id": 1, "token": self.server.token}) if self.command == "POST" else (204, None)
        if path[:1] == ["config"]:
            return 200, {"version": "24.6.1"}
        resource, *rest = path
        if resource != "unified_job_templates" and resource not in FIELDS:
            raise RefusedError(404, {"detail": "Not found."})
        if not rest:
            return self.collection(resource, query, data)
        item = self.find(resource, rest[0])
        if len(rest) == 1:
            return self.detail(resource, item, data)
        return self.part(resource, item, rest[1], data)

    def authorise(self) -> None:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        basic = base64.b64encode(f"admin:{self.server.password}".encode()).decode()
        if (kind, value) not in (("Basic", basic), ("Bearer", self.server.token)):
            raise RefusedError(401, {"detail": "Authentication credentials were not provided."})

    def find(self, resource: str, key: str) -> Item:
        """An object by number, or by its named URL: name++organization."""
        store = self.server.store
        store.sweep()
        for item in store.objects[resource].values():
            organization = store.objects["organizations"].get(item.get("organization") or 0, {"name": ""})
            if key in (str(item["id"]), f"{item['name']}++{organization['name']}"):
                return item
        raise RefusedError(404, {"detail": "Not found."})

    def collection(self, resource: str, query: list[tuple[str, str]], data: Item) -> tuple[int, Any]:
        store = self.server.store
        if self.command == "POST":
            return 201, store.shown(resource, store.write(resource, None, data))

        def names(field: str, key: Any) -> Item:
            return store.objects[REFERENCES[field]].get(key, {"name": None, "organization": None})

        found = [item for item in store.everything(resource) if matches(item, query, names)]
        return 200, {"count": len(found), "next": None, "previous": None, "results": found}

    def detail(self, resource: str, item: Item, data: Item) -> tuple[int, Any]:
        store = self.server.store
        if self.command == "DELETE":
            return store.remove(resource, item), None
        if self.command == "PATCH":
            store.write(resource, item, data)
        return 200, store.shown(resource, item)

    def part(self, resource: str, item: Item, part: str, data: Item) -> tuple[int, Any]:
        store, key = self.server.store, item["id"]
        if part == "survey_spec":
            if self.command == "GET":
                return 200, shown_survey(store.surveys.get((resource, key), {}))
            store.surveys[resource, key] = checked_survey(data) if self.command == "POST" else {}
            return 200, None
        if part == "cancel":
            item["status"] = "canceled"
            return 202, None
        if part not in ASSOCIATIONS.get(resource, {}):
            raise RefusedError(404, {"detail": "Not found."})
        target = ASSOCIATIONS[resource][part]
        ids = store.associated.setdefault((resource, key, part), [])
        if self.command == "GET":
            found = [store.shown(target, store.objects[target][other]) for other in ids]
            return 200, {"count": len(found), "next": None, "previous": None, "results": found}
        if data.get("disassociate"):
            ids.remove(data["id"])
        elif data["id"] not in store.objects[target]:
            raise RefusedError(400, {"detail": f"{singular(target)} {data['id']} does not exist."})
        else:
            ids.append(data["id"])
        return 204, None


class AwxDouble(ThreadingHTTPServer):
    """The running double: a context manager with ``url``, ``password``, ``store`` and the ``writes`` it took."""

    daemon_threads = True

    def __init__(self, removal_seconds: float = 1.0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = Store(removal_seconds)
        self.password, self.token = "open-sesame-19", "t0ken-of-the-double"
        self.writes: list[str] = []
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever)

    def __enter__(self) -> AwxDouble:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()
