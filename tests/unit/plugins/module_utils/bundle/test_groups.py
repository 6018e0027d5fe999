# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts make a source bundle, and for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle.groups import bundle_groups

SHOP = {"eb_application": "shop", "eb_source": {"path": "shop", "ref": "HEAD"}, "eb_hooks": [{"name": "migrate"}]}


class Broken(Mapping[str, Any]):
    """Variables of which a template fails, as HostVars does."""

    def __getitem__(self, name: str) -> Any:
        raise KeyError(f"'git_branch' is undefined, in {name}")

    def __iter__(self) -> Iterator[str]:
        return iter(SHOP)

    def __len__(self) -> int:
        return len(SHOP)


def test_hosts_with_equal_variables_have_the_first_of_them_make_it() -> None:
    hosts = {
        "a": SHOP | {"eb_cname_prefix": "a", "eb_option_settings": {"x": 1}},
        "b": SHOP | {"eb_cname_prefix": "b", "eb_environment_properties": {"DEBUG": "1"}},
        "c": SHOP | {"eb_source": {"path": "shop", "ref": "main"}},
        "d": SHOP | {"eb_source": {"ref": "main", "path": "shop"}},
    }
    assert bundle_groups(hosts, hosts) == {"a": "a", "b": "a", "c": "c", "d": "c"}
    assert bundle_groups([], {}) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"eb_application": "blog"},
        {"eb_platform": "64bit Amazon Linux 2023"},
        {"eb_image": {"name": "shop"}},
        {"eb_bundle_overlay": [{"path": "VERSION", "content": "7"}]},
        {"eb_hooks": []},
        {"eb_hooks_prefix": "jack"},
        {"eb_hooks_once_store": "bucket/ledger"},
        {"eb_bundle_skip_rules": ["lfs-pointer"]},
        {"hooks_timeout": 900},
        {"image_workers": 4},
        {"bundle_label_prefix": "s"},
        {"eb_localstalk": {"driver": "sim"}},
    ],
)
def test_whatever_is_in_the_bundle_makes_it_another(other: dict[str, Any]) -> None:
    assert bundle_groups("ab", {"a": SHOP, "b": SHOP | other}) == {"a": "a", "b": "b"}


@pytest.mark.parametrize(
    "secret",
    [
        {"eb_secrets_files": [".secrets/*"]},
        {"eb_secrets": {"key": {"file": ".secrets/key", "content": "x"}}},
        {"eb_bundle_overlay": [{"path": "key", "content": "x", "mode": "0600"}]},
    ],
)
def test_a_bundle_with_secrets_is_its_hosts_own(secret: dict[str, Any]) -> None:
    assert bundle_groups("ab", {"a": SHOP | secret, "b": SHOP | secret}) == {}


def test_secrets_outside_the_bundle_leave_it_the_same() -> None:
    arn, value = {"KEY": {"arn": "arn:aws:ssm:x"}}, {"KEY": {"value": "x"}}
    shared = {"a": SHOP | {"eb_secrets": arn}, "b": SHOP | {"eb_secrets": value}}
    assert bundle_groups("ab", shared) == {"a": "a", "b": "a"}


def test_a_host_whose_variables_cannot_be_read_fails_by_itself() -> None:
    assert bundle_groups("abc", {"a": SHOP, "b": Broken(), "c": SHOP}) == {"a": "a", "c": "a"}
    assert bundle_groups("ab", {"a": SHOP, "b": SHOP | {"eb_secrets": ["no map"]}}) == {"a": "a"}
