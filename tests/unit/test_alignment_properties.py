"""What holds for every text on real vocabularies, fast and slow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from maskspec.alignment import Alignment, align
from maskspec.tokenizers import wrap
from maskspec.tokens import Tokenizer
from tests.unit.vocabularies import FAST, SLOW, mistral_common, slow_sentencepiece, trained_sentencepiece

FAMILY = "👩\u200d👩\u200d👧"
PIECES = st.sampled_from(
    [
        *("<s>", "</s>", "[INST]", "[/INST]", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<unk>", "<0x0A>"),
        *("Hello", " world", "你好", "こんにちは", "שלום", "مرحبا", FAMILY, "🏳️\u200d🌈", "e\u0301", "ñ", "\u0301"),
        *(" ", "  ", "    ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000", "\u200b", "\ufeff", "▁", " ▁ ", "▁▁"),
        *("\x00", "\x07", "\x7f", "\ufffd", "½", "ﬁ", "𝔘", '{"a": [1, 2]}', "def f():\n    return 1\n", "\u202e"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=8).map("".join)
MORE = settings(
    deadline=None, max_examples=60, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check(text: str, tokenizer: Tokenizer) -> Alignment:
    """Align and assert what is promised of every alignment."""
    encoding = tokenizer.encode(text)
    alignment = align(text, encoding, tokenizer)
    starts, ends = list(alignment.starts), list(alignment.ends)
    assert len(starts) == len(ends) == len(encoding.ids)
    assert starts == sorted(starts)
    assert ends == sorted(ends)
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    covered = {position for start, end in zip(starts, ends, strict=True) for position in range(start, end)}
    assert covered == (set(range(len(text))) if encoding.ids or text.strip() else set())
    return alignment


def check_surfaces(text: str, tokenizer: Tokenizer) -> None:
    """Assert that the tokens spell their characters: one by one, up to the space that SentencePiece adds."""
    encoding = tokenizer.encode(text)
    alignment = align(text, encoding, tokenizer)
    for surface, start, end in zip(tokenizer.surfaces(encoding.ids), alignment.starts, alignment.ends, strict=True):
        characters = text[start:end]
        assert _spells(surface, characters.encode()) or _spells(
            surface.replace("▁".encode(), b" "), characters.replace("▁", " ").encode()
        )


def _spells(surface: bytes, characters: bytes) -> bool:
    return surface in characters or surface == b" " + characters


@pytest.mark.parametrize("name", FAST)
def test_fast_tokenizers_account_for_every_character(name: str) -> None:
    tokenizer = wrap(FAST[name]())

    @MORE
    @given(text=TEXTS)
    @example(text=f"<s>[INST] {FAMILY}  你好▁[/INST]\n\n")
    def holds(text: str) -> None:
        check(text, tokenizer)
        check_surfaces(text, tokenizer)

    holds()


@pytest.mark.parametrize("name", SLOW)
def test_slow_tokenizers_account_for_every_character(name: str) -> None:
    tokenizer = wrap(SLOW[name]())

    @MORE
    @given(text=TEXTS)
    @example(text=f"<s>[INST] {FAMILY}  你好▁[/INST]\n\n")
    @example(text="[INST] [/INST]  [INST]▁[/INST]")
    def holds(text: str) -> None:
        check(text, tokenizer)
        check_surfaces(text, tokenizer)

    holds()


@pytest.mark.parametrize("name", ["v1", "v3", "tekken"])
def test_mistral_common_accounts_for_every_character(name: str) -> None:
    tokenizer = wrap(mistral_common(name))

    @MORE
    @given(text=TEXTS)
    def holds(text: str) -> None:
        check(text, tokenizer)
        check_surfaces(text, tokenizer)

    holds()


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("rule", ["nmt_nfkc", "identity"])
def test_normalising_sentencepiece_models_account_for_every_character(
    legacy: bool, rule: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    options: dict[str, Any] = {"model_type": "bpe", "normalization_rule_name": rule}
    if rule == "identity":
        options["remove_extra_whitespaces"] = False
    path = trained_sentencepiece(folder, **options)
    tokenizer = wrap(slow_sentencepiece(str(path), legacy, ["<|im_end|>"]))
    words = st.sampled_from(
        ["hello", " there", "   ", "☃", "ﬁve", "½", "<|im_end|>", "<unk>", "Wörld", " a b", "\t", "\n"]
    )

    @MORE
    @given(text=st.lists(words, max_size=8).map("".join))
    def holds(text: str) -> None:
        check(text, tokenizer)

    holds()


def test_byte_level_offsets_that_hide_spaces_give_the_same_ranges_as_those_that_do_not() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="needs tokenizers")
    shown = tokenizers.Tokenizer.from_str(FAST["qwen"]().backend_tokenizer.to_str())
    hidden = tokenizers.Tokenizer.from_str(shown.to_str())
    shown.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    hidden.post_processor = tokenizers.processors.ByteLevel(trim_offsets=True)

    @MORE
    @given(text=TEXTS)
    @example(text="a     b \n  c   ")
    def holds(text: str) -> None:
        assert check(text, wrap(hidden)) == check(text, wrap(shown))

    holds()
