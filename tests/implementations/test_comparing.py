"""Comparing finds what two tokenizers were made to differ in, and nothing where they agree."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.corpus import Pair, embedded_pair
from maskspec.tokens import Encoding, SpecialTokens, Tokenizer
from tests.implementations.classes import Difference, Unclassified
from tests.implementations.compare import compare_text
from tests.implementations.labels import compare_labels, labels
from tests.implementations.panel import Comparison, Panel
from tests.implementations.readers import Reader
from tests.implementations.returning import MOVED, SAME, UNSPELLED, offsets
from tests.implementations.texts import Drawn, conversations

PAIR = "chatml+bytelevel-gpt2"


def pair() -> Pair:
    return embedded_pair(PAIR)


def changed(tokenizer: Tokenizer, change) -> Reader:
    """The same tokenizer on a text that is changed first."""
    return Reader(
        "changed",
        tokenizer.special_tokens,
        ids=lambda text: tokenizer.encode(change(text)).ids,
        bytes_of=lambda token_id: tokenizer.surfaces([token_id])[0],
        text=tokenizer.decode,
    )


def panel(change, *, begins_with_space: bool = False) -> Panel:
    tokenizer = pair().tokenizer
    names = {"right": tokenizer, "again": changed(tokenizer, lambda text: text), "wrong": changed(tokenizer, change)}
    return Panel(names, tokenizer.special_tokens.added, begins_with_space)


def found(change, *texts: str, begins_with_space: bool = False) -> Comparison:
    asked = panel(change, begins_with_space=begins_with_space)
    result = Comparison("a vocabulary", tuple(asked.tokenizers))
    for text in texts:
        compare_text(asked, text, result)
    return result


def test_tokenizers_that_agree_are_alike() -> None:
    result = found(lambda text: text, "Hello", "<|im_start|>user\nHi<|im_end|>", "  ")
    assert result.alike == 3
    assert not result.different
    assert not result.shown


def test_a_difference_is_made_small_classified_and_counted_for_every_pair_that_has_it() -> None:
    result = found(lambda text: unicodedata.normalize("NFC", text), "one two e\u0301 three", "plain")
    assert result.alike == 1
    assert result.different == {("right", "wrong"): 1, ("again", "wrong"): 1}
    assert result.classes == {
        ("right", "wrong", Difference.NORMALISATION): 1,
        ("again", "wrong", Difference.NORMALISATION): 1,
    }
    assert result.smallest == {Difference.NORMALISATION: {"a\u0301": 1}}


def test_behind_other_text_what_the_beginning_hides_is_seen() -> None:
    def change(text: str) -> str:
        return f" {text}".replace("<|im_end|>", "<|im_end|> ")

    text = "b<|im_end|>b"
    assert found(change, text).shown == {Difference.BEFORE_TEXT: 1}
    # The lead `z` has the space before the text, so the rest is compared by itself.
    inside = found(change, text, begins_with_space=True)
    assert inside.shown == {Difference.BEFORE_TEXT: 1, Difference.AFTER_SPECIAL: 1}
    assert list(inside.smallest[Difference.AFTER_SPECIAL]) == ["<|im_end|>"]


def test_a_tokenizer_that_is_simply_wrong_fits_no_class() -> None:
    with pytest.raises(Unclassified):
        found(lambda text: text.replace("b", "c"), "abc")


def drawn() -> list[Drawn]:
    return conversations(pair(), examples=6, seed=2)


def test_labels_are_compared_by_character() -> None:
    """Cut into single characters an answer keeps its labels; as one token with its header it loses them."""
    right = pair().tokenizer
    added = {token: right.encode(token).ids[0] for token in right.special_tokens.added}
    single = replace(changed(right, str), ids=lambda text: letters(text, added, right))
    whole = replace(changed(right, str), ids=lambda _: [0], bytes_of=lambda _: drawn()[0].text.encode())
    asked = Panel({"right": right, "single": single, "whole": whole}, right.special_tokens.added, False)
    result = Comparison("a vocabulary", tuple(asked.tokenizers))
    compare_labels(asked, pair(), drawn()[0], result)
    assert result.labels == {
        ("right", "single", "same"): 1,
        ("right", "whole", "other"): 1,
        ("single", "whole", "other"): 1,
    }


def letters(text: str, added: dict[str, int], tokenizer: Tokenizer) -> list[int]:
    ids: list[int] = []
    while text:
        token = next((each for each in added if text.startswith(each)), text[0])
        ids += [added[token]] if token in added else tokenizer.encode(token).ids
        text = text.removeprefix(token)
    return ids


def test_an_answer_that_straddles_with_its_header_loses_characters() -> None:
    right = pair().tokenizer
    conversation = next(each for each in conversations(pair(), examples=1, seed=0))
    text = conversation.text
    merged = replace(changed(right, str), ids=lambda _: [0], bytes_of=lambda _: text.encode())
    assert labels(right, pair(), conversation).lost == frozenset()
    lost = labels(merged, pair(), conversation)
    assert lost.error == ""
    # `<|im_start|>assistant\n` is 22 characters; what follows is the answer `a` and its stop of ten.
    start = text.rindex("<|im_start|>assistant\n") + 22
    assert lost.lost == frozenset(range(start, start + 11))


def test_a_tokenizer_whose_tokens_do_not_spell_the_text_is_refused() -> None:
    right = pair().tokenizer
    conversation = drawn()[0]
    other = changed(right, lambda text: text.upper())
    assert labels(other, pair(), conversation).error == "AlignmentError"


def test_a_reader_answers_the_protocol() -> None:
    reader = changed(pair().tokenizer, str)
    assert isinstance(reader, Tokenizer)
    assert isinstance(reader.encode("a"), Encoding)
    assert reader.raw is reader


@dataclass
class Placed:
    """A tokenizer of two tokens with the offsets that it is given."""

    places: list[tuple[int, int]]
    pieces: tuple[bytes, ...] = (b"<|end|>", b"a")
    name: str = "placed"

    special_tokens = SpecialTokens()

    def encode(self, _: str) -> Encoding:
        return Encoding([0, 1], self.places)

    def surfaces(self, ids) -> list[bytes]:
        return [self.pieces[each] for each in ids]

    def token(self, token_id: int) -> str:
        return self.pieces[token_id].decode()


@pytest.mark.parametrize(
    ("text", "tokenizer", "expected"),
    [
        ("<|end|>a", Placed([(0, 7), (7, 8)]), SAME),
        ("<|end|> a", Placed([(0, 8), (8, 9)], (b"<|end|>", b" a")), MOVED),
        ("<|end|>\na", Placed([(0, 8), (8, 9)], (b"<|end|>", b" a ")), UNSPELLED),
    ],
)
def test_offsets_are_compared_with_what_the_tokens_spell(text: str, tokenizer: Placed, expected: str) -> None:
    assert offsets(tokenizer, text) == expected


def test_offsets_in_quite_other_places_fit_no_class() -> None:
    with pytest.raises(Unclassified, match="disagree"):
        offsets(Placed([(0, 6), (6, 8)]), "<|end|>a")


def test_a_tokenizer_without_offsets_has_nothing_to_compare() -> None:
    assert offsets(changed(pair().tokenizer, str), "Hello") == ""
