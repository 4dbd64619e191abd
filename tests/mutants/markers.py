"""Maskers that scan for the markers around an answer: one that opens it, and one that opens the next question.

No such masker can tell a marker that the template printed from one that a message
quotes. The right one declines conversations that quote them, and so do the wrong ones,
so that each shows its own defect and not that of the method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from maskspec import Labelled, Policy, Request, Unsupported
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import (
    IGNORE,
    PLAIN,
    Encoded,
    check_messages,
    encode,
    occurrences,
    refuse_markers,
    render,
    stop_ids,
)

__all__ = ["MARKERS", "MUTANTS", "MarkerMasker", "Markers"]


@dataclass(frozen=True, slots=True)
class Markers:
    """What opens a question and what opens an answer, as a user of such a masker configures it."""

    question: str
    answer: str


MARKERS: Mapping[str, Markers] = {
    "alpaca": Markers("### Instruction:\n", "### Response:\n"),
    "chatml": Markers("<|im_start|>user\n", "<|im_start|>assistant\n"),
    "glm": Markers("<|user|>", "<|assistant|>"),
    "deepseek": Markers("<｜User｜>", "<｜Assistant｜>"),
    "mistral-v3": Markers("[INST]", "[/INST]"),
    "phi-3": Markers("<|user|>\n", "<|assistant|>\n"),
    "vicuna": Markers("USER:", "ASSISTANT:"),
    "zephyr": Markers("<|user|>\n", "<|assistant|>\n"),
}
"""By the template's name."""

WITH_CALLS = ("role", "content", "tool_calls")
"""The parts of messages with tools."""


@dataclass(frozen=True)
class MarkerMasker:
    """The right one: behind each answer marker in the text, up to and including the next stop token.

    Where one answer follows another without a stop, the next marker ends the first.
    """

    name: str = "markers"
    policy: Policy = PLAIN
    markers: Mapping[str, Markers] = field(default_factory=lambda: MARKERS)
    keys: tuple[str, ...] = ("role", "content")

    def mask(self, request: Request) -> Labelled:
        """Scan for markers, label from each to the end of its answer."""
        check_messages(request.messages, keys=self.keys)
        if request.template_kwargs:
            raise Unsupported("template variables, which may change what opens an answer")
        if any(message["role"] in ("system", "developer") for message in request.messages[2:]):
            raise Unsupported("a message in the middle whose marker nobody configured")
        known = self.configured(request)
        refuse_markers(request, (known.question, known.answer, *request.stops))
        text = render(request)
        encoded = encode(request, text)
        labels = [IGNORE] * len(encoded.ids)
        for start in self.starts(request, text, encoded):
            end = self.end(request, encoded.ids, start)
            labels[start:end] = encoded.ids[start:end]
        return Labelled(encoded.ids, labels)

    def configured(self, request: Request) -> Markers:
        """The markers of the request's template."""
        template = request.pair.partition("+")[0].removesuffix(".generation")
        if template not in self.markers:
            raise Unsupported("a template whose markers nobody configured")
        return self.markers[template]

    def starts(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        """The index of the first token behind each answer marker."""
        marker = self.configured(request).answer
        if encoded.offsets is None:
            raise Unsupported("a slow tokenizer, which has no offsets")
        found, at = [], text.find(marker)
        while at >= 0:
            behind = at + len(marker)
            found.append(next((k for k, (first, _) in enumerate(encoded.offsets) if first >= behind), len(encoded.ids)))
            at = text.find(marker, behind)
        return found

    def end(self, request: Request, ids: list[int], start: int) -> int:
        """The index behind the last token of the answer that starts at `start`."""
        stops, marker = stop_ids(request), encode(request, self.configured(request).answer).ids
        following = min(occurrences(marker, ids, start=start), default=len(ids))
        return next((index + 1 for index in range(start, following) if ids[index] in stops), following)


@dataclass(frozen=True)
class MarkerEncodedAlone(MarkerMasker):
    """The marker is encoded by itself, and its ids are searched in those of the conversation.

    trl#598 and #622: next to other text the marker has other ids, is not found, and the
    whole conversation is ignored. To be caught by TOTAL-3 and SPAN-5.
    """

    name: str = "marker-encoded-alone"

    def starts(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        marker = encode(request, self.configured(request).answer).ids
        return [at + len(marker) for at in occurrences(marker, encoded.ids)]


@dataclass(frozen=True)
class MarkerSearchedInLabels(MarkerMasker):
    """The marker is searched in labels in which padding is ignored already, by its id.

    trl#1191: the configured marker begins with the stop of the turn before, which is the
    padding token too. In the labels it is -100, and nothing matches. To be caught by
    TOTAL-3 and SPAN-5.
    """

    name: str = "marker-searched-in-labels"

    def starts(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        padding = request.tokenizer.pad_token_id
        labels = [IGNORE if identifier == padding else identifier for identifier in encoded.ids]
        marker = encode(request, request.stops[0] + "\n" + self.configured(request).answer).ids
        return [at + len(marker) for at in occurrences(marker, labels)]


@dataclass(frozen=True)
class MarkerLearntTooLate(MarkerMasker):
    """A marker that is not found is looked up in the conversation and remembered, for the next call.

    trl#980: the marker's ids in context were not those of the marker alone. The first
    call ignored everything, and the second behaved differently. To be caught by RENDER-4.
    """

    name: str = "marker-learnt-too-late"
    known: list[list[int]] = field(default_factory=list)

    def starts(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        if not self.known:
            self.known.append(encode(request, self.configured(request).answer).ids)
        found = [at + len(ids) for ids in self.known for at in occurrences(ids, encoded.ids)]
        if not found:
            for start in super().starts(request, text, encoded):
                self.known.append(encoded.ids[max(0, start - 3) : start])
        return sorted(set(found))


@dataclass(frozen=True)
class CoreOfTheMarker(MarkerMasker):
    """The marker's ids are what its encodings in several surroundings have in common, and more than one id.

    The right one takes any number of ids.
    """

    name: str = "core-of-the-marker"
    fewest: int = 1

    def starts(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        marker = self.configured(request).answer
        core = self.core([encode(request, before + marker + behind).ids for before, behind in _SURROUNDINGS])
        return [self.behind(request, text, encoded, at + len(core)) for at in occurrences(core, encoded.ids)]

    def core(self, encodings: list[list[int]]) -> list[int]:
        """The longest run of ids that all encodings hold."""
        shortest = min(encodings, key=len)
        for width in range(len(shortest), self.fewest - 1, -1):
            for at in range(len(shortest) - width + 1):
                run = shortest[at : at + width]
                if all(occurrences(run, ids) for ids in encodings):
                    return run
        return [0]

    def behind(self, request: Request, text: str, encoded: Encoded, at: int) -> int:
        """From a hit of the core to the first token behind the whole marker."""
        assert encoded.offsets is not None
        marker = self.configured(request).answer
        reached = encoded.offsets[at - 1][1]
        whole = text.find(marker, max(0, reached - len(marker))) + len(marker)
        return next((k for k, (first, _) in enumerate(encoded.offsets) if first >= whole), len(encoded.ids))


_SURROUNDINGS = (("", ""), ("\n", "\n"), (" ", " "), ("\n\n", "x"), ("x", " x"))


@dataclass(frozen=True)
class CoreLosesOneTokenMarkers(CoreOfTheMarker):
    """The common ids of a marker are searched down to two of them, and never one.

    unsloth#1262 and #1290: a marker that is a single token has no core then, the search
    looks for a filler id, and everything is ignored but what happens to follow that id. To be caught by TOTAL-3 and SPAN-5.
    """

    name: str = "core-of-a-one-token-marker-lost"
    fewest: int = 2


@dataclass(frozen=True)
class MarkerEdgesDropped(MarkerMasker):
    """The outer ids of a marker are dropped, since neighbours may merge with them; what is left is searched.

    unsloth-zoo#14: what made one family's markers match left others with the end of the
    marker inside the answer. One-token markers work, longer ones do not. To be caught by
    OPEN-1.
    """

    name: str = "marker-edges-dropped"

    def starts(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        marker = encode(request, self.configured(request).answer).ids
        core = marker[1:-1] or marker[:1]
        return [at + len(core) for at in occurrences(core, encoded.ids)]


@dataclass(frozen=True)
class UpToTheNextQuestion(MarkerMasker):
    """An answer goes on until the next question's marker, or to the end.

    unsloth-zoo#1270: tool results and whatever else stands before the next question are
    trained. To be caught by ROLE-1 and ROLE-2.
    """

    name: str = "answer-runs-to-the-next-question"
    keys: tuple[str, ...] = WITH_CALLS

    def end(self, request: Request, ids: list[int], start: int) -> int:
        marker = encode(request, self.configured(request).question).ids
        return min(occurrences(marker, ids, start=start), default=len(ids))


MUTANTS = (
    Mutant(
        name="marker-encoded-alone",
        rows=(10,),
        summary="The answer marker is encoded alone and not found among the ids of the conversation.",
        expected=("TOTAL-3", "SPAN-5"),
        allowed=("SPAN", "STOP", "META", "OPEN-1", "TOKEN-2"),
        masker=MarkerEncodedAlone,
        control=MarkerMasker,
        pairs=("vicuna+sentencepiece-bpe", "alpaca+sentencepiece-unigram"),
    ),
    Mutant(
        name="marker-searched-in-labels",
        rows=(12,),
        summary="The answer marker holds the padding token and is searched where padding is -100 already.",
        expected=("TOTAL-3", "SPAN-5"),
        allowed=("SPAN", "STOP"),
        masker=MarkerSearchedInLabels,
        control=MarkerMasker,
        pairs=("zephyr+bytelevel-gpt2", "zephyr+tiktoken"),
    ),
    Mutant(
        name="marker-learnt-too-late",
        rows=(19,),
        summary="What the marker looks like in context is learnt from a conversation that was ignored for it.",
        expected=("RENDER-4",),
        allowed=("SPAN", "STOP", "META", "INJECT-3", "TOTAL-3", "OPEN-1"),
        masker=MarkerLearntTooLate,
        control=MarkerMasker,
        pairs=("alpaca+bytelevel-gpt2", "chatml+bytelevel-gpt2"),
    ),
    Mutant(
        name="core-of-a-one-token-marker-lost",
        rows=(27,),
        summary="A marker of one token has no core of at least two, and is never found.",
        expected=("TOTAL-3", "SPAN-5"),
        allowed=("SPAN", "STOP", "OPEN", "ROLE", "META"),
        masker=CoreLosesOneTokenMarkers,
        control=CoreOfTheMarker,
        pairs=("deepseek+bytelevel-gpt2", "mistral-v3+bytelevel-gpt2"),
    ),
    Mutant(
        name="marker-edges-dropped",
        rows=(28,),
        summary="The outer ids of a marker are dropped, which helps one family and breaks the others.",
        expected=("OPEN-1",),
        allowed=("SPAN", "ROLE", "STOP", "OPEN", "META", "INJECT"),
        masker=MarkerEdgesDropped,
        control=MarkerMasker,
        pairs=("chatml+bytelevel-gpt2", "alpaca+bytelevel-gpt2", "mistral-v3+bytelevel-gpt2"),
    ),
    Mutant(
        name="answer-runs-to-the-next-question",
        rows=(29,),
        summary="The span of an answer ends at the next question's marker, so tool results are trained.",
        expected=("ROLE-1", "ROLE-2"),
        allowed=("STOP", "OPEN", "META", "TOTAL-3"),
        masker=UpToTheNextQuestion,
        control=lambda: MarkerMasker(keys=WITH_CALLS),
        pairs=("glm+bytelevel-gpt2", "glm+tiktoken"),
    ),
)
