"""One masker on one pair: asks it, asks the reference, and lets every rule look at both answers."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from maskspec.conformance.cases import Case
from maskspec.conformance.protocol import (
    TRUNCATION_SIDES,
    AdapterError,
    Collated,
    Labelled,
    Masker,
    Packed,
    Padding,
    Request,
    Unsupported,
)
from maskspec.conformance.timelimit import AdapterHung
from maskspec.conversation import Conversation
from maskspec.corpus import Pair, sibling_pair
from maskspec.errors import ConversationError, CorpusError, MaskspecError, TemplateRejected, TokenizerError
from maskspec.masker import Mask, mask
from maskspec.policy import Policy, Verdict
from maskspec.rules import Excluded, Rule, Violation, is_asked, load_check
from maskspec.rules.trial import Abilities, Answer, Trial, Variant

__all__ = ["Crash", "Examination", "Examiner", "Guard"]

_Result = TypeVar("_Result")

Guard = Callable[[Callable[[], Any]], Any]
"""Calls a function of the adapter and gives its result; the harness passes one that cuts a hang."""


class Crash(Exception):
    """An adapter raised something other than `Unsupported`; the cause is the original exception."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of one case.

    `passed` are ids of rules, `violations` maps ids to what was raised, `excluded`
    maps ids to reasons; a rule that was not asked about this case is in none of them.
    `crash` holds the adapter's own exception when nothing can be said for its sake.
    """

    passed: tuple[str, ...] = ()
    violations: Mapping[str, Violation] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)
    crash: BaseException | None = None


def _directly(function: Callable[[], Any]) -> Any:
    return function()


class Examiner:
    """Puts cases to one masker on one pair of template and tokenizer.

    `reference_seconds` counts the time spent in the reference; a guard counts that of the adapter.
    """

    def __init__(self, masker: Masker, pair: Pair, rules: Sequence[Rule], *, guard: Guard = _directly) -> None:
        self.masker = masker
        self.pair = pair
        self.rules = tuple(rules)
        self.reference_seconds = 0.0
        self._guard = guard
        self._variants: dict[Policy, Masker] = {}
        self._checks = {rule.id: load_check(rule) for rule in rules}

    @cached_property
    def _sibling_pair(self) -> Pair | None:
        return sibling_pair(self.pair)

    def examine(self, case: Case, *, rules: Sequence[Rule] | None = None) -> Examination:
        """Ask the masker about one case and judge the answer by every rule (or by `rules`, however costly)."""
        wanted = (
            [rule for rule in self.rules if is_asked(rule, case.number, fixed=case.fixed)] if rules is None else rules
        )
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
        outcome = trial.outcome
        if isinstance(outcome, BaseException) and not violations and all(rule.id != "TOTAL-1" for rule in wanted):
            return Examination(crash=outcome)  # no rule asked here says so; those that ask otherwise found nothing
        return Examination(passed=tuple(passed), violations=violations, excluded=excluded)

    def conversation(self, case: Case) -> Conversation:
        """The case as a conversation, with its flags only where the declared policy honours them."""
        conversation = Conversation.from_messages(list(case.messages), tools=case.tools)
        return self._flagless(conversation) if not self.masker.policy.flags else conversation

    def reference(self, conversation: Conversation, policy: Policy, *, case: Case | None = None) -> Mask:
        """The reference's answer; raises `Excluded` where there is none. `case` gives the template variables."""
        return self._reference(self.pair, conversation, policy, self._variables(case))

    def request(self, conversation: Conversation, policy: Policy, *, case: Case | None = None, **more: Any) -> Request:
        """The request that the masker gets: new plain data every time. `more` are further fields of `Request`."""
        return self._request(self.pair, conversation.to_dicts(), conversation, policy, self._variables(case), **more)

    def answer(self, masker: Masker, request: Request) -> Labelled:
        """What a masker answers; raises `Excluded` when it cannot, `Crash` when it fails."""
        labelled = self._call(lambda: masker.mask(request))
        if isinstance(labelled, Labelled):
            return labelled
        raise Crash from AdapterError(
            f"mask() returned {type(labelled).__name__}; it must return maskspec.Labelled(input_ids, labels)"
        )

    def _flagless(self, conversation: Conversation) -> Conversation:
        return Conversation.from_messages(conversation.to_template_messages(), tools=conversation.to_template_tools())

    def _variables(self, case: Case | None) -> dict[str, Any]:
        return {**self.pair.template_kwargs, **(case.template_kwargs if case is not None else {})}

    def _reference(self, pair: Pair, conversation: Conversation, policy: Policy, variables: Mapping[str, Any]) -> Mask:
        started = time.perf_counter()
        try:
            return mask(
                conversation,
                template=pair.template.source,
                tokenizer=pair.tokenizer,
                policy=policy,
                template_kwargs=variables,
                allow_empty=True,
            )
        except TemplateRejected:
            raise Excluded("the template rejects the conversation") from None
        except MaskspecError as error:
            raise Excluded(
                f"the reference cannot judge this case ({type(error).__name__}: {_first_line(error)})"
            ) from None
        finally:
            self.reference_seconds += time.perf_counter() - started

    def _request(
        self,
        pair: Pair,
        messages: list[Any],
        conversation: Conversation | None,
        policy: Policy,
        variables: Mapping[str, Any],
        **more: Any,
    ) -> Request:
        return Request(
            messages=messages,
            template=pair.template.source,
            tokenizer=pair.tokenizer.raw,
            policy=policy,
            tools=None if conversation is None else conversation.to_template_tools(),
            template_kwargs=deepcopy(dict(variables)),
            special_tokens=dict(pair.special_tokens),
            stops=pair.stops,
            pair=pair.name,
            **more,
        )

    def _call(self, function: Callable[[], _Result], method: str = "mask") -> _Result:
        """Call a method of the adapter; `Unsupported` becomes `Excluded`, anything else `Crash`.

        An adapter that ends the program (`sys.exit` in a library's argument parser, say) has failed like any
        other. Ctrl-C and what a test runner raises to end a test are not the adapter's and pass.
        """
        try:
            result: _Result = self._guard(function)
        except Unsupported as reason:
            raise Excluded(f"unsupported by the masker: {_first_line(reason)}") from None
        except AdapterHung as hung:
            raise Crash from AdapterHung(f"{method}() {hung}")
        except (Exception, SystemExit) as error:
            raise Crash from error
        return result

    def _attempt(self, function: Callable[[], _Result]) -> _Result | BaseException:
        """What a call of the adapter gave, or what the masker raised; a fault of the adapter stays a crash."""
        try:
            return function()
        except Crash as crash:
            if crash.__cause__ is None or isinstance(crash.__cause__, AdapterError):
                raise
            return crash.__cause__

    def _trial(self, case: Case) -> Trial:
        try:
            conversation = self.conversation(case)
        except ConversationError as error:
            raise Excluded(f"not a valid conversation: {error}") from None
        policy = self.masker.policy
        variables = self._variables(case)
        expected = self._reference(self.pair, conversation, policy, variables)
        request = self.request(conversation, policy, case=case)
        before = _frozen(request)
        outcome: Labelled | BaseException
        try:
            outcome = self.answer(self.masker, request)
        except Crash as crash:
            if Verdict.TRAIN not in expected.verdicts:
                raise Excluded("the masker refuses a conversation of which nothing is to be trained") from None
            if crash.__cause__ is None or isinstance(crash.__cause__, AdapterError):
                raise
            outcome = crash.__cause__
        return Trial(
            conversation=conversation,
            tokenizer=self.pair.tokenizer,
            policy=policy,
            expected=expected,
            outcome=outcome,
            again=lambda: self._related(self.masker, self.request(conversation, policy, case=case)),
            under=lambda other: self._under(conversation, other, case),
            other=lambda another: self._other(another, case),
            sibling=lambda: self._sibling(conversation, case),
            invalid=lambda messages: self._invalid(messages, case),
            abilities=self._abilities(conversation, case),
            mutated=_mutated(request, before),
            number=case.number,
            fixed=case.fixed,
        )

    def _related(self, masker: Masker, request: Request, what: str = "on a related conversation (TOTAL-1)") -> Labelled:
        """The answer to a further request of a rule; an exception there is no finding about this case."""
        try:
            return self.answer(masker, request)
        except Crash as crash:
            if isinstance(crash.__cause__, AdapterError):
                raise
            raise Excluded(f"the masker raised {type(crash.__cause__).__name__} {what}") from None

    def _under(self, conversation: Conversation, policy: Policy, case: Case) -> Variant:
        masker = self._variant(policy)
        expected = self.reference(conversation, policy, case=case)
        request = self.request(conversation, policy, case=case)
        answer = self._related(masker, request, "under another policy than its own")
        return Variant(policy=policy, expected=expected, answer=answer, tokenizer=self.pair.tokenizer)

    def _variant(self, policy: Policy) -> Masker:
        """The masker with that policy; one for all conversations, since an adapter may have much to prepare."""
        if policy == self.masker.policy:
            return self.masker
        if not hasattr(self.masker, "with_policy"):
            raise Excluded("the masker has no `with_policy` method, so only its declared policy is judged")
        if policy not in self._variants:
            other = self.masker.with_policy
            self._variants[policy] = self._call(lambda: other(policy), "with_policy")
        return self._variants[policy]

    def _other(self, conversation: Conversation, case: Case) -> Variant:
        policy = self.masker.policy
        if not policy.flags:
            conversation = self._flagless(conversation)
        expected = self.reference(conversation, policy, case=case)
        answer = self._related(self.masker, self.request(conversation, policy, case=case))
        return Variant(policy=policy, expected=expected, answer=answer, tokenizer=self.pair.tokenizer)

    def _sibling(self, conversation: Conversation, case: Case) -> Variant:
        pair = self._sibling_pair
        if pair is None:
            raise Excluded("the vocabulary has only one tokenizer here, slow or fast")
        try:
            tokenizer = pair.tokenizer
        except (CorpusError, TokenizerError) as error:
            raise Excluded(f"the other tokenizer cannot be loaded: {_first_line(error)}") from None
        policy = self.masker.policy
        variables = self._variables(case)
        expected = self._reference(pair, conversation, policy, variables)
        request = self._request(pair, conversation.to_dicts(), conversation, policy, variables)
        return Variant(
            policy=policy, expected=expected, answer=self._related(self.masker, request), tokenizer=tokenizer
        )

    def _invalid(self, messages: Sequence[Any], case: Case) -> Labelled | BaseException:
        request = self._request(self.pair, deepcopy(list(messages)), None, self.masker.policy, self._variables(case))
        return self._attempt(lambda: self.answer(self.masker, request))

    def _abilities(self, conversation: Conversation, case: Case) -> Abilities:
        masker: Any = self.masker
        policy = masker.policy
        sides = frozenset(getattr(masker, "truncation", ()))
        if not sides <= set(TRUNCATION_SIDES):
            raise Crash from AdapterError(f"`truncation` holds {sorted(sides)}; it may hold 'right' and 'left'")

        def truncate(max_length: int, side: str) -> Answer | BaseException:
            request = self.request(conversation, policy, case=case, max_length=max_length, truncation_side=side)
            return self._attempt(lambda: self.answer(masker, request))

        def batch(
            conversations: Sequence[Conversation], limit: tuple[int, str] | None
        ) -> Sequence[Answer] | BaseException:
            more = {} if limit is None else {"max_length": limit[0], "truncation_side": limit[1]}
            requests = [self.request(item, policy, case=case, **more) for item in conversations]
            return self._attempt(lambda: self._rows("mask_batch", lambda: masker.mask_batch(requests), Labelled))

        def collate(samples: Sequence[Answer], padding: int, side: str) -> Sequence[Collated] | BaseException:
            labelled = [Labelled(sample.input_ids, sample.labels) for sample in samples]
            padded = Padding(padding, side)
            return self._attempt(lambda: self._rows("collate", lambda: masker.collate(labelled, padded), Collated))

        def pack(samples: Sequence[Answer], max_length: int) -> Sequence[Packed] | BaseException:
            labelled = [Labelled(sample.input_ids, sample.labels) for sample in samples]
            return self._attempt(lambda: self._rows("pack", lambda: masker.pack(labelled, max_length), Packed))

        return Abilities(
            truncation=sides,
            truncate=truncate if sides else None,
            batch=batch if hasattr(masker, "mask_batch") else None,
            collate=collate if hasattr(masker, "collate") else None,
            pack=pack if hasattr(masker, "pack") else None,
            documented_errors=tuple(getattr(masker, "documented_errors", ())),
        )

    def _rows(self, method: str, function: Callable[[], Any], kind: type[_Result]) -> list[_Result]:
        """The rows that a method of the adapter returned, each of its kind."""
        rows = self._call(function, method)
        if not isinstance(rows, Sequence) or not all(isinstance(row, kind) for row in rows):
            raise Crash from AdapterError(f"{method}() must return a list of maskspec.{kind.__name__}")
        return list(rows)


_INPUTS = ("messages", "tools", "template_kwargs")


def _frozen(request: Request) -> bytes:
    """What a masker could change of a request, in a form that it cannot; much quicker than `deepcopy`."""
    return pickle.dumps([getattr(request, name) for name in _INPUTS])


def _mutated(request: Request, before: bytes) -> str | None:
    """The first part of a request that is no longer what it was."""
    try:
        if _frozen(request) == before:
            return None
    except Exception:  # noqa: BLE001  (a masker may have put anything there)
        pass
    # Equal data may have different bytes, where one object stands in two places.
    for name, was in zip(_INPUTS, pickle.loads(before), strict=True):
        try:
            equal = bool(getattr(request, name) == was)
        except Exception:  # noqa: BLE001  (as above)
            equal = False
        if not equal:
            return name
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
