"""trl by its own entry point and nothing of maskspec: a conversation in, the text that carries loss out."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.peers.alone import byte_level, needs

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

needed = needs("trl", "1.16.0")

# Written here: answers and their end stand between the tags, and the header of an answer in front of them.
TAGGED = (
    "{% for message in messages %}{{ '<|start|>' + message.role + '\n' }}"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ message.content + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant\n' }}{% endif %}"
)

MARKERS = (
    "<|start|>", "<|end|>", "<|im_start|>", "<|im_end|>", "<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>",
    "<｜end▁of▁sentence｜>", "<|user|>", "<|assistant|>", "<|message|>", "<|channel|>", "<|return|>",
    "<start_of_turn>", "<end_of_turn>", "<|endoftext|>",
)  # fmt: skip


def shipped(name: str) -> str:
    """The text of a template in trl's package."""
    folder = metadata.distribution("trl").locate_file("trl/chat_templates")
    return Path(str(folder), f"{name}.jinja").read_text(encoding="utf-8")


def tokenizer(template: str = TAGGED, *, end: str = "<|end|>") -> Any:
    """A tokenizer whose tokens are the bytes of UTF-8 and a few markers."""
    made = byte_level(eos_token=end)
    made.add_special_tokens({"additional_special_tokens": [marker for marker in MARKERS if marker != end]})
    made.chat_template = template
    return made


@cache
def _model() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=8,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            num_key_value_heads=1,
        )
    )


def trainer(rows: Sequence[dict[str, Any]], template: str = TAGGED, *, end: str = "<|end|>", **config: Any) -> Any:
    """`SFTTrainer` with these rows and these options; its `train_dataset` is what it would train on."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    options = {"assistant_only_loss": True, "max_length": None, "bf16": False, "use_cpu": True, "report_to": "none"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SFTTrainer(
            _model(),
            SFTConfig(folder, **{**options, **config}),
            train_dataset=Dataset.from_list(list(rows)),
            processing_class=tokenizer(template, end=end),
        )


def chat(*contents: str) -> dict[str, Any]:
    """A row of a data set: questions and answers in turn."""
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[index % 2], "content": text} for index, text in enumerate(contents)]}


def trained(row: dict[str, Any], template: str = TAGGED, *, end: str = "<|end|>", **config: Any) -> str:
    """The text of the tokens of a row that carry loss; a character of which some do is a replacement character."""
    made = trainer([row], template, end=end, **config)
    (prepared,) = made.train_dataset
    labels = zip(prepared["input_ids"], prepared["labels"], strict=True)
    assert all(label in (-100, token) for token, label in labels)
    text: str = made.processing_class.decode([label for label in prepared["labels"] if label != -100])
    return text
