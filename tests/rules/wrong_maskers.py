"""Small wrong maskers: the reference's answer with one defect each, as real maskers have had them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from maskspec.conformance import Labelled, Request
from maskspec.errors import ConversationError
from maskspec.masker import Mask, mask
from maskspec.policy import Policy, Stops, Turns, Verdict
from maskspec.segmentation import Zone
from maskspec.tokenizers import wrap

IGNORE = -100


def reference(request: Request, policy: Policy) -> Mask:
    messages = request.messages
    if not policy.flags:
        messages = [{key: item for key, item in message.items() if key != "spans"} for message in messages]
    return mask(
        messages,
        template=request.template,
        tokenizer=wrap(request.tokenizer, stops=request.stops),
        policy=policy,
        tools=request.tools,
        template_kwargs=request.template_kwargs,
        allow_empty=True,
    )


Defect = Callable[[Request, Mask, list[int], list[int]], tuple[Sequence[int], Sequence[int]]]


@dataclass
class Wrong:
    """The reference with a defect: a function from its ids and labels to wrong ones."""

    name: str
    defect: Defect
    policy: Policy = field(default_factory=Policy)
    reads: Policy | None = None

    def mask(self, request: Request) -> Labelled:
        answer = reference(request, self.reads if self.reads is not None else self.policy)
        return Labelled(*self.defect(request, answer, list(answer.input_ids), list(answer.labels)))


@dataclass
class Adaptable(Wrong):
    """A wrong masker that follows other policies too."""

    def with_policy(self, policy: Policy) -> Adaptable:
        return replace(self, policy=policy)


def unchanged(request, answer, ids, labels):
    return ids, labels


def relabel(chosen: Callable[[Request, Mask, int], bool], *, train: bool) -> Defect:
    def defect(request, answer, ids, labels):
        for index in range(len(ids)):
            if chosen(request, answer, index):
                labels[index] = ids[index] if train else IGNORE
        return ids, labels

    return defect


def role_of(request: Request, answer: Mask, index: int) -> str | None:
    message = answer.tokens[index].message
    return None if message is None else request.messages[message]["role"]


def zone_of(answer: Mask, index: int) -> Zone:
    return answer.tokens[index].zone


def in_zone(zone: Zone, *roles: str) -> Callable[[Request, Mask, int], bool]:
    return lambda request, answer, index: (
        zone_of(answer, index) is zone and role_of(request, answer, index) in (roles or ("assistant",))
    )


def everything(request, answer, ids, labels):
    return ids, list(ids)


def nothing(request, answer, ids, labels):
    return ids, [IGNORE] * len(ids)


def shifted(request, answer, ids, labels):
    return ids, [*labels[1:], IGNORE]


def one_label_short(request, answer, ids, labels):
    return ids, labels[:-1]


def zero_as_ignore_index(request, answer, ids, labels):
    return ids, [0 if label == IGNORE else label for label in labels]


def minus_one_as_ignore_index(request, answer, ids, labels):
    return ids, [-1 if label == IGNORE else label for label in labels]


def another_label_for_stops(request, answer, ids, labels):
    # LLaMA-Factory's efficient_eos: the label at the end is not the id at that place.
    return ids, [
        label if label == IGNORE or zone_of(answer, index) is not Zone.STOP else label + 1
        for index, label in enumerate(labels)
    ]


def bos_doubled(request, answer, ids, labels):
    return [ids[0], *ids], [IGNORE, *labels]


def bos_lost(request, answer, ids, labels):
    return ids[1:], labels[1:]


def end_appended(request, answer, ids, labels):
    last = next(k for k in reversed(range(len(ids))) if zone_of(answer, k) is Zone.STOP)
    return [*ids, ids[last]], [*labels, ids[last]]


def one_token_replaced(request, answer, ids, labels):
    first = next((k for k in range(len(ids)) if zone_of(answer, k) is Zone.CONTENT), 0)
    ids[first] = 100 if ids[first] != 100 else 101
    labels[first] = IGNORE if labels[first] == IGNORE else ids[first]
    return ids, labels


def one_id_outside_the_vocabulary(request, answer, ids, labels):
    return [10_000_000, *ids[1:]], labels


def messages_edited(request, answer, ids, labels):
    request.messages[0]["content"] = "edited"
    return ids, labels


class Forgetful:
    """The second call of a masker that remembers its first."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, request, answer, ids, labels):
        self.calls += 1
        return (ids, labels) if self.calls % 2 else nothing(request, answer, ids, labels)


def found_by_search(request, answer, ids, labels):
    """Marks the first place in the ids where each answer's own encoding occurs."""
    labels = [IGNORE] * len(ids)
    for message in request.messages:
        if message["role"] == "assistant" and isinstance(message["content"], str):
            wanted = request.tokenizer(message["content"], add_special_tokens=False)["input_ids"]
            for start in range(len(ids) - len(wanted) + 1):
                if ids[start : start + len(wanted)] == wanted:
                    end = min(len(ids), start + len(wanted) + 1)
                    labels[start:end] = ids[start:end]
                    break
    return ids, labels


def first_content_token_lost(request, answer, ids, labels):
    seen = set()
    for index, token in enumerate(answer.tokens):
        if token.zone is Zone.CONTENT and token.message not in seen and labels[index] != IGNORE:
            seen.add(token.message)
            labels[index] = IGNORE
    return ids, labels


def _relabel_between(answer: Mask, ids: list[int], labels: list[int], start: int, end: int, *, train: bool) -> None:
    for token in answer.tokens:
        if start <= token.start and token.end <= end and token.start < token.end:
            labels[token.index] = ids[token.index] if train else IGNORE


def first_occurrence_of_the_answer(request, answer, ids, labels):
    """Looks for the text of each answer from the beginning of the conversation on, and trains what it finds there."""
    begins: dict[int, tuple[int, int]] = {}
    for part in answer.judgements:
        if part.zone is Zone.CONTENT and part.message is not None and part.verdict is Verdict.TRAIN:
            first, _ = begins.get(part.message, (part.start, part.end))
            begins[part.message] = (first, part.end)
    for start, end in begins.values():
        found = answer.text.find(answer.text[start:end])
        if found != start:
            _relabel_between(answer, ids, labels, start, end, train=False)
            _relabel_between(answer, ids, labels, found, found + end - start, train=True)
    return ids, labels


def scanned_for_markers(opening: str, stop: str) -> Defect:
    """unsloth-zoo#1270: whatever stands between the marker of an answer and the next stop is an answer."""

    def defect(request, answer, ids, labels):
        position = answer.text.find(opening)
        while position >= 0:
            start = position + len(opening)
            end = answer.text.find(stop, start) + len(stop)
            sources = {part.message for part in answer.judgements if part.start <= start < part.end}
            roles = {request.messages[index]["role"] for index in sources if index is not None}
            if roles == {"user"}:
                _relabel_between(answer, ids, labels, start, end, train=True)
            position = answer.text.find(opening, start)
        return ids, labels

    return defect


def ends_at_the_first_stop(stop: str) -> Defect:
    """ms-swift#4732: a terminator in the middle of an answer is taken for its end, and the rest for context."""

    def defect(request, answer, ids, labels):
        for part in answer.judgements:
            inside = answer.text.find(stop, part.start, part.end) if part.zone is Zone.CONTENT else -1
            if inside >= 0:
                _relabel_between(answer, ids, labels, inside, part.end, train=False)
        return ids, labels

    return defect


def response_template_encoded_alone(template: str) -> Defect:
    """trl#598: the ids of the response template by itself are looked for, and in context it has others."""

    def defect(request, answer, ids, labels):
        wanted = request.tokenizer(template, add_special_tokens=False)["input_ids"]
        found = any(ids[k : k + len(wanted)] == wanted for k in range(len(ids)))
        return (ids, labels) if found else nothing(request, answer, ids, labels)

    return defect


@dataclass
class LengthOfTheBatch(Wrong):
    """transformers#34494: the length of the longest row stands in for that of each, and shorter rows lose labels."""

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        rows = [self.mask(request) for request in requests]
        width = max(len(row.labels) for row in rows)
        return [
            Labelled(
                row.input_ids,
                [*row.labels[: 2 * len(row.labels) - width], *[IGNORE] * len(row.labels)][: len(row.labels)],
            )
            if len(row.labels) < width
            else row
            for row in rows
        ]


@dataclass
class BatchIsPaddedAndThenCut(Wrong):
    """Rows are padded on the left to one width and then cut on the right, so that the padding takes the room."""

    truncation: tuple[str, ...] = ("right",)

    def mask(self, request: Request) -> Labelled:
        row = super().mask(request)
        return Labelled(row.input_ids[: request.max_length], row.labels[: request.max_length])

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        rows = [super(BatchIsPaddedAndThenCut, self).mask(request) for request in requests]
        width = max(len(row.input_ids) for row in rows)
        left = [
            len(row.input_ids) if request.max_length is None else request.max_length - (width - len(row.input_ids))
            for row, request in zip(rows, requests, strict=True)
        ]
        return [
            Labelled(row.input_ids[: max(0, length)], row.labels[: max(0, length)])
            for row, length in zip(rows, left, strict=True)
        ]


@dataclass
class DropsFromTheBatch(Wrong):
    """prime-rl#2470: conversations of several rounds are left out in silence."""

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        return [self.mask(request) for request in requests if len(request.messages) <= 2]


@dataclass
class FailsOnBatches(Wrong):
    """A batch is put into one array, which only works for rows of one length."""

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        rows = [self.mask(request) for request in requests]
        if len({len(row.input_ids) for row in rows}) > 1:
            raise ValueError("all rows of an array must have the same length")
        return rows


@dataclass
class RefusesSeveralRounds(Wrong):
    """open-instruct#1800: the beginning of the text is not found again in the whole, so the sample is rejected."""

    def mask(self, request: Request) -> Labelled:
        if len(request.messages) > 2:
            raise ValueError("the prefix does not match\nthe conversation")
        return Wrong.mask(self, request)


@dataclass
class SkipsWhatItDoesNotKnow(Wrong):
    """Messages without a known role are left out, other contents are turned into text: nothing is ever refused."""

    def mask(self, request: Request) -> Labelled:
        kept = [
            {**message, "content": message["content"] if isinstance(message["content"], (str, list)) else "7919"}
            for message in request.messages
            if isinstance(message, dict) and message.get("role") in ("user", "assistant")
        ]
        return Wrong.mask(self, replace(request, messages=kept))


@dataclass
class DocumentedOtherwise(Wrong):
    """Promises one error and raises another, or one that does not say what it is about."""

    raises: BaseException = field(default_factory=lambda: KeyError("role"))
    documented_errors: tuple[type[BaseException], ...] = (ConversationError,)

    def mask(self, request: Request) -> Labelled:
        try:
            return Wrong.mask(self, request)
        except ConversationError as error:
            raise self.raises from error


LAST_TURN = Policy(turns=Turns.LAST)
NO_FLAGS = Policy(flags=False)
ALL_STOPS = Policy(stop=Stops.ALL)
SCAFFOLD_IGNORED = Policy(scaffold=Verdict.IGNORE)
