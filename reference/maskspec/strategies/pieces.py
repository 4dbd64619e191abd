"""The pieces that generated texts are put together from, 256 to a template: one for every value of a byte.

A text is drawn as a few bytes, and every byte is the number of a piece. That makes a
text one choice for Hypothesis: cheap to draw, and shrunk by what Hypothesis does best
with bytes, leaving some out and making others smaller. The first piece is the letter
`a`; pieces stand from plain to strange, in classes, the shortest of a class first:
lowering a byte step by step stays in its class as long as it can.

Some pieces are no text but a `Step`: it reads the bytes that follow as its arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum
from functools import lru_cache

from maskspec.shapes import TemplateTraits
from maskspec.shapes.markers import DECOMPOSED, ROLE_MARKERS, TAGS

__all__ = ["PIECES", "Piece", "Step", "pieces_for", "spell"]


class Step(Enum):
    """A piece that is worked out while a text is put together."""

    EARLIER = "an earlier text"
    """The whole of an earlier text of the conversation; the next byte chooses which."""
    PART = "a part of an earlier text"
    """A substring of one; the next three bytes choose the text, the start and the length."""
    AGAIN = "the text so far once more"
    """What stands before, twice."""
    CHARACTER = "any character"
    """One character from anywhere in Unicode, by the next three bytes; no surrogate and no control character."""
    NOTHING = "no text at all"
    """As the first piece: the text is empty, where it may be."""
    MANY = "very many words"
    """Some words hundreds of times over; the next byte chooses how often."""


Piece = str | Step

_LETTERS = ("a", "b", "c", "1", "A", "no", "yes", "the", "Paris", "2024")
_WHITESPACE = (
    " ",
    "\n",
    "\t",
    "  ",
    "\n\n",
    " \n",
    "\n ",
    "   ",
    "\r",
    "\r\n",
    "\n\n\n",
    "\u00a0",
    "\u3000",
    "\u2028",
    "\x0b",
    "\x0c",
    "\x85",
    "        ",
)
_PROSE = (
    ".",
    ", ",
    " and ",
    "Yes.",
    " the answer",
    "Hello, world!",
    "The answer is 42.",
    "It isn't so; he'd've known.",
    "First line.\nSecond line.",
    "one  two   three",
    "100,000.50 + 7 = 100007.5",
    "1. first\n2. second\n",
    "- item\n  - nested\n",
    "WHY?!",
)
_SCRIPTS = (
    "é",
    "ß",
    "你",
    "你好世界",
    "日本語。",
    "こんにちは",
    "안녕하세요",
    "नमस्ते",
    "สวัสดี",
    "привет",
    "ﬁ",
    "Ａ",
    "𝒳",
    "½",
)
_EMOJI = ("🙂", "👍🏽", "🇫🇷", "❤️", "👩‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿")
_RIGHT_TO_LEFT = ("שלום", "مرحبا", "\u202eabc\u202c", "\u200f", "אבג 123 def")
_SENTENCEPIECE = ("\u2581", "\u2581\u2581", "\u2581a", "Ġ", "Ċ", "##a", "<0x0A>", "<unk>")
_CONTROLS = (
    "\x01",
    "\x07",
    "\x1b[0m",
    "\x7f",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\ufffd",
)
_CODE = (
    "{}",
    "[]",
    '"',
    "\\",
    "'",
    "{",
    "}",
    "null",
    "\\n",
    "<b>&amp;</b>",
    '{"a": [1, "b"]}',
    '{"name": "get_weather"}',
    "C:\\new\\table",
    "'quoted' \"twice\"",
    "```python\nx = 1\n```",
    "for i in range(3):\n    print(i)\n",
    "{{ messages }}",
    "{% raw %}",
    "-100",
)
_STEPS: tuple[Step, ...] = (
    *(Step.EARLIER,) * 8,
    *(Step.PART,) * 8,
    *(Step.AGAIN,) * 2,
    *(Step.CHARACTER,) * 6,
    *(Step.NOTHING,) * 8,
    Step.MANY,
)
_SIZE = 256
_SHARE = 40


_TEXT: tuple[str, ...] = (
    *_LETTERS,
    *_LETTERS,
    *_WHITESPACE,
    *_WHITESPACE[:5] * 3,
    *_PROSE,
    *_PROSE,
    *_SCRIPTS,
    *_EMOJI,
    *DECOMPOSED,
    *DECOMPOSED[:4],
    *_RIGHT_TO_LEFT,
    *_SENTENCEPIECE,
    *_CONTROLS,
    *_CODE,
)
_MARKERS = (*ROLE_MARKERS, *TAGS)
_ROOM = _SIZE - len(_TEXT) - len(_STEPS)


def _table(more: Sequence[str], own: Sequence[str], refused: Collection[str] = ()) -> tuple[Piece, ...]:
    """All pieces in their order: texts, `more` of them, what belongs to one template, and steps."""
    allowed = ("a" if piece in refused else piece for piece in (*_TEXT, *more))
    return (*allowed, *own, *_STEPS)


def _filled(pieces: Iterable[str], room: int) -> tuple[str, ...]:
    """The first pieces, each as often as the others as far as the room goes, equal ones next to each other."""
    chosen = tuple(dict.fromkeys(pieces))[:room]
    repeated = (chosen * (room // max(len(chosen), 1) + 1))[:room]
    return tuple(sorted(repeated, key=chosen.index))


_OWN = _ROOM - len(_MARKERS)

PIECES: tuple[Piece, ...] = _table(_MARKERS, _filled(ROLE_MARKERS, _OWN))
"""The pieces without a template: of every class of text, and markers of well-known formats."""


@lru_cache(maxsize=1024)
def pieces_for(traits: TemplateTraits, *, markers: bool = True) -> tuple[Piece, ...]:
    """The pieces for one template: its vocabulary's special tokens and its own literals, and nothing that it refuses.

    What the template prints between messages has two fifths of the places; special tokens and literals share the
    others as far as there are enough of both. Without `markers` there is prose and code instead.
    """
    if not markers:
        return _table(
            (*_PROSE, *_SCRIPTS), _filled((*_WHITESPACE, *_CODE), _ROOM - len(_PROSE) - len(_SCRIPTS)), traits.refused
        )
    seams = _filled(traits.seams, 2 * _OWN // 5)
    half = _SHARE // 2
    tokens, literals = traits.tokens, traits.literals
    others = (*tokens[:half], *literals[:half], *tokens[half:], *literals[half:]) or ROLE_MARKERS
    return _table(_MARKERS, (*seams, *_filled(others, _OWN - len(seams))), traits.refused)


_RANGES = (
    (0x20, 0x7E),
    (0xA1, 0x24F),
    (0x250, 0x1FFF),
    (0x2000, 0x2FFF),
    (0x3000, 0x9FFF),
    (0xA000, 0xD7FF),
    (0xE000, 0xFFFD),
    (0x10000, 0x1FFFF),
    (0x20000, 0x10FFFF),
)
_MOST = 20_000


def spell(
    code: bytes, pieces: Sequence[Piece], *, earlier: Sequence[str] = (), empty: bool = False, blank: bool = False
) -> str:
    """The text that bytes stand for. `earlier` are the texts of the conversation so far, the latest last.

    A step at the end finds zeros as its arguments. Where a text may not be `empty` or `blank` (nothing but
    whitespace), it gets the letter `a`, the smallest text.
    """
    if code and pieces[code[0]] is Step.NOTHING:
        return "" if empty else "a"
    numbers = iter(code)
    text = ""
    for number in numbers:
        piece = pieces[number]
        if isinstance(piece, str):
            text += piece
        elif len(text) < _MOST:
            text += _worked_out(piece, numbers, text, earlier)
    if not text or (not blank and text.isspace()):
        return "a" + text
    return text


def _worked_out(step: Step, arguments: Iterator[int], text: str, earlier: Sequence[str]) -> str:
    if step is Step.AGAIN:
        return text
    if step is Step.NOTHING:
        return ""
    first = next(arguments, 0)
    if step is Step.MANY:
        return " ".join(["many words"] * (50 + 2 * first))
    if step is Step.CHARACTER:
        low, high = _RANGES[first % len(_RANGES)]
        return chr(low + (next(arguments, 0) * 256 + next(arguments, 0)) % (high - low + 1))
    if not earlier:
        return ""
    source = earlier[-1 - first % len(earlier)]
    if step is Step.EARLIER:
        return source
    start = next(arguments, 0) % max(len(source), 1)
    return source[start : start + 1 + next(arguments, 0) % max(len(source) - start, 1)]
