"""Asks an oracle and the reference, counts, and gives every difference its class."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from maskspec import Mask, mask
from maskspec.corpus import Pair
from maskspec.errors import TemplateError
from maskspec.policy import Policy, Verdict
from tests.oracles.asking import Asked
from tests.oracles.differences import Difference, Kind, compare
from tests.oracles.oracle import NotComparable, Oracle


def frozen_clock() -> datetime.datetime:
    """Some templates print the date."""
    return datetime.datetime(2025, 1, 1)


@dataclass(slots=True)
class Comparison:
    """What was found out about one pair."""

    conversations: int = 0
    tokens: int = 0
    agreed: int = 0
    open: int = 0
    equal: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    unexplained: list[Difference] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Everything but the unexplained differences, of which there must be none."""
        return {
            "conversations": self.conversations,
            "tokens": self.tokens,
            "agreed": self.agreed,
            "open": self.open,
            "same ids": self.equal,
            "excluded": dict(sorted(self.excluded.items())),
            "classes": dict(sorted(self.classes.items())),
        }


def examine(
    oracle: Oracle,
    pair: Pair,
    conversations: Iterable[Asked],
    policy: Policy = Policy(),
    *,
    enough: int | None = None,
) -> Comparison:
    """Ask oracle and reference the same conversations, all of them or until `enough` were compared.

    A token agrees where both train it or neither does. `open` counts those of
    them that the principle leaves open (EITHER) and neither trains.
    """
    found = Comparison()
    for conversation in conversations:
        if found.conversations == enough:
            break
        try:
            chosen = oracle.asked(pair, conversation)
            ours = _reference(pair, chosen, policy)
            theirs = oracle.answer(pair, chosen)
        except NotComparable as error:
            found.excluded[str(error)] += 1
            continue
        found.conversations += 1
        found.equal += tuple(theirs.ids) == ours.input_ids
        found.tokens += len(ours.input_ids)
        differing = 0
        for difference in compare(chosen, ours, theirs):
            name = class_of(oracle, difference)
            if difference.kind is not Kind.SPELLING:
                differing += len(difference.ours)
            if name is None:
                found.unexplained.append(difference)
            else:
                found.classes[name] += difference.size
        found.agreed += len(ours.input_ids) - differing
        found.open += sum(verdict is Verdict.EITHER for verdict in ours.verdicts)
    return found


def differences(oracle: Oracle, pair: Pair, conversation: Asked, policy: Policy = Policy()) -> tuple[Difference, ...]:
    """The differences on one conversation as it is, not cut down to what both can be asked."""
    ours = _reference(pair, conversation, policy)
    return tuple(compare(conversation, ours, oracle.answer(pair, conversation)))


def class_of(oracle: Oracle, difference: Difference) -> str | None:
    """The first class of the oracle that a difference falls into."""
    return next((each.name for each in oracle.classes if each.matches(difference)), None)


def _reference(pair: Pair, conversation: Asked, policy: Policy) -> Mask:
    messages, tools = conversation.fresh()
    try:
        return mask(
            messages,
            template=pair.template.source,
            tokenizer=pair.tokenizer,
            policy=policy,
            tools=tools,
            template_kwargs=pair.template_kwargs,
            allow_empty=True,
            clock=frozen_clock,
        )
    except TemplateError:
        raise NotComparable("the template refuses the conversation") from None
