"""torchtune's `chat_dataset` in the style "openai", from the messages of a row to tokens and labels.

`torchtune.datasets.chat_dataset(conversation_style="openai")` is an `SFTDataset` of two transforms: `OpenAIToMessages`
and the model's own tokenizer. Both go through `SFTTransform` here, the class that `SFTDataset` calls
for each row, which also validates the messages and makes the labels. Batches are padded by `padded_collate_sft` and
packed by `PackedDataset`, as the recipes do.

torchtune has no use for a template: each model's tokenizer prints the messages by itself. So it is asked about the
pairs of the models whose tokenizers it has, with that model's builder and its default options
(`torchtune.models.llama3.llama3_tokenizer` and so on), and the template of the pair is what its ids are compared
with. Gemma's tokenizer is left out: without a prompt template of the user's own it prints no markers at all.

Configuration, and where torchtune says so: `train_on_input: False`, the default of `chat_dataset`. Other roles, and
messages with a flag of their own, are set by `Message.masked` ("whether the message is masked in the sample"), as a
message transform of the user's own does; `train_on_input: True` where user and system are both trained. Character
spans there are none.

Declared policy: `Message.masked` is about a message with all that its tokenizer prints for it, as the example in
`Llama3Tokenizer.tokenize_messages` shows, so the header (`opening`) and what follows the stop (`tail`) are trained
with the content.

What it refuses, and says so: `validate_messages` names conversations shorter than two messages, system messages that
are not the first, and two users or two assistants in a row; `OpenAIToMessages` names the roles system, user and
assistant; `MistralChatTemplate` takes no system message. It has no column for tools.

Truncation: `max_seq_len` of the tokenizer, on the right.

Not torchtune's own: the vocabulary files. They are written from the pair's tokenizer in the formats that torchtune
reads (ranks for Llama 3; vocab.json and merges.txt for Qwen and Phi-4), or are the SentencePiece file of the pair's
slow tokenizer. `datasets.load_dataset` is not called; rows are handed over as it gives them. No module is replaced by
a stub.
"""

from __future__ import annotations

import base64
import copy
import importlib
import json
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from maskspec.adapters._shared import require_transformers, titled
from maskspec.conformance.protocol import Collated, Labelled, Packed, Padding, Request, Unsupported
from maskspec.policy import Policy, Stops, Turns, Verdict

__all__ = ["TorchtuneMasker", "masker"]

_DECLARED = Policy(opening=Verdict.TRAIN, tail=Verdict.TRAIN)
_ROLES = ("system", "user", "assistant")

_BUILDERS: Mapping[str, tuple[str, str]] = {
    "llama-2": ("llama2.llama2_tokenizer", "model"),
    "mistral-v1": ("mistral.mistral_tokenizer", "model"),
    "phi-3": ("phi3.phi3_mini_tokenizer", "model"),
    "phi-3.5": ("phi3.phi3_mini_tokenizer", "model"),
    "llama-3": ("llama3.llama3_tokenizer", "ranks"),
    "llama-3.1": ("llama3.llama3_tokenizer", "ranks"),
    "llama-3.2": ("llama3.llama3_tokenizer", "ranks"),
    "qwen2.5": ("qwen2_5.qwen2_5_tokenizer", "merges"),
    "phi-4": ("phi4.phi4_tokenizer", "merges"),
}
"""The builder of each pair's tokenizer, below `torchtune.models`, and the kind of file that it reads."""

_MERGES = {"qwen2_5.qwen2_5_tokenizer": ("path", "merges_file"), "phi4.phi4_tokenizer": ("vocab_path", "merges_path")}


@dataclass(frozen=True, slots=True)
class TorchtuneMasker:
    """torchtune's SFT transform with the tokenizer that torchtune has for the pair's model."""

    policy: Policy = _DECLARED
    name: str = field(default_factory=lambda: titled("torchtune"))
    truncation: tuple[str, ...] = ("right",)
    _tokenizers: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def mask(self, request: Request) -> Labelled:
        """One row: its messages validated, tokenized, and labelled."""
        _require_text(request)
        tokenizer = self._tokenizer(request)
        transforms = _module("torchtune.datasets._sft").SFTTransform
        messages = transforms(message_transform=lambda row: self._messages(row, request))
        try:
            row = messages({"messages": request.messages})
        except ValueError as error:
            raise Unsupported(f"validate_messages refuses it: {error}") from error
        if request.max_length is not None:
            tokenizer = copy.copy(tokenizer)
            tokenizer.max_seq_len = request.max_length
        answer = transforms(model_transform=tokenizer)(row)
        return Labelled(answer["tokens"], [int(label) for label in answer["labels"]])

    def with_policy(self, policy: Policy) -> TorchtuneMasker:
        """The same with other roles."""
        if (
            policy.turns is not Turns.ALL
            or policy.stop is not Stops.TURN
            or policy.changed(roles=self.policy.roles) != self.policy
        ):
            raise Unsupported("torchtune masks whole messages, and has no option for a part of one or for its turn")
        return replace(self, policy=policy)

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        """Pad a batch with torchtune's collator, which knows the right side and makes no attention mask."""
        if padding.side != "right":
            raise Unsupported("padded_collate_sft pads on the right")
        batch = _module("torchtune.data").padded_collate_sft(
            [{"tokens": list(sample.input_ids), "labels": list(sample.labels)} for sample in samples],
            padding_idx=padding.token_id,
        )
        return [Collated(ids, labels) for ids, labels in zip(batch["tokens"], batch["labels"], strict=True)]

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        """Join samples with torchtune's PackedDataset; its lengths say which tokens attend to each other."""
        rows = [{"tokens": list(sample.input_ids), "labels": list(sample.labels)} for sample in samples]
        packed = _module("torchtune.datasets").PackedDataset(rows, max_seq_len=max_length)
        return [
            Packed(
                row["tokens"],
                row["labels"],
                position_ids=row["input_pos"],
                sequence_ids=[number for number, length in enumerate(row["seq_lens"].tolist()) for _ in range(length)],
            )
            for row in packed
        ]

    def _messages(self, row: Mapping[str, Any], request: Request) -> dict[str, Any]:
        """The messages of torchtune, each masked as the policy and its own flag say."""
        roles = self.policy.roles
        transform = _module("torchtune.data").OpenAIToMessages(train_on_input={"system", "user"} <= roles)
        made: dict[str, Any] = transform(row)
        for message, given in zip(made["messages"], request.messages, strict=True):
            trained = given["role"] in roles
            if self.policy.flags and given.get("weight") is not None:
                trained = bool(given["weight"])
            if self.policy.flags and given.get("train") is not None:
                trained = given["train"]
            if message.masked is trained:
                message.masked = not trained
        return made

    def _tokenizer(self, request: Request) -> Any:
        """The tokenizer that torchtune has for the pair; made once for each."""
        family = _family(request)
        if family not in _BUILDERS:
            raise Unsupported("torchtune prints messages by itself, and has no tokenizer for the template of this pair")
        require_transformers(request.tokenizer)
        if family not in self._tokenizers:
            builder, kind = _BUILDERS[family]
            package, _, name = builder.rpartition(".")
            build = getattr(_module(f"torchtune.models.{package}"), name)
            with tempfile.TemporaryDirectory() as folder:
                self._tokenizers[family] = build(**_files(kind, builder, request, Path(folder)))
        return self._tokenizers[family]


def _family(request: Request) -> str:
    """The name of the request's pair without its tokenizer or trl's copy of its template."""
    return request.pair.partition("+trl:")[0].partition(":")[0]


def _module(name: str) -> Any:
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", "")  # else tiktoken keeps a copy of every file that it reads
    with warnings.catch_warnings():
        # It imports some of its own modules by names that it deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(name)


def _require_text(request: Request) -> None:
    if request.tools:
        raise Unsupported("chat_dataset has no column for tools")
    for message in request.messages:
        if isinstance(message, Mapping):
            if message.get("role") in ("tool", "function", "developer"):
                raise Unsupported(f"OpenAIToMessages names {', '.join(_ROLES)}, and no role {message['role']!r}")
            if message.get("spans"):
                raise Unsupported("torchtune masks whole messages, and no characters of one")
    if request.pair.startswith("mistral") and any(
        isinstance(message, Mapping) and message.get("role") == "system" for message in request.messages
    ):
        raise Unsupported("MistralChatTemplate takes no system message, and says so")


def _files(kind: str, builder: str, request: Request, folder: Path) -> dict[str, str]:
    """The vocabulary files of a pair, as arguments of the builder of its tokenizer."""
    if kind == "model":
        slow = importlib.import_module("maskspec.conformance.pairs").find_pair(f"{_family(request)}:slow")
        return {"path": slow.tokenizer.raw.vocab_file}
    stored = json.loads(request.tokenizer.backend_tokenizer.to_str())
    added = {token["content"] for token in stored["added_tokens"]}
    vocabulary = {token: number for token, number in stored["model"]["vocab"].items() if token not in added}
    if kind == "ranks":
        byte_of = {
            char: byte for byte, char in _module("transformers.convert_slow_tokenizer").bytes_to_unicode().items()
        }
        ranks = folder / "tokenizer.model"
        with ranks.open("wb") as file:
            for token, number in sorted(vocabulary.items(), key=lambda item: item[1]):
                file.write(b"%s %d\n" % (base64.b64encode(bytes(byte_of[char] for char in token)), number))
        return {"path": str(ranks)}
    words, merges = folder / "vocab.json", folder / "merges.txt"
    words.write_text(json.dumps(vocabulary), encoding="utf-8")
    lines = "\n".join(" ".join(pair) for pair in stored["model"]["merges"])
    merges.write_text(f"#version: 0.2\n{lines}\n", encoding="utf-8")
    return dict(zip(_MERGES[builder], (str(words), str(merges)), strict=True))


masker = TorchtuneMasker()
"""What `maskspec check torchtune` runs."""
