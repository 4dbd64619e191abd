"""The way back from ids to text: what decoding loses or adds, and whether offsets say what the tokens spell."""

from __future__ import annotations

from maskspec.alignment import align
from maskspec.errors import AlignmentError
from maskspec.tokens import Encoding, Tokenizer
from tests.implementations.classes import Unclassified, classify_round_trip
from tests.implementations.panel import Comparison, Panel
from tests.implementations.texts import shrink_long

__all__ = ["MOVED", "SAME", "UNSPELLED", "compare_way_back", "offsets"]

SAME = "the same"
MOVED = "whitespace that a special token took stands with its neighbour"
UNSPELLED = "only the offsets say where tokens are"
"""What alignment by offsets and alignment by the bytes of the tokens say about each other."""


def compare_way_back(panel: Panel, text: str, result: Comparison) -> None:
    """Decode what each implementation encodes a text to, and compare its offsets with its spelling."""
    for name in panel.tokenizers:
        back = _back(panel, name, text)
        if back == text:
            continue
        held = tuple(token for token in panel.special if token in text)
        smallest = shrink_long(text, lambda each, name=name: _back(panel, name, each) != each, held)
        kind = classify_round_trip(
            smallest, panel.ask(name, smallest).spelled, _back(panel, name, smallest), panel.special
        )
        result.round_trips[name, kind] += 1
        known = result.smallest_round_trips.get((name, kind))
        if known is None or (len(smallest), smallest) < (len(known), known):
            result.smallest_round_trips[name, kind] = smallest
    for name, tokenizer in panel.tokenizers.items():
        outcome = offsets(tokenizer, text)
        if outcome:
            result.offsets[name, outcome] += 1


def _back(panel: Panel, name: str, text: str) -> str:
    return panel.tokenizers[name].decode(panel.ask(name, text).ids)


def offsets(tokenizer: Tokenizer, text: str) -> str:
    """Whether offsets put every token where its spelling does; empty for a tokenizer without offsets."""
    encoding = tokenizer.encode(text)
    if encoding.offsets is None:
        return ""
    by_offsets = align(text, encoding, tokenizer)
    try:
        by_spelling = align(text, Encoding(encoding.ids, None), tokenizer)
    except AlignmentError:
        return UNSPELLED
    moved = False
    for place in zip(by_offsets.starts, by_spelling.starts, by_offsets.ends, by_spelling.ends, strict=True):
        for one, other in (place[:2], place[2:]):
            if one != other:
                moved = True
                if not text[min(one, other) : max(one, other)].isspace():
                    raise Unclassified(f"{tokenizer.name}: offsets and spelling disagree on {text!r}, {place}")
    return MOVED if moved else SAME
