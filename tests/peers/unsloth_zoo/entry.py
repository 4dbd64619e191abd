"""unsloth-zoo by its own entry point and nothing of maskspec: a text in, the text that carries loss out."""

from __future__ import annotations

import contextlib
import io
import os
from functools import cache
from typing import Any

from tests.peers.alone import byte_level, needs

os.environ.setdefault("UNSLOTH_ZOO_DISABLE_GPU_INIT", "1")

needed = needs("unsloth-zoo", "2026.10.9")

CHATML = {"instruction_part": "<|im_start|>user\n", "response_part": "<|im_start|>assistant\n"}
MISTRAL = {"instruction_part": "[INST]", "response_part": "[/INST]"}
GPT_OSS = {
    "instruction_part": "<|start|>user<|message|>",
    "response_part": "<|start|>assistant<|channel|>final<|message|>",
}
GEMMA = {"instruction_part": "<start_of_turn>user\n", "response_part": "<start_of_turn>model\n"}
PHI = {"instruction_part": "<|user|>\n", "response_part": "<|assistant|>\n"}

MARKERS = (
    "<|im_start|>", "<|im_end|>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "<s>", "</s>",
    "<|start|>", "<|message|>", "<|channel|>", "<|call|>", "<|return|>", "<|end|>", "<start_of_turn>", "<end_of_turn>",
    "<eos>", "<|user|>", "<|assistant|>", "<|system|>", "<|endoftext|>",
)  # fmt: skip


@cache
def tokenizer(end: str, beginning: str | None = None) -> Any:
    """A tokenizer whose tokens are the bytes of UTF-8, two newlines, and the markers of a few formats."""
    newline = "\N{LATIN CAPITAL LETTER C WITH DOT ABOVE}"  # the byte-level name of it
    named = {"eos_token": end} if beginning is None else {"eos_token": end, "bos_token": beginning}
    made = byte_level(merges=[(newline, newline)], **named)
    made.add_special_tokens({"additional_special_tokens": [item for item in MARKERS if item not in named.values()]})
    return made


def trained(text: str, parts: dict[str, str], *, end: str, beginning: str | None = None, **options: Any) -> str:
    """The text of the tokens that carry loss."""
    with contextlib.redirect_stdout(io.StringIO()):
        from unsloth_zoo.dataset_utils import train_on_responses_only

        made = tokenizer(end, beginning)
        label = train_on_responses_only(None, tokenizer=made, return_function=True, **parts, **options)
    ids = made(text, add_special_tokens=False).input_ids
    (labels,) = label({"input_ids": [ids]})["labels"]
    assert all(label in (-100, token) for token, label in zip(ids, labels, strict=True))
    found: str = made.decode([label for label in labels if label != -100])
    return found
