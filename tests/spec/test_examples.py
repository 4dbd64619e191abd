"""Every example of the specification does what the reference does; what it expects was written by hand."""

from __future__ import annotations

import datetime
import re

import pytest

from maskspec import errors
from maskspec.errors import CorpusError
from maskspec.masker import IGNORE_INDEX, Mask, mask
from maskspec.policy import Policy, Verdict
from maskspec.rules.examples import Example, Expectation, Mark, Step, load_examples, parse_example, spelled
from maskspec.rules.prose import Fence

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


@pytest.mark.parametrize("example", RUNNABLE, ids=lambda example: example.name)
def test_the_example_runs(example: Example) -> None:
    for step in example.steps:
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
    ],
)
def test_a_broken_example_is_refused(lines: tuple[str, ...], expected: str) -> None:
    with pytest.raises(CorpusError, match=re.escape(expected)):
        steps(*lines)
