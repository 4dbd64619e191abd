"""Every example of the specification does what the reference does; what it expects was written by hand."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from maskspec import errors
from maskspec.adapters.reference import ReferenceMasker
from maskspec.alignment import align
from maskspec.conformance.protocol import Labelled, Padding, Request
from maskspec.errors import CorpusError
from maskspec.masker import IGNORE_INDEX, Mask, mask
from maskspec.policy import Policy, Verdict
from maskspec.rules.examples import (
    Example,
    Expectation,
    Handling,
    Mark,
    Step,
    Treatment,
    load_examples,
    parse_example,
    spelled,
)
from maskspec.rules.prose import Fence
from maskspec.tokens import Encoding

pytest.importorskip("transformers", reason="the embedded tokenizers load through transformers")
from maskspec.corpus import Pair, embedded_pair, embedded_templates, embedded_tokenizers

EXAMPLES = load_examples()
RUNNABLE = [example for example in EXAMPLES if example.illustration is None]


def frozen_clock() -> datetime.datetime:
    """The date that the README of the specification promises."""
    return datetime.datetime(2025, 1, 1)  # templates print local dates


def pair_of(step: Step) -> Pair:
    return embedded_pair(f"{step.template}+{step.tokenizer}")


def policy_of(step: Step) -> Policy:
    if step.policy is None:
        return Policy()
    return Policy.preset(step.policy) if isinstance(step.policy, str) else Policy().changed(**step.policy)


def masked(step: Step) -> Mask:
    pair = pair_of(step)
    return mask(
        [dict(message) for message in step.messages],
        template=pair.template.source,
        tokenizer=pair.tokenizer,
        policy=policy_of(step),
        tools=step.tools,
        template_kwargs={**pair.template_kwargs, **step.variables},
        allow_empty=step.expectation.error is None,
        clock=frozen_clock,
    )


def expected_verdict(marks: set[Mark], policy: Policy) -> Verdict:
    """The table in chapter 04: what follows for a token from the marks of its characters."""
    if {Mark.TRAIN, Mark.IGNORE} <= marks:
        return policy.straddling
    if Mark.TRAIN in marks:
        return Verdict.TRAIN
    return Verdict.IGNORE if Mark.IGNORE in marks else Verdict.EITHER


_MARKS = {Verdict.TRAIN: Mark.TRAIN, Verdict.IGNORE: Mark.IGNORE, Verdict.EITHER: Mark.EITHER}


def shown(answer: Mask) -> str:
    """The reference's own answer in the notation of the examples, for the message of a failure."""
    return spelled(
        answer.text, [_MARKS[part.verdict] for part in answer.judgements for _ in range(part.start, part.end)]
    )


def compare(answer: Mask, expectation: Expectation, policy: Policy) -> None:
    assert expectation.text is not None
    assert answer.text == expectation.text
    covered = [position for part in answer.judgements for position in range(part.start, part.end)]
    assert covered == list(range(len(answer.text))), "the judgements leave gaps or overlap"
    expected = spelled(expectation.text, expectation.marks)
    explanation = f"\nexpected  {expected}\nreference {shown(answer)}"
    # Character by character, so that a merged token hides nothing.
    assert shown(answer) == expected, explanation
    for token in answer.tokens:
        if token.start < token.end:
            wanted = expected_verdict(set(expectation.marks[token.start : token.end]), policy)
            assert token.verdict is wanted, f"token {token.index} {token.text!r}: {token.reason}{explanation}"
    assert len(answer.labels) == len(answer.input_ids)
    for identifier, label, verdict in zip(answer.input_ids, answer.labels, answer.verdicts, strict=True):
        assert label == (identifier if verdict is Verdict.TRAIN else IGNORE_INDEX)
    assert set(expectation.hazards) <= {hazard.kind.value for hazard in answer.hazards}


def request_of(step: Step, messages: Sequence[Mapping[str, Any]], **limits: Any) -> Request:
    pair = pair_of(step)
    return Request(
        messages=[dict(message) for message in messages],
        template=pair.template.source,
        tokenizer=pair.tokenizer.raw,
        policy=policy_of(step),
        tools=None if step.tools is None else [dict(tool) for tool in step.tools],
        template_kwargs={**pair.template_kwargs, **step.variables},
        stops=pair.stops,
        **limits,
    )


def compare_handled(step: Step, handling: Handling) -> None:
    """Do with the reference's answer what the example says, and compare the row that comes of it."""
    masker = ReferenceMasker(policy=policy_of(step))
    requests = [request_of(step, messages) for messages in (*step.samples, step.messages)]
    if handling.treatment is Treatment.TRUNCATE:
        limits = {"max_length": handling.number, "truncation_side": handling.side}
        cut = masker.mask(request_of(step, step.messages, **limits))
        assert len(cut.input_ids) == handling.number
        compare_row(step, cut.input_ids, cut.labels)
    elif handling.treatment is Treatment.PAD:
        answer = masker.mask(requests[-1])
        (padding,) = pair_of(step).tokenizer.encode(handling.token).ids
        longer = Labelled(
            [*answer.input_ids, *[padding] * handling.number], [*answer.labels, *[-100] * handling.number]
        )
        row, _ = masker.collate([answer, longer], Padding(padding, handling.side))
        compare_row(step, row.input_ids, row.labels)
        attended = [1] * len(answer.input_ids)
        unattended = [0] * handling.number
        right = handling.side == "right"
        assert row.attention_mask == tuple([*attended, *unattended] if right else [*unattended, *attended])
    elif handling.treatment is Treatment.PACK:
        answers = masker.mask_batch(requests)
        (packed,) = masker.pack(answers, handling.number)
        compare_row(step, packed.input_ids, packed.labels)
        assert packed.position_ids == tuple(k for each in answers for k in range(len(each.input_ids)))
        assert packed.sequence_ids == tuple(number for number, each in enumerate(answers) for _ in each.input_ids)
    else:
        row = masker.mask_batch(requests)[handling.number - 1]
        compare_row(step, row.input_ids, row.labels)


def compare_row(step: Step, ids: Sequence[int], labels: Sequence[int]) -> None:
    text, marks = step.expectation.text, step.expectation.marks
    assert text is not None
    assert len(ids) == len(labels)
    tokenizer = pair_of(step).tokenizer
    alignment = align(text, Encoding(ids=ids, offsets=None), tokenizer)
    for k, (start, end) in enumerate(zip(alignment.starts, alignment.ends, strict=True)):
        wanted = expected_verdict(set(marks[start:end]), policy_of(step))
        # The reference ignores what may be trained or not.
        label = ids[k] if wanted is Verdict.TRAIN else IGNORE_INDEX
        assert labels[k] == label, f"token {k} {tokenizer.token(ids[k])!r} of {spelled(text, marks)}"


@pytest.mark.parametrize("example", RUNNABLE, ids=lambda example: example.name)
def test_the_example_runs(example: Example) -> None:
    for step in example.steps:
        if step.handling is not None:
            compare_handled(step, step.handling)
            continue
        if step.expectation.error is None:
            compare(masked(step), step.expectation, policy_of(step))
            continue
        name, _, message = step.expectation.error.partition(" ")
        with pytest.raises(errors.MaskspecError) as caught:
            masked(step)
        assert type(caught.value) is getattr(errors, name)
        if message:
            assert getattr(caught.value, "message", None) == int(message)


def test_the_examples_cover_every_embedded_template_and_tokenizer() -> None:
    steps = [step for example in RUNNABLE for step in example.steps]
    assert {template.name for template in embedded_templates(generation_tags=False)} <= {
        step.template for step in steps
    }
    assert {entry.name for entry in embedded_tokenizers()} <= {step.tokenizer.partition(":")[0] for step in steps}


def test_an_illustration_says_why_it_does_not_run() -> None:
    for example in EXAMPLES:
        if example.illustration is not None:
            assert len(example.illustration.split()) >= 3, example.name


def test_a_wrong_expectation_fails() -> None:
    text = "template: chatml\ntokenizer: bytelevel-gpt2\nuser: Hi\nassistant: Hello!\nexpect: "
    right = "<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n⟦Hello!<|im_end|>⟧⟨\\n⟩"
    for wrong in (
        right.replace("⟦Hello!", "Hello!⟦"),
        right.replace("Hi", "Ho"),
        right.replace("<|im_end|>⟧", "⟧<|im_end|>"),
    ):
        (step,) = parse_example(Fence("maskspec", text + wrong, 1)).steps
        with pytest.raises(AssertionError):
            compare(masked(step), step.expectation, Policy())
    (step,) = parse_example(Fence("maskspec", text.replace("expect", "hazards: phantom\nexpect") + right, 1)).steps
    with pytest.raises(AssertionError):
        compare(masked(step), step.expectation, Policy())


# The notation itself.


def steps(*lines: str) -> tuple[Step, ...]:
    return parse_example(Fence("maskspec", "\n".join(lines), 10)).steps


HEAD = ("template: chatml", "tokenizer: tiktoken")


def test_messages_escapes_and_marks_are_read() -> None:
    (step,) = steps(
        *HEAD, "user: a\\n\\tb\\s\\\\n\\u27e6", 'assistant: {"content": null, "train": false}', "expect: x⟦y\\n⟧⟨z⟩\\s"
    )
    assert step.messages == (
        {"role": "user", "content": "a\n\tb \\n⟦"},
        {"role": "assistant", "content": None, "train": False},
    )
    assert step.expectation.text == "xy\nz "
    train, either, ignore = Mark.TRAIN, Mark.EITHER, Mark.IGNORE
    assert step.expectation.marks == (ignore, train, train, either, ignore)


def test_indented_lines_continue_the_value_above() -> None:
    (step,) = steps(*HEAD, "user: Hi", "expect:", "  a\\n", "    ⟦b", "  c⟧")
    assert step.expectation.text == "a\nbc"


def test_each_expectation_is_about_what_was_said_so_far() -> None:
    first, second, third = steps(
        *HEAD, "user: 1", "hazards: phantom", "expect: 1", "policy: axolotl", "assistant: 2", "expect: 12",
        "conversation:", 'policy: {"stop": "last"}', "user: 3", "error: ConversationError 0",
    )  # fmt: skip
    assert [len(step.messages) for step in (first, second, third)] == [1, 2, 1]
    assert [step.policy for step in (first, second, third)] == [None, "axolotl", {"stop": "last"}]
    assert [step.expectation.hazards for step in (first, second, third)] == [("phantom",), (), ()]
    assert third.expectation.error == "ConversationError 0"


def test_a_treatment_counts_for_the_next_expectation_and_samples_are_kept() -> None:
    first, second, third = steps(
        *HEAD, "user: 1", "sample:", "user: 2", "truncate: right 12", "expect: 1",
        "pad: left 3 </s>", "expect: 2", "expect: 3",
    )  # fmt: skip
    assert first.handling == Handling(Treatment.TRUNCATE, 12, side="right")
    assert second.handling == Handling(Treatment.PAD, 3, side="left", token="</s>")
    assert third.handling is None
    for step in (first, second, third):
        assert [[message["content"] for message in sample] for sample in step.samples] == [["1"]]
        assert [message["content"] for message in step.messages] == ["2"]


HANDLED = """template: chatml
tokenizer: bytelevel-gpt2
user: Hi
assistant: Hello!
pad: right 2 <|endoftext|>
expect: <|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n⟦Hello!<|im_end|>⟧⟨\\n⟩<|endoftext|><|endoftext|>"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("⟦Hello!<|im_end|>⟧", "⟦Hello!⟧<|im_end|>"),
        ("<|endoftext|><|endoftext|>", "⟦<|endoftext|>⟧<|endoftext|>"),
        ("<|endoftext|><|endoftext|>", "<|endoftext|>"),
        ("right 2", "left 2"),
        ("pad: right 2 <|endoftext|>", "truncate: right 9"),
        ("pad: right 2 <|endoftext|>", "pack: 99"),
        ("pad: right 2 <|endoftext|>", "batch: 1"),
    ],
)
def test_a_wrong_expectation_of_a_treated_row_fails(right: str, wrong: str) -> None:
    for text, passes in ((HANDLED, True), (HANDLED.replace(right, wrong, 1), False)):
        (step,) = parse_example(Fence("maskspec", text, 1)).steps
        assert step.handling is not None
        if passes:
            compare_handled(step, step.handling)
        else:
            with pytest.raises((AssertionError, errors.AlignmentError)):
                compare_handled(step, step.handling)


@pytest.mark.parametrize("text", ["plain", "a\n\t\\ b", "⟦⟧⟨⟩", "\u200d👩\u200d🚀\x00", ""])
def test_what_is_spelled_is_read_back(text: str) -> None:
    kinds = [Mark.TRAIN, Mark.EITHER, Mark.IGNORE, Mark.TRAIN]
    marks = tuple(kinds[position % 4] for position in range(len(text)))
    (step,) = steps(*HEAD, f"expect: {spelled(text, marks)}".replace("expect: ", "expect:\n  ") if text else "expect:")
    assert (step.expectation.text, step.expectation.marks) == (text, marks)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((*HEAD, "user: Hi"), "line 10: the last line of an example must say what is expected"),
        ((), "line 10: an example needs an 'expect' or 'error' line"),
        (("expect: x",), "line 11: 'template' and 'tokenizer' must come before"),
        ((*HEAD, "no colon"), "line 13: expected 'key: value'"),
        ((*HEAD, "robot: Hi", "expect: x"), "line 13: unknown key 'robot'"),
        ((*HEAD, "expect: ⟦x"), "line 13: missing '⟧'"),
        ((*HEAD, "expect: ⟦x⟨y⟩⟧"), "line 13: unexpected '⟨'"),
        ((*HEAD, "expect: x⟧"), "line 13: unexpected '⟧'"),
        ((*HEAD, "expect: \\x"), "line 13: unknown escape"),
        ((*HEAD, 'user: {"content": ', "expect: x"), "line 13: Expecting value"),
        (
            (*HEAD, "truncate: 12", "expect: x"),
            "line 13: 'truncate' needs 'left' or 'right', a number from 1 on; found '12'",
        ),
        ((*HEAD, "pad: left 3", "expect: x"), "line 13: 'pad' needs 'left' or 'right', a number from 1 on, a token"),
        ((*HEAD, "pack: 0", "expect: x"), "line 13: 'pack' needs a number from 1 on; found '0'"),
        (
            (*HEAD, "user: a", "sample:", "user: b", "batch: 3", "expect: x"),
            "line 17: 'batch: 3' asks for more than the 2",
        ),
    ],
)
def test_a_broken_example_is_refused(lines: tuple[str, ...], expected: str) -> None:
    with pytest.raises(CorpusError, match=re.escape(expected)):
        steps(*lines)
