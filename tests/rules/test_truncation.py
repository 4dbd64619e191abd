"""TRUNC: right cuts pass, and each wrong one is found by the rules that speak about it and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance.protocol import Labelled
from maskspec.rules import Kind
from tests.rules import wrong_batches as wrong
from tests.rules.asking import conversation, findings, outcomes
from tests.rules.wrong_batches import Cut, Cutting

PAIRS = ("chatml+bytelevel-gpt2", "mistral-v3+sentencepiece-bpe", "llama-3+tiktoken")
FAMILIES = ("RENDER", "LABEL", "ROLE", "SPAN", "OPEN", "STOP", "TRUNC")
SIDES = {"TRUNC-1", "TRUNC-2"}
ALL = {"TRUNC-1", "TRUNC-2", "TRUNC-3"}

WRONG: list[tuple[Cut, set[str]]] = [
    (wrong.mask_cut_on_the_right, {"TRUNC-2"}),
    (wrong.ids_cut_alone, SIDES),
    (wrong.spans_of_the_whole_text, {"TRUNC-2"}),
    (wrong.complete_spans_only, SIDES),
    (wrong.end_found_by_truthiness, {"TRUNC-2"}),
    (wrong.last_stop_masked, ALL),
    (wrong.last_token_replaced, SIDES),
    (wrong.one_too_many, SIDES),
    (wrong.room_for_an_end, {"TRUNC-3"}),
    (wrong.sample_dropped, SIDES),
    (wrong.cut_refused, SIDES),
]
RIGHT: list[Cut] = [wrong.cut_right, wrong.refused_when_nothing_is_left, wrong.cut_at_even_lengths]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("cut", "expected"), WRONG, ids=[cut.__name__ for cut, _ in WRONG])
def test_a_wrong_cut_is_found(cut: Cut, expected: set[str], name: str) -> None:
    families = FAMILIES if name == PAIRS[0] else ("TRUNC",)
    assert set(findings(Cutting(cut), name, families)) == expected


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("cut", RIGHT, ids=lambda cut: cut.__name__)
def test_a_right_cut_passes(cut: Cut, name: str) -> None:
    for rule in sorted(ALL):
        assert "passed" in outcomes(Cutting(cut), name, rule)


@pytest.mark.parametrize("rule", sorted(ALL))
def test_the_reference_passes(rule: str) -> None:
    for name in PAIRS:
        assert outcomes(ReferenceMasker(), name, rule) == {"passed"}


@pytest.mark.parametrize(
    ("cut", "rule", "kind"),
    [
        (wrong.ids_cut_alone, "TRUNC-1", Kind.LENGTH),
        (wrong.complete_spans_only, "TRUNC-1", Kind.UNTRAINED),
        (wrong.end_found_by_truthiness, "TRUNC-2", Kind.TRAINED),
        (wrong.last_token_replaced, "TRUNC-1", Kind.DIFFERENT_IDS),
        (wrong.sample_dropped, "TRUNC-2", Kind.LENGTH),
        (wrong.cut_refused, "TRUNC-1", Kind.RAISED),
        (wrong.last_stop_masked, "TRUNC-3", Kind.UNTRAINED),
        (wrong.room_for_an_end, "TRUNC-3", Kind.LENGTH),
    ],
)
def test_the_kind_says_what_went_wrong(cut: Cut, rule: str, kind: Kind) -> None:
    assert findings(Cutting(cut), PAIRS[0], [rule])[rule].kind is kind


def test_a_finding_names_the_limit_and_marks_the_tokens() -> None:
    found = findings(Cutting(wrong.last_stop_masked), PAIRS[0], ["TRUNC-3"], [conversation("Hi", "Hello!")])
    finding = found["TRUNC-3"]
    assert finding.zone == "STOP"
    assert "18 tokens under a limit of 18" in finding.explanation
    assert [(row.text, row.expected, row.got) for row in finding.rows if row.wrong] == [
        ("<|im_end|>", "TRAIN", "IGNORE")
    ]


def test_only_declared_sides_are_asked() -> None:
    masker = Cutting(wrong.mask_cut_on_the_right, truncation=("right",))
    assert findings(masker, PAIRS[0], ["TRUNC"]) == {}
    assert outcomes(masker, PAIRS[0], "TRUNC-2") == {"the masker declares no `truncation` on the left"}
    assert outcomes(masker, PAIRS[0], "TRUNC-3") == {"passed"}


def test_a_masker_without_truncation_is_excluded() -> None:
    masker = Cutting(wrong.cut_right, truncation=())
    assert outcomes(masker, PAIRS[0], "TRUNC-1") == {"the masker declares no `truncation` on the right"}
    assert outcomes(masker, PAIRS[0], "TRUNC-3") == {"the masker declares no `truncation`"}


@pytest.mark.parametrize("rule", sorted(ALL))
def test_a_masker_that_says_unsupported_is_excluded_with_its_reason(rule: str) -> None:
    assert outcomes(Cutting(wrong.never_cut), PAIRS[0], rule) == {
        "unsupported by the masker: samples of this kind are not truncated"
    }


def test_the_cuts_take_turns() -> None:
    """18 tokens, of which 12 to 16 are the answer and its stop: `H el lo ! <|im_end|>`."""

    def limits(number: int, side: str) -> set[int]:
        seen: set[int] = set()

        def watched(whole: Labelled, limit: int, side: str) -> Labelled:
            seen.add(limit)
            return wrong.cut_right(whole, limit, side)

        case = replace(conversation("Hi", "Hello!"), number=number)
        findings(Cutting(watched, truncation=(side,)), PAIRS[0], ["TRUNC-1", "TRUNC-2"], [case])
        return seen

    middle, before_the_stop, behind_it, after_one, before_it = 14, 16, 17, 13, 12
    assert limits(0, "right") == {middle, before_the_stop, behind_it}
    assert limits(0, "left") == {18 - middle, 18 - before_the_stop, 18 - behind_it}
    several = [limits(number, "right") for number in range(7)]
    assert all(middle in each for each in several)
    assert set().union(*several) == {middle, before_the_stop, behind_it, after_one, before_it, 1}


def test_shifted_labels_are_no_matter_of_truncation() -> None:
    """LABEL-2 reports them; the cut itself is right, whether labels are shifted before it or after."""

    def shift(answer):
        return Labelled(answer.input_ids, [*answer.labels[1:], -100])

    class Shifting(Cutting):
        def mask(self, request):
            return shift(super().mask(request))

    masker = Shifting(wrong.cut_right)
    assert set(findings(masker, PAIRS[0], ["LABEL", "TRUNC"])) == {"LABEL-2"}
