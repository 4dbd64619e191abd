"""Vocabularies that exist only inside a compiled library: asked for id by id, and written again as the files they were.

splintr answers every id of a bundled vocabulary with its bytes. A rank file is
nothing but those bytes, in the order of ids. A SentencePiece model of the BPE
kind holds a score besides, which orders merges: minus the number of the piece
among those after the byte pieces, and minus a thousand million for pieces of
spaces alone, which merge last. Compared with published files, this gives every
piece, score and type of mistral-common's `tokenizer.model.v1` and of the Llama 2
vocabulary that llama.cpp keeps (`ggml-vocab-llama-spm.gguf`).
"""

from __future__ import annotations

import base64
from typing import Any

from maskspec.corpus._libraries import need
from maskspec.errors import CorpusError

__all__ = ["model_bytes", "rank_bytes"]

_NEVER = -1_000_000_000.0
_BYTES = range(3, 259)
_FIRST = ("<unk>", "<s>", "</s>")


def rank_bytes(name: str, count: int) -> bytes:
    """Return the tiktoken file of a vocabulary: the first `count` ids, base64 and rank a line.

    Raises:
        CorpusError: splintr knows no such vocabulary, or an id of it has no bytes.
        MissingPackageError: splintr is not installed.
    """
    tokens = _tokens(name, count)
    if len(set(tokens)) != len(tokens) or b"" in tokens:
        raise CorpusError(f"splintr's vocabulary {name} is no rank table: tokens are empty or stand there twice")
    return b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens))


def model_bytes(name: str, count: int) -> bytes:
    """Return the SentencePiece model (BPE with byte fallback) of a vocabulary with `count` pieces.

    Raises:
        CorpusError: splintr knows no such vocabulary, or it is laid out otherwise than Llama's.
        MissingPackageError: splintr, sentencepiece or protobuf is not installed.
    """
    purpose = f"the vocabulary {name}"
    need("google.protobuf", purpose=purpose)
    proto = need("sentencepiece.sentencepiece_model_pb2", purpose=purpose)
    model = proto.ModelProto()
    model.trainer_spec.model_type = proto.TrainerSpec.BPE
    model.trainer_spec.vocab_size = count
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.split_digits = True
    model.trainer_spec.allow_whitespace_only_pieces = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = False
    kinds = proto.ModelProto.SentencePiece
    for number, token in enumerate(_tokens(name, count)):
        if number < len(_FIRST):
            kind = kinds.CONTROL if number else kinds.UNKNOWN
            model.pieces.add(piece=_FIRST[number], score=0.0, type=kind)
        elif number in _BYTES:
            if token != bytes([number - _BYTES.start]):
                raise CorpusError(
                    f"splintr's vocabulary {name} has {token!r} at id {number}, where a byte piece belongs"
                )
            model.pieces.add(piece=f"<0x{number - _BYTES.start:02X}>", score=0.0, type=kinds.BYTE)
        else:
            piece = token.decode("utf-8").replace(" ", "▁")
            score = float(_BYTES.stop - number) if piece.strip("▁") else _NEVER
            model.pieces.add(piece=piece, score=score, type=kinds.NORMAL)
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def _tokens(name: str, count: int) -> list[bytes]:
    tokenizer: Any = need("splintr", purpose=f"the vocabulary {name}").Tokenizer
    try:
        loaded = tokenizer.from_pretrained(name)
        return [bytes(loaded.decode_token_bytes(number)) for number in range(count)]
    except ValueError as error:
        raise CorpusError(f"splintr cannot say what is in its vocabulary {name}: {error}") from error
