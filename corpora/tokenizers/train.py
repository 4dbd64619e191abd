"""Trains the small tokenizers that ship with maskspec, so that every one can be made again from text in the repository.

Run `python corpora/tokenizers/train.py` to write all folders beside this file,
or name folders to train only those; `--output FOLDER` writes elsewhere. The
same text and the same trainers give the same bytes: nothing here depends on
time, order of files on disk, threads or hashing, and every file is written by
this script in a fixed layout rather than by the trainers.

Each folder loads with `AutoTokenizer.from_pretrained` (transformers 4.57 and
5.x). Chat markers are not part of any vocabulary: maskspec adds a template's
markers when it joins a template with a tokenizer.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TEXT = HERE.parent / "text"

SPACE = "▁"
"""What SentencePiece writes for a space (U+2581)."""

WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
OTHERS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

QWEN_PATTERN = rf"{WORDS}|\p{{N}}|{OTHERS}"
"""Pre-tokenization of Qwen2 and its successors (transformers, `Qwen2Tokenizer`): every digit stands alone."""

TIKTOKEN_PATTERN = rf"{WORDS}|\p{{N}}{{1,3}}|{OTHERS}"
"""Pre-tokenization of cl100k_base and Llama 3: digits in groups of up to three."""


def training_lines() -> list[str]:
    """Return the training text as lines that keep their newline, files in order of name."""
    lines: list[str] = []
    for path in sorted(TEXT.glob("*.txt")):
        lines.extend(path.read_text(encoding="utf-8").splitlines(keepends=True))
    return lines


# --- byte-level -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ByteLevel:
    """A byte-level BPE vocabulary; `pattern` is None for GPT-2's own pre-tokenization."""

    size: int
    pattern: str | None
    end: str
    normalizer: str | None = None

    def pre_tokenizer(self) -> dict[str, Any]:
        """Return the pre-tokenizer in the layout of tokenizer.json."""
        byte_level = {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": False,
            "use_regex": self.pattern is None,
        }
        if self.pattern is None:
            return byte_level
        split = {"type": "Split", "pattern": {"Regex": self.pattern}, "behavior": "Isolated", "invert": False}
        return {"type": "Sequence", "pretokenizers": [split, byte_level]}

    @property
    def special(self) -> tuple[str, ...]:
        """The special tokens, in the order of their ids."""
        return (self.end,)

    def document(
        self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], **model: Any
    ) -> dict[str, Any]:
        """Return the whole tokenizer.json."""
        return _document(
            added=[(vocabulary[token], token) for token in self.special if token in vocabulary],
            normalizer={"type": self.normalizer} if self.normalizer else None,
            pre_tokenizer=self.pre_tokenizer(),
            post_processor={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
            decoder={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            model={
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": "",
                "end_of_word_suffix": "",
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": dict(vocabulary),
                "merges": [f"{left} {right}" for left, right in merges],
                **model,
            },
        )

    def train(self) -> tuple[dict[str, int], list[tuple[str, str]]]:
        """Return vocabulary (256 bytes first, then merges in order of learning) and merges."""
        from tokenizers import Tokenizer, models, trainers

        tokenizer = Tokenizer.from_str(json.dumps(self.document({}, [])))
        trainer = trainers.BpeTrainer(
            vocab_size=self.size - 1,
            min_frequency=2,
            show_progress=False,
            initial_alphabet=sorted(byte_characters().values()),
        )
        tokenizer.model = models.BPE()
        tokenizer.train_from_iterator(["".join(training_lines())], trainer)
        model = json.loads(tokenizer.to_str())["model"]
        return model["vocab"], [_pair(merge) for merge in model["merges"]]

    def files(self) -> dict[str, bytes]:
        """Return the files of the folder by name."""
        vocabulary, merges = self.train()
        vocabulary[self.end] = len(vocabulary)
        config = _config(bos_token=self.end, eos_token=self.end, pad_token=self.end)
        return {"tokenizer.json": _json(self.document(vocabulary, merges)), "tokenizer_config.json": config}


@dataclass(frozen=True)
class Tiktoken(ByteLevel):
    """A byte-level vocabulary as a file of ranks, which is how tiktoken keeps them, and its conversion."""

    @property
    def special(self) -> tuple[str, ...]:
        """The special tokens, in the order of their ids."""
        return ("<|begin_of_text|>", self.end)

    def files(self) -> dict[str, bytes]:
        """Return the rank file and the converted tokenizer.json."""
        vocabulary, _ = self.train()
        to_byte = {character: byte for byte, character in byte_characters().items()}
        ranks = {bytes(to_byte[character] for character in token): rank for token, rank in vocabulary.items()}
        rank_file = "".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items())
        full = vocabulary | {token: len(vocabulary) + place for place, token in enumerate(self.special)}
        document = self.document(full, _splits(vocabulary, vocabulary.__getitem__), ignore_merges=True)
        config = _config(bos_token=self.special[0], eos_token=self.end, pad_token=self.end)
        return {
            "tokenizer.tiktoken": rank_file.encode(),
            "tokenizer.json": _json(document),
            "tokenizer_config.json": config,
        }


def byte_characters() -> dict[int, str]:
    """Return GPT-2's mapping from bytes to printable characters (openai/gpt-2, encoder.py, bytes_to_unicode)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + place) for place, byte in enumerate(others)}


# --- SentencePiece ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SentencePiece:
    """A SentencePiece vocabulary; `prefix` says where a space is put before the text (never, first, always)."""

    size: int
    model_type: str
    prefix: str
    legacy: bool

    def train(self) -> bytes:
        """Return the serialized model, with the settings that only describe the training left out."""
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2 as schema

        written = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([line.rstrip("\n") for line in training_lines() if line.strip()]),
            model_writer=written,
            model_type=self.model_type,
            vocab_size=self.size,
            hard_vocab_limit=False,
            character_coverage=1.0,
            byte_fallback=True,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            normalization_rule_name="identity",
            add_dummy_prefix=self.prefix != "never",
            remove_extra_whitespaces=False,
            num_threads=1,
            minloglevel=2,
        )
        trained = schema.ModelProto.FromString(written.getvalue())
        settings = schema.TrainerSpec(
            model_type=trained.trainer_spec.model_type,
            vocab_size=len(trained.pieces),
            byte_fallback=True,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
        )
        model = schema.ModelProto(pieces=trained.pieces, trainer_spec=settings, normalizer_spec=trained.normalizer_spec)
        serialized: bytes = model.SerializeToString(deterministic=True)
        return serialized

    def files(self) -> dict[str, bytes]:
        """Return the model, its conversion and the configuration."""
        from sentencepiece import sentencepiece_model_pb2 as schema

        serialized = self.train()
        pieces = [(piece.piece, piece.score, piece.type) for piece in schema.ModelProto.FromString(serialized).pieces]
        normal = {text: score for text, score, kind in pieces if kind == schema.ModelProto.SentencePiece.NORMAL}
        document = _document(
            added=[(index, text) for index, (text, _, _) in enumerate(pieces[:3])],
            normalizer=self.normalizer(),
            pre_tokenizer=self.pre_tokenizer(),
            post_processor=None,
            decoder=self.decoder(),
            model=self.unigram(pieces) if self.model_type == "unigram" else self.bpe(pieces, normal),
        )
        config = _config(bos_token="<s>", eos_token="</s>", pad_token="</s>", unk_token="<unk>")
        return {"tokenizer.model": serialized, "tokenizer.json": _json(document), "tokenizer_config.json": config}

    def normalizer(self) -> dict[str, Any] | None:
        """Return the normalizer: the legacy conversion works on it, so its prefix comes after every added token too."""
        if not self.legacy:
            return None
        replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
        return {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, replace]}

    def pre_tokenizer(self) -> dict[str, Any] | None:
        """Return the pre-tokenizer of the conversion without the legacy prefix."""
        if self.legacy:
            return None
        return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": self.prefix, "split": False}

    def decoder(self) -> dict[str, Any]:
        """Return the decoder; it takes away one leading space where one was put there."""
        steps: list[dict[str, Any]] = [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
        ]
        if self.prefix != "never":
            steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
        return {"type": "Sequence", "decoders": steps}

    def bpe(self, pieces: Sequence[tuple[str, float, int]], normal: Mapping[str, float]) -> dict[str, Any]:
        """Return the BPE model: a merge for every way to split a piece in two, best score first."""
        return {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {text: index for index, (text, _, _) in enumerate(pieces)},
            "merges": [f"{left} {right}" for left, right in _splits(normal, lambda text: -normal[text])],
        }

    def unigram(self, pieces: Sequence[tuple[str, float, int]]) -> dict[str, Any]:
        """Return the unigram model: the pieces with their scores."""
        vocabulary = [[text, score] for text, score, _ in pieces]
        return {"type": "Unigram", "unk_id": 0, "vocab": vocabulary, "byte_fallback": True}


# --- shared -----------------------------------------------------------------------------------------------------------


def _splits(vocabulary: Iterable[str], rank: Any) -> list[tuple[str, str]]:
    known = list(vocabulary)
    place = {text: index for index, text in enumerate(known)}
    merges: list[tuple[Any, int, int, str, str]] = []
    for text in known:
        found = [(text[:cut], text[cut:]) for cut in range(1, len(text)) if text[:cut] in place and text[cut:] in place]
        merges.extend((rank(text), place[left], place[right], left, right) for left, right in found)
    return [(left, right) for _, _, _, left, right in sorted(merges)]


def _pair(merge: str | list[str]) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _added(index: int, token: str) -> dict[str, Any]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": index, "content": token, **plain}


def _document(*, added: Sequence[tuple[int, str]], **parts: Any) -> dict[str, Any]:
    tokens = [_added(index, token) for index, token in added]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, **parts}


def _config(**settings: Any) -> bytes:
    shared = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1_000_000,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    return _json(shared | settings)


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


RECIPES: dict[str, ByteLevel | SentencePiece] = {
    "bytelevel-gpt2": ByteLevel(size=1200, pattern=None, end="<|endoftext|>"),
    "bytelevel-qwen": ByteLevel(size=1200, pattern=QWEN_PATTERN, end="<|endoftext|>", normalizer="NFC"),
    "sentencepiece-bpe": SentencePiece(size=1500, model_type="bpe", prefix="never", legacy=False),
    "sentencepiece-bpe-legacy": SentencePiece(size=1500, model_type="bpe", prefix="always", legacy=True),
    "sentencepiece-unigram": SentencePiece(size=1500, model_type="unigram", prefix="first", legacy=False),
    "tiktoken": Tiktoken(size=1200, pattern=TIKTOKEN_PATTERN, end="<|end_of_text|>"),
}


def main(arguments: Sequence[str]) -> None:
    """Train the tokenizers named on the command line, or all."""
    parser = argparse.ArgumentParser(description="Train maskspec's own small tokenizers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(RECIPES)} (default: all)")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write into (default: beside this script)")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in RECIPES]
    if unknown:
        parser.error(f"unknown tokenizer {unknown[0]!r}; known are {', '.join(RECIPES)}")
    for name in chosen.names or RECIPES:
        folder = chosen.output / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in RECIPES[name].files().items():
            (folder / file).write_bytes(content)
            print(f"{folder / file}: {len(content):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
