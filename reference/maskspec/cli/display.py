"""The coloured view of one mask: its text, its tokens, its hazards and its counts."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

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
_MARKS = {Verdict.TRAIN: "train", Verdict.IGNORE: "-", Verdict.EITHER: "either"}


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
    console.print(_tokens(result, conversation))
    if result.hazards:
        console.print()
        console.print(Text("Hazards", style="bold"))
        for hazard in result.hazards:
            where = [] if hazard.token is None else [f"token {hazard.token}"]
            where += [] if hazard.message is None else [f"message {hazard.message}"]
            place = f" ({', '.join(where)})" if where else ""
            console.print(Text(f"  {hazard.kind.name}{place}: {hazard.detail}", style="yellow"))
    console.print()
    legend = Text("Zones: ")
    present = dict.fromkeys(token.zone for token in result.tokens)
    for number, zone in enumerate(zone for zone in Zone if zone in present):
        legend.append("  " if number else "")
        legend.append(zone.name, style=_STYLES[zone])
    console.print(legend)
    console.print(Text(_counts(result)))


def _tokens(result: Mask, conversation: Conversation) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    table.add_column("index", justify="right", no_wrap=True)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("token", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("message", no_wrap=True)
    table.add_column("zone", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for token in result.tokens:
        style = _STYLES[token.zone]
        table.add_row(
            str(token.index),
            str(token.id),
            Text(spelled(token), style=f"{style} underline" if token.verdict is Verdict.TRAIN else style),
            "" if token.message is None else f"{token.message} {conversation[token.message].role}",
            Text(token.zone.name, style=style),
            Text(_MARKS[token.verdict], style="bold" if token.verdict is Verdict.TRAIN else ""),
            token.reason,
        )
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
    trained = sum(label != -100 for label in result.labels)
    return (
        f"{len(result.tokens)} tokens: {verdicts[Verdict.TRAIN]} train, {verdicts[Verdict.EITHER]} either, "
        f"{verdicts[Verdict.IGNORE]} ignore; {trained} carry loss in the reference's labels"
    )
