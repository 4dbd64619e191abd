"""`python -m maskspec`, the same as the command `maskspec`."""

from __future__ import annotations

from maskspec.cli import main

if __name__ == "__main__":
    main()
