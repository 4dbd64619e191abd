"""Runs every benchmark case, or those whose name holds an argument: `python -m tests.benchmarks import`.

`python -m tests.benchmarks everything` takes a quarter of an hour and has to be named.
"""

from __future__ import annotations

import sys

from tests.benchmarks.cases import CASES as MASKING
from tests.benchmarks.detection import detection
from tests.benchmarks.harness import everything, overhead, processes, separate, workers
from tests.benchmarks.measure import table

CASES = (*MASKING, overhead, separate, processes, workers, detection)
ON_REQUEST = (everything,)


def main(wanted: list[str]) -> int:
    known = (*CASES, *ON_REQUEST)
    cases = [case for case in known if any(part in case.__name__ for part in wanted)] if wanted else list(CASES)
    if not cases:
        names = ", ".join(case.__name__ for case in known)
        print(f"no case holds {' or '.join(wanted)}; there are {names}", file=sys.stderr)
        return 2
    rows = []
    for case in cases:
        print(f"measuring {case.__name__} …", file=sys.stderr)
        for row in case():
            print(f"  {row.name}: {row.value:.2f} {row.unit}", file=sys.stderr)
            rows.append(row)
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
