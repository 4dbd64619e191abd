"""One masker on one pair: asks it, asks the reference, and lets every rule look at both answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from maskspec.conformance.protocol import AdapterError, Labelled, Masker, Request, Unsupported
from maskspec.conversation import Conversation
from maskspec.corpus import Pair
from maskspec.errors import ConversationError, MaskspecError, TemplateRejected
from maskspec.masker import Mask, mask
from maskspec.policy import Policy, Verdict
from maskspec.rules import Excluded, Rule, Violation, load_check
from maskspec.rules.trial import Answer, Trial, Variant

__all__ = ["Case", "Crash", "Examination", "Examiner"]


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation to ask about, in plain data. `number` picks the option of rules that have several."""

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None = None
    number: int = 0


class Crash(Exception):
    """A masker raised something other than `Unsupported`; the cause is the original exception."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of one case.

    `passed` are ids of rules, `violations` maps ids to what was raised, `excluded`
    maps ids to reasons. `crash` holds the masker's own exception when it raised one.
    """

    passed: tuple[str, ...] = ()
    violations: Mapping[str, Violation] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)
    crash: BaseException | None = None


class Examiner:
    """Puts cases to one masker on one pair of template and tokenizer."""

    def __init__(self, masker: Masker, pair: Pair, rules: Sequence[Rule]) -> None:
        self.masker = masker
        self.pair = pair
        self.rules = tuple(rules)
        self._checks = {rule.id: load_check(rule) for rule in rules}

    def examine(self, case: Case, *, rules: Sequence[Rule] | None = None) -> Examination:
        """Ask the masker about one case and judge the answer by every rule (or by `rules`)."""
        wanted = self.rules if rules is None else tuple(rules)
        try:
            trial = self._trial(case)
        except Excluded as reason:
            return Examination(excluded={rule.id: str(reason) for rule in wanted})
        except Crash as crash:
            return Examination(crash=crash.__cause__)
        passed: list[str] = []
        violations: dict[str, Violation] = {}
        excluded: dict[str, str] = {}
        for rule in wanted:
            try:
                self._checks[rule.id](trial)
            except Violation as violation:
                violations[rule.id] = violation
            except Excluded as reason:
                excluded[rule.id] = str(reason)
            except Crash as crash:
                return Examination(crash=crash.__cause__)
            else:
                passed.append(rule.id)
        return Examination(passed=tuple(passed), violations=violations, excluded=excluded)

    def conversation(self, case: Case) -> Conversation:
        """The case as a conversation, with its flags only where the declared policy honours them."""
        conversation = Conversation.from_messages(list(case.messages), tools=case.tools)
        if self.masker.policy.flags:
            return conversation
        return Conversation.from_messages(conversation.to_template_messages(), tools=case.tools)

    def reference(self, conversation: Conversation, policy: Policy) -> Mask:
        """The reference's answer; raises `Excluded` where there is none."""
        try:
            return mask(
                conversation,
                template=self.pair.template.source,
                tokenizer=self.pair.tokenizer,
                policy=policy,
                template_kwargs=self.pair.template_kwargs,
                allow_empty=True,
            )
        except TemplateRejected:
            raise Excluded("the template rejects the conversation") from None
        except MaskspecError as error:
            raise Excluded(
                f"the reference cannot judge this case ({type(error).__name__}: {_first_line(error)})"
            ) from None

    def request(self, conversation: Conversation, policy: Policy) -> Request:
        """The request that the masker gets: new plain data every time."""
        return Request(
            messages=conversation.to_dicts(),
            template=self.pair.template.source,
            tokenizer=self.pair.tokenizer.raw,
            policy=policy,
            tools=conversation.to_template_tools(),
            template_kwargs=dict(self.pair.template_kwargs),
            special_tokens=dict(self.pair.special_tokens),
            stops=self.pair.stops,
            pair=self.pair.name,
        )

    def answer(self, masker: Masker, request: Request) -> Labelled:
        """What a masker answers; raises `Excluded` when it cannot, `Crash` when it fails."""
        try:
            labelled = masker.mask(request)
        except Unsupported as reason:
            raise Excluded(f"unsupported by the masker: {_first_line(reason)}") from None
        except Exception as error:
            raise Crash from error
        return _checked(labelled)

    def _trial(self, case: Case) -> Trial:
        try:
            conversation = self.conversation(case)
        except ConversationError as error:
            raise Excluded(f"not a valid conversation: {error}") from None
        policy = self.masker.policy
        expected = self.reference(conversation, policy)
        request = self.request(conversation, policy)
        before = deepcopy((request.messages, request.tools))
        try:
            answer = self.answer(self.masker, request)
        except Crash:
            if Verdict.TRAIN not in expected.verdicts:
                raise Excluded("the masker refuses a conversation of which nothing is to be trained") from None
            raise
        mutated = None
        if request.messages != before[0]:
            mutated = "messages"
        elif request.tools != before[1]:
            mutated = "tools"
        return Trial(
            conversation=conversation,
            tokenizer=self.pair.tokenizer,
            policy=policy,
            expected=expected,
            answer=answer,
            again=lambda: self.answer(self.masker, self.request(conversation, policy)),
            under=lambda other: self._under(conversation, other),
            collate=self._collate if hasattr(self.masker, "collate") else None,
            mutated=mutated,
            number=case.number,
        )

    def _under(self, conversation: Conversation, policy: Policy) -> Variant:
        masker = self.masker
        if policy != masker.policy:
            if not hasattr(masker, "with_policy"):
                raise Excluded("the masker has no `with_policy` method, so only its declared policy is judged")
            try:
                masker = masker.with_policy(policy)
            except Unsupported as reason:
                raise Excluded(f"unsupported by the masker: {_first_line(reason)}") from None
            except Exception as error:
                raise Crash from error
        expected = self.reference(conversation, policy)
        return Variant(policy=policy, expected=expected, answer=self.answer(masker, self.request(conversation, policy)))

    def _collate(self, samples: Sequence[tuple[Sequence[int], Sequence[int]]], padding: int) -> Sequence[Answer]:
        collate = getattr(self.masker, "collate", None)
        assert collate is not None
        try:
            rows = collate([Labelled(ids, labels) for ids, labels in samples], padding)
        except Unsupported as reason:
            raise Excluded(f"unsupported by the masker: {_first_line(reason)}") from None
        except Exception as error:
            raise Crash from error
        return [row if isinstance(row, Labelled) else Labelled(row.input_ids, row.labels) for row in rows]


def _checked(labelled: object) -> Labelled:
    if isinstance(labelled, Labelled):
        return labelled
    raise Crash from AdapterError(
        f"mask() returned {type(labelled).__name__}; it must return maskspec.Labelled(input_ids, labels)"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
