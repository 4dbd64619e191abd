"""COLLATE and STOP-5: right collators and packers pass, and each wrong one is found by the rules it breaks."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance.protocol import Labelled, Packed, Unsupported
from maskspec.rules import Kind
from tests.rules import wrong_batches as wrong
from tests.rules.asking import conversation, findings, outcomes, pair
from tests.rules.wrong_batches import Collating, Cutting, Packing

PAIRS = ("chatml+bytelevel-gpt2", "mistral-v3+sentencepiece-bpe", "llama-3+tiktoken")
FAMILIES = ("STOP", "COLLATE")
BOTH = {"COLLATE-1", "STOP-5"}

COLLATORS: list[tuple[Any, set[str]]] = [
    (wrong.padding_known_by_id, BOTH),
    (wrong.labels_padded_on_the_right, BOTH),
    (wrong.labels_shifted, {"COLLATE-1"}),
    (wrong.refusing_long_padding, BOTH),
    (wrong.attention_by_id, {"COLLATE-1"}),
    (wrong.attention_everywhere, {"COLLATE-1"}),
    (wrong.labels_padded_with_ids, {"COLLATE-1"}),
    (wrong.multiples_of_eight, {"COLLATE-1"}),
]
PACKERS = [
    wrong.everything_trained,
    wrong.mask_lost_inside,
    wrong.nothing_keeps_apart,
    wrong.positions_run_on,
    wrong.first_tokens_trained,
    wrong.samples_begin_after_stops,
    wrong.wrapped,
    wrong.last_row_dropped,
    wrong.next_sample_trained,
    wrong.padding_trained,
    wrong.rows_too_long,
    wrong.labels_too_short,
    wrong.positions_too_short,
]


def named(value: Any) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("pad", "expected"), COLLATORS, ids=named)
def test_a_wrong_collator_is_found(pad: Any, expected: set[str], name: str) -> None:
    assert set(findings(Collating(pad), name, FAMILIES)) == expected


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("rows", PACKERS, ids=named)
def test_a_wrong_packer_is_found(rows: Any, name: str) -> None:
    assert set(findings(Packing(rows), name, FAMILIES)) == {"COLLATE-2"}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("pad", [wrong.padded, wrong.without_attention, wrong.right_side_only], ids=named)
def test_a_right_collator_passes(pad: Any, name: str) -> None:
    assert outcomes(Collating(pad), name, "COLLATE-1") == {"passed"}
    assert "passed" in outcomes(Collating(pad), name, "STOP-5")


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("rows", [wrong.with_positions, wrong.padded_rows, wrong.one_sample_a_row], ids=named)
def test_a_right_packer_passes(rows: Any, name: str) -> None:
    assert outcomes(Packing(rows), name, "COLLATE-2") == {"passed"}


@pytest.mark.parametrize("rule", ["COLLATE-1", "COLLATE-2"])
def test_the_reference_passes(rule: str) -> None:
    for name in PAIRS:
        assert outcomes(ReferenceMasker(), name, rule) == {"passed"}


@pytest.mark.parametrize(
    ("pad", "kind"),
    [
        (wrong.padding_known_by_id, Kind.UNTRAINED),
        (wrong.labels_padded_with_ids, Kind.TRAINED),
        (wrong.attention_by_id, Kind.ATTENTION),
        (wrong.attention_everywhere, Kind.ATTENTION),
        (wrong.labels_shifted, Kind.DIFFERENT_LABELS),
        (wrong.multiples_of_eight, Kind.LENGTH),
        (wrong.refusing_long_padding, Kind.RAISED),
    ],
    ids=named,
)
def test_the_kind_says_what_a_collator_did(pad: Any, kind: Kind) -> None:
    assert findings(Collating(pad), PAIRS[0], ["COLLATE-1"])["COLLATE-1"].kind is kind


@pytest.mark.parametrize(
    ("rows", "kind", "words"),
    [
        (wrong.everything_trained, Kind.TRAINED, "other label"),
        (wrong.mask_lost_inside, Kind.TRAINED, "other label"),
        (wrong.next_sample_trained, Kind.TRAINED, "other label"),
        (wrong.nothing_keeps_apart, Kind.LEAKED, "neither position_ids nor sequence_ids"),
        (wrong.positions_run_on, Kind.LEAKED, "does not say"),
        (wrong.first_tokens_trained, Kind.LEAKED, "its first token is trained"),
        (wrong.samples_begin_after_stops, Kind.LEAKED, "another begins inside it"),
        (wrong.wrapped, Kind.DIFFERENT_IDS, "in no row in one piece"),
        (wrong.last_row_dropped, Kind.DIFFERENT_IDS, "in no row in one piece"),
        (wrong.padding_trained, Kind.TRAINED, "belong to no sample"),
        (wrong.rows_too_long, Kind.LENGTH, "tokens"),
        (wrong.labels_too_short, Kind.LENGTH, "labels"),
        (wrong.positions_too_short, Kind.LENGTH, "position_ids"),
    ],
    ids=named,
)
def test_the_finding_says_what_a_packer_did(rows: Any, kind: Kind, words: str) -> None:
    asked = [conversation("Hi", "Hello!", "Bye", "See you.")]
    finding = findings(Packing(rows), PAIRS[0], ["COLLATE-2"], asked)["COLLATE-2"]
    assert finding.kind is kind
    assert words in finding.explanation


def test_real_stops_lost_in_collation_are_shown() -> None:
    asked = [conversation("Hi", "Hello!", "Bye", "See you.")]
    found = findings(Collating(wrong.padding_known_by_id), PAIRS[0], FAMILIES, asked)
    stops = [row for row in found["STOP-5"].rows if row.wrong]
    assert {(row.expected, row.got) for row in stops} == {("TRAIN", "IGNORE")}
    assert [(row.text, row.zone, row.message) for row in stops] == [
        ("<|im_end|>", "STOP", 1),
        ("<|im_end|>", "STOP", 3),
    ]


def test_each_kind_of_padding_is_tried() -> None:
    """Collators that are wrong for one padding token alone: the end token, or any but the special ones."""
    tokenizer = pair(PAIRS[0]).tokenizer
    (end,) = tokenizer.encode("<|im_end|>").ids
    (none,) = tokenizer.encode("<|endoftext|>").ids

    def stops_unattended(sample: Labelled, missing: int, padding: Any) -> Any:
        return (wrong.attention_by_id if padding.token_id == end else wrong.padded)(sample, missing, padding)

    def ordinary_tokens_lost(sample: Labelled, missing: int, padding: Any) -> Any:
        special = padding.token_id in (end, none)
        return (wrong.padded if special else wrong.padding_known_by_id)(sample, missing, padding)

    found = findings(Collating(stops_unattended), PAIRS[0], FAMILIES)
    assert {rule: finding.kind for rule, finding in found.items()} == {"COLLATE-1": Kind.ATTENTION}
    assert "the end token" in found["COLLATE-1"].explanation
    found = findings(Collating(ordinary_tokens_lost), PAIRS[0], FAMILIES)
    assert {rule: finding.kind for rule, finding in found.items()} == {"COLLATE-1": Kind.UNTRAINED}
    assert "a token of the answer" in found["COLLATE-1"].explanation


def test_stops_lost_on_one_side_only_are_found() -> None:
    def left_by_id(sample: Labelled, missing: int, padding: Any) -> Any:
        return (wrong.padding_known_by_id if padding.side == "left" else wrong.padded)(sample, missing, padding)

    finding = findings(Collating(left_by_id), PAIRS[0], ["STOP-5"])["STOP-5"]
    assert "on the left" in finding.explanation


def test_a_masker_without_batches_is_excluded() -> None:
    plain = Cutting(wrong.cut_right)
    assert outcomes(plain, PAIRS[0], "COLLATE-1") == {"the masker has no `collate` method"}
    assert outcomes(plain, PAIRS[0], "STOP-5") == {"the masker has no `collate` method"}
    assert outcomes(plain, PAIRS[0], "COLLATE-2") == {"the masker has no `pack` method"}


@pytest.mark.parametrize("rule", ["COLLATE-1", "COLLATE-2", "STOP-5"])
def test_a_masker_that_says_unsupported_is_excluded_with_its_reason(rule: str) -> None:
    def never(*_: Any) -> Any:
        raise Unsupported("batches are made elsewhere")

    class Neither(Collating):
        def pack(self, samples: Any, max_length: int) -> Any:
            return never(samples, max_length)

    asked = [conversation("Hi", "Hello!")]
    assert outcomes(Neither(never), PAIRS[0], rule, asked) == {"unsupported by the masker: batches are made elsewhere"}


def test_a_collator_that_loses_a_row_is_found() -> None:
    class Losing(ReferenceMasker):
        def collate(self, samples: Any, padding: Any) -> Any:
            return ReferenceMasker.collate(self, samples, padding)[:-1]

    finding = findings(Losing(), PAIRS[0], ["COLLATE-1"])["COLLATE-1"]
    assert finding.kind is Kind.LENGTH
    assert "3 samples gave 2 rows" in finding.explanation


def test_a_masker_with_another_ignore_index_is_not_accused_of_leaking() -> None:
    """Its packer ignores first tokens as it ignores everything; LABEL-3 says what is wrong with that."""

    def zeros(samples: Any, limit: int) -> Any:
        return [
            Packed(
                row.input_ids, [0 if label == -100 else label for label in row.labels], position_ids=row.position_ids
            )
            for row in wrong.with_positions(samples, limit)
        ]

    class Zero(Packing):
        def mask(self, request: Any) -> Labelled:
            answer = ReferenceMasker.mask(self, request)
            return Labelled(answer.input_ids, [0 if label == -100 else label for label in answer.labels])

    asked = [conversation("Hi", "Hello!")]
    assert set(findings(Zero(zeros), PAIRS[0], ["LABEL", "COLLATE-2"], asked)) == {"LABEL-3"}
    assert outcomes(Zero(zeros), PAIRS[0], "COLLATE-2", asked) == {"the labels use another ignore index (LABEL-3)"}
