"""Asks the oracles that are installed, or those named, and writes the table: `python -m tests.oracles mistral`."""

from __future__ import annotations

import argparse
import sys
from importlib import metadata

from tests.oracles.asking import drawn, fixed
from tests.oracles.examining import examine
from tests.oracles.oracle import Oracle
from tests.oracles.registry import ORACLES, lacking
from tests.oracles.table import TABLE, store, table

ENOUGH = 500
"""Generated conversations to compare per pair."""

MOST = 2000
"""Generated conversations to draw per pair, for oracles that refuse many."""


def ask(oracle: Oracle, enough: int, most: int) -> dict[str, object]:
    """Everything that is stored about an oracle; unexplained differences are printed and end the run."""
    found: dict[str, object] = {}
    unexplained = 0
    for name in oracle.pairs:
        pair = oracle.pair(name)
        parts = {
            "fixed": examine(oracle, pair, fixed(pair)),
            "generated": examine(oracle, pair, drawn(pair, most), enough=enough),
        }
        print(f"  {name}: {parts['generated'].conversations} conversations", file=sys.stderr)
        for part in parts.values():
            unexplained += len(part.unexplained)
            for difference in part.unexplained[:3]:
                print(f"    {difference}", file=sys.stderr)
        found[name] = {key: part.as_json() for key, part in parts.items()}
    if unexplained:
        raise SystemExit(f"{oracle.name}: {unexplained} differences fall into no class")
    versions = {package: metadata.version(package) for package in oracle.packages}
    return {"versions": versions, "enough": enough, "most": most, "pairs": found}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracles", description=__doc__)
    parser.add_argument("oracle", nargs="*", choices=[*ORACLES, []], help="by default all that are installed")
    parser.add_argument("--enough", type=int, default=ENOUGH, help="generated conversations to compare per pair")
    parser.add_argument("--most", type=int, default=MOST, help="generated conversations to draw per pair")
    options = parser.parse_args()
    for name in options.oracle or ORACLES:
        missing = lacking(ORACLES[name])
        if missing:
            print(f"{name}: left out, {'; '.join(missing)}", file=sys.stderr)
            continue
        print(f"{name} …", file=sys.stderr)
        store(name, ask(ORACLES[name], options.enough, options.most))
    TABLE.write_text(table(ORACLES), encoding="utf-8")
    print(TABLE)


if __name__ == "__main__":
    main()
