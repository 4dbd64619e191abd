"""What two tokenizers mean for the labels: the reference masks one conversation with each, compared by character."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from maskspec.corpus import Pair
from maskspec.errors import AlignmentError, TokenizerError
from maskspec.masker import Mask, mask
from maskspec.policy import Verdict
from maskspec.segmentation import Zone
from maskspec.tokens import Tokenizer
from tests.implementations.panel import Comparison, Panel
from tests.implementations.texts import Drawn

__all__ = ["Labels", "compare_labels", "labels"]

_JUDGED = (Zone.REASONING, Zone.CONTENT, Zone.TOOL_CALL, Zone.STOP)


@dataclass(frozen=True, slots=True)
class Labels:
    """What the reference trains with one tokenizer: the characters of content and stops that no trained token holds."""

    lost: frozenset[int]
    error: str = ""


def labels(tokenizer: Tokenizer, pair: Pair, drawn: Drawn) -> Labels:
    """What the reference makes of a conversation with one tokenizer."""
    generated = drawn.conversation
    try:
        found = mask(
            generated.messages,
            template=pair.template.source,
            tokenizer=tokenizer,
            tools=generated.tools,
            template_kwargs={**pair.template_kwargs, **generated.template_kwargs},
            allow_empty=True,
        )
    except (AlignmentError, TokenizerError) as error:
        return Labels(frozenset(), type(error).__name__)
    return Labels(frozenset(_lost(found)))


def _lost(found: Mask) -> Iterator[int]:
    trained = bytearray(len(found.text))
    starts, ends = found.alignment.starts, found.alignment.ends
    for index, verdict in enumerate(found.verdicts):
        if verdict is Verdict.TRAIN:
            trained[starts[index] : ends[index]] = b"\x01" * (ends[index] - starts[index])
    for part in found.judgements:
        if part.verdict is Verdict.TRAIN and part.zone in _JUDGED:
            yield from (place for place in range(part.start, part.end) if not trained[place])


def compare_labels(panel: Panel, pair: Pair, drawn: Drawn, result: Comparison) -> None:
    found = {name: labels(tokenizer, pair, drawn) for name, tokenizer in panel.tokenizers.items()}
    for name, each in found.items():
        if each.error:
            result.refused[name, each.error] += 1
    for one, other in combinations(found, 2):
        if found[one].error or found[other].error:
            outcome = "both refused" if found[one].error and found[other].error else "one refused"
        else:
            outcome = "same" if found[one].lost == found[other].lost else "other"
        result.labels[one, other, outcome] += 1
        if outcome == "other":
            known = result.trained_texts.get((one, other))
            if known is None or len(drawn.text) < len(known):
                result.trained_texts[one, other] = drawn.text
