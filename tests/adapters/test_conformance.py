"""The harness: what it counts, folds, shrinks and refuses, with maskers whose defects are known."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import hypothesis
import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance import (
    AdapterError,
    ExitCode,
    Labelled,
    Progress,
    Request,
    Unsupported,
    as_jsonl,
    as_markdown,
    as_text,
    check_masker,
)
from maskspec.conformance.examination import Case
from maskspec.conformance.shrinking import shrink, size
from maskspec.conformance.writers import table
from maskspec.corpus import embedded_pair
from maskspec.errors import UsageError
from maskspec.policy import Policy
from maskspec.rules import Row

CHATML = embedded_pair("chatml+bytelevel-gpt2")
ZEPHYR = embedded_pair("zephyr+bytelevel-gpt2")
GEMMA = embedded_pair("gemma+bytelevel-gpt2")


@dataclass
class WithoutStops:
    """Never trains the last token of a turn's text: the most frequent historical bug."""

    name: str = "without stops"
    policy: Policy = field(default_factory=lambda: Policy(flags=False))

    def mask(self, request: Request) -> Labelled:
        answer = ReferenceMasker(policy=self.policy).mask(request)
        labels = list(answer.labels)
        for index in range(len(labels)):
            if labels[index] != -100 and (index + 1 == len(labels) or labels[index + 1] == -100):
                labels[index] = -100
        return Labelled(answer.input_ids, labels)


def test_failures_are_folded_over_conversations_and_pairs_and_shrunk() -> None:
    report = check_masker(WithoutStops(), pairs=[CHATML, ZEPHYR], rules=["STOP-1"], profile="quick")
    (failure,) = report.failures
    assert failure.rule.id == "STOP-1"
    assert failure.zone == "STOP"
    assert failure.pairs == (CHATML.name, ZEPHYR.name)
    assert failure.cases == report.tallies["STOP-1"].failed > 40
    # Both templates print an assistant message alone, and its content does not matter.
    assert [message["role"] for message in failure.messages] == ["assistant"]
    assert len(failure.messages[0]["content"]) <= 1
    assert report.exit_code is ExitCode.VIOLATIONS


def test_the_same_seed_gives_the_same_report_and_another_one_other_conversations() -> None:
    seen: list[list[str]] = []

    @dataclass
    class Listening(WithoutStops):
        def mask(self, request: Request) -> Labelled:
            seen[-1].append(json.dumps(request.messages))
            return super().mask(request)

    for seed in (1, 1, 2):
        seen.append([])
        check_masker(Listening(), pairs=[CHATML], rules=["LABEL-1"], profile="quick", seed=seed)
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert len(set(seen[0])) > 20


def test_the_hosts_hypothesis_profile_neither_matters_nor_changes() -> None:
    before = hypothesis.settings.default
    hypothesis.settings.register_profile("host", max_examples=1, derandomize=True, phases=[])
    hypothesis.settings.load_profile("host")
    try:
        report = check_masker(WithoutStops(), pairs=[CHATML], rules=["LABEL-1"], profile="quick")
        assert hypothesis.settings.get_current_profile_name() == "host"
    finally:
        hypothesis.settings.register_profile("before", before)
        hypothesis.settings.load_profile("before")
    assert report.tallies["LABEL-1"].passed > 25


def test_what_cannot_be_asked_is_excluded_with_its_reason_and_counted() -> None:
    report = check_masker(WithoutStops(), pairs=[CHATML], rules=["SELECT-1", "STOP-5", "ROLE-3"], profile="quick")
    for rule, reason in (
        ("SELECT-1", "the declared policy does not honour flags"),
        ("STOP-5", "the masker has no `collate` method"),
        ("ROLE-3", "the masker has no `with_policy` method, so only its declared policy is judged"),
    ):
        assert reason in report.tallies[rule].excluded
        assert report.tallies[rule].run == 0
    assert report.exit_code is ExitCode.USAGE
    assert "no check could be run" in report.verdict


def test_a_masker_that_cannot_answer_on_a_pair_leaves_it_out() -> None:
    class OnlyChatML(WithoutStops):
        def mask(self, request: Request) -> Labelled:
            if "<|im_start|>" not in request.template:
                raise Unsupported("only ChatML")
            return super().mask(request)

    report = check_masker(OnlyChatML(), pairs=[CHATML, ZEPHYR], rules=["LABEL-1"], profile="quick")
    assert [pair.excluded for pair in report.pairs] == [None, "unsupported by the masker: only ChatML"]
    assert report.tallies["LABEL-1"].excluded == {"unsupported by the masker: only ChatML": 1}
    assert report.exit_code is ExitCode.CONFORMS


def test_a_crash_on_one_kind_of_conversation_is_counted_and_ends_with_3() -> None:
    class Fragile(WithoutStops):
        def mask(self, request: Request) -> Labelled:
            if len(request.messages) > 4:
                raise IndexError("list index out of range")
            return super().mask(request)

    report = check_masker(Fragile(), pairs=[CHATML], rules=["LABEL-1"], profile="quick")
    (conflict,) = report.conflicts
    assert conflict.problem == "mask() raised IndexError: list index out of range"
    assert conflict.count >= 1
    assert len(conflict.messages) > 4
    assert report.exit_code is ExitCode.CRASHED


def test_an_adapter_that_ignores_the_conversation_is_wired_wrong() -> None:
    class Constant(WithoutStops):
        def mask(self, request: Request) -> Labelled:
            messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
            return super().mask(replace(request, messages=messages))

    report = check_masker(Constant(), pairs=[CHATML], profile="quick")
    assert "the same ids for different conversations" in report.conflicts[0].problem
    assert report.exit_code is ExitCode.CRASHED


def test_an_adapter_that_uses_another_tokenizer_is_wired_wrong() -> None:
    class Elsewhere(WithoutStops):
        def mask(self, request: Request) -> Labelled:
            ids = [5000 + ord(letter) for message in request.messages for letter in str(message["content"])]
            return Labelled(ids, ids)

    report = check_masker(Elsewhere(), pairs=[CHATML], profile="quick")
    assert "almost nothing in common" in report.conflicts[0].problem


def test_an_answer_of_another_type_is_the_adapters_fault() -> None:
    class Pair(WithoutStops):
        def mask(self, request: Request) -> object:  # noqa: ARG002  (whatever is asked)
            return ([1, 2], [1, 2])

    report = check_masker(Pair(), pairs=[CHATML], profile="quick")
    assert "it must return maskspec.Labelled" in report.conflicts[0].problem


def test_a_masker_that_changes_with_every_call_breaks_render_4() -> None:
    class Counting(WithoutStops):
        calls = 0

        def mask(self, request: Request) -> Labelled:
            answer = super().mask(request)
            type(self).calls += 1
            return Labelled(answer.input_ids, (-100,) * len(answer.labels)) if self.calls % 2 else answer

    report = check_masker(Counting(), pairs=[CHATML], rules=["RENDER-4"], profile="quick")
    assert [failure.rule.id for failure in report.failures] == ["RENDER-4"]


def test_a_conversation_that_the_template_rejects_is_excluded() -> None:
    # Gemma's format has no system role of its own and alternates strictly.
    from maskspec.conformance.examination import Examiner
    from maskspec.rules import select_rules

    examiner = Examiner(WithoutStops(), GEMMA, select_rules(["LABEL-1"]))
    twice = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    result = examiner.examine(Case(messages=twice))
    assert result.excluded == {"LABEL-1": "the template rejects the conversation"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"profile": "fast"}, "unknown profile 'fast'; choose one of quick, default, deep"),
        ({"rules": ["STOPP-1"]}, "did you mean 'STOP-1'?"),
        ({"pairs": []}, "no pair of template and tokenizer is selected"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_masker(WithoutStops(), **{"pairs": [CHATML], **arguments})
    assert message in str(caught.value)


def test_a_class_in_place_of_a_masker_is_refused() -> None:
    with pytest.raises(UsageError, match="give an instance of it"):
        check_masker(ReferenceMasker, pairs=[CHATML])


def test_progress_is_told_for_every_pair() -> None:
    told: list[Progress] = []
    check_masker(WithoutStops(), pairs=[CHATML, ZEPHYR], rules=["STOP-1"], profile="quick", progress=told.append)
    assert [(state.pair, state.done, state.total) for state in told] == [
        (CHATML.name, 0, 2),
        (ZEPHYR.name, 1, 2),
        ("", 2, 2),
    ]


def test_a_twin_without_generation_tags_is_not_asked_about_twice() -> None:
    pairs = [CHATML, embedded_pair("chatml.generation+bytelevel-gpt2")]
    report = check_masker(WithoutStops(), pairs=pairs, rules=["LABEL-1"], profile="quick")
    assert report.pairs[1].excluded == "the same text was asked about with the template without generation tags"
    report = check_masker(WithoutStops(), pairs=pairs[1:], rules=["LABEL-1"], profile="quick")
    assert report.pairs[0].excluded is None


def test_the_three_formats_tell_the_same() -> None:
    report = check_masker(WithoutStops(), pairs=[CHATML], rules=["STOP"], profile="quick")
    records = [json.loads(line) for line in as_jsonl(report).splitlines()]
    assert [record["record"] for record in records[:2]] == ["header", "pair"]
    assert records[-1]["failures"] == len(report.failures)
    for text in (as_text(report), as_markdown(report)):
        assert "STOP-1 MUST  The stop of a selected turn" in text
        assert "breaks 1 rule(s): STOP-1" in text


# The table and the shrinking, worked out by hand.


def test_a_table_keeps_the_wrong_rows_and_their_neighbours() -> None:
    rows = tuple(
        Row(index=k, text="abcdefgh"[k], zone="CONTENT", message=0, expected="TRAIN", got="TRAIN", wrong=k in (2, 6))
        for k in range(8)
    )
    lines = table(rows)
    assert [line.split()[1 if line.startswith(">") else 0] for line in lines[1:]] == [
        "…", "1", "2", "3", "…", "5", "6", "7",
    ]  # fmt: skip


def test_a_long_table_says_how_many_wrong_rows_it_hides() -> None:
    rows = tuple(
        Row(index=k, text="x", zone="CONTENT", message=0, expected="TRAIN", got="IGNORE", wrong=True) for k in range(40)
    )
    lines = table(rows, limit=10)
    assert len(lines) == 12
    assert "30 more wrong" in lines[-1]


def test_shrinking_ends_at_the_smallest_conversation_that_still_fails() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is it?"},
        {"role": "assistant", "content": "A long answer with a needle in it.", "reasoning_content": "Hm."},
        {"role": "user", "content": "Thanks."},
    ]
    case = Case(messages=messages, tools=[{"type": "function", "function": {"name": "f"}}])
    smallest = shrink(case, lambda tried: any("needle" in str(m.get("content")) for m in tried.messages))
    assert smallest == Case(messages=[{"role": "assistant", "content": "needle"}])
    assert size(smallest) < size(case)
    assert messages[2]["reasoning_content"] == "Hm."


# What an adapter may return.


@pytest.mark.parametrize(
    ("ids", "labels", "message"),
    [
        ([[1, 2]], [[1, 2]], "input_ids is nested"),
        ("12", [1, 2], "input_ids must be a sequence of int"),
        ([1, 2], [1, 2.5], "labels\\[1\\] must be an int, not 2.5"),
        ([1, 2], [True, False], "labels\\[0\\] must be an int, not True"),
        (None, [1], "input_ids must be a sequence of int, not NoneType"),
    ],
)
def test_labelled_refuses_what_is_no_flat_sequence_of_int(ids: object, labels: object, message: str) -> None:
    with pytest.raises(AdapterError, match=message):
        Labelled(ids, labels)


def test_labelled_takes_tuples_arrays_and_unequal_lengths() -> None:
    class Array:
        def __init__(self, items: list[int]) -> None:
            self.items = items

        def tolist(self) -> list[int]:
            return self.items

    assert Labelled(Array([1, 2]), (3,)) == Labelled([1, 2], [3])
    assert Labelled.from_mask([7, 8, 9], [0, 1, True]).labels == (-100, 8, 9)
    with pytest.raises(AdapterError, match="3 entries and the mask 2"):
        Labelled.from_mask([7, 8, 9], [0, 1])
    with pytest.raises(AdapterError, match="only 0 and 1, not 2"):
        Labelled.from_mask([7, 8], [0, 2])
