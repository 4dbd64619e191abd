"""The texts are of every class and the same for a seed; shrinking keeps what it is told to keep."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.corpus import embedded_pair
from tests.implementations.texts import conversations, shrink, texts

PAIR = "mistral-v3+sentencepiece-bpe"


def test_the_texts_hold_every_class_that_tokenizers_differ_on() -> None:
    drawn = texts(embedded_pair(PAIR), examples=400, seed=3)
    assert len(drawn) == 400
    assert sum(len(set(drawn)) > 300 for _ in drawn) == 400
    together = "".join(drawn)
    for piece in ("[/INST]", "  ", "\u2581", "\u0301", "\u200d", "你", "\x01", "\r\n", "<0x0A>", "<think>", "שלום"):
        assert piece in together, piece
    assert any(text.isspace() for text in drawn)
    assert any(text.startswith(" ") for text in drawn)


def test_the_same_seed_gives_the_same_texts_and_another_seed_others() -> None:
    first, again, other = (texts(embedded_pair(PAIR), examples=30, seed=seed) for seed in (5, 5, 6))
    assert first == again != other


def test_conversations_are_rendered_by_the_template() -> None:
    drawn = conversations(embedded_pair(PAIR), examples=20, seed=1)
    assert len(drawn) == 20
    assert all(each.text.startswith("<s>[INST]") or each.text.startswith("<s>") for each in drawn)
    assert any("[/INST]" in each.text for each in drawn)


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("hello  there world", "  ", "  "),
        ("x" * 500 + "🙂" + "y" * 300, "🙂", "🙂"),
        ("one two three", "e", "e"),
    ],
)
def test_shrinking_finds_the_part_that_matters(text: str, part: str, expected: str) -> None:
    assert shrink(text, lambda each: part in each) == expected


def test_letters_become_the_plainest_letter() -> None:
    assert shrink("Zürich, tomorrow", lambda each: len(each) >= 3) == "aaa"


def test_special_tokens_stay_whole() -> None:
    def still(text: str) -> bool:
        return "</s>" in text and text.index("</s>") + 4 < len(text)

    assert shrink("Hello</s> and more", still, whole=("</s>",)) == "</s>a"
