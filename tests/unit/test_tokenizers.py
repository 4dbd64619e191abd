"""`wrap` and its adapters: same ids as the library's own call, special tokens, spellings, clear refusals."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings

from maskspec.alignment import align
from maskspec.errors import AlignmentError, TokenizerError
from maskspec.tokenizers import wrap
from maskspec.tokens import Encoding, SpecialTokens, Tokenizer
from tests.unit.test_alignment_properties import TEXTS, check
from tests.unit.vocabularies import (
    FAST,
    SLOW,
    mistral_fast,
    mistral_slow,
    slow_sentencepiece,
    trained_sentencepiece,
    transformers,
    transformers_major,
)

SENTENCES = ["the quick brown fox jumps over the lazy dog", "hello there <|user|> world", "don't stop"] * 10


@pytest.fixture(scope="module")
def tokenizers() -> Any:
    return pytest.importorskip("tokenizers", reason="needs tokenizers")


@pytest.fixture
def byte_level(tokenizers: Any) -> Any:
    """A small byte-level BPE of its own for every test, so that tests may change it."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        show_progress=False,
        special_tokens=["<s>", "</s>", "<|user|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


@pytest.fixture
def fast(byte_level: Any) -> Any:
    return transformers().PreTrainedTokenizerFast(tokenizer_object=byte_level, bos_token="<s>", eos_token="</s>")


@pytest.fixture
def word_piece(tokenizers: Any) -> Any:
    words = ["[UNK]", "hello", "he", "##llo", "cafe", "world", "!", "你", "##s"]
    model = tokenizers.models.WordPiece({word: index for index, word in enumerate(words)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    return tokenizer


def public_call(raw: Any, text: str) -> Encoding:
    result = raw(text, add_special_tokens=False, return_offsets_mapping=raw.is_fast)
    return Encoding(result["input_ids"], result.get("offset_mapping"))


@pytest.mark.parametrize("name", FAST)
def test_fast_encoding_equals_the_public_call(name: str) -> None:
    raw = FAST[name]()
    tokenizer = wrap(raw)

    @settings(deadline=None, max_examples=40, database=None)
    @given(text=TEXTS)
    def holds(text: str) -> None:
        assert tokenizer.encode(text) == public_call(raw, text)

    holds()


@pytest.mark.parametrize("name", SLOW)
def test_slow_encoding_equals_the_public_call(name: str) -> None:
    raw = SLOW[name]()
    tokenizer = wrap(raw)

    @settings(deadline=None, max_examples=20, database=None)
    @given(text=TEXTS)
    def holds(text: str) -> None:
        assert tokenizer.encode(text) == public_call(raw, text)

    holds()


class TestSettingsLeftBehind:
    """Truncation and padding are settings of the object; they must neither leak in nor be lost."""

    TEXT = "the quick brown fox jumps over the lazy dog"

    @pytest.fixture
    def plain(self, byte_level: Any) -> list[int]:
        return list(byte_level.encode(self.TEXT, add_special_tokens=False).ids)

    def test_truncation_and_padding_of_a_raw_tokenizer(self, byte_level: Any, plain: list[int]) -> None:
        byte_level.enable_truncation(max_length=3, stride=1)
        byte_level.enable_padding(length=64, pad_id=1, pad_token="</s>")
        before = (byte_level.truncation, byte_level.padding)
        assert list(wrap(byte_level).encode(self.TEXT).ids) == plain
        assert (byte_level.truncation, byte_level.padding) == before

    def test_truncation_and_padding_of_a_fast_tokenizer(self, fast: Any, plain: list[int]) -> None:
        fast.pad_token = "</s>"
        tokenizer = wrap(fast)
        fast(self.TEXT, truncation=True, max_length=3, padding="max_length")
        encoding = tokenizer.encode(self.TEXT)
        assert list(encoding.ids) == plain
        assert fast.backend_tokenizer.truncation["max_length"] == 3
        assert encoding == public_call(fast, self.TEXT)

    def test_special_tokens_are_split_only_where_the_tokenizer_says_so(self, fast: Any) -> None:
        tokenizer = wrap(fast)
        whole = tokenizer.encode("<s>a")
        fast.split_special_tokens = True
        apart = tokenizer.encode("<s>a")
        assert len(apart.ids) > len(whole.ids)
        assert fast.backend_tokenizer.encode_special_tokens is False
        assert apart == public_call(fast, "<s>a")
        fast.split_special_tokens = False
        assert tokenizer.encode("<s>a") == whole


def test_a_class_that_replaces_the_call_is_asked_through_its_call(fast: Any) -> None:
    class Shouting(type(fast)):  # type: ignore[misc]
        def __call__(self, text: str, **options: Any) -> Any:
            return super().__call__(text.upper(), **options)

    fast.__class__ = Shouting
    assert wrap(fast).encode("fox") == public_call(fast, "fox")
    assert fast.decode(wrap(fast).encode("fox").ids) == "FOX"


class TestNormalisingTokenizers:
    def test_word_piece_covers_every_character(self, word_piece: Any) -> None:
        text = "Hello  CAFÉ\u0301 wörld\x00 你hellos!\ufffd "
        tokenizer = wrap(word_piece)
        check(text, tokenizer)
        assert tokenizer.special_tokens.added == ()

    def test_word_piece_spellings_and_ranges(self, word_piece: Any) -> None:
        tokenizer = wrap(word_piece)
        encoding = tokenizer.encode("Hes  cafés")
        assert [tokenizer.token(token_id) for token_id in encoding.ids] == ["he", "##s", "cafe", "##s"]
        assert list(tokenizer.surfaces(encoding.ids)) == [b"he", b"s", b"cafe", b"s"]
        alignment = align("Hes  cafés", encoding, tokenizer)
        assert list(zip(alignment.starts, alignment.ends, strict=True)) == [(0, 2), (2, 3), (3, 9), (9, 10)]

    @pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC"])
    def test_unicode_forms_keep_the_ranges_of_the_original(self, tokenizers: Any, byte_level: Any, form: str) -> None:
        byte_level.normalizer = getattr(tokenizers.normalizers, form)()
        tokenizer = wrap(byte_level)

        @settings(deadline=None, max_examples=60, database=None)
        @given(text=TEXTS)
        def holds(text: str) -> None:
            check(text, tokenizer)

        holds()

    def test_a_normaliser_that_eats_letters_is_refused(self, tokenizers: Any, byte_level: Any) -> None:
        byte_level.normalizer = tokenizers.normalizers.Replace("fox", "")
        tokenizer = wrap(byte_level)
        with pytest.raises(AlignmentError, match="character 2, 'fox you'"):
            align("a fox you", tokenizer.encode("a fox you"), tokenizer)

    @pytest.mark.parametrize("scheme", ["always", "first", "never"])
    @pytest.mark.parametrize("split", [True, False])
    def test_metaspace_schemes(self, tokenizers: Any, scheme: str, split: bool) -> None:
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>", byte_fallback=True))
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
        tokenizer.decoder = tokenizers.decoders.Metaspace(prepend_scheme=scheme, split=split)
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=330,
            show_progress=False,
            special_tokens=["<unk>", "<s>", "[INST]", *(f"<0x{byte:02X}>" for byte in range(256))],
        )
        tokenizer.train_from_iterator(SENTENCES, trainer)
        wrapped = wrap(tokenizer)

        @settings(deadline=None, max_examples=60, database=None)
        @given(text=TEXTS)
        def holds(text: str) -> None:
            check(text, wrapped)

        holds()

    def test_a_prefix_space_prepended_by_the_normaliser_is_a_phantom(self, tokenizers: Any) -> None:
        vocabulary = {token: index for index, token in enumerate(["[I]", "▁", "H", "i", "▁H", "▁Hi"])}
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [("▁", "H"), ("▁H", "i")]))
        tokenizer.normalizer = tokenizers.normalizers.Sequence(
            [tokenizers.normalizers.Prepend("▁"), tokenizers.normalizers.Replace(" ", "▁")]
        )
        tokenizer.add_special_tokens(["[I]"])
        wrapped = wrap(tokenizer)
        encoding = wrapped.encode("[I] Hi")
        alignment = align("[I] Hi", encoding, wrapped)
        assert [wrapped.token(token_id) for token_id in encoding.ids] == ["[I]", "▁", "▁Hi"]
        assert alignment.phantoms == (1,)

    def test_white_space_swallowed_by_an_added_token_belongs_to_it(self, tokenizers: Any, byte_level: Any) -> None:
        byte_level.add_tokens([tokenizers.AddedToken("<|end|>", lstrip=True, rstrip=True)])
        tokenizer = wrap(byte_level)
        alignment = check("a  <|end|> \n b", tokenizer)
        assert list(zip(alignment.starts, alignment.ends, strict=True)) == [(0, 1), (1, 13), (13, 14)]


@pytest.mark.parametrize("legacy", [True, False])
def test_a_sentencepiece_model_that_normalises_says_where_its_pieces_came_from(legacy: bool, tmp_path: Path) -> None:
    path = trained_sentencepiece(tmp_path, model_type="bpe", normalization_rule_name="nmt_nfkc")
    tokenizer = wrap(slow_sentencepiece(str(path), legacy, ["<|im_end|>"]))
    text = "aﬀ<|im_end|> a\tb"
    encoding = tokenizer.encode(text)
    alignment = align(text, encoding, tokenizer)
    assert [tokenizer.token(token_id) for token_id in encoding.ids][1:] == ["f", "f", "<|im_end|>", "▁a", "▁b"]
    # The ligature is one character that two pieces share; the white space before a piece belongs to it.
    ranges = list(zip(alignment.starts, alignment.ends, strict=True))
    assert ranges == [(0, 1), (1, 2), (1, 2), (2, 12), (12, 14), (14, 16)]


class TestSpecialTokens:
    def test_of_a_fast_tokenizer(self, fast: Any) -> None:
        special = wrap(fast, stops=("<|user|>",)).special_tokens
        assert (special.bos, special.eos, special.pad, special.unk) == ("<s>", "</s>", None, None)
        assert special.variables == {"bos_token": "<s>", "eos_token": "</s>"}
        assert special.added == ("<|user|>", "</s>", "<s>")
        assert special.stops == ("<|user|>",)

    def test_variables_are_what_transformers_gives_a_template(self) -> None:
        raw = mistral_fast("v3", False)
        assert wrap(raw).special_tokens.variables == raw.special_tokens_map
        template = "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}"
        rendered = raw.apply_chat_template([{"role": "user", "content": ""}], chat_template=template, tokenize=False)
        variables = wrap(raw).special_tokens.variables
        assert rendered == "|".join(variables[name] for name in ("bos_token", "eos_token", "unk_token"))

    @pytest.mark.parametrize("load", [mistral_fast, mistral_slow])
    def test_slow_and_fast_agree(self, load: Any) -> None:
        special = wrap(load("v3", False)).special_tokens
        assert (special.bos, special.eos, special.unk) == ("<s>", "</s>", "<unk>")
        # Converting in transformers 4.57 makes all control pieces of the model added tokens, hundreds of them.
        assert {"[/INST]", "[INST]", "<unk>", "</s>", "<s>"} <= set(special.added)
        assert special.added == tuple(sorted(special.added, key=lambda token: (-len(token), token)))

    def test_tokens_added_later_are_seen(self, fast: Any) -> None:
        tokenizer = wrap(fast)
        assert "<think>" not in tokenizer.special_tokens.added
        fast.add_tokens(["<think>"])
        assert "<think>" in tokenizer.special_tokens.added
        assert tokenizer.surfaces(tokenizer.encode("<think>").ids) == [b"<think>"]

    def test_eos_changed_later_is_seen(self, fast: Any) -> None:
        tokenizer = wrap(fast)
        assert tokenizer.special_tokens.eos == "</s>"
        fast.eos_token = "<|user|>"
        assert tokenizer.special_tokens.eos == "<|user|>"

    def test_stops_come_from_the_generation_configuration_beside_the_tokenizer(self, fast: Any, tmp_path: Path) -> None:
        fast.save_pretrained(tmp_path)
        eos, user = fast.convert_tokens_to_ids(["</s>", "<|user|>"])
        (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [eos, user]}))
        loaded = transformers().AutoTokenizer.from_pretrained(tmp_path)
        assert wrap(loaded).special_tokens.stops == ("<|user|>",)
        assert wrap(loaded, stops=("</s>",)).special_tokens.stops == ("</s>",)
        assert wrap(loaded).name == tmp_path.name

    def test_a_broken_generation_configuration_is_named(self, fast: Any, tmp_path: Path) -> None:
        fast.save_pretrained(tmp_path)
        (tmp_path / "generation_config.json").write_text("[]")
        loaded = transformers().AutoTokenizer.from_pretrained(tmp_path)
        with pytest.raises(TokenizerError, match=r"generation_config\.json"):
            wrap(loaded).special_tokens  # noqa: B018 - asking is the test


class TestSpellings:
    def test_byte_level(self) -> None:
        tokenizer = wrap(FAST["qwen"]())
        ids = tokenizer.encode(" é你\n<|im_end|>").ids
        assert b"".join(tokenizer.surfaces(ids)) == " é你\n<|im_end|>".encode()
        assert tokenizer.token(ids[0]) == "ĠÃ©"
        assert tokenizer.decode(ids) == " é你\n<|im_end|>"

    def test_sentencepiece_slow_and_fast(self) -> None:
        for raw in (mistral_fast("v3", False), mistral_slow("v3", True)):
            tokenizer = wrap(raw)
            # ▁Hi, <0x0A>, [INST], ▁ (the ids are those of the vocabulary file)
            assert list(tokenizer.surfaces([16127, 781, 3, 29473])) == [b" Hi", b"\n", b"[INST]", b" "]
            assert [tokenizer.token(token_id) for token_id in (16127, 781, 3)] == ["▁Hi", "<0x0A>", "[INST]"]

    def test_byte_level_written_in_python(self, tmp_path: Path, byte_level: Any) -> None:
        if transformers_major() != 4:
            pytest.skip("transformers 5 has no slow byte-level tokenizer")
        byte_level.model.save(str(tmp_path))
        raw = transformers().GPT2Tokenizer(tmp_path / "vocab.json", tmp_path / "merges.txt")
        raw.add_special_tokens({"additional_special_tokens": ["<|user|>"]})
        tokenizer = wrap(raw)

        @settings(deadline=None, max_examples=40, database=None)
        @given(text=TEXTS)
        def holds(text: str) -> None:
            check(text, tokenizer)

        holds()

    @pytest.mark.parametrize("load", [mistral_fast, mistral_slow])
    @pytest.mark.parametrize("token_id", [10**6, -1, 2**70])
    def test_an_id_outside_the_vocabulary_is_named(self, load: Any, token_id: int) -> None:
        tokenizer = wrap(load("v3", False))
        with pytest.raises(TokenizerError, match=f"no token with id {token_id}"):
            tokenizer.token(token_id)


class TestBadText:
    @pytest.mark.parametrize("load", [mistral_fast, mistral_slow])
    def test_a_lone_surrogate_is_refused_with_its_position(self, load: Any) -> None:
        with pytest.raises(TokenizerError, match="character 3 of the text is the lone surrogate"):
            wrap(load("v3", False)).encode("abc\ud83d")

    @pytest.mark.parametrize("load", [mistral_fast, mistral_slow])
    def test_something_other_than_text_is_refused(self, load: Any) -> None:
        tokenizer: Any = wrap(load("v3", False))
        with pytest.raises(TokenizerError, match="can only encode a str, not int"):
            tokenizer.encode(3)

    def test_what_the_library_refuses_is_told(self, tokenizers: Any) -> None:
        tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="<missing>"))
        with pytest.raises(TokenizerError, match="could not encode the text"):
            wrap(tokenizer).encode("b")


class OwnTokenizer:
    """The smallest object that satisfies the protocol by itself."""

    name = "own"
    special_tokens = SpecialTokens()

    @property
    def raw(self) -> Any:
        return self

    def encode(self, text: str) -> Encoding:
        return Encoding(list(text.encode()), None)

    def token(self, token_id: int) -> str:
        return chr(token_id)

    def surfaces(self, ids: Sequence[int]) -> list[bytes]:
        return [bytes([token_id]) for token_id in ids]

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(ids).decode()


class TestWrap:
    def test_an_object_that_satisfies_the_protocol_is_returned_as_it_is(self) -> None:
        own = OwnTokenizer()
        assert wrap(own) is own
        check("aé👩", wrap(own))

    def test_such_an_object_declares_its_stops_itself(self) -> None:
        with pytest.raises(TokenizerError, match="declare the stops in its special_tokens"):
            wrap(OwnTokenizer(), stops=("x",))

    def test_an_adapter_is_returned_as_it_is_or_renamed(self, fast: Any) -> None:
        tokenizer = wrap(fast, stops=("</s>",))
        assert wrap(tokenizer) is tokenizer
        renamed = wrap(tokenizer, name="mine")
        assert (renamed.name, renamed.raw, renamed.special_tokens.stops) == ("mine", fast, ("</s>",))

    def test_every_adapter_satisfies_the_protocol(self, fast: Any, byte_level: Any) -> None:
        for raw in (fast, byte_level, mistral_slow("v3", True)):
            assert isinstance(wrap(raw), Tokenizer)
            assert wrap(raw).raw is raw

    @pytest.mark.parametrize("thing", [None, "gpt2", 3, object(), SimpleNamespace(encode=1), dict])
    def test_anything_else_is_refused_by_type(self, thing: object) -> None:
        with pytest.raises(TokenizerError) as caught:
            wrap(thing)
        assert type(thing).__qualname__ in str(caught.value)
        assert "tokenizers.Tokenizer" in str(caught.value)

    def test_other_objects_of_known_libraries_are_refused_too(self, tokenizers: Any) -> None:
        with pytest.raises(TokenizerError, match="BPE as a tokenizer"):
            wrap(tokenizers.models.BPE())

    def test_one_string_of_stops_is_refused(self, fast: Any) -> None:
        with pytest.raises(TokenizerError, match="did you mean"):
            wrap(fast, stops="</s>")

    def test_nothing_keeps_a_wrapped_tokenizer_alive(self, byte_level: Any) -> None:
        raw = transformers().PreTrainedTokenizerFast(tokenizer_object=byte_level)
        wrap(raw).encode("fox")
        wrap(raw).surfaces([1])
        gone = weakref.ref(raw)
        del raw
        gc.collect()
        assert gone() is None

    def test_importing_the_adapters_imports_no_tokenizer_library(self) -> None:
        code = (
            "import sys, maskspec.tokenizers, maskspec.alignment; "
            "print({'transformers', 'tokenizers', 'sentencepiece', 'mistral_common'} & set(sys.modules))"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "set()"


def test_runs_of_blanks_among_the_added_tokens_spell_spaces() -> None:
    """As in Gemma's vocabulary: two spaces become one added token, which the decoder turns into spaces again."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, normalizers

    backend = Backend(models.BPE(vocab={"▁▁": 0, "a": 1, "▁": 2}, merges=[]))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Replace("▁", " ")
    backend.add_tokens(["▁▁", "<end>"])
    tokenizer = wrap(backend)
    ids = tokenizer.encode("a  a<end>").ids
    assert list(ids) == [1, 0, 1, 3]
    assert tokenizer.surfaces(ids) == [b"a", b"  ", b"a", b"<end>"]
