"""`python -m tests.peers NAME`: run the suite on a masker as its tests do, and show what was found."""

from __future__ import annotations

import argparse
import sys

from maskspec.cli.progress import showing_progress
from maskspec.conformance import KnownFailures
from maskspec.conformance.reports import as_text
from tests.peers.peer import PEERS, RUNS


def main() -> int:
    """The exit code is that of `maskspec check`."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    parser.add_argument("name", choices=list(PEERS))
    parser.add_argument("--pair", action="append", default=[], metavar="NAME", help="only this pair; nothing is kept")
    parser.add_argument("--profile", default="quick", choices=["quick", "default", "deep"])
    parser.add_argument(
        "--accept",
        metavar="REASON",
        help="add what fails to the known failures of the version; the class and a reason for each are to be written by hand",
    )
    given = parser.parse_args()
    peer = PEERS[given.name]
    with showing_progress(no_color=True) as progress:
        report = peer.run(pairs=tuple(given.pair), profile=given.profile, progress=progress)
    print(as_text(report))
    if given.accept is not None:
        print("added", *KnownFailures.append(peer.known, report.broken, reason=given.accept))
    if not given.pair:
        print(f"the run is kept in {RUNS / f'{peer.name}-{peer.version}'}")
    return int(report.exit_code)


if __name__ == "__main__":
    sys.exit(main())
