"""Puts a frame, a style, a script and data together to one HTML page that needs nothing else.

Whatever the data holds reaches the page as text and never as markup: the JSON cannot end
its own element, and a content security policy allows this script and this style, by their
hashes, and no connection.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from typing import Any

from maskspec.conformance.reports.plain import one_line

__all__ = ["encodable", "framed"]


def framed(frame: str, *, style: str, script: str, data: Any, parts: Mapping[str, str]) -> str:
    """The page: every `@@NAME@@` of the frame replaced.

    SECURITY, STYLE, SCRIPT and DATA are known; `parts` holds the others, as HTML.
    """
    security = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    known = {
        **parts,
        "SECURITY": html.escape(security, quote=True),
        "STYLE": style,
        "SCRIPT": script,
        # Inside a script element only "<" can begin something that ends it.
        "DATA": one_line(data).replace("<", "\\u003c"),
    }
    pieces = frame.split("@@")
    return "".join(known[piece] if position % 2 else piece for position, piece in enumerate(pieces))


def encodable(text: str) -> str:
    """The text with whatever UTF-8 cannot store as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
