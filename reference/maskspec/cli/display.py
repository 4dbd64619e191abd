"""The coloured view of one mask: its text, its tokens, its hazards and its counts."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from maskspec.policy import Verdict
from maskspec.segmentation import Zone

if TYPE_CHECKING:
    from maskspec.conversation import Conversation
    from maskspec.masker import Mask, Token

__all__ = ["show_mask"]

_STYLES: dict[Zone, str] = {
    Zone.OPENING: "blue",
    Zone.REASONING: "magenta",
    Zone.CONTENT: "green",
    Zone.TOOL_CALL: "cyan",
    Zone.SCAFFOLD: "yellow",
    Zone.STOP: "bold red",
    Zone.TAIL: "bright_black",
    Zone.CONTEXT: "white",
}
_MEANINGS: dict[Zone, str] = {
    Zone.OPENING: "comes before the turn; the prompt supplies it",
    Zone.REASONING: "reasoning of the message",
    Zone.CONTENT: "content of the message",
    Zone.TOOL_CALL: "tool calls of the message",
    Zone.SCAFFOLD: "template text inside the turn",
    Zone.STOP: "ends the turn",
    Zone.TAIL: "template text after the stop",
    Zone.CONTEXT: "belongs to no message",
}
_HEADER = ("index", "id", "token", "message", "zone", "verdict", "reason")
_TOKEN = _HEADER.index("token")
_IGNORED = -100
_TOKEN_LEAST, _TOKEN_MOST = 8, 24
_REASON_MOST = 25


def show_mask(
    result: Mask, conversation: Conversation, *, title: str, width: int | None = None, no_color: bool = False
) -> None:
    """Print every token with zone, verdict and reason, then hazards, legend and counts.

    `width` fixes the number of columns; without colours the output is plain text.
    """
    console = Console(
        width=width,
        no_color=no_color or None,
        color_system=None if no_color else "auto",
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False if os.name != "nt" else None,
    )
    console.print(Text(title, style="bold"))
    console.print(_tokens(result, conversation, console.width))
    if result.hazards:
        console.print()
        console.print(Text("Hazards", style="bold"))
        for hazard in result.hazards:
            where = [] if hazard.token is None else [f"token {hazard.token}"]
            where += [] if hazard.message is None else [f"message {hazard.message}"]
            place = f" ({', '.join(where)})" if where else ""
            line = f"{hazard.kind.name}{place}: {hazard.detail}"
            wrapped = textwrap.wrap(line, console.width, initial_indent="  ", subsequent_indent="    ")
            console.print(Text("\n".join(wrapped), style="yellow"))
    console.print()
    console.print(_zones(result))
    console.print()
    console.print(Text(_counts(result)))


def _tokens(result: Mask, conversation: Conversation, width: int) -> Table:
    rows = [
        (
            str(token.index),
            str(token.id),
            spelled(token),
            "" if token.message is None else f"{token.message} {conversation[token.message].role}",
            token.zone.name,
            token.verdict.value,
            token.reason,
        )
        for token in result.tokens
    ]
    widest = [max(map(cell_len, column)) for column in zip(_HEADER, *rows, strict=True)]
    widest[_TOKEN] = min(widest[_TOKEN], _TOKEN_MOST)
    widest[-1] = min(widest[-1], _REASON_MOST)
    gap = 2 if sum(widest) + 2 * (len(widest) - 1) <= width else 1
    # A token is cut before a reason is wrapped: the id still says which token it is.
    room = width - gap * (len(widest) - 1) - (sum(widest) - widest[_TOKEN])
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for place, name in enumerate(_HEADER):
        table.add_column(
            name,
            justify="right" if place < _TOKEN else "left",
            no_wrap=place < len(_HEADER) - 1,
            max_width=max(min(widest[_TOKEN], room), _TOKEN_LEAST) if place == _TOKEN else None,
            overflow="ellipsis" if place == _TOKEN else "fold",
        )
    for token, row in zip(result.tokens, rows, strict=True):
        style, trained = _STYLES[token.zone], token.verdict is Verdict.TRAIN
        styles = ("", "", f"{style} underline" if trained else style, "", style, "bold" if trained else "", "")
        table.add_row(*(Text(cell, style=look) for cell, look in zip(row, styles, strict=True)))
    return table


def _zones(result: Mask) -> Table:
    """The legend: every zone that occurs, how many tokens it has, how many carry loss, and what it is."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("zone", "tokens", "loss", "what it is"):
        table.add_column(name, justify="right" if name in ("tokens", "loss") else "left")
    tokens = Counter(token.zone for token in result.tokens)
    trained = Counter(
        token.zone for token, label in zip(result.tokens, result.labels, strict=True) if label != _IGNORED
    )
    for zone in Zone:
        if zone in tokens:
            table.add_row(Text(zone.name, style=_STYLES[zone]), str(tokens[zone]), str(trained[zone]), _MEANINGS[zone])
    return table


def spelled(token: Token) -> str:
    """The token's text with everything invisible escaped, on one line."""
    return "".join(_visible(character) for character in token.text)


def _visible(character: str) -> str:
    if character == " ":
        return "·"
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _counts(result: Mask) -> str:
    verdicts = Counter(token.verdict for token in result.tokens)
    counts = ", ".join(f"{verdicts[verdict]} {verdict.value}" for verdict in Verdict)
    note = " (a masker may train these or not)" if verdicts[Verdict.EITHER] else ""
    return f"{len(result.tokens)} tokens: {counts}{note}"
