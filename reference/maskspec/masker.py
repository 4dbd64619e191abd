"""The reference masker: the five steps of the specification, in order.

```
conversation ─► rendering ─► zones ─► verdicts ──────────┐
                   └─► tokens ─► character ranges ───────┴─► a verdict and label per token
```
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

from maskspec.alignment import Alignment, align
from maskspec.conversation import Conversation
from maskspec.errors import EmptyMaskError
from maskspec.hazards import Hazard, HazardKind, conversation_hazards
from maskspec.policy import Judgement, Policy, Verdict, judge
from maskspec.prompts import GenerationPrompts
from maskspec.rendering import Clock, ConversationRenderer, Limits, Rendering
from maskspec.segmentation import Segmentation, Zone, segment
from maskspec.tokens import Tokenizer
from maskspec.verdicts import IGNORE_INDEX, token_verdicts

__all__ = ["IGNORE_INDEX", "Mask", "Token", "Tokens", "mask"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a mask: characters `start` to `end` (half-open) of the text, and why it is trained or not."""

    index: int
    id: int
    text: str
    start: int
    end: int
    zone: Zone
    message: int | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Mask:
    """The labels of one conversation, with the evidence for each.

    `input_ids`, `labels`, `weights` and `tokens` have the same length n.
    `labels[k]` is `input_ids[k]` where token k is trained, else -100; tokens
    whose verdict is EITHER are -100. `weights[k]` is the factor for the loss
    at token k, 0.0 where it is ignored.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    weights: tuple[float, ...]
    text: str
    tokens: Tokens
    rendering: Rendering
    segmentation: Segmentation
    judgements: tuple[Judgement, ...]
    alignment: Alignment
    policy: Policy
    conversation: Conversation = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)

    @cached_property
    def hazards(self) -> tuple[Hazard, ...]:
        """What to be warned about though the mask is right; looked for when it is first asked for."""
        special_tokens = self.tokenizer.special_tokens
        empty: tuple[Hazard, ...] = ()
        if Verdict.TRAIN not in self.verdicts:
            empty = (Hazard(HazardKind.NOTHING_TRAINED, _why_empty(self.conversation, self.policy)),)
        return (
            *empty,
            *conversation_hazards(self.conversation, self.rendering, self.segmentation, self.policy, special_tokens),
            *_token_hazards(self.tokens, self.alignment, self.tokenizer, special_tokens.unk),
        )

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdict of every token, of length n."""
        return self.tokens.verdicts

    @property
    def trained_text(self) -> str:
        """The trained characters, one stretch after the other."""
        return "".join(part.text for part in self.tokens if part.verdict is Verdict.TRAIN)


class Tokens(Sequence[Token]):
    """The tokens of a mask; each record is made when it is asked for."""

    __slots__ = ("_alignment", "_ids", "_judgements", "_starts", "_straddling", "_text", "_verdicts")

    def __init__(
        self,
        text: str,
        ids: Sequence[int],
        alignment: Alignment,
        judgements: Sequence[Judgement],
        verdicts: tuple[Verdict, ...],
        straddling: tuple[int, ...],
    ) -> None:
        self._text = text
        self._ids = ids
        self._alignment = alignment
        self._judgements = judgements
        self._starts = [judgement.start for judgement in judgements]
        self._verdicts = verdicts
        self._straddling = straddling

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Sequence[int]:
        """The id of every token."""
        return self._ids

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdict of every token."""
        return self._verdicts

    @property
    def straddling(self) -> tuple[int, ...]:
        """The indices of the tokens with characters to train and characters to ignore."""
        return self._straddling

    @overload
    def __getitem__(self, index: int) -> Token: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Token, ...]: ...

    def __getitem__(self, index: int | slice) -> Token | tuple[Token, ...]:
        if isinstance(index, slice):
            return tuple(self._token(position) for position in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(f"token {index} of {len(self)}")
        return self._token(index % len(self))

    def __iter__(self) -> Iterator[Token]:
        return map(self._token, range(len(self)))

    def judgements_of(self, index: int) -> Sequence[Judgement]:
        """The judgements that hold characters of a token, in order; the one at its place for a phantom."""
        start, end = self._alignment.starts[index], self._alignment.ends[index]
        first = max(0, bisect_right(self._starts, start) - 1)
        last = max(first + 1, bisect_left(self._starts, end))
        return self._judgements[first:last]

    def _token(self, index: int) -> Token:
        start, end = self._alignment.starts[index], self._alignment.ends[index]
        verdict = self._verdicts[index]
        parts = self.judgements_of(index)
        if not parts:
            return Token(index, self._ids[index], "", start, end, Zone.CONTEXT, None, verdict, "the text is empty")
        main = max(parts, key=lambda part: min(part.end, end) - max(part.start, start))
        if start == end:
            reason = "spells no character of the text"
        elif len({part.verdict for part in parts}) > 1:
            reason = "straddles " + " and ".join(f"{part.zone.value} ({part.verdict.value})" for part in parts)
        else:
            reason = main.reason
        return Token(
            index, self._ids[index], self._text[start:end], start, end, main.zone, main.message, verdict, reason
        )


def mask(
    conversation: Conversation | Any,
    *,
    template: str,
    tokenizer: Tokenizer | Any,
    policy: Policy = Policy(),
    tools: Sequence[Mapping[str, Any]] | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
    allow_empty: bool = False,
    limits: Limits = Limits(),
    clock: Clock | None = None,
) -> Mask:
    """Which tokens of a conversation carry loss, and why.

    `conversation` is a `Conversation`, a list of message dicts, or a record in
    the `messages` or `conversations` shape. `template` is Jinja source.
    `tokenizer` is any object that `maskspec.tokenizers.wrap` takes. `tools`
    and `template_kwargs` are passed to the template as `apply_chat_template`
    does.

    Raises `EmptyMaskError` when nothing would be trained, unless
    `allow_empty`; `AlignmentError` when the tokens do not spell the text; and
    the errors of `render`.
    """
    from maskspec.tokenizers import wrap

    conversation = Conversation.coerce(conversation)
    vocabulary = wrap(tokenizer)
    special_tokens = vocabulary.special_tokens
    renderer = ConversationRenderer(
        conversation,
        template=template,
        tools=tools,
        template_kwargs=template_kwargs,
        special_tokens=special_tokens.variables,
        limits=limits,
        clock=clock,
    )
    rendering = renderer.rendering()
    prompts = GenerationPrompts(renderer, template=template, text=rendering.text)
    segmentation = segment(
        rendering,
        roles=conversation.roles,
        generated=policy.generated,
        prompts=prompts,
        special_tokens=special_tokens,
    )
    judgements = judge(segmentation, rendering, conversation, policy)
    encoding = vocabulary.encode(rendering.text)
    alignment = align(rendering.text, encoding, vocabulary)
    ids = tuple(encoding.ids)
    decided = token_verdicts(ids, alignment, judgements, policy)
    if Verdict.TRAIN not in decided.verdicts and not allow_empty:
        raise EmptyMaskError(f"{_why_empty(conversation, policy)}, or pass allow_empty=True")
    return Mask(
        input_ids=ids,
        labels=decided.labels,
        weights=decided.weights,
        text=rendering.text,
        tokens=Tokens(rendering.text, ids, alignment, judgements, decided.verdicts, decided.straddling),
        rendering=rendering,
        segmentation=segmentation,
        judgements=judgements,
        alignment=alignment,
        policy=policy,
        conversation=conversation,
        tokenizer=vocabulary,
    )


def _why_empty(conversation: Conversation, policy: Policy) -> str:
    selected = policy.selected(conversation)
    if selected:
        return (
            f"the policy selects messages {sorted(selected)}, but the template prints nothing of them to train; "
            "render the conversation to see what it prints"
        )
    roles = ", ".join(dict.fromkeys(conversation.roles))
    return (
        f"no message is selected: the policy trains {', '.join(sorted(policy.roles))} and the conversation has "
        f"{roles}; change Policy(roles=…) or the messages' flags"
    )


def _token_hazards(tokens: Tokens, alignment: Alignment, tokenizer: Tokenizer, unknown: str | None) -> Iterator[Hazard]:
    for index in tokens.straddling:
        token = tokens[index]
        yield Hazard(HazardKind.STRADDLING, f"token {token.text!r} {token.reason}", token.message, index)
    for index in alignment.phantoms:
        token = tokens[index]
        detail = f"token {tokenizer.token(token.id)!r} (id {token.id}) spells no character of the text"
        yield Hazard(HazardKind.PHANTOM, detail, token.message, index)
    if unknown is not None:
        for index in _unknown_tokens(tokens, tokenizer, unknown):
            token = tokens[index]
            detail = f"{token.text!r} is trained as the unknown token {unknown!r}"
            yield Hazard(HazardKind.UNKNOWN_TOKEN, detail, token.message, index)


def _unknown_tokens(tokens: Tokens, tokenizer: Tokenizer, unknown: str) -> Iterator[int]:
    """Trained tokens that are the unknown token although the text does not say so."""
    unknown_ids = [token_id for token_id in set(tokens.ids) if tokenizer.token(token_id) == unknown]
    for unknown_id in unknown_ids:
        for index, token_id in enumerate(tokens.ids):
            if token_id == unknown_id and tokens.verdicts[index] is Verdict.TRAIN and tokens[index].text != unknown:
                yield index
