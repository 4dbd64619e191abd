"""A rendering in a notation short enough to write by hand, and a check of every offset that it claims.

One entry stands for the characters of one origin, `"<where> <text>"`:

| entry | meaning |
|---|---|
| `"- preamble"` | a literal that no message owns |
| `"0 <user>"` | a literal owned by message 0 |
| `"0.content Hi"` | copied from message 0, path `("content",)` |
| `"0.content>2 Hi"` | the same, quoted while message 2 was being rendered |
| `"0.arguments.city! city"` | the name of that key instead of its value |
| `"-$bos_token <s>"` | a template variable |
| `"-~0.name get"` | a tool schema |
| `"1.content* Yo"`, `"1* <end>"` | inside a generation block |
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from maskspec.rendering import Origin, OriginKind, Rendering

_SIGNS = {OriginKind.LITERAL: "", OriginKind.MESSAGE: ".", OriginKind.TOOL: "~", OriginKind.VARIABLE: "$"}


def where(origin: Origin) -> str:
    """The part of an entry that names the origin."""
    text = "-" if origin.message is None else str(origin.message)
    text += _SIGNS[origin.kind] + ".".join(map(str, origin.path))
    text += "!" if origin.is_key else ""
    text += "" if origin.quoted_in is None else f">{origin.quoted_in}"
    return text + ("*" if origin.generated else "")


def noted(rendering: Rendering) -> list[str]:
    """All characters of a rendering, grouped by origin, in order."""
    entries = []
    for place, spans in groupby(rendering.spans, key=lambda span: where(span.origin)):
        entries.append(place + " " + "".join(rendering.text[span.start : span.end] for span in spans))
    return entries


def stands_for(printed: str, source: str) -> bool:
    """Whether a printed character is a source character, its other case, or part of an escape of it."""
    if printed == source or printed.casefold() == source.casefold():
        return True
    cases = source.lower() + source.upper() + source.title() + source.casefold() + source.swapcase()
    return (
        printed
        in cases + json.dumps(source)[1:-1] + repr(source)[1:-1] + html.escape(html.escape(source)) + "&#34;&#39;"
    )


def check_spans(
    rendering: Rendering,
    *,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] | None = None,
    variables: Mapping[str, Any] | None = None,
) -> None:
    """Spans cover the text without gaps; where one gives an offset, the source holds the same character there."""
    roots: dict[OriginKind, Any] = {OriginKind.TOOL: tools, OriginKind.VARIABLE: variables}
    end = 0
    for span in rendering.spans:
        assert span.start == end
        assert span.end > span.start
        end = span.end
        origin = span.origin
        if origin.kind is OriginKind.LITERAL:
            assert span.offset is None
            assert origin.path == ()
            continue
        if origin.kind is OriginKind.MESSAGE:
            assert origin.message is not None
            value: Any = messages[origin.message]
        else:
            value = roots[origin.kind]
        if origin.path[:1] == ("thinking",) and "thinking" not in value:
            value = {"thinking": value.get("reasoning_content", value.get("reasoning"))}
        for step in origin.path[: -1 if origin.is_key else None]:
            value = value[step]
        source = str(origin.path[-1]) if origin.is_key else value
        if span.offset is not None:
            printed = rendering.text[span.start : span.end]
            if source[span.offset : span.offset + len(printed)] == printed:
                continue
            for step in range(len(printed)):
                assert stands_for(printed[step], source[span.offset + step]), (span, source)
    assert end == len(rendering.text)
