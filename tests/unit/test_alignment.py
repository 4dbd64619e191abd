"""What `align` makes of offsets and surfaces, each case worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from maskspec.alignment import align
from maskspec.errors import AlignmentError
from maskspec.tokens import Encoding, SpecialTokens


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary in which a token's id is its place in `pieces`; `unk` and `added` name pieces."""

    pieces: tuple[str | bytes, ...]
    added: tuple[str, ...] = ()
    unk: str | None = None
    name: str = "sample"

    @property
    def raw(self) -> Any:
        return self

    @property
    def special_tokens(self) -> SpecialTokens:
        return SpecialTokens(added=self.added, unk=self.unk)

    def encode(self, text: str) -> Encoding:
        raise AssertionError(f"alignment never encodes, but was asked to encode {text!r}")

    def token(self, token_id: int) -> str:
        piece = self.pieces[token_id]
        return piece if isinstance(piece, str) else f"<{piece.hex()}>"

    def surfaces(self, ids: Sequence[int]) -> list[bytes]:
        return [self._surface(self.pieces[token_id]) for token_id in ids]

    def _surface(self, piece: str | bytes) -> bytes:
        if isinstance(piece, bytes):
            return piece
        return (piece if piece in self.added else piece.replace("▁", " ")).encode()

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(self.surfaces(ids)).decode()


def ranges(text: str, pieces: Sequence[str | bytes], offsets: Any = None, **options: Any) -> list[tuple[int, int]]:
    tokenizer = Vocabulary(tuple(pieces), **options)
    alignment = align(text, Encoding(range(len(pieces)), offsets), tokenizer)
    return list(zip(alignment.starts, alignment.ends, strict=True))


class Located(Vocabulary):
    """A tokenizer without offsets that folds `½` into `1/2` and knows where its pieces came from."""

    def locate(self, text: str, ids: Sequence[int]) -> Sequence[tuple[int, int]] | None:
        assert (text, list(ids)) == ("a½", [0, 1])
        return [(0, 1), (1, 2)]


def test_a_tokenizer_that_normalises_is_asked_where_its_pieces_came_from() -> None:
    encoding = Encoding(range(2), None)
    alignment = align("a½", encoding, Located(("a", "1/2")))
    assert (list(alignment.starts), list(alignment.ends)) == ([0, 1], [1, 2])
    with pytest.raises(AlignmentError):
        align("a½", encoding, Vocabulary(("a", "1/2")))


class TestOffsets:
    def test_offsets_that_tile_the_text_are_kept(self) -> None:
        assert ranges("ab cd", ["ab", " cd"], [(0, 2), (2, 5)]) == [(0, 2), (2, 5)]

    def test_no_tokens_for_no_text(self) -> None:
        assert ranges("", [], []) == []

    def test_white_space_that_was_dropped_altogether_has_no_owner(self) -> None:
        assert ranges(" \n", [], []) == []

    def test_a_trimmed_space_goes_back_to_the_token_that_spells_it(self) -> None:
        assert ranges("a bc", ["a", " bc"], [(0, 1), (2, 4)]) == [(0, 1), (1, 4)]

    def test_trimmed_runs_of_spaces_are_shared_by_what_each_token_spells(self) -> None:
        pieces = ["a", "  ", " ", " b"]
        assert ranges("a    b", pieces, [(0, 1), (5, 5), (5, 5), (5, 6)]) == [(0, 1), (1, 3), (3, 4), (4, 6)]

    def test_trailing_white_space_trimmed_off_a_token_goes_back_to_it(self) -> None:
        assert ranges("a\n  b", ["a", "\n ", " b"], [(0, 1), (1, 2), (4, 5)]) == [(0, 1), (1, 3), (3, 5)]

    def test_a_leading_space_goes_to_the_first_token_and_a_trailing_one_to_the_last(self) -> None:
        assert ranges(" ab ", ["a", "b"], [(1, 2), (2, 3)]) == [(0, 2), (2, 4)]

    def test_spaces_between_words_go_to_the_following_word(self) -> None:
        assert ranges("ab \n cd", ["ab", "cd"], [(0, 2), (5, 7)]) == [(0, 2), (2, 7)]

    def test_a_removed_accent_goes_to_its_base(self) -> None:
        assert ranges("e\u0301 x", ["e", "x"], [(0, 1), (3, 4)]) == [(0, 2), (2, 4)]
        assert ranges("e\u0301x", ["e", "x"], [(0, 1), (2, 3)]) == [(0, 2), (2, 3)]

    @pytest.mark.parametrize("piece", ["▁", "▁▁", "▁▁▁"])
    def test_trailing_spaces_go_to_an_empty_last_token_whatever_it_spells(self, piece: str) -> None:
        assert ranges("a  ", ["a", piece], [(0, 1), (3, 3)]) == [(0, 1), (1, 3)]

    def test_a_gap_behind_a_character_of_several_tokens_is_filled(self) -> None:
        pieces = [b"\xf0\x9f", b"\x91", b"\xa9", "x"]
        assert ranges("👩 x", pieces, [(0, 1), (0, 1), (0, 1), (2, 3)]) == [(0, 1), (0, 1), (0, 1), (1, 3)]

    def test_a_character_of_several_byte_tokens_belongs_to_all_of_them(self) -> None:
        pieces = [b"a", b"\xf0\x9f", b"\x91", b"\xa9"]
        assert ranges("a👩", pieces, [(0, 1), (1, 2), (1, 2), (1, 2)]) == [(0, 1), (1, 2), (1, 2), (1, 2)]

    def test_a_prefix_space_the_text_does_not_hold_is_a_phantom(self) -> None:
        assert ranges("你好", ["▁", "你", "好"], [(0, 1), (0, 1), (1, 2)]) == [(0, 0), (0, 1), (1, 2)]

    def test_a_prefix_space_before_a_space_is_a_phantom(self) -> None:
        offsets = [(0, 3), (3, 4), (3, 6)]
        assert ranges("[I] Hi", ["[I]", "▁", "▁Hi"], offsets) == [(0, 3), (3, 3), (3, 6)]

    def test_a_prefix_space_before_a_space_that_was_skipped_takes_that_space(self) -> None:
        offsets = [(0, 1), (2, 3), (2, 3)]
        assert ranges("a 你", ["▁a", "▁", "你"], offsets) == [(0, 1), (1, 2), (2, 3)]

    def test_a_prefix_space_before_a_composed_character_is_a_phantom(self) -> None:
        offsets = [(0, 2), (0, 2), (0, 2)]
        assert ranges("e\u0301", ["▁", b"\xc3", b"\xa9"], offsets) == [(0, 0), (0, 2), (0, 2)]

    def test_a_prefix_space_after_other_spaces_is_a_phantom_too(self) -> None:
        offsets = [(0, 1), (1, 3), (3, 5), (3, 5), (5, 6)]
        expected = [(0, 1), (1, 3), (3, 3), (3, 5), (5, 6)]
        assert ranges("a be\u0301x", ["a", "▁b", "▁", "é", "x"], offsets) == expected

    def test_a_prefix_space_takes_the_skipped_space_whatever_spaces_follow(self) -> None:
        offsets = [(1, 2), (1, 2), (2, 4)]
        assert ranges(" 你 好", ["▁", "你", "▁好"], offsets) == [(0, 1), (1, 2), (2, 4)]

    def test_a_prefix_space_of_two_takes_the_one_space_that_was_skipped(self) -> None:
        assert ranges("a 你", ["a", "▁▁", "你"], [(0, 1), (2, 3), (2, 3)]) == [(0, 1), (1, 2), (2, 3)]

    def test_a_token_that_spells_more_spaces_than_were_skipped_takes_what_there_is(self) -> None:
        assert ranges("a b", ["a", "▁▁▁", "b"], [(0, 1), (2, 2), (2, 3)]) == [(0, 1), (1, 2), (2, 3)]

    def test_a_prefix_space_before_a_space_is_a_phantom_whatever_follows(self) -> None:
        offsets = [(0, 3), (3, 4), (3, 6), (6, 7)]
        assert ranges("[I] Hi!", ["[I]", "▁", "▁Hi", "!"], offsets) == [(0, 3), (3, 3), (3, 6), (6, 7)]

    def test_a_prefix_space_before_a_space_is_a_phantom_though_an_empty_token_follows(self) -> None:
        offsets = [(0, 3), (3, 4), (3, 6), (6, 6)]
        assert ranges("[I] Hi", ["[I]", "▁", "▁Hi", "▁"], offsets) == [(0, 3), (3, 3), (3, 6), (6, 6)]

    def test_a_prefix_space_before_a_composed_character_is_a_phantom_whatever_follows(self) -> None:
        offsets = [(0, 1), (1, 3), (3, 5), (3, 5), (5, 7)]
        expected = [(0, 1), (1, 3), (3, 3), (3, 5), (5, 7)]
        assert ranges("a be\u0301 x", ["a", "▁b", "▁", "é", "▁x"], offsets) == expected

    def test_two_prefix_spaces_before_a_composed_character_are_phantoms(self) -> None:
        offsets = [(0, 2)] * 4
        assert ranges("e\u0301", ["▁", "▁", b"\xc3", b"\xa9"], offsets) == [(0, 0), (0, 0), (0, 2), (0, 2)]

    @pytest.mark.parametrize("space", [" ", "▁"])
    def test_a_space_that_the_text_holds_is_no_phantom_though_the_next_token_covers_it_too(self, space: str) -> None:
        assert ranges(f"{space}e\u0301", ["▁", "é"], [(0, 1), (0, 3)]) == [(0, 1), (0, 3)]

    def test_a_space_before_a_character_of_several_tokens_goes_to_the_first_of_them(self) -> None:
        pieces = ["a", b"\xf0\x9f", b"\x91", b"\xa9"]
        assert ranges("a 👩", pieces, [(0, 1), (2, 3), (2, 3), (2, 3)]) == [(0, 1), (1, 3), (2, 3), (2, 3)]

    def test_a_removed_replacement_character_goes_to_what_stands_before_it(self) -> None:
        assert ranges("a\ufffdb", ["a", "b"], [(0, 1), (2, 3)]) == [(0, 2), (2, 3)]

    def test_a_literal_blank_in_the_text_is_no_phantom(self) -> None:
        offsets = [(0, 1), (0, 1)]
        assert ranges("▁", [b"\xe2\x96", b"\x81"], offsets) == [(0, 1), (0, 1)]

    def test_an_empty_range_out_of_place_is_a_phantom_where_the_last_token_ended(self) -> None:
        assert ranges("ab", ["a", b"", "b"], [(0, 1), (0, 0), (1, 2)]) == [(0, 1), (1, 1), (1, 2)]

    @pytest.mark.parametrize(
        ("text", "pieces", "offsets", "told"),
        [
            (
                "axb",
                ["a", "b"],
                [(0, 1), (2, 3)],
                (
                    "no token covers character 1, 'xb'; the vocabulary cannot spell it or the tokenizer's normaliser "
                    "removed it, so its label is unknown"
                ),
            ),
            ("xb", ["b"], [(1, 2)], "character 0"),
            ("ax", ["a"], [(0, 1)], "character 1"),
            ("x", [], [], "character 0"),
            (
                "abc",
                ["a", "bc", "b"],
                [(0, 1), (1, 3), (1, 2)],
                (
                    "token 2 covers characters 1 to 2, which lie before those of token 1 (1 to 3); "
                    "the tokenizer's offsets are not in the order of the text"
                ),
            ),
            ("ab", ["ab", "a"], [(0, 2), (0, 1)], "before those of token 0 (0 to 2)"),
            ("abc", ["a", "c", "b"], [(0, 1), (2, 3), (1, 2)], "character 1, 'bc'"),
            ("ab", ["a", "b"], [(0, 1), (1, 3)], "leave the text of 2 characters"),
            ("ab", ["a", "b"], [(-1, 1), (1, 2)], "leave the text of 2 characters"),
            ("abc", ["a", "b", "c"], [(0, 2), (2, 1), (1, 3)], "leave the text of 3 characters"),
            ("ab", ["a", "b"], [(0, 1)], "2 ids came with 1 offsets"),
        ],
    )
    def test_offsets_that_do_not_account_for_the_text_are_refused(
        self, text: str, pieces: list[str | bytes], offsets: list[tuple[int, int]], told: str
    ) -> None:
        with pytest.raises(AlignmentError, match="sample") as caught:
            ranges(text, pieces, offsets)
        assert told in str(caught.value)


class TestSurfaces:
    def test_surfaces_cut_the_text(self) -> None:
        assert ranges("ab cd", ["ab", " cd"]) == [(0, 2), (2, 5)]

    def test_bytes_of_one_character_share_it(self) -> None:
        assert ranges("é👩!", [b"\xc3", b"\xa9\xf0", b"\x9f\x91\xa9", b"!"]) == [(0, 1), (0, 2), (1, 2), (2, 3)]

    def test_a_token_without_bytes_is_a_phantom(self) -> None:
        assert ranges("äb", ["ä", b"", "b"]) == [(0, 1), (1, 1), (1, 2)]

    def test_a_prefix_space_joined_to_a_word_is_no_phantom(self) -> None:
        assert ranges("Hi you", ["▁Hi", "▁you"]) == [(0, 2), (2, 6)]

    def test_a_prefix_space_of_its_own_is_a_phantom(self) -> None:
        assert ranges(" Hi", ["▁", "▁Hi"]) == [(0, 0), (0, 3)]

    def test_every_section_may_begin_with_a_space_of_its_own(self) -> None:
        pieces = ["<s>", "[I]", "▁", "▁Hi", "[/I]", "▁", "你", "</s>"]
        expected = [(0, 3), (3, 6), (6, 6), (6, 9), (9, 13), (13, 13), (13, 14), (14, 18)]
        assert ranges("<s>[I] Hi[/I]你</s>", pieces, added=("<s>", "[I]", "[/I]", "</s>")) == expected

    def test_a_space_the_text_does_hold_is_no_phantom(self) -> None:
        pieces = ["[I]", "▁", "[/I]"]
        assert ranges("[I] [/I]", pieces, added=("[I]", "[/I]")) == [(0, 3), (3, 4), (4, 8)]

    def test_a_literal_blank_is_spelled_like_a_space(self) -> None:
        assert ranges("a▁b c", ["▁a", "▁b", "▁c"]) == [(0, 1), (1, 3), (3, 5)]

    def test_white_space_swallowed_by_an_added_token_belongs_to_it(self) -> None:
        added = ("<e>", "<f>")
        assert ranges("a <e>  b", ["a", "<e>", "b"], added=added) == [(0, 1), (1, 7), (7, 8)]
        assert ranges("<e> <f>", ["<e>", "<f>"], added=added) == [(0, 4), (4, 7)]

    def test_a_space_is_added_even_where_the_white_space_before_it_was_swallowed(self) -> None:
        assert ranges("<e>  你", ["<e>", "▁", "你"], added=("<e>",)) == [(0, 5), (5, 5), (5, 6)]

    def test_a_blank_inside_an_added_token_is_spelled_as_it_stands(self) -> None:
        assert ranges("<b▁s>你", ["<b▁s>", "▁", "你"], added=("<b▁s>",)) == [(0, 5), (5, 5), (5, 6)]

    def test_dropped_white_space_goes_to_the_following_token(self) -> None:
        assert ranges("ab  cd ", ["ab", "cd"]) == [(0, 2), (2, 7)]

    @pytest.mark.parametrize(
        ("text", "pieces", "expected"),
        [
            ("a ☃ b", ["▁a", "▁", "<unk>", "▁b"], [(0, 1), (1, 2), (2, 3), (3, 5)]),
            ("☃☃", ["▁", "<unk>"], [(0, 0), (0, 2)]),
            ("<unk>☃", ["<unk>", "<unk>"], [(0, 5), (5, 6)]),
            ("☃<e>a", ["<unk>", "<e>", "a"], [(0, 1), (1, 4), (4, 5)]),
            ("☃é", ["<unk>", "<unk>"], [(0, 1), (1, 2)]),
        ],
    )
    def test_an_unknown_token_stands_for_the_shortest_stretch_that_fits(
        self, text: str, pieces: list[str | bytes], expected: list[tuple[int, int]]
    ) -> None:
        assert ranges(text, pieces, added=("<unk>", "<e>"), unk="<unk>") == expected

    @pytest.mark.parametrize(
        ("text", "pieces", "told"),
        [
            ("Hello World", ["hello", "world"], "at character 0 the text goes on with 'Hello World', but token 0"),
            ("ab", ["a", "c"], "at character 1 the text goes on with 'b', but token 1 is 'c'"),
            ("éb", ["é"], "at character 1 the text goes on with 'b', but there are no tokens left"),
            ("a", ["a", "b"], "at character 1 the text goes on with nothing, but token 1"),
            ("a", ["a", "<unk>"], "at character 1"),
            ("☃a", ["<unk>", "b"], "at character 0"),
            ("a", ["a", "<e>"], "token 1 is '<e>'"),
        ],
    )
    def test_surfaces_that_do_not_spell_the_text_are_refused(
        self, text: str, pieces: list[str | bytes], told: str
    ) -> None:
        with pytest.raises(AlignmentError) as caught:
            ranges(text, pieces, added=("<e>",), unk="<unk>")
        assert told in str(caught.value)
        assert "fast version" in str(caught.value)

    def test_a_lone_surrogate_is_named(self) -> None:
        with pytest.raises(AlignmentError, match="character 1 is a lone surrogate"):
            ranges("a\ud800", ["a"])
