# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hooks_overlay
version_added: 1.0.0
short_description: Render a list of deployment hooks into files of the source bundle
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Fills presets and defaults in, checks the list, and renders the scripts from the templates of the role C(hooks),
    which uses it and documents the list.
options:
  _input:
    description: The tasks, as O(jack.beanstalk.hooks#role:main:hooks_list).
    type: list
    elements: dict
    required: true
  role_path:
    description: Folder of the role, where its templates are.
    type: path
    required: true
  prefix:
    description: Owner of the files.
    type: str
    required: true
  generation:
    description: Generation of the platform.
    type: str
    choices: [al2023, al2, al1]
    default: al2023
  platform:
    description: Solution stack name, platform ARN or branch name, to tell whether it runs containers, and which.
    type: str
    default: ''
  source:
    description:
      - Where the source bundle comes from, with C(path), C(from) and C(ref) as the module
        M(jack.beanstalk.source_bundle) takes them. If a task is for a container, its compose file and
        C(Dockerrun.aws.json) are read.
      - The platform alone decides when it is empty.
    type: dict
    default: {}
  source_overlay:
    description: Rendered files that the bundle gets besides, each with C(path) and C(content).
    type: list
    elements: dict
    default: []
  once_store:
    description: Bucket and prefix in S3 where leader tasks are noted; empty for none.
    type: str
    default: ''
  timeout:
    description: Seconds after which a task is ended that does not say otherwise.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Render the hooks
  ansible.builtin.set_fact:
    rendered: "{{ eb_hooks | jack.beanstalk.hooks_overlay(role_path, 'jack') }}"
"""

RETURN = r"""
_value:
  description:
    - C(problems), what is wrong with the list, a sentence each.
    - C(overlay), the files, each with C(path), C(mode) and C(content); empty when there are problems.
  type: dict
"""

import re
from pathlib import Path

# YAML 1.1 takes these for ends of lines and folds them, where they are not escaped.
_BREAKS = re.compile("[\x85\u2028\u2029]")


def hooks_overlay(
    hooks,
    role_path,
    prefix,
    generation="al2023",
    once_store="",
    timeout=300,
    platform="",
    source=None,
    source_overlay=(),
):
    """The filter; see DOCUMENTATION."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle.preview import read_files
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.user_errors import BundleError
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.hooks import render as rendering
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint import targets
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.platform.generation import recognise
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    wrong = _misspelt(hooks, role_path) or rendering.problems(hooks, prefix, generation, once_store, timeout)
    if wrong or not hooks:
        return {"problems": wrong, "overlay": []}
    resolved = rendering.resolve(hooks, prefix, timeout)
    files = None
    if source and any(hook["where"] == "container" for hook in resolved):
        try:
            files = read_files(source, targets.FILES, source_overlay)
        except BundleError as error:
            return {"problems": [str(error)], "overlay": []}
    placed, wrong = targets.place(resolved, recognise(platform), files)
    if wrong:
        return {"problems": wrong, "overlay": []}
    # Scripts for a shell, in which nothing is escaped as HTML is.
    engine = Environment(  # noqa: S701
        loader=FileSystemLoader(role_path), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )

    def render(name, **variables):
        if not name.endswith(".j2"):
            return (Path(role_path) / name).read_text(encoding="utf-8")
        return engine.get_template(name).render(variables)

    return {"problems": [], "overlay": rendering.overlay(placed, prefix, generation, once_store, render, _yaml)}


def _misspelt(hooks, role_path):
    """Where the list is not as the role documents it: unknown keys, wrong types, none of the choices."""
    import yaml
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    text = Path(role_path, "meta", "argument_specs.yml").read_text(encoding="utf-8")
    options = {"hooks_list": yaml.safe_load(text)["argument_specs"]["main"]["options"]["hooks_list"]}
    return ArgumentSpecValidator(options).validate({"hooks_list": hooks}).error_messages if hooks else []


def _yaml(value):
    text = _dump(value, allow_unicode=True)
    return _dump(value, allow_unicode=False) if _BREAKS.search(text) else text


def _dump(value, allow_unicode):
    import yaml

    return yaml.safe_dump(value, allow_unicode=allow_unicode, default_flow_style=False, sort_keys=False, width=1000)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"hooks_overlay": hooks_overlay}
