"""Conversations that a reader takes in at a glance, to show what a mutant does.

What shrinking leaves is as small as can be and says little: `a`, answered by `a`. So the
appendix first tries this list, in its order, and takes the first conversation on which
the mutant breaks a rule that is meant to catch it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import Any

from maskspec import Labelled, render
from maskspec.conformance.cases import Case
from maskspec.conformance.examination import Examiner
from maskspec.conformance.report import Failure
from maskspec.corpus import Pair
from maskspec.masker import Mask
from maskspec.rules import Finding, Kind, Row, load_rules, select_rules
from tests.mutants.measuring import loaded
from tests.mutants.mutant import Mutant

__all__ = ["conversations", "tell"]

Message = Mapping[str, Any]

_NOTHING = "nothing"

_SKIPPED: Mapping[str, int] = {
    "boundaries-of-hidden-reasoning": 9,
    "core-of-a-one-token-marker-lost": 12,
    "lengths-of-pieces-added-up": 4,
    "mask-of-inputs-taken-for-targets": 1,
    "weight-zero-keeps-its-stop": 15,
}
"""How many conversations at the start of the list show less of a mutant than a later one does."""


def _user(content: str, **further: Any) -> Message:
    return {"role": "user", "content": content, **further}


def _assistant(content: str, **further: Any) -> Message:
    return {"role": "assistant", "content": content, **further}


def _call(city: str, **further: Any) -> Message:
    function = {"name": "weather", "arguments": {"city": city}}
    return _assistant("", tool_calls=[{"id": "call00001", "type": "function", "function": function}], **further)


def _tool(content: str) -> Message:
    return {"role": "tool", "name": "weather", "tool_call_id": "call00001", "content": content}


_HI, _HELLO, _BYE, _SEE_YOU = _user("Hi"), _assistant("Hello!"), _user("Bye"), _assistant("See you.")


def conversations(pair: Pair) -> Iterator[Sequence[Message]]:
    """The list: the plainest first, then one for each thing that maskers stumble over."""
    yield (_HI, _HELLO)
    yield (_HI, _HELLO, _BYE)
    yield (_HI, _HELLO, _BYE, _SEE_YOU)
    yield (_HI, _HELLO, _user("More?"), _assistant("No."))
    yield (_HI, _HELLO, _BYE, _SEE_YOU, _user("Wait"), _assistant("Yes?"))
    yield ({"role": "system", "content": "Be brief."}, _HI, _HELLO)
    yield (_user("Weather?"), _assistant("Let me look."), _tool("Rain."), _assistant("It rains."))
    yield (_user("Weather?"), _call("Oslo"), _tool("Rain."), _assistant("It rains."))
    yield (_HI, _assistant("Hello!", reasoning_content="Greet."))
    yield (_HI, _assistant("Hello!", reasoning_content="Greet."), _BYE, _SEE_YOU)
    yield (_user("Go on."), _assistant("    return 0"))
    yield (_HI, _assistant("\nHello!"))
    yield (_user("Yes"), _assistant("Yes"))
    yield (_user("Hi", train=True), _HELLO)
    yield (_HI, _assistant("Hello!", train=False))
    yield (_HI, _assistant("Hello!", weight=0))
    yield (_user("Weather?"), _call("Oslo", train=False), _tool("Rain."), _assistant("It rains."))
    opening, stop = _opening(pair), next(iter(pair.stops), "</s>")
    yield (_user("How do turns end?"), _assistant(f"With {stop} as a rule."))
    yield (_user("How do answers begin?"), _assistant(f"{opening}as a rule."))
    yield (_user(f"{opening}Sure."), _HELLO)


def _opening(pair: Pair) -> str:
    """What opens an answer in the pair's format: what the generation prompt adds to a question."""
    question, asked = (
        render([_HI], template=pair.template.source, special_tokens=pair.special_tokens, add_generation_prompt=prompt)
        for prompt in (False, True)
    )
    return asked.text[len(question.text) :]


def tell(mutant: Mutant) -> Failure | None:
    """The first conversation of the list on which a rule that is expected to fires; None where none does."""
    rules = select_rules(mutant.expected)
    for name in mutant.pairs:
        pair = loaded(name)
        for messages in () if pair.lacking else islice(conversations(pair), _SKIPPED.get(mutant.name, 0), None):
            case = Case(messages=messages)
            found = Examiner(mutant.masker(), pair, rules).examine(case).violations
            caught = next((rule for rule in mutant.expected if rule in found), None)
            if caught is not None:
                return _failure(mutant, pair, case, caught, found[caught].finding)
    return None


def _failure(mutant: Mutant, pair: Pair, case: Case, rule: str, finding: Finding) -> Failure:
    return Failure(
        rule=load_rules()[rule],
        kind=finding.kind,
        zone=finding.zone,
        explanation=finding.explanation,
        masker="",
        policy=repr(mutant.masker().policy),
        pair=pair.name,
        template=pair.template.name,
        tokenizer=pair.tokenizer.name,
        case=case,
        rows=_rows(mutant, pair, case, finding, rule),
        cases=1,
        pairs=(pair.name,),
        subject=finding.subject,
    )


def _rows(mutant: Mutant, pair: Pair, case: Case, finding: Finding, rule: str) -> tuple[Row, ...]:
    """The token table: the rule's own, or a better one for what cannot be said token by token."""
    own = rule in ("LABEL-1", "RENDER-1", "RENDER-2", "RENDER-4", "COLLATE-2")
    if not own or finding.kind in (Kind.RAISED, Kind.MUTATED):
        return finding.rows
    masker = mutant.masker()
    examiner = Examiner(masker, pair, ())
    conversation = examiner.conversation(case)
    expected = examiner.reference(conversation, masker.policy, case=case)
    answer = examiner.answer(masker, examiner.request(conversation, masker.policy, case=case))
    if finding.kind is Kind.DIFFERENT_IDS:
        return tuple(_aligned(pair, expected, answer))
    if rule == "COLLATE-2":
        return _packed(masker, expected, answer)
    return tuple(_compared(expected, answer.labels))


def _row(expected: Mask, index: int, wanted: str, got: str) -> Row:
    """A row about one token of the reference, or about none where the masker has more."""
    if index >= len(expected.tokens):
        return Row(index, "", "", None, wanted, got, wrong=True)
    token = expected.tokens[index]
    return Row(index, token.text, token.zone.name, token.message, wanted, got, wrong=wanted not in ("EITHER", got))


def _compared(expected: Mask, labels: Sequence[int]) -> Iterator[Row]:
    """Label by label, as many as there are, beside the reference's tokens."""
    for index in range(max(len(expected.tokens), len(labels))):
        wanted = expected.tokens[index].verdict.name if index < len(expected.tokens) else _NOTHING
        yield _row(expected, index, wanted, _trained(labels[index]) if index < len(labels) else _NOTHING)


def _aligned(pair: Pair, expected: Mask, answer: Labelled) -> Iterator[Row]:
    """The tokens of the template's text beside the masker's, as the vocabulary spells them, equal ones on one line."""
    theirs = [pair.tokenizer.token(identifier) for identifier in answer.input_ids]
    matcher = SequenceMatcher(a=expected.input_ids, b=answer.input_ids, autojunk=False)
    for _, first, behind, start, end in matcher.get_opcodes():
        for step in range(max(behind - first, end - start)):
            got = theirs[start + step] if start + step < end else ""
            if first + step < behind:
                index = first + step
                yield _row(expected, index, pair.tokenizer.token(expected.input_ids[index]), got)
            else:
                yield Row(start + step, "", "", None, "", got, wrong=True)


def _packed(masker: Any, expected: Mask, answer: Labelled) -> tuple[Row, ...]:
    """The sample packed behind itself: whether each token is trained, and at which position."""
    (row,) = masker.pack([answer, answer], 2 * len(answer.input_ids))
    if row.position_ids is None:
        return ()
    rows = []
    for index, label in enumerate(row.labels):
        own = index % len(answer.input_ids)
        wanted = f"{_trained(answer.labels[own])}, position {own}"
        rows.append(_row(expected, own, wanted, f"{_trained(label)}, position {row.position_ids[index]}"))
    return tuple(rows)


def _trained(label: int) -> str:
    return "IGNORE" if label == -100 else "TRAIN"
