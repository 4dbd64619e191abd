"""The mistral_common adapter against mistral_common's own instruct encoders."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maskspec.alignment import align
from maskspec.errors import TokenizerError
from maskspec.tokenizers import wrap
from tests.unit.vocabularies import mistral_common, mistral_model

TURNS = [("Hi there", "Yo"), ("你好 👩\u200d👧", "Ein\n\nSatz.  Noch einer"), ("a [x] b", "1 + 1 = 2")]
VERSIONS = ["v2", "v3", "v7", "tekken"]


def messages(turns: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        message
        for question, answer in turns
        for message in ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    ]


def instruct_ids(tokenizer: Any, conversation: list[dict[str, Any]], tools: list[Any] | None = None) -> list[int]:
    request = pytest.importorskip("mistral_common.protocol.instruct.request", reason="needs mistral-common")
    chat = request.ChatCompletionRequest.from_openai(conversation, tools=tools)
    tokens: list[int] = tokenizer.encode_chat_completion(chat).tokens
    return tokens


@pytest.mark.parametrize("version", VERSIONS)
def test_ids_equal_the_instruct_encoder(version: str) -> None:
    raw = mistral_common(version)
    conversation = [*messages(TURNS), {"role": "user", "content": "end"}]
    text = "<s>" + "".join(f"[INST]{question}[/INST]{answer}</s>" for question, answer in TURNS) + "[INST]end[/INST]"
    assert list(wrap(raw).encode(text).ids) == instruct_ids(raw, conversation)


def test_v1_ids_equal_the_instruct_encoder_where_turns_are_joined_by_a_space() -> None:
    raw = mistral_common("v1")
    conversation = [*messages(TURNS), {"role": "user", "content": "end"}]
    text = "<s>" + "".join(f"[INST] {question} [/INST] {answer}</s>" for question, answer in TURNS)
    assert list(wrap(raw).encode(text + "[INST] end [/INST]").ids) == instruct_ids(raw, conversation)


@pytest.mark.parametrize("version", ["v3", "tekken"])
def test_tool_calls_equal_the_instruct_encoder(version: str) -> None:
    raw = mistral_common(version)
    call = {"name": "weather", "arguments": {"city": "Köln"}}
    conversation = [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "abcdefghi",
                    "type": "function",
                    "function": {"name": "weather", "arguments": json.dumps(call["arguments"], ensure_ascii=False)},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "abcdefghi", "name": "weather", "content": "rain"},
    ]
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "weather", "description": "", "parameters": schema}}]
    own = instruct_ids(raw, conversation, tools)
    text = wrap(raw).decode(own)
    assert "[TOOL_CALLS]" in text
    assert "Köln" in text
    assert list(wrap(raw).encode(text).ids) == own


def test_every_way_in_gives_the_same_vocabulary() -> None:
    raw = mistral_common("v3")
    text = "<s>[INST]Hi[/INST]Yo</s>"
    ids = [
        list(wrap(thing).encode(text).ids) for thing in (raw, raw.instruct_tokenizer, raw.instruct_tokenizer.tokenizer)
    ]
    # <s> [INST] ▁Hi [/INST] ▁Y o </s>
    assert ids == [[1, 3, 16127, 4, 1395, 29477, 2]] * 3


def test_the_class_of_transformers_around_it_is_looked_through() -> None:
    name = "transformers.tokenization_mistral_common"
    module = pytest.importorskip(name, reason="needs transformers with its mistral_common backend")
    kind = getattr(module, "MistralCommonBackend", None) or module.MistralCommonTokenizer
    raw = kind(tokenizer_path=str(mistral_model("v3")))
    tokenizer = wrap(raw)
    assert tokenizer.raw is raw
    assert list(tokenizer.encode("<s>[INST]Hi[/INST]Yo</s>").ids) == [1, 3, 16127, 4, 1395, 29477, 2]


def test_special_tokens() -> None:
    special = wrap(mistral_common("v3")).special_tokens
    assert (special.bos, special.eos, special.unk) == ("<s>", "</s>", "<unk>")
    assert {"[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]"} <= set(special.added)
    assert special.added == tuple(sorted(special.added, key=lambda token: (-len(token), token)))


def test_a_template_with_spaces_gives_the_stray_token_and_it_is_a_phantom() -> None:
    tokenizer = wrap(mistral_common("v3"))
    text = "<s>[INST] Hi[/INST] Yo</s>"
    encoding = tokenizer.encode(text)
    assert list(encoding.ids) == [1, 3, 29473, 16127, 4, 29473, 1395, 29477, 2]
    assert align(text, encoding, tokenizer).phantoms == (2, 5)


def test_tekken_spells_its_tokens_in_bytes() -> None:
    tokenizer = wrap(mistral_common("tekken"))
    ids = tokenizer.encode("<s>👩\u200d👧</s>").ids
    assert b"".join(tokenizer.surfaces(ids)) == "<s>👩\u200d👧</s>".encode()
    assert tokenizer.decode(ids) == "<s>👩\u200d👧</s>"


@pytest.mark.parametrize("version", ["v1", *VERSIONS])
def test_decoding_gives_the_text_back(version: str) -> None:
    tokenizer = wrap(mistral_common(version))
    for text in ("<s>[INST] Hi  you[/INST]你好</s>", "", "a", " a", "</s></s>  x\n</s> "):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.mark.parametrize("version", ["v3", "tekken"])
def test_bad_text_and_bad_ids_are_refused(version: str) -> None:
    tokenizer = wrap(mistral_common(version))
    with pytest.raises(TokenizerError, match="character 1 of the text is the lone surrogate"):
        tokenizer.encode("a\udc00")
    with pytest.raises(TokenizerError, match="no token with id 1000000"):
        tokenizer.token(10**6)
    with pytest.raises(TokenizerError, match="no token with id -1"):
        tokenizer.surfaces([-1])
