# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts of a wave write to the same place, so that they can take their locks together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .cnames import key_of


def writers(
    hosts: Iterable[str], variables: Mapping[str, Mapping[str, Any]], name: str, place: Sequence[str]
) -> dict[str, Any]:
    """Each host's place as a number (``place_of``), and what the hosts of each place are called (``names``).

    ``name`` is the variable that tells what a host is called there, a CNAME prefix. Hosts whose variables of the names
    ``place`` are equal, or missing alike, share a place. Hosts of which a variable cannot be read are in none: they
    fail with their own message. Numbers, since the variables may hold credentials.
    """
    place_of: dict[str, int] = {}
    names: list[list[str]] = []
    known: dict[str, int] = {}
    for host in hosts:
        try:
            mine = variables[host]
            called = key_of(str(mine[name]))
            key = json.dumps([(one, mine[one]) for one in place if one in mine], sort_keys=True)
        except Exception:  # noqa: S112 -- whatever a template of the inventory may raise
            continue
        number = place_of[host] = known.setdefault(key, len(known))
        names += [[]] if number == len(names) else []
        names[number].append(called)
    return {"place_of": place_of, "names": names}
