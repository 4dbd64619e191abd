"""The page about all maskers, from the runs that their environments kept: `python -m tests.peers.page`.

`peers.md` beside this file is the document to commit, `build/peers/peers.html` the page to look things up in.
"""

from __future__ import annotations

import subprocess
import sys

from tests.peers.peer import RUNS

ROOM = "tests/peers"
DOCUMENT = f"{ROOM}/peers.md"
PAGE = str(RUNS / "peers.html")


def main() -> int:
    """Call `maskspec report` with every run, the reasons as they stand now, and the advice."""
    command = [sys.executable, "-m", "maskspec", "report", str(RUNS), "--known-failures", ROOM, "--advice", ROOM]
    return max(subprocess.run([*command, "--output", path], check=False).returncode for path in (DOCUMENT, PAGE))


if __name__ == "__main__":
    sys.exit(main())
