"""Ids that are not the canonical ones: RENDER says so, and nothing else is accused for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskspec.conformance.cases import Case
from maskspec.conformance.examination import Examiner
from maskspec.conversation import Conversation
from maskspec.corpus import Pair, embedded_pair
from maskspec.policy import Policy
from maskspec.rules import checked_rules
from maskspec.rules.matching import certain_pairs
from maskspec.segmentation import Zone
from maskspec.strategies import Generated, sample
from tests.rules import perturbed
from tests.rules.perturbed import Change, Perturbed
from tests.rules.wrong_maskers import Defect, in_zone, reference, relabel

PAIRS = (
    "chatml+bytelevel-gpt2",
    "mistral-v3+sentencepiece-bpe",
    "mistral-v3+sentencepiece-bpe-legacy:slow",
    "glm+tiktoken",
    "llama-3+sentencepiece-unigram",
    "vicuna+bytelevel-qwen:plain",
    "qwen3+bytelevel-qwen",
)
ABOUT_IDS = {"RENDER", "TOKEN"}

ROUNDS = [
    {"role": "user", "content": "Name a City, please."},
    {"role": "assistant", "content": "Oslo is a City."},
    {"role": "user", "content": "Another one?"},
    {"role": "assistant", "content": "Rome, perhaps."},
]
EQUAL = [{"role": role, "content": text} for _ in range(4) for role, text in (("user", "Yes."), ("assistant", "Yes."))]
TINY = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}]
ALTERNATING = [
    {"role": role, "content": text} for text in ("One.", "Two.", "One.", "Two.") for role in ("user", "assistant")
]


@cache
def pair(name: str) -> Pair:
    return embedded_pair(name)


@cache
def generated(name: str) -> list[Generated]:
    return sample(pair(name), flags=False, examples=12, seed=5)


def violations(masker: Perturbed, name: str, case: Case) -> dict[str, str]:
    result = Examiner(masker, pair(name), checked_rules()).examine(case)
    assert result.crash is None, result.crash
    return {rule: violation.finding.explanation for rule, violation in result.violations.items()}


fractions = st.floats(0, 0.99, allow_nan=False).map(lambda value: round(value, 3))
changes = st.one_of(
    st.just(perturbed.bos_doubled),
    st.just(perturbed.bos_lost),
    st.just(perturbed.end_appended),
    st.builds(perturbed.stray, fractions, fractions, trained=st.booleans()),
    st.builds(perturbed.left_cut, fractions),
    st.builds(perturbed.right_cut, fractions),
    st.builds(perturbed.turn_lost, fractions, st.floats(0, 0.4).map(lambda value: round(value, 3))),
    st.builds(perturbed.normalised, fractions),
)


@pytest.mark.parametrize("name", PAIRS)
@given(
    st.lists(changes, max_size=3),
    st.lists(fractions, max_size=4),
    st.sampled_from([ROUNDS, EQUAL, ALTERNATING, *range(12)]),
    st.integers(0, 5),
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_other_ids_alone_break_only_the_rules_about_ids(
    name: str, chosen: list[Change], cuts: list[float], conversation: object, number: int
) -> None:
    if isinstance(conversation, int):
        drawn = generated(name)[conversation % len(generated(name))]
        case = Case(drawn.messages, drawn.tools, drawn.template_kwargs, number=number)
    else:
        case = Case(conversation, number=number)
    found = violations(Perturbed(chosen, cuts), name, case)
    assert {rule for rule in found if rule.partition("-")[0] not in ABOUT_IDS} == set(), found


@pytest.mark.parametrize(
    ("name", "chosen", "conversation"),
    [
        ("vicuna+bytelevel-qwen:plain", [perturbed.stray(0.75, 0.0, trained=False)], ROUNDS),
        ("vicuna+bytelevel-qwen:plain", [perturbed.stray(0.75, 0.0, trained=False)], ROUNDS[:2]),
        ("vicuna+bytelevel-qwen:plain", [perturbed.stray(0.3, 0.875, trained=False), perturbed.right_cut(0.625)], TINY),
        ("llama-3+sentencepiece-unigram", [perturbed.right_cut(0.125), perturbed.end_appended], ROUNDS),
        ("llama-3+sentencepiece-unigram", [perturbed.turn_lost(0.1, 0.25)], EQUAL),
        ("mistral-v3+sentencepiece-bpe", [perturbed.left_cut(0.3), perturbed.end_appended], ALTERNATING),
        ("vicuna+bytelevel-qwen:plain", [perturbed.bos_doubled, perturbed.right_cut(0.25)], EQUAL),
    ],
    ids=[
        "one space of two",
        "one space of two, one round",
        "one letter",
        "cut and ended",
        "a turn lost",
        "both ends",
        "BOS is the end",
    ],
)
@pytest.mark.parametrize("number", range(3))
def test_differences_with_more_than_one_explanation(
    name: str, chosen: list[Change], conversation: list[dict[str, str]], number: int
) -> None:
    found = violations(Perturbed(chosen), name, Case(conversation, number=number))
    assert {rule.partition("-")[0] for rule in found} <= ABOUT_IDS, found


def test_a_piece_of_a_straddling_token_is_not_judged() -> None:
    """The header's newline and the answer's are one token; a masker that encodes them apart may ignore both."""
    name = "chatml+tiktoken"
    case = Case([{"role": "user", "content": "A poem."}, {"role": "assistant", "content": "\nRoses are red."}])
    request = Examiner(Perturbed([]), pair(name), ()).request
    conversation = Conversation.from_messages(case.messages)
    answer = reference(request(conversation, Policy(flags=False)), Policy(flags=False))
    (straddling,) = answer.tokens.straddling
    token = answer.tokens[straddling]
    assert token.text == "\n\n"
    apart = Perturbed([], cuts=[(token.start + 1.5) / len(answer.text)])
    assert set(violations(apart, name, case)) == {"RENDER-1"}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("rule", "defect"),
    [
        ("STOP", relabel(in_zone(Zone.STOP), train=False)),
        ("ROLE-1", relabel(in_zone(Zone.CONTENT, "user"), train=True)),
        ("SPAN-1", relabel(in_zone(Zone.CONTENT), train=False)),
    ],
    ids=["stops untrained", "questions trained", "answers untrained"],
)
@pytest.mark.parametrize(
    ("chosen", "cuts"),
    [
        ([perturbed.bos_doubled, perturbed.end_appended], []),
        ([perturbed.stray(0.5, 0.0, trained=False)], []),
        ([perturbed.left_cut(0.2)], []),
        ([perturbed.right_cut(0.2)], []),
        ([perturbed.normalised(0.1), perturbed.bos_doubled], []),
        ([], [0.33, 0.5, 0.77]),
        ([perturbed.bos_lost, perturbed.end_appended], [0.5]),
    ],
    ids=["BOS and end", "stray token", "left cut", "right cut", "normalised", "in pieces", "several"],
)
def test_a_real_defect_is_found_in_other_ids_too(
    name: str, rule: str, defect: Defect, chosen: list[Change], cuts: list[float]
) -> None:
    found = violations(Perturbed(chosen, cuts, defect=defect), name, Case(ROUNDS))
    about_ids = {item for item in found if item.partition("-")[0] in ABOUT_IDS}
    assert any(item.startswith(rule) for item in set(found) - about_ids), found


def alike(*_: slice) -> bool:
    return False


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("abc", "abc", [0, 1, 2]),
        ("xabc", "abc", [None, 0, 1, 2]),
        ("aabc", "abc", [None, None, 1, 2]),
        ("bc", "abc", [1, 2]),
        ("cd", "abcd", [2, 3]),
        ("d", "abcd", [None]),
        ("abcc", "abc", [0, 1, None, None]),
        ("abxcd", "abycd", [0, 1, None, 3, 4]),
        ("abcdefyayauvwxyz", "abcdefyayayauvwxyz", [*range(6), *[None] * 4, *range(12, 18)]),
        ("abcdef1111uvwxyz", "abcdef111111uvwxyz", [*range(6), *[None] * 4, *range(12, 18)]),
        ("", "abc", []),
        ("abc", "", [None, None, None]),
        ("axxxxxxc", "ayyyyyyc", [None] * 8),
        ("abcdefghxxxxxxxxijklmnop", "abcdefghyyyyyyyyijklmnop", [*range(8), *[None] * 8, *range(16, 24)]),
    ],
    ids=[
        "equal",
        "one before",
        "the first one doubled",
        "the first one lost",
        "a run as long as what was lost",
        "a run too short beside what was lost",
        "the last one doubled",
        "one replaced",
        "one of three equal rounds lost",
        "two of six equal ones lost",
        "nothing in nothing",
        "something in nothing",
        "runs too short beside what was replaced",
        "runs long enough beside what was replaced",
    ],
)
def test_what_belongs_together(left: str, right: str, expected: list[int | None]) -> None:
    assert certain_pairs([*map(ord, left)], [*map(ord, right)], alike=alike) == expected


def test_a_stretch_that_means_the_same_needs_no_long_run_beside_it() -> None:
    left, right = [*map(ord, "axxxxxxc")], [*map(ord, "ayyyyyyc")]
    assert certain_pairs(left, right, alike=lambda *_: True) == [0, *[None] * 6, 7]


def stories(left: Sequence[int], right: Sequence[int]) -> set[frozenset[tuple[int, int]]]:
    """Every way to pair equal elements in order, by trying all."""

    def ways(i: int, j: int) -> set[frozenset[tuple[int, int]]]:
        if i == len(left) or j == len(right):
            return {frozenset()}
        found = ways(i + 1, j) | ways(i, j + 1)
        if left[i] == right[j]:
            found |= {way | {(i, j)} for way in ways(i + 1, j + 1)}
        return found

    return ways(0, 0)


words = st.lists(st.integers(0, 5), max_size=7)


@given(words, words)
@settings(max_examples=150, deadline=None)
def test_a_pair_is_certain_when_no_good_story_says_otherwise(left: list[int], right: list[int]) -> None:
    every = stories(left, right)
    most = max(map(len, every))
    shared = frozenset.intersection(*(way for way in every if len(way) == most))
    # Two pairs fewer are four changes more.
    told = {pair for way in every if len(way) >= most - 2 for pair in way}
    certain = {(i, j) for i, j in shared if [k for h, k in told if h == i] == [j]}
    found = {(i, j) for i, j in enumerate(certain_pairs(left, right, alike=lambda *_: True)) if j is not None}
    assert left == right or found == certain
