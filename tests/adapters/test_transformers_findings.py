"""What `maskspec check transformers` finds, shown without maskspec: public functions of transformers, answers by hand.

Nothing of maskspec is imported here, so a mistake of the suite cannot make its
own finding look true. The vocabulary is the 256 bytes: a character has as many
tokens as it has bytes in UTF-8. Each fault is an expected failure; a release of
transformers that mends it ends that test with "XPASS", and the finding's place
in the README and in the written specification is to be looked at again.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

transformers = pytest.importorskip("transformers", reason="this is about the masker in transformers")
tokenizers = pytest.importorskip("tokenizers", reason="fast tokenizers of transformers need it")

TEMPLATE = (
    "{% for message in messages %}{{ message.role + ': ' }}"
    "{% generation %}{{ message.content }}{% endgeneration %}"
    "{% endfor %}"
)
HEADER = len("assistant: ")

fault = pytest.mark.xfail(
    raises=AssertionError,
    strict=True,
    reason="apply_chat_template asks char_to_token for the last character and is given the first of its tokens",
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={character: number for number, character in enumerate(alphabet)}, merges=[])
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False)


def mask(tokenizer: Any, content: str) -> list[int]:
    """Return the mask of the answer's tokens, after making sure that the tokens are the bytes of the text."""
    encoded = tokenizer.apply_chat_template(
        [{"role": "assistant", "content": content}],
        chat_template=TEMPLATE,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    assert tokenizer.decode(encoded["input_ids"]) == f"assistant: {content}"
    assert len(encoded["input_ids"]) == HEADER + len(content.encode())
    assert encoded["assistant_masks"][:HEADER] == [0] * HEADER
    found: list[int] = encoded["assistant_masks"][HEADER:]
    return found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("ok", [1, 1]),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}!", [1, 1, 1]),
        ("\N{WOMAN}.", [1, 1, 1, 1, 1]),
    ],
    ids=["one token a character", "two tokens in the middle", "four tokens in the middle"],
)
def test_an_answer_that_ends_with_a_character_of_one_token_is_trained_whole(
    tokenizer: Any, content: str, expected: list[int]
) -> None:
    assert mask(tokenizer, content) == expected


@fault
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", [1, 1]),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", [1, 1, 1, 1, 1]),
        ("\N{WOMAN}", [1, 1, 1, 1]),
    ],
    ids=["two tokens", "two tokens at the end", "four tokens"],
)
def test_an_answer_that_ends_with_a_character_of_several_tokens_is_trained_whole(
    tokenizer: Any, content: str, expected: list[int]
) -> None:
    assert mask(tokenizer, content) == expected


def test_of_the_last_character_only_the_first_token_is_trained(tokenizer: Any) -> None:
    """The fault itself, so that another fault in its place is noticed too."""
    assert mask(tokenizer, "\N{WOMAN}") in ([1, 0, 0, 0], [1, 1, 1, 1])


def test_the_training_template_of_deepseek_v3_trains_what_the_generation_prompt_supplies(tokenizer: Any) -> None:
    """This fault is the template's, which trl ships: its tag opens in front of the marker that the prompt ends with."""
    try:
        folder = metadata.distribution("trl")
    except metadata.PackageNotFoundError:
        pytest.skip("trl is not installed: python -m pip install --no-deps trl==1.16.0")
    template = Path(str(folder.locate_file("trl/chat_templates/deepseekv3_training.jinja"))).read_text(encoding="utf-8")
    user, answer = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}
    options = {"chat_template": template, "bos_token": ""}
    prompt = tokenizer.apply_chat_template([user], tokenize=False, add_generation_prompt=True, **options)
    encoded = tokenizer.apply_chat_template(
        [user, answer], tokenize=True, return_dict=True, return_assistant_tokens_mask=True, **options
    )
    marked = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    trained = tokenizer.decode([token for token, mark in marked if mark])
    marker = "<｜Assistant｜>"
    assert prompt.startswith(f"<｜User｜>Hi{marker}")
    if folder.version == "1.16.0":
        assert trained == f"{marker}Yo<｜end▁of▁sentence｜>"
    else:
        assert trained in (f"{marker}Yo<｜end▁of▁sentence｜>", "Yo<｜end▁of▁sentence｜>")
