"""Where the characters of a rendering stand in their sources."""

from __future__ import annotations

from maskspec.rendering import Rendering


def places(rendering: Rendering) -> list[tuple[str, int | None]]:
    """The characters that came out of a source, each with its place there, None where there is no such place."""
    return [
        (rendering.text[span.start + step], None if span.offset is None else span.offset + step)
        for span in rendering.spans
        if span.origin.path
        for step in range(span.end - span.start)
    ]
