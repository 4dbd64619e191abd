"""The classification on answers worked out by hand: what each class looks like, and that nothing else is let through."""

from __future__ import annotations

import pytest

from tests.implementations.classes import (
    Answer,
    Difference,
    RoundTrip,
    Unclassified,
    classify,
    classify_round_trip,
)

SPECIAL = ("<tool_call>", "<|user|>", "</s>", "<pad>")


def answer(**pieces: bytes) -> Answer:
    """Ids by their bytes: `answer(i5=b" a")` is id 5, spelled ` a`."""
    return Answer(tuple(int(name[1:]) for name in pieces), tuple(pieces.values()))


CASES = [
    ("a", answer(i1=b" a"), answer(i2=b"a"), Difference.BEFORE_TEXT),
    (" ", answer(i1=b" "), answer(i3=b"  "), Difference.BEFORE_SPACE),
    ("▁", answer(i1=b" "), answer(i3=b"  "), Difference.BEFORE_SPACE),
    ("\n", answer(i4=b"\n"), answer(i1=b" ", i4=b"\n"), Difference.BEFORE_SPACE),
    ("</s>", answer(i9=b"</s>"), answer(i1=b" ", i9=b"</s>"), Difference.BEFORE_SPECIAL),
    ("</s>a", answer(i9=b"</s>", i2=b"a"), answer(i9=b"</s>", i5=b" a"), Difference.AFTER_SPECIAL),
    ("</s> ", answer(i9=b"</s>", i1=b" "), answer(i9=b"</s>", i3=b"  "), Difference.AFTER_SPECIAL),
    ("<|user|>\n", answer(i8=b"<|user|>"), answer(i8=b"<|user|>", i4=b"\n"), Difference.AT_SPECIAL),
    ("<|user|>\n", answer(i8=b"<|user|>"), answer(i8=b"<|user|>", i1=b" ", i4=b"\n"), Difference.AT_SPECIAL),
    ("a </s>", answer(i2=b"a", i9=b"</s>"), answer(i2=b"a", i1=b" ", i9=b"</s>"), Difference.AT_SPECIAL),
    ("</s>\u3000", answer(i9=b"</s>"), answer(i9=b"</s>", i6="\u3000".encode()), Difference.AT_SPECIAL),
    ("<tool_call>", answer(i7=b"<tool_call>"), answer(i1=b"<", i2=b"tool_call", i3=b">"), Difference.UNKNOWN_SPECIAL),
    ("<|else|>", answer(i7=b"<|else|>"), answer(i1=b"<|", i2=b"else", i3=b"|>"), Difference.UNKNOWN_SPECIAL),
    ("<pad>", answer(i10=b"[IMG]"), answer(i1=b"<p", i2=b"ad", i3=b">"), Difference.UNKNOWN_SPECIAL),
    ("<pad>", answer(i10=b"<pad>"), answer(i11=b"<pad>"), Difference.OTHER_ID),
    ("<pad>", answer(i10=b"[IMG]"), answer(i11=b"<pad>"), Difference.OTHER_ID),
    ("  a", answer(i1=b" ", i2=b" a"), answer(i3=b"  ", i4=b"a"), Difference.OTHER_MERGES),
    ("a\u0301", answer(i1="á".encode()), answer(i2=b"a", i3="\u0301".encode()), Difference.NORMALISATION),
]


@pytest.mark.parametrize(("text", "one", "other", "kind"), CASES)
def test_a_smallest_text_shows_its_class_from_both_sides(
    text: str, one: Answer, other: Answer, kind: Difference
) -> None:
    assert classify(text, one, other, SPECIAL) is kind
    assert classify(text, other, one, SPECIAL) is kind


def test_blanks_that_are_added_tokens_are_a_class_of_their_own() -> None:
    """Gemma: `▁▁` in a text is an added token to one side, and two blanks beside a third one to the other."""
    first, together = answer(i139=b"  ", i235248=b" "), answer(i140=b"   ")
    assert classify("▁▁ ", first, together, ("▁▁▁", "▁▁", "<eos>")) is Difference.BLANKS
    assert classify("   ", first, together, ("▁▁▁", "▁▁", "<eos>")) is Difference.OTHER_MERGES


def test_a_cut_between_characters_is_the_patterns_where_there_is_one() -> None:
    whole, parts = answer(i1="ดี".encode()), answer(i2="ด".encode(), i3="ี".encode())
    assert classify("ดี", whole, parts, SPECIAL, pattern=True) is Difference.OTHER_SPLIT
    assert classify("ดี", whole, parts, SPECIAL) is Difference.OTHER_MERGES
    # What both have, a character in two tokens, does not count.
    before = {"i6": "▁".encode()[:1], "i7": "▁".encode()[1:]}
    heart = [answer(**before, i8="❤\ufe0f".encode()), answer(**before, i9="❤".encode(), i10="\ufe0f".encode())]
    assert classify("▁❤\ufe0f", *heart, SPECIAL, pattern=True) is Difference.OTHER_SPLIT
    inside = answer(i4="ด".encode()[:2], i5="ด".encode()[2:])
    assert classify("ด", answer(i2="ด".encode()), inside, SPECIAL, pattern=True) is Difference.OTHER_MERGES


def test_behind_other_text_there_is_no_space_before_the_text() -> None:
    with pytest.raises(Unclassified, match="'a'"):
        classify("a", answer(i1=b" a"), answer(i2=b"a"), SPECIAL, inside=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (answer(i1=b"a"), answer(i2=b"b")),
        (answer(i1=b"ab"), answer(i2=b"a")),
        (Answer((), error="no such character"), answer(i1=b"ab")),
    ],
)
def test_what_fits_no_class_is_an_error(one: Answer, other: Answer) -> None:
    with pytest.raises(Unclassified, match="'ab'"):
        classify("ab", one, other, SPECIAL)


@pytest.mark.parametrize(
    ("text", "back", "kind"),
    [
        ("\n", "<0x0A>", RoundTrip.BYTE_NAMES),
        ("</s>a", "</s> a", RoundTrip.SPACE_ADDED),
        (" a", "a", RoundTrip.SPACE_LOST),
        ("a\u0301", "á", RoundTrip.NORMALISED),
        ("▁", " ", RoundTrip.BLANK),
        ("<|user|>\n", "<|user|>", RoundTrip.AT_SPECIAL),
    ],
)
def test_what_comes_back_is_classified(text: str, back: str, kind: RoundTrip) -> None:
    assert classify_round_trip(text, text.encode(), back, SPECIAL) is kind


def test_another_text_that_comes_back_is_an_error() -> None:
    with pytest.raises(Unclassified, match="comes back as 'b'"):
        classify_round_trip("a", b"a", "b", SPECIAL)


def test_a_character_that_no_token_spells_is_gone() -> None:
    assert classify_round_trip("\x0b", b"", "", SPECIAL) is RoundTrip.NO_TOKEN
    assert classify_round_trip(" ", b" ", "", SPECIAL) is RoundTrip.SPACE_LOST
