"""Checks whether one pair of template and tokenizer is what it says, and can be used to mask.

Two things go wrong with pairs in practice: a vocabulary that lacks what the
template writes (a marker falls apart into pieces, a stop does not exist), and a
tokenizer set up otherwise than its model's (text does not come back, added tokens are
not recognised). Each check looks at one of them and gives an outcome with a
sentence, so that a table of many pairs can be read. Nothing here is random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from maskspec.corpus._manifest import manifest
from maskspec.corpus._real import verify_pair
from maskspec.corpus.records import Kind, Pair
from maskspec.errors import AlignmentError, MaskspecError
from maskspec.masker import mask
from maskspec.rendering import render
from maskspec.spelling import spell
from maskspec.tokens import Tokenizer

__all__ = ["BATTERY", "CHAT", "CHECKS", "Checked", "Lint", "Outcome", "lint_pair"]


class Outcome(Enum):
    """What a check found."""

    OK = "ok"
    """As it must be."""
    NOTE = "note"
    """Usable, with something that one has to know."""
    WRONG = "WRONG"
    """Masks made with this pair cannot be trusted."""
    SKIPPED = "-"
    """The check does not apply to this pair, or an earlier one failed that it builds on."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One check of one pair; `detail` is empty where there is nothing to say."""

    check: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Lint:
    """What all checks found about one pair, in the order of `CHECKS`."""

    pair: str
    checks: tuple[Checked, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return all(each.outcome is not Outcome.WRONG for each in self.checks)


CHAT: tuple[Mapping[str, str], ...] = (
    {"role": "user", "content": "What is 2 + 2?"},
    {"role": "assistant", "content": "It is 4."},
    {"role": "user", "content": "And one more?"},
    {"role": "assistant", "content": "Five."},
)
"""The plain chat that every template of a chat model can render: no system message, no tools, roles in turn."""

BATTERY: tuple[str, ...] = (
    "Hello, world! It's 12,345 degrees.",
    "two  spaces   and    more",
    "line\nbreak\n\n\nthree",
    "\ta tab, and one\tinside",
    "trailing space ",
    "trailing line\n",
    " leading space",
    "\n leading line",
    "if x:\n        y = 1\n    else:\n        y = 2\n",
    '{"key": [1, 2.5, null], "text": "a \\"quote\\""}',
    "don ' t , said he ?",
    "naïve Zürich café",
    "Что вы хотите узнать? Χαίρετε",
    "港口在小镇醒来之前就醒了。日本語テキスト 한국어",
    "ماذا تريد أن تعرف؟ שלום עולם",
    "नमस्ते ก็ได้ தமிழ்",
    "😀 👨‍👩‍👧‍👦 🏳️‍🌈 ✊🏽",
    "∀x ∈ ℝ: ⌈x⌉ ≥ x → ½ ≠ ⅓",
    "bell \x07 and \x1b[0m escape",
    "\r\n windows \r\n",
    "a\u00a0b\u2003c\u3000d",
    "https://example.org/a?b=c&d=%20#e",
    "SELECT * FROM t WHERE a <> 'b'; -- <html> </p> [x] {{ y }}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 00000000000000000000",
)
"""Texts that must come back: composed (NFC) and without U+2581, which many vocabularies cannot tell from others."""

_MARKER = re.compile(r"<\|[^<>|\s]+\|>|<｜[^<>｜]+｜>|<(?:start|end)_of_turn>|\[/?(?:INST|SYSTEM_PROMPT|TOOL_[A-Z]+)\]")
_SHOWN = 3


def lint_pair(pair: Pair) -> Lint:
    """Return what every check says about a pair; loads its tokenizer.

    An error of maskspec inside a check is its outcome, not an exception; an
    error of a library is one.
    """
    found: list[Checked] = []
    for name, check in _CHECKS.items():
        try:
            outcome, detail = check(pair)
        except MaskspecError as error:
            outcome, detail = Outcome.WRONG, f"{type(error).__name__}: {error}"
        found.append(Checked(name, outcome, detail))
        if name == "files" and (problem := _not_loadable(pair)):
            rest = list(_CHECKS)[1:]
            found.append(Checked(rest[0], Outcome.WRONG, problem))
            found += [Checked(each, Outcome.SKIPPED) for each in rest[1:]]
            break
    return Lint(pair.name, tuple(found))


def _not_loadable(pair: Pair) -> str:
    try:
        _ = pair.tokenizer
    except MaskspecError as error:
        return f"the tokenizer cannot be loaded: {error}"
    return ""


Answer = tuple[Outcome, str]


def _listed(problems: list[str], *, outcome: Outcome = Outcome.WRONG) -> Answer:
    if not problems:
        return Outcome.OK, ""
    more = len(problems) - _SHOWN
    return outcome, "; ".join(problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _files(pair: Pair) -> Answer:
    """The vocabulary and the template are the ones that the manifest describes."""
    if pair.kind not in (Kind.PACKAGE, Kind.ADDED) or pair.name.partition(":")[0] not in manifest().pairs:
        return Outcome.SKIPPED, ""
    verify_pair(pair.name)
    return (Outcome.NOTE, pair.note) if pair.note else (Outcome.OK, "")


def _markers(pair: Pair) -> Answer:
    """Every declared marker is one id of its own; for a pair without declaration, those that the template prints."""
    declared = pair.template.markers
    if pair.markers.value == "plain":
        return Outcome.SKIPPED, ""
    tokenizer = pair.tokenizer
    problems = [problem for marker in declared if (problem := _not_one_id(tokenizer, marker))]
    owners: dict[int, str] = {}
    for marker in declared:
        ids = list(tokenizer.encode(marker).ids)
        if len(ids) == 1 and owners.setdefault(ids[0], marker) != marker:
            problems.append(f"{marker!r} and {owners[ids[0]]!r} share the id {ids[0]}")
    if declared:
        return _listed(problems)
    printed = dict.fromkeys(_MARKER.findall(_text(pair)))
    return _listed([p for marker in printed if (p := _not_one_id(tokenizer, marker))], outcome=Outcome.NOTE)


def _not_one_id(tokenizer: Tokenizer, token: str) -> str:
    ids = list(tokenizer.encode(token).ids)
    if len(ids) != 1:
        return f"{token!r} is {len(ids)} ids, not one"
    spelled = bytes(tokenizer.surfaces(ids)[0])
    return "" if spelled == token.encode() else f"{token!r} is the id {ids[0]}, which spells {spelled!r}"


def _stops(pair: Pair) -> Answer:
    """There is a stop, and every declared one exists."""
    stops = tuple(dict.fromkeys(pair.stops or filter(None, (pair.tokenizer.special_tokens.eos,))))
    if not stops:
        return Outcome.WRONG, "neither a stop nor an end-of-sequence token is declared: nothing can end a turn"
    problems = [problem for stop in stops if (problem := _not_one_id(pair.tokenizer, stop))]
    if problems:
        return _listed(problems)
    after = _text(pair).rpartition(CHAT[-1]["content"])[2]
    if not any(stop in after for stop in stops):
        return Outcome.NOTE, f"the template writes none of {', '.join(map(repr, stops))} after the last answer"
    return Outcome.OK, ""


def _text(pair: Pair, *, count: int = len(CHAT), prompt: bool = False) -> str:
    return render(
        [dict(message) for message in CHAT[:count]],
        template=pair.template.source,
        template_kwargs=pair.template_kwargs,
        special_tokens=pair.special_tokens,
        add_generation_prompt=prompt,
    ).text


def _template(pair: Pair) -> Answer:
    """The template prints a plain chat, all of it and in order."""
    text = _text(pair)
    place = 0
    for number, message in enumerate(CHAT):
        place = text.find(message["content"], place)
        if place < 0:
            return Outcome.WRONG, f"message {number} ({message['role']}) is not in the text, or not in its place"
    asked = len(CHAT) - 1
    if _text(pair, count=asked, prompt=True) == _text(pair, count=asked):
        return Outcome.NOTE, "the template has no generation prompt"
    return Outcome.OK, ""


def _round_trip(pair: Pair) -> Answer:
    """The tokens of a text spell it, as alignment without offsets demands, and decoding them gives it back."""
    tokenizer = pair.tokenizer
    misspelled, undecoded = [], []
    for text in BATTERY:
        ids = list(tokenizer.encode(text).ids)
        try:
            spell(text, ids, tokenizer)
        except AlignmentError as error:
            misspelled.append(f"{text!r:.40}: {error}")
            continue
        if (decoded := tokenizer.decode(ids)) != text:
            undecoded.append(f"{text!r:.40} is decoded to {decoded!r:.40}")
    return _listed(misspelled) if misspelled else _listed(undecoded, outcome=Outcome.NOTE)


def _tokens(pair: Pair) -> Answer:
    """Added tokens are recognised inside a text, and template variables are tokens of the vocabulary."""
    tokenizer = pair.tokenizer
    special = tokenizer.special_tokens
    problems = []
    for name, value in sorted(special.variables.items()):
        if isinstance(value, str) and (problem := _not_one_id(tokenizer, value)):
            problems.append(f"{name}: {problem}")
    for name, declared, found in (
        ("bos_token", pair.template.bos, special.bos),
        ("eos_token", pair.template.eos, special.eos),
        ("pad_token", pair.template.pad, special.pad),
    ):
        if declared is not None and declared != found:
            problems.append(f"{name} is {found!r} in the tokenizer and {declared!r} beside the template")
    problems += [problem for token in special.added if (problem := _not_recognised(tokenizer, token))]
    if pair.markers.value != "plain":
        problems += list(_wrong_flags(pair))
    return _listed(problems)


def _not_recognised(tokenizer: Tokenizer, token: str) -> str:
    alone = list(tokenizer.encode(token).ids)
    if len(alone) != 1:
        return f"the added token {token!r} is {len(alone)} ids, not one"
    inside = list(tokenizer.encode(f"a{token}b").ids)
    return "" if alone[0] in inside else f"the added token {token!r} is not recognised between letters"


def _wrong_flags(pair: Pair) -> Iterator[str]:
    special = pair.tokenizer.special_tokens
    for marker in pair.template.markers:
        flagged = marker in special.special
        if marker not in special.added:
            yield f"{marker!r} is no added token"
        elif flagged is not (marker in pair.template.special):
            yield f"{marker!r} is {'' if flagged else 'not '}special in the tokenizer, unlike in the declaration"


def _mask(pair: Pair) -> Answer:
    """The reference can mask the chat, and trains both answers."""
    made = mask(
        [dict(message) for message in CHAT],
        template=pair.template.source,
        tokenizer=pair.tokenizer,
        template_kwargs=pair.template_kwargs,
    )
    for number, message in enumerate(CHAT):
        trained = any(
            token.message == number and label == token_id
            for token, label, token_id in zip(made.tokens, made.labels, made.input_ids, strict=True)
        )
        if trained is not (message["role"] == "assistant"):
            return Outcome.WRONG, f"message {number} ({message['role']}) is {'' if trained else 'not '}trained"
    kinds = dict.fromkeys(hazard.kind.name for hazard in made.hazards)
    return (Outcome.NOTE, f"hazards: {', '.join(kinds)}") if kinds else (Outcome.OK, "")


_CHECKS: Mapping[str, Callable[[Pair], Answer]] = {
    "files": _files,
    "markers": _markers,
    "stops": _stops,
    "template": _template,
    "round trip": _round_trip,
    "tokens": _tokens,
    "mask": _mask,
}

CHECKS: Mapping[str, str] = {name: (check.__doc__ or "").rstrip(".") for name, check in _CHECKS.items()}
"""What each check demands, by its name, in order."""
