# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the README's table of operations from what a test run recorded.

LOCALSTALK_RECORD=/tmp/record pytest tests/unit && python tests/operations_table.py /tmp/record README.md
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from botocore import xform_name

from localstalk.elasticbeanstalk import wire
from localstalk.elasticbeanstalk.region import Region

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
    yield "| operation | implemented | validated (refusals in tests) | tested (answers in tests) |"
    yield "| --- | --- | --- | --- |"
    for name in sorted(wire.service_model().operation_names):
        if not hasattr(Region, xform_name(name)):
            raise SystemExit(f"{name} is not implemented.")
        if not answered[name]:
            raise SystemExit(f"No test lets {name} succeed.")
        takes = wire.service_model().operation_model(name).input_shape
        if takes is None or not takes.members:
            validated = "takes no parameters"
        elif refused[name]:
            validated = f"yes ({refused[name]})"
        else:
            raise SystemExit(f"No test lets {name} be refused.")
        yield f"| {name} | yes | {validated} | yes ({answered[name]}) |"


def main(folder: Path, readme: Path) -> None:
    """Replace the table between the two marks."""
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    lines = "\n".join(table(*read(folder)))
    readme.write_text(f"{before}{BEGIN}\n{lines}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
