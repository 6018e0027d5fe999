# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of a wave take their locks together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.writers import writers

PLACE = ("eb_application", "eb_region", "eb_aws")
SHOP = {"eb_application": "shop", "eb_region": "eu-central-1", "eb_option_settings": {"x": 1}}


class Broken(Mapping[str, Any]):
    """Variables of which a template fails, as HostVars does."""

    def __getitem__(self, name: str) -> Any:
        raise KeyError(f"'account' is undefined, in {name}")

    def __iter__(self) -> Iterator[str]:
        return iter(SHOP)

    def __len__(self) -> int:
        return len(SHOP)


def found(variables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return writers(variables, variables, "eb_cname_prefix", PLACE)


def test_hosts_of_one_place_have_each_other() -> None:
    hosts = {
        "a": SHOP | {"eb_cname_prefix": "shop-a"},
        "b": SHOP | {"eb_cname_prefix": "shop-b", "eb_region": "us-east-1"},
        "c": SHOP | {"eb_cname_prefix": "shop-c", "eb_option_settings": {"x": 2}},
        "d": SHOP | {"eb_cname_prefix": "shop-d", "eb_aws": {"profile": "other"}},
        "e": SHOP | {"eb_cname_prefix": "shop-e", "eb_aws": {"profile": "other"}},
    }
    assert found(hosts) == {
        "place_of": {"a": 0, "b": 1, "c": 0, "d": 2, "e": 2},
        "names": [["shop-a", "shop-c"], ["shop-b"], ["shop-d", "shop-e"]],
    }


def test_no_value_of_a_place_is_kept() -> None:
    hosts = {"a": SHOP | {"eb_cname_prefix": "shop-a", "eb_aws": {"secret_key": "verysecret"}}}
    assert "verysecret" not in str(found(hosts))


def test_a_host_whose_variables_cannot_be_read_is_in_no_place() -> None:
    hosts = {"a": Broken(), "b": SHOP, "c": SHOP | {"eb_cname_prefix": "shop-c"}}
    assert found(hosts) == {"place_of": {"c": 0}, "names": [["shop-c"]]}


def test_of_nobody_nothing_is_found() -> None:
    assert found({}) == {"place_of": {}, "names": []}
