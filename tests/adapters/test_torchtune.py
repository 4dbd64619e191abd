"""torchtune's adapter without torchtune: what it declares, which pairs and conversations it refuses, its files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from maskspec import Policy
from maskspec.adapters.torchtune import TorchtuneMasker, _files, _require_text, masker
from maskspec.conformance.protocol import Request, Unsupported
from maskspec.policy import Stops, Turns, Verdict

ROW = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


def request(messages: list[Any], *, tokenizer: Any = None, pair: str = "llama-3", **more: Any) -> Request:
    return Request(messages, "{{ messages }}", tokenizer, masker.policy, pair=pair, **more)


class Tokenizer:
    """As much of a fast tokenizer of transformers as the vocabulary files are made from."""

    def __init__(self) -> None:
        self.backend_tokenizer = self

    def apply_chat_template(self) -> None: ...

    def to_str(self) -> str:
        vocabulary = {"a": 0, "Ġ": 1, "Ġa": 2, "<|end|>": 3}
        model = {"vocab": vocabulary, "merges": [["Ġ", "a"]]}
        return json.dumps({"model": model, "added_tokens": [{"id": 3, "content": "<|end|>"}]})


def test_the_header_and_what_follows_the_stop_are_declared_as_trained() -> None:
    assert masker.policy == Policy(opening=Verdict.TRAIN, tail=Verdict.TRAIN)
    assert masker.truncation == ("right",)


def test_other_roles_are_followed_and_no_other_option_is() -> None:
    both = masker.policy.changed(roles={"user", "assistant"})
    assert masker.with_policy(both).policy == both
    for changes in ({"turns": Turns.LAST}, {"stop": Stops.NONE}, {"tail": Verdict.IGNORE}):
        with pytest.raises(Unsupported, match="whole messages"):
            masker.with_policy(masker.policy.changed(**changes))


@pytest.mark.parametrize(
    ("messages", "more", "reason"),
    [
        (ROW, {"tools": [{"type": "function"}]}, "tools"),
        ([*ROW, {"role": "tool", "content": "4"}], {}, "no role 'tool'"),
        ([{**ROW[0], "spans": [{"start": 0, "end": 1}]}], {}, "characters"),
        ([{"role": "system", "content": "Be brief."}, *ROW], {"pair": "mistral-v1"}, "no system message"),
    ],
)
def test_what_torchtune_names_as_its_limits_is_refused(messages: list[Any], more: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        _require_text(request(messages, **more))


def test_a_pair_whose_template_no_tokenizer_of_torchtune_prints_is_refused() -> None:
    with pytest.raises(Unsupported, match="template of this pair"):
        TorchtuneMasker()._tokenizer(request(ROW, pair="gemma-2"))


def test_an_object_that_is_no_tokenizer_of_transformers_is_refused() -> None:
    with pytest.raises(Unsupported, match="not one of transformers"):
        TorchtuneMasker()._tokenizer(request(ROW, tokenizer=object()))


def test_ranks_are_written_without_added_tokens(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    files = _files("ranks", "llama3.llama3_tokenizer", request(ROW, tokenizer=Tokenizer()), tmp_path)
    lines = [line.split() for line in Path(files["path"]).read_text().splitlines()]
    assert [(base64.b64decode(token), rank) for token, rank in lines] == [(b"a", "0"), (b" ", "1"), (b" a", "2")]


@pytest.mark.parametrize(
    ("builder", "arguments"),
    [
        ("qwen2_5.qwen2_5_tokenizer", ["path", "merges_file"]),
        ("phi4.phi4_tokenizer", ["vocab_path", "merges_path"]),
    ],
)
def test_a_vocabulary_and_its_merges_are_written(tmp_path: Path, builder: str, arguments: list[str]) -> None:
    files = _files("merges", builder, request(ROW, tokenizer=Tokenizer()), tmp_path)
    assert list(files) == arguments
    vocabulary, merges = (Path(file).read_text(encoding="utf-8") for file in files.values())
    assert json.loads(vocabulary) == {"a": 0, "Ġ": 1, "Ġa": 2}
    assert merges == "#version: 0.2\nĠ a\n"
