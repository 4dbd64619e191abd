"""Puts a page together from its parts: one HTML file that needs no network, no library and no other file.

Every page has the same head, style and basic script (`page/`), and a body, style and script of
its own. Whatever the data holds reaches the page as text and never as markup: the JSON cannot
end its own element, and a content security policy allows this script and this style, by their
hashes, and no connection.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from maskspec.conformance.reports.plain import one_line

__all__ = ["encodable", "framed", "part", "shared_part"]


def framed(
    body: str,
    *,
    title: str,
    data: Any,
    scripts: Sequence[str],
    styles: Sequence[str] = (),
    parts: Mapping[str, str] | None = None,
    state: str = "",
) -> str:
    """The page of this body: every `@@NAME@@` in it replaced by the HTML that `parts` has for it.

    `scripts` and `styles` come behind those that every page has; the scripts see each other's names.
    """
    style = "\n".join([shared_part("style.css"), *styles])
    # One function around all of them: no name of theirs becomes one of the window.
    script = "\n".join(['"use strict";', "(() => {", shared_part("basis.js"), *scripts, "})();"])
    security = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    known = {
        **(parts or {}),
        "TITLE": html.escape(encodable(title)),
        "STATE": state,
        "SECURITY": html.escape(security, quote=True),
        "STYLE": style,
        "SCRIPT": script,
        # Inside a script element only "<" can begin something that ends it.
        "DATA": one_line(data).replace("<", "\\u003c"),
    }
    pieces = shared_part("frame.html").replace("@@BODY@@", body).split("@@")
    return "".join(known[piece] if position % 2 else piece for position, piece in enumerate(pieces))


def encodable(text: str) -> str:
    """The text with whatever UTF-8 cannot store as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def part(package: str, name: str) -> str:
    """A part of a page that lies in a package, as text."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def shared_part(name: str) -> str:
    """A part that several pages have."""
    return part("maskspec.conformance.reports", f"page/{name}")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
