"""Small wrong maskers: the reference's answer with one defect each, as real maskers have had them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from maskspec.conformance import Labelled, Request
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


@dataclass
class PadIsStop(Wrong):
    """A collator that ignores padding by its id, so that with pad == eos the real stop goes too."""

    def collate(self, samples: Sequence[Labelled], pad_token_id: int) -> list[Labelled]:
        width = max(len(sample.input_ids) for sample in samples)
        rows = []
        for sample in samples:
            missing = width - len(sample.input_ids)
            ids = [*sample.input_ids, *[pad_token_id] * missing]
            labels = [*sample.labels, *[IGNORE] * missing]
            rows.append(
                Labelled(
                    ids,
                    [IGNORE if i == pad_token_id else label for i, label in zip(ids, labels, strict=True)],
                )
            )
        return rows


LAST_TURN = Policy(turns=Turns.LAST)
NO_FLAGS = Policy(flags=False)
ALL_STOPS = Policy(stop=Stops.ALL)
SCAFFOLD_IGNORED = Policy(scaffold=Verdict.IGNORE)
