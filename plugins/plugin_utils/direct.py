# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules of this collection that run inside Ansible's own worker process, as ansible.netcommon's can.

A module task on the controller otherwise packs and compiles the module anew, starts a Python and imports boto3 there.
The linear strategy loads action plugins in the parent of all workers, so what is imported below is imported once.
The module itself is the same, with the same argument specification, check mode, no_log and result.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import sys
from datetime import datetime
from pathlib import Path

from ansible.module_utils import basic
from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk import shared

try:
    from ansible.module_utils.common.json import Direction, get_module_encoder
except ImportError:  # ansible-core 2.18, where modules take their arguments in another form
    get_module_encoder = None

_PROFILE = "legacy"
_LISTS = ("endpoints", "partitions")
# Every module talks to the first, and those that write to the second; cycles count instances by the third.
_SERVICES = ("elasticbeanstalk", "s3", "autoscaling")
_kept = {}
_listed = {}


def keep_models(loaders, session, boto3_session):
    """Have botocore read what it knows of these services, and of all, once: most of what making a client takes.

    boto3 reads it for each of its sessions, and amazon.aws has a session for each client. Nobody changes it.
    The parameters are the modules of these names.
    """

    class KeptModels(loaders.JSONFileLoader):
        """Reads a file; one of these once."""

        def load_file(self, file_path):
            """What is in the file; None when there is none."""
            path = Path(file_path)
            if path.name not in _LISTS and path.parent.parent.name not in _SERVICES:
                return super().load_file(file_path)
            if _kept.get(file_path) is None:
                _kept[file_path] = super().load_file(file_path)
            return _kept[file_path]

    look_for_services = loaders.Loader.list_available_services

    @functools.wraps(look_for_services)
    def list_available_services(self, type_name):
        """Names of the services that have a file of this type; its folders, more than 400, are looked through once."""
        key = (*self.search_paths, type_name)
        if key not in _listed:
            _listed[key] = look_for_services(self, type_name)
        return _listed[key]

    loaders.Loader.FILE_LOADER_CLASS = KeptModels
    loaders.Loader.list_available_services = list_available_services
    core = session.get_session()
    boto3_session.Session(botocore_session=core)  # adds a folder to those in which all its clients look
    loader = core.get_component("data_loader")
    for name in _LISTS:
        loader.load_data(name)
    for service in _SERVICES:
        for kind in ("service-2", "endpoint-rule-set-1"):
            loader.load_service_model(service, kind)


def keep_names(hooks):
    """Have botocore work out once what it calls the hundreds of events of each session. The parameter is the module."""
    names = {}
    make = hooks.EventAliaser.__init__

    @functools.wraps(make)
    def make_with_names(self, event_emitter, event_aliases=None):
        make(self, event_emitter, event_aliases)
        if event_aliases is None or event_aliases == hooks.EVENT_ALIASES:
            self._alias_name_cache = names

    hooks.EventAliaser.__init__ = make_with_names


def read_times(parsers):
    """Have botocore read times in UTC, as Elastic Beanstalk writes them, without looking for what form they have.

    Hundreds of environments have hundreds of times. The parameter is the module of this name.
    """
    look_for_form = parsers.DEFAULT_TIMESTAMP_PARSER

    @functools.wraps(look_for_form)
    def parse_timestamp(value):
        if isinstance(value, str) and value[10:11] == "T" and value.endswith("Z"):
            with contextlib.suppress(ValueError):
                return datetime.fromisoformat(value)
        return look_for_form(value)

    parsers.DEFAULT_TIMESTAMP_PARSER = parse_timestamp


with contextlib.suppress(ImportError):  # the modules say that boto3 is missing
    keep_names(importlib.import_module("botocore.hooks"))
    keep_models(*map(importlib.import_module, ("botocore.loaders", "botocore.session", "boto3.session")))
    read_times(importlib.import_module("botocore.parsers"))


class DirectActionBase(ActionBase):
    """Runs the module of the task's name in this process where that is the same as anywhere else."""

    _supports_check_mode = True
    _supports_async = True

    def __init_subclass__(cls, **kwargs):
        """Import the module of the action's name, once, and not in each fork."""
        super().__init_subclass__(**kwargs)
        importlib.import_module(
            f"ansible_collections.jack.beanstalk.plugins.modules.{cls.__module__.rpartition('.')[2]}"
        )

    def run(self, tmp=None, task_vars=None):
        """Run the module; its result is returned as it is."""
        result = super().run(tmp, task_vars)
        del tmp
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        result = merge_hash(result, self.run_module(task_vars or {}, in_background))
        if not in_background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def run_module(self, task_vars, in_background):
        """Run the module in this process, or as Ansible runs any module."""
        if in_background or not self.is_direct(task_vars):
            return self._execute_module(task_vars=task_vars, wrap_async=in_background)
        return self.run_directly(task_vars)

    def is_on_controller(self):
        """Whether the module runs on this machine, as this user."""
        return self._connection.transport == "local" and not getattr(self._connection, "become", None)

    def is_direct(self, task_vars):
        """Whether the module would get this very Python and this very environment."""
        if get_module_encoder is None:
            return False
        interpreter = self._templar.template(task_vars.get("ansible_python_interpreter"))
        same = interpreter == sys.executable and not any(self._task.environment or [])
        return same and self.is_on_controller() and not self._task.async_val

    def run_directly(self, task_vars):
        """Run the module's main here, with arguments and result in the form that they have on the wire."""
        arguments = dict(self._task.args)
        self._update_module_args(self._task.action, arguments, task_vars)
        encoder = get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
        answer = io.StringIO()
        before = basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder).encode()
        basic._ANSIBLE_PROFILE = _PROFILE
        try:
            with (
                shared.working_at(self._name_of_task(task_vars)),
                contextlib.redirect_stdout(answer),
                contextlib.suppress(SystemExit),
            ):
                self._module().main()
        finally:
            basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = before
        return self._parse_returned_data({"stdout": answer.getvalue()}, _PROFILE)

    def _name_of_task(self, task_vars):
        """What hosts have in common that come to this task together, when all have done what is before it; else ""."""
        task = self._task
        if task.get_play().strategy not in ("linear", "ansible.builtin.linear") or task.loop or task.until:
            return ""
        batch = task_vars.get("ansible_play_batch") or [""]
        return f"{os.getppid()} {task._uuid} {batch[0]}"

    def _module(self):
        loader = self._shared_loader_obj.module_loader
        found = loader.find_plugin_with_context(self._task.action, collection_list=self._task.collections)
        return importlib.import_module(found.plugin_resolved_name)
