"""The outside project is run by a test, not collected with the tests of this one."""

from __future__ import annotations

collect_ignore = ["project"]
