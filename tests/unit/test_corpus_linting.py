"""The checks of one pair: a right pair passes each of them, and for each there is a pair that only it finds wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from maskspec.corpus import Kind, Pair, Template, linting, load_pair
from maskspec.corpus.linting import CHAT, CHECKS, Lint, Outcome, lint_pair
from maskspec.corpus.records import Markers
from maskspec.errors import CorpusError, MissingPackageError
from maskspec.tokens import Encoding, Tokenizer
from tests.unit.plain_tokenizer import PlainTokenizer

MARKERS = ("<|user|>", "<|assistant|>", "<|end|>")
SOURCE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
TEMPLATE = Template(
    "right", SOURCE, "written here", bos="<s>", eos="<|end|>", stops=("<|end|>",), special=("<s>", *MARKERS)
)
VARIABLES = {"bos_token": "<s>", "eos_token": "<|end|>"}


def plain(*added: str, tokenizer: type[PlainTokenizer] = PlainTokenizer, **settings: Any) -> PlainTokenizer:
    special = {"bos": "<s>", "eos": "<|end|>", "stops": ("<|end|>",), "variables": VARIABLES} | settings
    return tokenizer(*(added or ("<s>", *MARKERS)), **special)


def pair_of(template: Template = TEMPLATE, tokenizer: Tokenizer | None = None, **more: Any) -> Pair:
    made = tokenizer or plain()
    return Pair("right", template, Kind.LOCAL, lambda: made, **more)


def outcomes(result: Lint) -> dict[str, Outcome]:
    return {each.check: each.outcome for each in result.checks}


def detail(result: Lint, check: str) -> str:
    return next(each.detail for each in result.checks if each.check == check)


def test_a_right_pair_passes_every_check() -> None:
    result = lint_pair(pair_of())
    assert outcomes(result) == {"files": Outcome.SKIPPED} | dict.fromkeys(
        ("markers", "stops", "template", "round trip", "tokens", "mask"), Outcome.OK
    )
    assert result.passed
    assert list(CHECKS) == list(outcomes(result))


def only_wrong(result: Lint, check: str, message: str, *, also: Sequence[str] = ()) -> None:
    wrong = [each.check for each in result.checks if each.outcome is Outcome.WRONG]
    assert wrong == [name for name in CHECKS if name in (check, *also)]
    assert message in detail(result, check)
    assert not result.passed


def test_files_that_are_not_those_of_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    def verify(name: str) -> None:
        raise CorpusError(f"{name} has another hash")

    monkeypatch.setattr(linting, "verify_pair", verify)
    real = replace(pair_of(), name="qwen3", kind=Kind.PACKAGE)
    only_wrong(lint_pair(real), "files", "qwen3 has another hash")


def test_a_note_of_the_manifest_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linting, "verify_pair", lambda _name: None)
    real = replace(pair_of(), name="qwen3", kind=Kind.PACKAGE, note="version 9 is installed")
    assert detail(lint_pair(real), "files") == "version 9 is installed"
    assert lint_pair(real).passed


def test_a_marker_that_falls_apart() -> None:
    wrong = replace(TEMPLATE, special=(*TEMPLATE.special, "<|tool|>"))
    # What is no marker is no added token either.
    only_wrong(lint_pair(pair_of(wrong)), "markers", "'<|tool|>' is 5 ids, not one", also=["tokens"])


def test_two_markers_with_one_id() -> None:
    class Twins(PlainTokenizer):
        def id_of(self, piece: str) -> int:
            return super().id_of("<|user|>" if piece == "<|assistant|>" else piece)

    result = lint_pair(pair_of(tokenizer=plain(tokenizer=Twins)))
    assert outcomes(result)["markers"] is Outcome.WRONG
    assert "'<|assistant|>' and '<|user|>' share the id" in detail(result, "markers")


def test_markers_of_an_undeclared_pair_that_are_plain_text_are_noted() -> None:
    undeclared = replace(TEMPLATE, special=(), stops=())
    result = lint_pair(pair_of(undeclared, plain("<s>", "<|end|>")))
    assert outcomes(result)["markers"] is Outcome.NOTE
    assert "'<|user|>' is 5 ids" in detail(result, "markers")
    assert result.passed
    assert outcomes(lint_pair(pair_of(undeclared)))["markers"] is Outcome.OK


def test_a_pair_whose_markers_are_meant_as_text_is_not_asked() -> None:
    assert outcomes(lint_pair(pair_of(markers=Markers.PLAIN)))["markers"] is Outcome.SKIPPED


def test_a_stop_that_does_not_exist() -> None:
    result = lint_pair(pair_of(tokenizer=plain(stops=("<|end|>", "<|eot|>"))))
    only_wrong(result, "stops", "'<|eot|>' is 5 ids, not one")


def test_a_vocabulary_without_any_stop() -> None:
    endless = replace(TEMPLATE, stops=(), eos=None)
    tokenizer = plain(stops=(), eos=None, variables={"bos_token": "<s>"})
    result = lint_pair(pair_of(endless, tokenizer))
    only_wrong(result, "stops", "nothing can end a turn")


def test_a_template_that_writes_no_stop_is_noted() -> None:
    open_end = replace(TEMPLATE, source=SOURCE.replace("<|end|>", ""))
    result = lint_pair(pair_of(open_end))
    assert outcomes(result)["stops"] is Outcome.NOTE
    assert "writes none of '<|end|>' after the last answer" in detail(result, "stops")
    assert result.passed


def test_a_template_that_drops_a_message() -> None:
    last = replace(TEMPLATE, source=SOURCE.replace("in messages %}", "in messages[2:] %}"))
    only_wrong(lint_pair(pair_of(last)), "template", "message 0 (user) is not in the text", also=["mask"])


def test_a_template_that_refuses_a_plain_chat() -> None:
    refusing = replace(TEMPLATE, source="{{ raise_exception('only tools') }}")
    result = lint_pair(pair_of(refusing))
    only_wrong(result, "template", "only tools", also=["stops", "mask"])


def test_a_template_without_a_generation_prompt_is_noted() -> None:
    bare = replace(TEMPLATE, source=SOURCE.partition("{% if")[0])
    result = lint_pair(pair_of(bare))
    assert detail(result, "template") == "the template has no generation prompt"
    assert result.passed


def test_a_tokenizer_that_changes_texts() -> None:
    class Lowered(PlainTokenizer):
        def surfaces(self, ids: Sequence[int]) -> Sequence[bytes]:
            return [self.token(token_id).lower().encode() for token_id in ids]

    only_wrong(lint_pair(pair_of(tokenizer=plain(tokenizer=Lowered))), "round trip", "Hello, world!")


def test_a_decoder_that_loses_something_is_noted() -> None:
    class Stripping(PlainTokenizer):
        def decode(self, ids: Sequence[int]) -> str:
            return super().decode(ids).strip(" ")

    result = lint_pair(pair_of(tokenizer=plain(tokenizer=Stripping)))
    assert outcomes(result)["round trip"] is Outcome.NOTE
    assert "'trailing space ' is decoded to 'trailing space'" in detail(result, "round trip")
    assert result.passed


def test_an_added_token_that_is_not_found_inside_a_text() -> None:
    class Alone(PlainTokenizer):
        def encode(self, text: str) -> Encoding:
            return super().encode(text.replace("a<|user|>b", "a<|User|>b"))

    result = lint_pair(pair_of(tokenizer=plain(tokenizer=Alone)))
    only_wrong(result, "tokens", "'<|user|>' is not recognised between letters")


@pytest.mark.parametrize(
    ("template", "settings", "message"),
    [
        ({"eos": "<|user|>"}, {}, "eos_token is '<|end|>' in the tokenizer and '<|user|>' beside the template"),
        ({}, {"variables": VARIABLES | {"pad_token": "<pad>"}}, "pad_token: '<pad>' is 3 ids, not one"),
        ({"special": TEMPLATE.special[1:], "added": ("<s>",)}, {}, "'<s>' is special in the tokenizer, unlike"),
        ({"special": ("<s>", *MARKERS, ".")}, {}, "'.' is no added token"),
    ],
)
def test_tokens_that_the_tokenizer_and_the_declaration_see_differently(
    template: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    result = lint_pair(pair_of(replace(TEMPLATE, **template), plain(**settings)))
    only_wrong(result, "tokens", message)


def test_a_pair_that_the_reference_cannot_mask() -> None:
    class Shifted(PlainTokenizer):
        def encode(self, text: str) -> Encoding:
            found = super().encode(text)
            assert found.offsets is not None
            return Encoding(found.ids, [(0, 0) for _ in found.offsets])

    result = lint_pair(pair_of(tokenizer=plain(tokenizer=Shifted)))
    assert [each.check for each in result.checks if each.outcome is Outcome.WRONG] == ["mask"]


def test_a_tokenizer_that_cannot_be_loaded_is_wrong_once() -> None:
    def load() -> Tokenizer:
        raise MissingPackageError("install it with: pip")

    result = lint_pair(Pair("absent", TEMPLATE, Kind.LOCAL, load))
    found = list(outcomes(result).values())
    assert found == [Outcome.SKIPPED, Outcome.WRONG, *[Outcome.SKIPPED] * (len(CHECKS) - 2)]
    assert "install it with: pip" in detail(result, "markers")


def test_long_lists_of_problems_are_cut() -> None:
    many = replace(TEMPLATE, special=(*TEMPLATE.special, *(f"<|{letter}|>" for letter in "vwxyz")))
    assert detail(lint_pair(pair_of(many)), "markers").endswith("; and 2 more")


def test_the_chat_has_no_text_twice() -> None:
    contents = [message["content"] for message in CHAT]
    assert len(set(contents)) == len(contents)


@cache
def saved_folder(folder: Path) -> Path:
    transformers = pytest.importorskip("transformers", reason="a folder is loaded through transformers")
    tokenizers = pytest.importorskip("tokenizers", reason="a folder is loaded through tokenizers")
    del transformers
    pieces = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={piece: place for place, piece in enumerate(pieces)}, merges=[])
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    backend.add_special_tokens(["<s>", *MARKERS])
    backend.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(SOURCE, encoding="utf-8")
    settings = VARIABLES | {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def test_a_folder_of_the_user(tmp_path: Path) -> None:
    folder = saved_folder(tmp_path)
    assert outcomes(lint_pair(load_pair(str(folder)))) == {"files": Outcome.SKIPPED} | dict.fromkeys(
        ("markers", "stops", "template", "round trip", "tokens", "mask"), Outcome.OK
    )


def test_a_folder_whose_vocabulary_lacks_a_marker_of_its_template(tmp_path: Path) -> None:
    folder = saved_folder(tmp_path)
    changed = SOURCE.replace("<|end|>", "<|im_end|>")
    (folder / "chat_template.jinja").write_text(changed, encoding="utf-8")
    result = lint_pair(load_pair(str(folder)))
    assert "'<|im_end|>' is 10 ids, not one" in detail(result, "markers")
    assert "writes none of '<|end|>'" in detail(result, "stops")
