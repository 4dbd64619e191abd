"""Maskers that write a conversation message by message, from a table of formats, and never render a template.

Each message becomes ids and labels of its own, and the pieces are joined. That is right
where pieces meet at special tokens and the table says what the template says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from maskspec import Labelled, Policy, Request, Unsupported
from maskspec.policy import Stops, Turns
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import (
    IGNORE,
    PLAIN,
    Encoded,
    TurnMasker,
    check_messages,
    encode,
    label_spans,
    render,
    selected,
    token_id,
)

__all__ = ["FORMATS", "MUTANTS", "Format", "FormatMasker"]


@dataclass(frozen=True, slots=True)
class Format:
    """How one family writes messages: `before` by role, the text, `stop`, and `tail` in front of what follows."""

    before: Mapping[str, str]
    stop: str
    tail: str = ""
    start: str = ""
    trims: bool = False
    stop_is_eos: bool = False


FORMATS: Mapping[str, Format] = {
    "chatml": Format(
        {role: f"<|im_start|>{role}\n" for role in ("system", "user", "assistant", "tool")}, "<|im_end|>", "\n"
    ),
    "llama-3": Format(
        {role: f"<|start_header_id|>{role}<|end_header_id|>\n\n" for role in ("system", "user", "assistant")},
        "<|eot_id|>",
        start="<|begin_of_text|>",
        trims=True,
    ),
    "zephyr": Format(
        {role: f"<|{role}|>\n" for role in ("system", "user", "assistant")}, "</s>", "\n", stop_is_eos=True
    ),
    "gemma": Format(
        {"user": "<start_of_turn>user\n", "assistant": "<start_of_turn>model\n"},
        "<end_of_turn>",
        "\n",
        start="<bos>",
        trims=True,
    ),
}
"""By the template's name."""


@dataclass(frozen=True)
class FormatMasker:
    """The right one: text and stop of each selected message are labelled, its header is not."""

    name: str = "formats"
    policy: Policy = PLAIN
    formats: Mapping[str, Format] = field(default_factory=lambda: FORMATS)

    def mask(self, request: Request) -> Labelled:
        """Encode and label message by message, then join."""
        check_messages(request.messages)
        template = request.pair.partition("+")[0]
        if template not in self.formats:
            raise Unsupported("a template that is not in the table of formats")
        style = self.formats[template]
        chosen = selected(request.messages, self.policy)
        ids = encode(request, style.start).ids if style.start else []
        pieces: list[tuple[int, list[int]]] = []
        position = len(ids)
        for index, message in enumerate(request.messages):
            if message["role"] not in style.before:
                raise Unsupported(f"the role {message['role']}")
            text = message["content"].strip() if style.trims else message["content"]
            before = (style.tail if index else "") + style.before[message["role"]]
            encoded = encode(request, before + text + style.stop)
            trained = label_spans(encoded, [(len(before), len(before + text + style.stop))])
            ids += encoded.ids
            labels = self.labels(request, style, message["role"], encoded.ids, trained, selected=index in chosen)
            pieces.append((position, labels))
            position += self.counted(request, style, encoded.ids)
        ids += encode(request, style.tail).ids if style.tail else []
        return Labelled(ids, self.joined(ids, pieces))

    def counted(self, request: Request, style: Format, ids: list[int]) -> int:
        """How many tokens a message takes in the conversation."""
        return len(ids)

    def joined(self, ids: list[int], pieces: Sequence[tuple[int, list[int]]]) -> list[int]:
        """The labels of the conversation, by the place of each message and its own labels."""
        labels = [IGNORE] * len(ids)
        for position, own in pieces:
            for index, label in enumerate(own, start=position):
                if label != IGNORE and index < len(ids):
                    labels[index] = label
        return labels

    def with_policy(self, policy: Policy) -> FormatMasker:
        """The same for other roles and turns."""
        if policy.stop is not Stops.TURN:
            raise Unsupported("another choice of stops than that of every turn")
        return replace(self, policy=policy)

    def labels(
        self, request: Request, style: Format, role: str, ids: list[int], trained: list[int], *, selected: bool
    ) -> list[int]:
        """The labels of one message; `trained` are those of its text and stop."""
        return trained if selected else [IGNORE] * len(ids)


@dataclass(frozen=True)
class StopsOfHistory(FormatMasker):
    """Only the last answer is trained, and the stop of every answer.

    LLaMA-Factory#10827: the option that leaves out history replaced the text of earlier
    answers and not the stop behind it. To be caught by STOP-3 and SELECT-2.
    """

    name: str = "stops-of-history-trained"
    policy: Policy = Policy(flags=False, turns=Turns.LAST)

    def labels(
        self, request: Request, style: Format, role: str, ids: list[int], trained: list[int], *, selected: bool
    ) -> list[int]:
        if selected or role != "assistant":
            return super().labels(request, style, role, ids, trained, selected=selected)
        return [IGNORE] * (len(ids) - 1) + [ids[-1]]


@dataclass(frozen=True)
class StopFirstInLabels(FormatMasker):
    """The stop of an answer is the label of the first token of the question after it, and of the first question too.

    LLaMA-Factory#5474: meant for templates that print no stop; the first message has no
    answer before it and got the label all the same. To be caught by LABEL-2.
    """

    name: str = "stop-first-in-labels"

    def labels(
        self, request: Request, style: Format, role: str, ids: list[int], trained: list[int], *, selected: bool
    ) -> list[int]:
        if selected:
            return [*trained[:-1], IGNORE]
        return [token_id(request, style.stop), *[IGNORE] * (len(ids) - 1)]


@dataclass(frozen=True)
class TailCountedTwice(FormatMasker):
    """Each message is counted with what follows its stop, which the next message is counted with, too.

    Every turn lies one tail further behind its place than the one before, until it covers
    what the next speaker says. To be caught by ROLE-1 and ROLE-3.
    """

    name: str = "tail-counted-twice"

    def counted(self, request: Request, style: Format, ids: list[int]) -> int:
        return len(ids) + len(encode(request, style.tail).ids)

    def joined(self, ids: list[int], pieces: Sequence[tuple[int, list[int]]]) -> list[int]:
        moved = super().joined(ids, pieces)
        return [IGNORE if label == IGNORE else identifier for identifier, label in zip(ids, moved, strict=True)]


@dataclass(frozen=True)
class InvalidMessagesRepaired(TurnMasker):
    """What is no message is left out, and what a message lacks is filled in.

    The run goes on, on data that nobody wrote. To be caught by TOTAL-2.
    """

    name: str = "invalid-messages-repaired"

    def mask(self, request: Request) -> Labelled:
        messages = [
            {**message, "role": str(message.get("role", "user")), "content": message.get("content")}
            for message in request.messages
            if isinstance(message, dict)
        ]
        for message in messages:
            if isinstance(message["content"], (int, float)):
                message["content"] = str(message["content"])
        return super().mask(replace(request, messages=messages))


@dataclass(frozen=True)
class EosAlwaysMasked(FormatMasker):
    """A stop that is the end-of-sequence token is appended to the ids as a token to ignore; other stops are trained.

    torchtune#949: end-of-turn tokens followed the mask of their message, end-of-sequence
    tokens never did. To be caught by STOP-1.
    """

    name: str = "end-of-sequence-always-masked"

    def labels(
        self, request: Request, style: Format, role: str, ids: list[int], trained: list[int], *, selected: bool
    ) -> list[int]:
        labels = super().labels(request, style, role, ids, trained, selected=selected)
        return [*labels[:-1], IGNORE] if style.stop_is_eos else labels


_ONE_WITHOUT_STOP = {**FORMATS, "zephyr": replace(FORMATS["zephyr"], stop="")}


@dataclass(frozen=True)
class OneFormatWithoutStop(FormatMasker):
    """The table of formats is right for all families but one, which has no stop.

    LLaMA-Factory#2516: nobody compared the table with the template. To be caught by
    RENDER-1 where the stop is missing from the ids.
    """

    name: str = "one-format-without-stop"
    formats: Mapping[str, Format] = field(default_factory=lambda: _ONE_WITHOUT_STOP)


_BUNDLED = """\
{%- for message in messages if message.role in ('system', 'user', 'assistant') %}
    {{- '<|' + message.role + '|>\n' + message.content + END + '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\n' }}
{%- endif %}"""


@dataclass(frozen=True)
class BundledTemplateMasker(TurnMasker):
    """The right one: renders a template that comes with the masker, instead of the model's."""

    name: str = "bundled-template"
    source: str = _BUNDLED.replace("END", "eos_token")

    def mask(self, request: Request) -> Labelled:
        return super().mask(replace(request, template=self.source))


@dataclass(frozen=True)
class BundledTemplateWithoutEos(BundledTemplateMasker):
    """The template that comes with the masker prints no end-of-sequence token.

    axolotl#2710: a copy of the model's template without its end. To be caught by RENDER-1.
    """

    name: str = "bundled-template-without-eos"
    source: str = _BUNDLED.replace("END", "''")


@dataclass(frozen=True)
class PromptAndCompletion:
    """The right one of prompt and completion: both are encoded, the stop is appended, the completion is trained."""

    name: str = "prompt-and-completion"
    policy: Policy = Policy(flags=False, turns=Turns.LAST)

    def mask(self, request: Request) -> Labelled:
        """Split the conversation before its last message, which has to be an answer."""
        check_messages(request.messages)
        if len(request.messages) < 2 or request.messages[-1]["role"] != "assistant":
            raise Unsupported("a conversation that does not end with a question and its answer")
        prompt = encode(request, render(request, request.messages[:-1], add_generation_prompt=True)).ids
        completion = encode(request, request.messages[-1]["content"].strip()).ids + self.end(request)
        return Labelled(prompt + completion, [IGNORE] * len(prompt) + completion)

    def end(self, request: Request) -> list[int]:
        """What is appended to a completion."""
        return [token_id(request, request.stops[0])]


@dataclass(frozen=True)
class CompletionWithoutEnd(PromptAndCompletion):
    """Prompt and completion are joined, and nothing is appended.

    trl#1623 and #3091: the model never saw the token that ends an answer. To be caught by
    RENDER-1.
    """

    name: str = "completion-without-end"

    def end(self, request: Request) -> list[int]:
        return []


@dataclass(frozen=True)
class LabelsMadeAnew(TurnMasker):
    """The list of labels is made inside the loop over the turns.

    axolotl#1761: each turn's labels replaced those of the turn before, so that only the
    last answer was trained. To be caught by SPAN-1 and SPAN-5.
    """

    name: str = "labels-made-anew-for-every-turn"

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        labels = [IGNORE] * len(encoded.ids)
        for span in self.spans(request, text):
            labels = label_spans(encoded, [span])
        return labels


MUTANTS = (
    Mutant(
        name="bundled-template-without-eos",
        rows=(7,),
        summary="A template that comes with the masker lacks the end-of-sequence token.",
        expected=("RENDER-1", "STOP-1"),
        allowed=("RENDER-3", "SPAN-5", "TOTAL-3"),
        masker=BundledTemplateWithoutEos,
        control=BundledTemplateMasker,
        pairs=("zephyr+bytelevel-gpt2",),
    ),
    Mutant(
        name="completion-without-end",
        rows=(13,),
        summary="Prompt and completion are joined and no stop is appended.",
        expected=("RENDER-1", "STOP-1"),
        allowed=("RENDER-3",),
        masker=CompletionWithoutEnd,
        control=PromptAndCompletion,
        pairs=("command-r+bytelevel-gpt2",),
    ),
    Mutant(
        name="stops-of-history-trained",
        rows=(24,),
        summary="Only the last answer is selected, and the stops of the earlier ones are trained as well.",
        expected=("STOP-3", "SELECT-2"),
        allowed=("STOP-4", "ROLE-3"),
        masker=StopsOfHistory,
        control=lambda: FormatMasker(policy=Policy(flags=False, turns=Turns.LAST)),
        pairs=("chatml+bytelevel-gpt2", "llama-3+tiktoken"),
    ),
    Mutant(
        name="stop-first-in-labels",
        rows=(25,),
        summary="The stop is the label of the first token of a question.",
        expected=("LABEL-2",),
        allowed=("STOP", "ROLE", "META", "SELECT-2"),
        masker=StopFirstInLabels,
        control=FormatMasker,
        pairs=("chatml+bytelevel-gpt2", "gemma+bytelevel-gpt2"),
    ),
    Mutant(
        name="one-format-without-stop",
        rows=(26,),
        summary="A table of formats lacks the stop of one family.",
        expected=("RENDER-1", "STOP-1"),
        allowed=("RENDER-3",),
        masker=OneFormatWithoutStop,
        control=FormatMasker,
        pairs=("zephyr+bytelevel-gpt2", "chatml+bytelevel-gpt2"),
    ),
    Mutant(
        name="end-of-sequence-always-masked",
        rows=(32,),
        summary="Stops that are the end-of-sequence token are always ignored.",
        expected=("STOP-1",),
        allowed=("SELECT-2",),
        masker=EosAlwaysMasked,
        control=FormatMasker,
        pairs=("zephyr+bytelevel-gpt2", "zephyr+tiktoken"),
    ),
    Mutant(
        name="labels-made-anew-for-every-turn",
        rows=(6,),
        summary="The list of labels is made inside the loop over the turns, so only the last turn's survive.",
        expected=("SPAN-1", "SPAN-5"),
        allowed=("STOP-1", "META-1"),
        masker=LabelsMadeAnew,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2", "llama-3+tiktoken"),
    ),
    Mutant(
        name="tail-counted-twice",
        summary="Messages are counted with the newline that the next one is counted with, so labels drift.",
        expected=("ROLE-1", "ROLE-3"),
        allowed=("SPAN", "ROLE", "STOP", "OPEN", "META", "INJECT", "SELECT-2"),
        masker=TailCountedTwice,
        control=FormatMasker,
        pairs=("chatml+bytelevel-gpt2", "zephyr+bytelevel-gpt2"),
    ),
    Mutant(
        name="invalid-messages-repaired",
        summary="Messages that are invalid are left out or completed, without a word.",
        expected=("TOTAL-2",),
        masker=InvalidMessagesRepaired,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2", "llama-3+tiktoken"),
    ),
)
