# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the documentation site; scripts/documentation puts this file beside the pages."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

project = "jack.beanstalk"
copyright = "the jack.beanstalk team; GPL-3.0-or-later"
extensions = ["sphinx_antsibull_ext", "myst_parser"]
myst_heading_anchors = 4  # as GitHub has them, for links from one page to a section of another
antsibull_ext_color_scheme = "default-autodark"
html_theme = "furo"
html_title = "jack.beanstalk"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1a6b3c", "color-brand-content": "#1a6b3c"},
    "dark_css_variables": {"color-brand-primary": "#7fd6a0", "color-brand-content": "#7fd6a0"},
}
html_show_sourcelink = False
html_copy_source = False
highlight_language = "yaml"
nitpicky = True

_ANSIBLE = "https://docs.ansible.com/ansible/latest/"
_PAGES = {
    "action_plugins": "plugins/action.html",
    "callback_plugins": "plugins/callback.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def _ansible_page(app: Sphinx, env: Any, node: Any, content: nodes.Node) -> nodes.Node | None:
    """Link what is in Ansible's own documentation; asking for its list of labels would need the network."""
    page = _PAGES.get(node["reftarget"])
    if page is None and node["reftype"] == "envvar" and node["reftarget"].startswith("ANSIBLE_"):
        page = f"reference_appendices/config.html#envvar-{node['reftarget']}"
    return nodes.reference("", "", content, refuri=_ANSIBLE + page, internal=False) if page else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", _ansible_page)
