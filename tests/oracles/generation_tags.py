"""Holds the reference against the `{% generation %}` tags that trl's authors placed by hand.

trl 1.16.0 ships 31 training templates. Their tags are an answer to the same
question that nobody here wrote, so every difference has to have a name and a
reason. `REASONS` has the names, `EXPECTED` says which template shows which.

    python -m tests.oracles.generation_tags     writes the table trl_generation_tags.md
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from maskspec.conversation import Conversation
from maskspec.corpus import Template, trl_templates
from maskspec.errors import TemplateError
from maskspec.policy import Judgement, Policy, Verdict, judge
from maskspec.prompts import GenerationPrompts
from maskspec.rendering import Clock, ConversationRenderer, Rendering
from maskspec.segmentation import Zone, segment
from maskspec.shapes import SHAPES
from maskspec.tokens import SpecialTokens

TABLE = Path(__file__).parent / "trl_generation_tags.md"
VERSION = "1.16.0"


class Difference(Enum):
    """Why a character is inside the tags and ignored by the principle, or the other way round."""

    TAIL = "tail"
    OPENING = "opening"
    OPENING_END = "end of the opening"
    PREFILL = "prefill"
    UNCONFIRMED_OPENING = "unconfirmed opening"
    END_OF_TEXT = "end of text"


REASONS: Mapping[Difference, str] = {
    Difference.TAIL: "the newline after the stop is inside the tags; EITHER by the principle, so both are right",
    Difference.OPENING: "the whole opening is inside the tags, although the generation prompt supplies it",
    Difference.OPENING_END: "only the newline that ends the opening is tagged; the generation prompt ends with it",
    Difference.PREFILL: "the think tag that the generation prompt supplies is inside the tags",
    Difference.UNCONFIRMED_OPENING: "no generation prompt supplies what the template prints before the answer; EITHER",
    Difference.END_OF_TEXT: "the template prints its end-of-sequence token after the last stop, and tags it; "
    "the model has stopped before",
}


def _tokens(bos: str | None, eos: str | None, *stops: str) -> SpecialTokens:
    special = tuple(dict.fromkeys(token for token in (bos, eos, *stops) if token is not None))
    variables = {name: value for name, value in (("bos_token", bos), ("eos_token", eos)) if value is not None}
    return SpecialTokens(bos=bos, eos=eos, added=special, special=special, stops=stops, variables=variables)


_FAMILIES: Mapping[str, SpecialTokens] = {
    "cohere": _tokens("<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"),
    "deepseek": _tokens("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "diffusion_gemma": _tokens("<bos>", "<eos>", "<turn|>"),
    "gemma": _tokens("<bos>", "<eos>", "<end_of_turn>"),
    "glm4moe": _tokens(None, "<|endoftext|>", "<|user|>", "<|observation|>"),
    "gptoss": _tokens("<|startoftext|>", "<|return|>", "<|return|>", "<|call|>", "<|end|>"),
    "idefics3": _tokens("<|begin_of_text|>", "<end_of_utterance>"),
    "lfm2": _tokens("<|startoftext|>", "<|im_end|>"),
    "llama3": _tokens("<|begin_of_text|>", "<|eot_id|>"),
    "llava_next": _tokens("<s>", "</s>"),
    "muse_glimmer": _tokens("<|begin_of_text|>", "<|eot|>", "<|eot|>", "<|eom|>"),
    "nemotron": _tokens("<s>", "<|im_end|>"),
    "phi3": _tokens("<s>", "<|endoftext|>", "<|end|>"),
    "qwen": _tokens(None, "<|im_end|>"),
    "smolvlm": _tokens("<|im_start|>", "<end_of_utterance>"),
}
"""The special tokens of the vocabularies behind the templates: beginning and end of sequence, declared stops.

Facts from the templates themselves and, where it was made for the same family, `corpora/templates/templates.toml`.
"""


def special_tokens(template: str) -> SpecialTokens:
    """The special tokens of the family that a template belongs to."""
    return next(tokens for family, tokens in _FAMILIES.items() if template.startswith(family))


EXPECTED: Mapping[str, frozenset[Difference]] = {
    "cohere2_training": frozenset(),
    "cohere_training": frozenset(),
    "deepseek_r1_distill_training": frozenset({Difference.OPENING}),
    "deepseekv3_training": frozenset({Difference.OPENING}),
    "diffusion_gemma_training": frozenset({Difference.TAIL}),
    "gemma3_training": frozenset({Difference.TAIL}),
    "gemma_training": frozenset({Difference.TAIL}),
    "glm4moe_training": frozenset(),
    "gptoss_training": frozenset({Difference.OPENING}),
    "idefics3_training": frozenset({Difference.TAIL}),
    "lfm2_training": frozenset({Difference.TAIL}),
    "lfm2_v2_training": frozenset({Difference.TAIL}),
    "llama3_training": frozenset(),
    "llava_next_training": frozenset({Difference.UNCONFIRMED_OPENING}),
    "muse_glimmer_training": frozenset({Difference.OPENING}),
    "nemotron_3_5_lightning_training": frozenset({Difference.TAIL, Difference.PREFILL}),
    "nemotron_3_nano_training": frozenset({Difference.TAIL, Difference.PREFILL}),
    "nemotron_3_super_training": frozenset({Difference.TAIL, Difference.PREFILL}),
    "nemotron_3_ultra_training": frozenset({Difference.TAIL, Difference.PREFILL}),
    "phi3_5_training": frozenset({Difference.TAIL, Difference.END_OF_TEXT}),
    "phi3_training": frozenset({Difference.TAIL, Difference.END_OF_TEXT}),
    "qwen2_5_training": frozenset({Difference.TAIL, Difference.OPENING_END}),
    "qwen2_5_vl_training": frozenset({Difference.TAIL}),
    "qwen3_5_nothink_training": frozenset({Difference.TAIL, Difference.PREFILL}),
    "qwen3_5_think_training": frozenset({Difference.TAIL, Difference.PREFILL}),
    "qwen3_6_training": frozenset({Difference.TAIL, Difference.PREFILL}),
    "qwen3_8_training": frozenset({Difference.TAIL, Difference.PREFILL}),
    "qwen3_instruct_2507_training": frozenset({Difference.TAIL}),
    "qwen3_training": frozenset({Difference.TAIL}),
    "qwen3_vl_training": frozenset({Difference.TAIL}),
    "smolvlm_training": frozenset({Difference.TAIL}),
}
"""Which differences each template shows; written by hand after reading the template."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One conversation of the comparison."""

    name: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] | None = None

    def fresh(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
        """Messages and tools as new plain data."""
        tools = None if self.tools is None else [dict(tool) for tool in deepcopy(self.tools)]
        return [dict(message) for message in deepcopy(self.messages)], tools


def asked() -> tuple[Asked, ...]:
    """The fixed shapes without training flags, and those of plain text once more with content in parts."""
    found: list[Asked] = []
    for shape in SHAPES:
        messages = tuple(
            {key: value for key, value in message.items() if key not in ("train", "weight", "spans")}
            for message in shape.messages
        )
        found.append(Asked(shape.name, messages, shape.tools))
        if all(set(message) == {"role", "content"} and isinstance(message["content"], str) for message in messages):
            parts = tuple(
                {"role": message["role"], "content": [{"type": "text", "text": message["content"]}]}
                for message in messages
            )
            found.append(Asked(f"{shape.name} (in parts)", parts))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive characters on which tags and principle differ."""

    text: str
    before: str
    tagged: bool
    whole: bool
    judgement: Judgement

    def kind(self, tokens: SpecialTokens) -> Difference | None:
        """The name of the difference, None for one that nothing explains."""
        zone, verdict = self.judgement.zone, self.judgement.verdict
        if not self.tagged:
            return None
        if zone is Zone.TAIL and verdict is Verdict.EITHER and not self.text.strip():
            return Difference.TAIL
        if zone is Zone.OPENING and verdict is Verdict.EITHER and (self.whole or not self.text.strip()):
            return Difference.UNCONFIRMED_OPENING
        if zone is Zone.OPENING and verdict is Verdict.IGNORE:
            if self.whole:
                return Difference.OPENING
            if self.text == "\n":
                return Difference.OPENING_END
            return Difference.PREFILL if self.text.startswith("<think>") else None
        if zone is Zone.CONTEXT and self.judgement.message is None and self.text == tokens.eos:
            return Difference.END_OF_TEXT
        return None


def compare(rendering: Rendering, judgements: Sequence[Judgement]) -> Iterator[Stretch]:
    """Where the tags and the verdicts differ: tagged and not TRAIN, or TRAIN and not tagged."""
    tagged = [False] * len(rendering.text)
    for start, end in rendering.generation_ranges or ():
        tagged[start:end] = [True] * (end - start)
    for judgement in judgements:
        start = judgement.start
        while start < judgement.end:
            end = start
            while end < judgement.end and tagged[end] == tagged[start]:
                end += 1
            trained = judgement.verdict is Verdict.TRAIN
            if trained != tagged[start] and (tagged[start] or judgement.verdict is not Verdict.EITHER):
                text = rendering.text
                yield Stretch(
                    text[start:end],
                    text[max(0, start - 30) : start],
                    tagged[start],
                    (start, end) == (judgement.start, judgement.end),
                    judgement,
                )
            start = end


def frozen_clock() -> datetime.datetime:
    """Some templates print the date."""
    return datetime.datetime(2025, 1, 1)  # templates print local dates


def judged(
    template: Template, messages: list[dict[str, Any]], tools: Any, *, clock: Clock = frozen_clock
) -> tuple[Rendering, tuple[Judgement, ...]]:
    """The rendering and the verdict of the principle for every character; no tokenizer takes part."""
    tokens = special_tokens(template.name)
    conversation = Conversation.from_messages(messages, tools=tools)
    renderer = ConversationRenderer(
        conversation, template=template.source, special_tokens=tokens.variables, clock=clock
    )
    rendering = renderer.rendering()
    policy = Policy()
    segmentation = segment(
        rendering,
        roles=conversation.roles,
        generated=policy.generated,
        prompts=GenerationPrompts(renderer, template=template.source, text=rendering.text),
        special_tokens=tokens,
    )
    return rendering, judge(segmentation, rendering, conversation, policy)


@dataclass(slots=True)
class Row:
    """What was found out about one template."""

    template: str
    conversations: int = 0
    characters: int = 0
    tagged: int = 0
    agreed: int = 0
    differences: Counter[Difference] = field(default_factory=Counter)
    unexplained: list[tuple[str, Stretch]] = field(default_factory=list)


def examine(template: Template) -> Row:
    """Compare tags and principle on every fixed conversation that the template renders."""
    row = Row(template.name)
    tokens = special_tokens(template.name)
    for conversation in asked():
        try:
            rendering, judgements = judged(template, *conversation.fresh())
        except TemplateError:
            continue
        row.conversations += 1
        row.characters += len(rendering.text)
        row.tagged += sum(end - start for start, end in rendering.generation_ranges or ())
        differing = 0
        for stretch in compare(rendering, judgements):
            differing += len(stretch.text)
            kind = stretch.kind(tokens)
            if kind is None:
                row.unexplained.append((conversation.name, stretch))
            else:
                row.differences[kind] += len(stretch.text)
        row.agreed += len(rendering.text) - differing
    return row


def table(rows: Sequence[Row]) -> str:
    """The committed table, as Markdown."""
    lines = [
        f"# The reference against the generation tags of trl {VERSION}",
        "",
        "Written by `python -m tests.oracles.generation_tags`; a test compares it with what it finds. Counted are",
        "characters of the fixed conversations that each template renders: inside the tags, the same by tags and",
        "principle, and different, by kind.",
        "",
        "| template | conversations | characters | tagged | agree | differences |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        kinds = ", ".join(f"{kind.value} {row.differences[kind]}" for kind in Difference if row.differences[kind])
        lines.append(
            f"| {row.template.removesuffix('_training')} | {row.conversations} | {row.characters} | {row.tagged} "
            f"| {row.agreed} | {kinds or 'none'} |"
        )
    total = Row("all")
    for row in rows:
        total.conversations += row.conversations
        total.characters += row.characters
        total.tagged += row.tagged
        total.agreed += row.agreed
        total.differences.update(row.differences)
    kinds = ", ".join(f"{kind.value} {total.differences[kind]}" for kind in Difference if total.differences[kind])
    lines.append(
        f"| **all {len(rows)}** | {total.conversations} | {total.characters} | {total.tagged} "
        f"| {total.agreed} | {kinds} |"
    )
    lines += ["", "| difference | what it is |", "|---|---|"]
    lines += [f"| {kind.value} | {REASONS[kind]} |" for kind in Difference]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table."""
    rows = [examine(template) for template in trl_templates(training=True)]
    TABLE.write_text(table(rows), encoding="utf-8")
    print(TABLE)


if __name__ == "__main__":
    main()
