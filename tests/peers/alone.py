"""What the tests without maskspec have in common: which version they are for, faults, conversations, a tokenizer of bytes.

Nothing of maskspec is imported here either. Each peer's own entry point stands in its `entry.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Any

import pytest

__all__ = ["CHATML", "MISTRAL", "byte_level", "chat", "fault", "needs", "spoken", "stretches", "version_of"]

# Written here after the description of ChatML.
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Written here after the description of Mistral's third prompt format.
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}[INST] {{ message.content }}[/INST]"
    "{% else %} {{ message.content }}{{ eos_token }}{% endif %}"
    "{% endfor %}"
)


def version_of(package: str) -> str:
    """The installed version of a distribution; empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def needs(package: str, *versions: str) -> pytest.MarkDecorator:
    """Skip, with the reason, where none of these versions is installed."""
    return pytest.mark.skipif(
        version_of(package) not in versions, reason=f"needs {package} {' or '.join(versions)}: tox -e peers-{package}"
    )


def fault(reason: str, *, raises: type[BaseException] = AssertionError) -> pytest.MarkDecorator:
    """An expected failure of the pinned version; one that is mended ends the test with XPASS."""
    return pytest.mark.xfail(raises=raises, strict=True, reason=reason)


def chat(*texts: str) -> list[dict[str, Any]]:
    """User and assistant in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


def spoken(tokenizer: Any, ids: Sequence[int], labels: Sequence[int]) -> list[tuple[str, bool]]:
    """Each token as text, and whether it carries loss."""
    assert all(label in (-100, item) for item, label in zip(ids, labels, strict=True))
    names = tokenizer.convert_ids_to_tokens(list(ids))
    return [(name, label != -100) for name, label in zip(names, labels, strict=True)]


def stretches(tokenizer: Any, labels: Sequence[int]) -> list[str]:
    """The stretches of labels that carry loss, each as the text that is to be predicted."""
    found: list[list[int]] = []
    for before, label in zip([-100, *labels], labels, strict=False):
        if label == -100:
            continue
        if before == -100:
            found.append([])
        found[-1].append(label)
    return [tokenizer.decode(stretch) for stretch in found]


def byte_level(*, merges: Sequence[tuple[str, str]] = (), **special: str | None) -> Any:
    """A fast tokenizer of transformers whose tokens are the bytes of UTF-8, and these merges; `special` are its tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, merges)]
    backend = Tokenizer(models.BPE(vocab={name: number for number, name in enumerate(names)}, merges=list(merges)))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **special)
