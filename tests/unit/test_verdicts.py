"""From characters to tokens: the table of the chapter on tokens, on ranges and verdicts written by hand."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskspec.alignment import Alignment
from maskspec.policy import Judgement, Policy, Verdict
from maskspec.segmentation import Zone
from maskspec.verdicts import TokenVerdicts, token_verdicts

LETTERS = {"T": Verdict.TRAIN, "I": Verdict.IGNORE, "E": Verdict.EITHER}
SHOWN = {verdict: letter for letter, verdict in LETTERS.items()}


def judgements(characters: str, weights: dict[int, float] | None = None) -> tuple[Judgement, ...]:
    """One judgement per run of equal letters (T, I, E); a bar between two letters begins a new one anyway."""
    found: list[Judgement] = []
    start = 0
    for part in characters.split("|"):
        for letter, run in itertools.groupby(part):
            end = start + len(list(run))
            weight = (weights or {}).get(start, 1.0)
            found.append(Judgement(start, end, Zone.CONTENT, 0, LETTERS[letter], weight, letter))
            start = end
    return tuple(found)


def decide(
    characters: str, tokens: list[tuple[int, int]], policy: Policy = Policy(), weights: dict[int, float] | None = None
) -> TokenVerdicts:
    alignment = Alignment([start for start, _ in tokens], [end for _, end in tokens])
    return token_verdicts(range(len(alignment)), alignment, judgements(characters, weights), policy)


def letters(decided: TokenVerdicts) -> str:
    return "".join(SHOWN[verdict] for verdict in decided.verdicts)


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        ("TT", "T"),
        ("II", "I"),
        ("EE", "E"),
        ("T|T", "T"),
        ("I|I", "I"),
        ("E|E", "E"),
        ("TE", "T"),
        ("ET", "T"),
        ("IE", "I"),
        ("EI", "I"),
        ("TET", "T"),
        ("IEI", "I"),
        ("ETE", "T"),
        ("EIE", "I"),
    ],
)
def test_one_token_takes_the_verdict_of_its_characters(characters: str, expected: str) -> None:
    decided = decide(characters, [(0, len(characters.replace("|", "")))])
    assert letters(decided) == expected
    assert decided.straddling == ()


@pytest.mark.parametrize("characters", ["TI", "IT", "TEI", "IET", "TIT", "ITI", "TII", "IIT", "EIT", "TIE", "ETIE"])
@pytest.mark.parametrize("verdict", list(Verdict), ids=lambda verdict: verdict.value)
def test_a_token_with_characters_to_train_and_to_ignore_straddles(characters: str, verdict: Verdict) -> None:
    decided = decide(characters, [(0, len(characters))], Policy(straddling=verdict))
    assert decided.verdicts == (verdict,)
    assert decided.straddling == (0,)
    assert decided.weights == ((1.0,) if verdict is Verdict.TRAIN else (0.0,))


def test_by_default_a_straddling_token_is_either() -> None:
    assert letters(decide("IT", [(0, 2)])) == "E"


@pytest.mark.parametrize(
    ("characters", "tokens", "expected", "straddling"),
    [
        ("IITTE", [(0, 2), (2, 4), (4, 5)], "ITE", ()),
        ("IITTE", [(0, 1), (1, 3), (3, 4), (4, 5)], "IETE", (1,)),
        ("IITTE", [(0, 2), (2, 5)], "IT", ()),
        ("IITTEII", [(0, 3), (3, 6), (6, 7)], "EEI", (0, 1)),
        ("TTTTTT", [(0, 1), (1, 3), (3, 6)], "TTT", ()),
        ("IIIIII", [(0, 1), (1, 3), (3, 6)], "III", ()),
        ("ITITIT", [(0, 6)], "E", (0,)),
        ("T", [], "", ()),
    ],
)
def test_tokens_in_a_row(
    characters: str, tokens: list[tuple[int, int]], expected: str, straddling: tuple[int, ...]
) -> None:
    decided = decide(characters, tokens)
    assert letters(decided) == expected
    assert decided.straddling == straddling


def test_a_character_spelled_by_several_tokens_belongs_to_all_of_them() -> None:
    # "I", an emoji of four byte tokens (trained), "I"
    decided = decide("ITI", [(0, 1), (1, 2), (1, 2), (1, 2), (1, 2), (2, 3)])
    assert letters(decided) == "ITTTTI"
    assert decided.straddling == ()


def test_a_token_that_holds_part_of_one_character_and_the_next() -> None:
    # The second token ends the first character, which is to ignore, and spells the second, which is to train.
    decided = decide("IT", [(0, 1), (0, 2), (1, 2)])
    assert letters(decided) == "IET"
    assert decided.straddling == (1,)


@pytest.mark.parametrize(
    ("characters", "position", "expected"),
    [
        ("II", 1, "I"),
        ("I|I", 1, "I"),
        ("TT", 1, "E"),
        ("T|T", 1, "E"),
        ("EE", 1, "E"),
        ("IT", 1, "E"),
        ("TI", 1, "E"),
        ("IE", 1, "E"),
        ("EI", 1, "E"),
        ("IT", 0, "I"),
        ("TI", 0, "E"),
        ("TI", 2, "I"),
        ("IT", 2, "E"),
    ],
)
def test_a_phantom_is_ignored_between_ignored_characters_and_either_elsewhere(
    characters: str, position: int, expected: str
) -> None:
    length = len(characters.replace("|", ""))
    tokens = [(place, place + 1) for place in range(length)]
    tokens.insert(position, (position, position))
    decided = decide(characters, tokens)
    assert letters(decided)[position] == expected
    assert decided.weights[position] == 0.0
    assert decided.straddling == ()


def test_several_phantoms_in_one_place() -> None:
    decided = decide("IT", [(0, 1), (1, 1), (1, 1), (1, 2), (2, 2)])
    assert letters(decided) == "IEETE"
    assert decided.straddling == ()


def test_weights_belong_to_trained_tokens() -> None:
    decided = decide("IT|TE", [(0, 1), (1, 2), (2, 3), (3, 4)], weights={1: 0.5, 2: 2.0})
    assert letters(decided) == "ITTE"
    assert decided.weights == (0.0, 0.5, 2.0, 0.0)


def test_a_token_over_two_weights_takes_that_of_its_first_trained_character() -> None:
    decided = decide("ET|T", [(0, 3)], weights={1: 0.5, 2: 2.0})
    assert letters(decided) == "T"
    assert decided.weights == (0.5,)


def test_a_token_over_two_weights_without_a_character_to_train_has_none() -> None:
    for characters, verdict in (("E|E", "E"), ("I|I", "I")):
        decided = decide(characters, [(0, 2)], weights={0: 0.5, 1: 2.0})
        assert letters(decided) == verdict
        assert decided.weights == (0.0,)


def test_no_tokens_and_no_text() -> None:
    assert token_verdicts((), Alignment((), ()), (), Policy()) == TokenVerdicts((), (), (), ())


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """Characters and a tiling of them by tokens, some doubled (byte tokens), some empty (phantoms)."""
    characters = draw(st.text(alphabet="TIE", min_size=1, max_size=12), label="characters")
    cuts = sorted({0, len(characters), *draw(st.sets(st.integers(0, len(characters))), label="cuts")})
    tokens: list[tuple[int, int]] = []
    for start, end in itertools.pairwise(cuts):
        if draw(st.integers(0, 4), label="phantom") == 4:
            tokens.append((start, start))
        copies = draw(st.integers(1, 2), label="copies") if end - start == 1 else 1
        tokens.extend([(start, end)] * copies)
    return characters, tokens


@settings(max_examples=300, deadline=None)
@given(cases(), st.sampled_from(list(Verdict)))
def test_the_table_holds_for_any_tiling(case: tuple[str, list[tuple[int, int]]], straddling: Verdict) -> None:
    characters, tokens = case
    decided = decide(characters, tokens, Policy(straddling=straddling))
    expected = []
    for start, end in tokens:
        inside = set(characters[start:end])
        if start == end:
            neighbours = set(characters[max(0, start - 1) : start + 1])
            expected.append("I" if neighbours <= {"I"} else "E")
        elif {"T", "I"} <= inside:
            expected.append(SHOWN[straddling])
        else:
            expected.append("T" if "T" in inside else "I" if "I" in inside else "E")
    assert letters(decided) == "".join(expected)
    assert decided.straddling == tuple(
        index for index, (start, end) in enumerate(tokens) if {"T", "I"} <= set(characters[start:end])
    )
    assert decided.weights == tuple(1.0 if verdict is Verdict.TRAIN else 0.0 for verdict in decided.verdicts)


def test_labels_are_ids_where_the_verdict_is_train() -> None:
    alignment = Alignment([0, 1, 2, 2, 3, 5], [1, 2, 2, 3, 5, 6])
    decided = token_verdicts(
        [11, 12, 13, 14, 15, 16], alignment, judgements("TETTIT", None), Policy(straddling=Verdict.TRAIN)
    )
    assert decided.labels == (11, -100, -100, 14, 15, 16)
    assert decided.weights == (1.0, 0.0, 0.0, 1.0, 1.0, 1.0)
    assert alignment.phantoms == (2,)
    assert decided.straddling == (4,)
