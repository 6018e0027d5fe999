# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the README's table of operations from what a test run recorded, or (--check) compare it.

LOCALSTALK_RECORD=/tmp/record pytest -m "not containers"
python tests/operations_table.py [--check] /tmp/record README.md
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from localstalk.elasticbeanstalk import wire

BEGIN, END = "<!-- operations: begin -->", "<!-- operations: end -->"


def read(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Answers and refusals, counted over all recordings."""
    answered: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for path in folder.glob("*.json"):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        answered.update(recorded["answered"])
        refused.update(recorded["refused"])
    return answered, refused


def table(answered: Counter[str], refused: Counter[str]) -> Iterable[str]:
    """The table's lines; raises SystemExit when an operation would have an empty cell."""
    yield "| operation | implemented | validated (a test is refused) | tested (a test is answered) |"
    yield "| --- | --- | --- | --- |"
    for name in sorted(wire.service_model().operation_names):
        if not answered[name]:
            raise SystemExit(f"No test lets {name} succeed.")
        takes = wire.service_model().operation_model(name).input_shape
        if takes is None or not takes.members:
            validated = "takes no parameters"
        elif refused[name]:
            validated = "yes"
        else:
            raise SystemExit(f"No test lets {name} be refused.")
        yield f"| {name} | yes | {validated} | yes |"


def main(folder: Path, readme: Path, *, check: bool) -> None:
    """Replace the table between the two marks; with ``check``, raise SystemExit when that would change anything."""
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    lines = "\n".join(table(*read(folder)))
    wanted = f"{before}{BEGIN}\n{lines}\n{END}{after}"
    if not check:
        readme.write_text(wanted, encoding="utf-8")
    elif wanted != text:
        raise SystemExit(f"The table of operations in {readme} is not what the tests did: run this without --check.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("folder", type=Path)
    parser.add_argument("readme", type=Path)
    chosen = parser.parse_args()
    main(chosen.folder, chosen.readme, check=chosen.check)
