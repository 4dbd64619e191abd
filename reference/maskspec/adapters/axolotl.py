"""axolotl's `chat_template` data sets, as its trainer prepares them: old (0.5.2) and new (0.19.0) with the same lines.

Every conversation goes through axolotl's own entry point, `axolotl.prompt_strategies.load("chat_template", …)`, with
the configuration that a user would write, and then through the strategy's `tokenize_prompt`. Batches are padded by
`DataCollatorForSeq2Seq` and packed by `MultipackBatchSampler` and `V2BatchSamplerDataCollatorForSeq2Seq`, the classes
that axolotl's trainer builds.

Configuration, and the page of axolotl's documentation that says so (`docs/dataset-formats/conversation.qmd`, and the
descriptions of the fields in `axolotl/utils/schemas/datasets.py`):

- `roles_to_train: [assistant]`, the default of today, which 0.5.2 has to be told. `masker` reads the `messages` of
  OpenAI; `sharegpt` reads `conversations` with `from` and `value`, mapped as "Migrating from sharegpt" says, and is
  told `roles_to_train: [gpt]`.
- `train_on_eos: turn`, "train on the EOS token at the end of each trainable turn".
- The page asks for the token that ends a turn to be named where it is not the tokenizer's own end: today as one of
  `eot_tokens`, in 0.5.2 as `eos_token` under `special_tokens`. The pair's declared stops are named so.
- `message_field_training: train` and `message_field_training_detail: train_detail`, with a message's own flags and
  character spans; `sharegpt` has neither, and declares `flags` False.
- `template_thinking_key` names the field that the template reads reasoning from, whatever the data call it
  (`field_thinking`).

Declared policy: content, reasoning and tool calls of those roles and the stop after them are trained, and nothing
behind it (`tail` IGNORE), because the page promises the turn and its end token. It says nothing of a token that holds
the last character of a header and the first of an answer, so `straddling` stays EITHER. `with_policy` follows other
roles (`roles_to_train`) and other stops (`train_on_eos`); axolotl has no option for the rest.

Truncation: rows that are too long are dropped, unless `excess_length_strategy: truncate` is set, which 0.5.2 does not
know. That is what `truncation` offers, and nothing where it is missing.

Not axolotl's own: position ids in 0.5.2, whose module `axolotl.utils.trainer` needs bitsandbytes, are counted from 0
here, as that module counts them; and the tokenizer of the collator is an empty one that pads with the id that the
suite asks for. No module is replaced by a stub. The level of axolotl's loggers is raised, since it prints every
template; it is asked not to report its use to its makers (`AXOLOTL_DO_NOT_TRACK`); and its sampler runs without
numba's compiler (`NUMBA_DISABLE_JIT`), which takes longer than all rows of the suite.
"""

from __future__ import annotations

import copy
import importlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from maskspec.adapters._shared import (
    FLAGS,
    REASONING,
    features,
    padder,
    require_transformers,
    titled,
    unflagged,
    version_of,
)
from maskspec.conformance.protocol import Collated, Labelled, Packed, Padding, Request, Unsupported
from maskspec.policy import Policy, Stops, Turns, Verdict

__all__ = ["AxolotlMasker", "masker", "sharegpt"]

_DECLARED = Policy(tail=Verdict.IGNORE)
_SEQUENCE_LEN = 1 << 20  # longer than any conversation of the suite: nothing is dropped or cut unless a rule asks
_TO_SHAREGPT: Mapping[str, str] = {"user": "human", "assistant": "gpt"}
_STOPS: Mapping[Stops, str] = {Stops.TURN: "turn", Stops.LAST: "last", Stops.NONE: "none", Stops.ALL: "all"}
_FIRST_WITH_FIELDS = (0, 9)  # axolotl that takes any field of a message, tools and eot_tokens


def _version() -> tuple[int, ...]:
    return version_of("axolotl")[:2]


@dataclass(frozen=True, slots=True)
class AxolotlMasker:
    """axolotl's chat_template strategy, with messages as OpenAI writes them or as ShareGPT does."""

    sharegpt: bool = False
    policy: Policy = _DECLARED
    name: str = field(default_factory=lambda: titled("axolotl"))
    _strategies: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def truncation(self) -> tuple[str, ...]:
        """Only the right side, and only where axolotl has `excess_length_strategy`."""
        return ("right",) if _version() >= _FIRST_WITH_FIELDS else ()

    def mask(self, request: Request) -> Labelled:
        """One row of the data set, tokenized and labelled by the strategy, and cut where a limit is given."""
        row, strategy = self._row(request), self._strategy(request)
        return self._answer(strategy.tokenize_prompt(row), request.max_length)

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        """Rows of one call, as `datasets.map(batched=True)` hands them over; 0.5.2 takes one row at a time."""
        if _version() < _FIRST_WITH_FIELDS:
            raise Unsupported("this axolotl tokenizes one row at a time")
        rows = [self._row(request) for request in requests]
        columns = {key: [row.get(key) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}
        answers = self._strategy(requests[0]).tokenize_prompt(columns)
        parts = ({key: answers[key][index] for key in ("input_ids", "labels")} for index in range(len(rows)))
        return [self._answer(part, request.max_length) for part, request in zip(parts, requests, strict=True)]

    def with_policy(self, policy: Policy) -> AxolotlMasker:
        """The same with other `roles_to_train` and `train_on_eos`."""
        if (
            policy.turns is not Turns.ALL
            or policy.changed(roles=self.policy.roles, stop=self.policy.stop) != self.policy
        ):
            raise Unsupported("axolotl has options for roles and for stops, and for nothing else of a policy")
        return replace(self, policy=policy)

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        """Pad a batch with axolotl's own collator."""
        collators = _axolotl("axolotl.utils.collators")
        collator = collators.DataCollatorForSeq2Seq(padder(padding.token_id, padding.side), return_tensors="np")
        batch = collator([features(sample) for sample in samples])
        rows = zip(batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True)
        return [Collated(ids, labels, attended) for ids, labels, attended in rows]

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        """Choose the rows with axolotl's multipack sampler and join each with its collator."""
        numpy = importlib.import_module("numpy")
        collators, samplers = _axolotl("axolotl.utils.collators"), _axolotl("axolotl.utils.samplers")
        collator = collators.V2BatchSamplerDataCollatorForSeq2Seq(padder(0, "right"), return_tensors="np")
        sampler = samplers.MultipackBatchSampler(
            range(len(samples)),
            batch_size=1,
            batch_max_len=max_length,
            lengths=numpy.array([len(sample.input_ids) for sample in samples]),
            bin_size=len(samples),
            drop_last=False,
            num_processes=1,
        )
        rows = [
            [_positioned(samples[index]) for index in bin_] for batch in sampler.generate_batches() for bin_ in batch
        ]
        return [_packed(collator(row)) for row in rows]

    def _row(self, request: Request) -> dict[str, Any]:
        """The conversation as a row of a data set."""
        messages = [_flagged(message) for message in request.messages]
        if not getattr(request.tokenizer, "is_fast", False) and any("train_detail" in item for item in messages):
            raise Unsupported("axolotl needs a fast tokenizer for train_detail, and says so")
        if self.sharegpt or _version() < _FIRST_WITH_FIELDS:
            _require_plain(request)
        if not self.sharegpt:
            return {"messages": messages, **({"tools": request.tools} if request.tools else {})}
        return {"conversations": [_as_sharegpt(message) for message in messages]}

    def _strategy(self, request: Request) -> Any:
        """The strategy for the request's tokenizer and template; made once for each."""
        tokenizer, variables = request.tokenizer, dict(request.template_kwargs)
        require_transformers(tokenizer)
        key = (id(tokenizer), request.template, json.dumps(variables, sort_keys=True, default=str), request.stops)
        if key not in self._strategies:
            # The tokenizer is kept with the strategy, so its id belongs to no other.
            self._strategies[key] = (tokenizer, self._load(request, tokenizer, variables))
        return self._strategies[key][1]

    def _load(self, request: Request, tokenizer: Any, variables: dict[str, Any]) -> Any:
        ends = [stop for stop in request.stops if stop != tokenizer.eos_token]
        cfg: dict[str, Any] = {
            "train_on_inputs": False,
            "sequence_len": _SEQUENCE_LEN,
            "chat_template": "jinja",
            "chat_template_jinja": request.template,
            "chat_template_kwargs": variables,
        }
        data_set = self._data_set(request.template)
        if _version() < _FIRST_WITH_FIELDS:
            if variables:
                raise Unsupported("this axolotl hands no variables to the template")
            tokenizer = _ended_by(tokenizer, request)
        elif ends:
            _require_single(tokenizer, ends)
            cfg["eot_tokens"] = list(request.stops)
        _axolotl("axolotl.prompt_strategies.chat_template")  # sets the level of its logger when it is imported
        return _axolotl("axolotl.prompt_strategies").load(
            "chat_template", tokenizer, _axolotl("axolotl.utils.dict").DictDefault(cfg), data_set
        )

    def _data_set(self, template: str) -> dict[str, Any]:
        """What stands under `datasets:` in the configuration."""
        role, content = ("from", "value") if self.sharegpt else ("role", "content")
        roles = sorted(self.policy.roles)
        data_set: dict[str, Any] = {
            "type": "chat_template",
            "field_messages": "conversations" if self.sharegpt else "messages",
            "roles_to_train": [_TO_SHAREGPT.get(name, name) for name in roles] if self.sharegpt else roles,
            "train_on_eos": _STOPS[self.policy.stop],
        }
        if self.policy.flags:
            data_set |= {"message_field_training": "train", "message_field_training_detail": "train_detail"}
        if _version() < _FIRST_WITH_FIELDS:
            return data_set | {"message_field_role": role, "message_field_content": content}
        if self.sharegpt:
            return data_set | {"message_property_mappings": {"role": role, "content": content}}
        return data_set | {"template_thinking_key": next((key for key in REASONING if key in template), REASONING[0])}

    @staticmethod
    def _answer(row: Mapping[str, Any], max_length: int | None) -> Labelled:
        if max_length is None:
            return Labelled(row["input_ids"], row["labels"])
        cut = {"input_ids": [list(row["input_ids"])], "labels": [list(row["labels"])]}
        cut = _axolotl("axolotl.utils.data.utils").truncate_long_seq(cut, sequence_len=max_length)
        return Labelled(cut["input_ids"][0], cut["labels"][0])


@cache
def _axolotl(name: str) -> Any:
    """A module of axolotl, quiet."""
    for setting in ("AXOLOTL_DO_NOT_TRACK", "NUMBA_DISABLE_JIT", "TRL_EXPERIMENTAL_SILENCE"):
        os.environ.setdefault(setting, "1")
    module = importlib.import_module(name)
    for logger in [item for item in logging.root.manager.loggerDict if item.partition(".")[0] == "axolotl"]:
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    return module


def _flagged(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message with its flags under the names that the configuration gives them; both ends of a detail are inside."""
    plain = unflagged(message)
    train, weight = message.get("train"), message.get("weight")
    if train is not None or weight is not None:
        plain["train"] = train if train is not None else bool(weight)
    if message.get("spans"):
        plain["train_detail"] = [
            {"begin_offset": span["start"], "end_offset": span["end"] - 1, "train": span.get("train", True)}
            for span in message["spans"]
        ]
    return plain


def _require_plain(request: Request) -> None:
    if request.tools:
        raise Unsupported("this data set has no tools")
    for message in request.messages:
        more = {key for key, value in message.items() if value is not None} - {"role", "content", *FLAGS}
        if more:
            raise Unsupported(f"this data set has only a role and a text, no {', '.join(sorted(more))}")
        if message["role"] not in ("system", "user", "assistant"):
            raise Unsupported(f"this data set has no role {message['role']!r}")
        if not isinstance(message.get("content"), str):
            raise Unsupported("this data set has only text")


def _as_sharegpt(message: Mapping[str, Any]) -> dict[str, Any]:
    flags = {key: value for key, value in message.items() if key not in ("role", "content")}
    return {"from": _TO_SHAREGPT.get(message["role"], message["role"]), "value": message["content"], **flags}


def _require_single(tokenizer: Any, ends: Sequence[str]) -> None:
    """The documentation: each of `eot_tokens` must be a single token in the tokenizer."""
    for end in ends:
        if len(tokenizer.encode(end, add_special_tokens=False)) != 1:
            raise Unsupported(f"eot_tokens have to be single tokens, and {end!r} is not one here")


def _ended_by(tokenizer: Any, request: Request) -> Any:
    """The tokenizer with `special_tokens: {eos_token: …}` set to the token that ends a turn in the template."""
    ends = [stop for stop in request.stops if stop in request.template] or request.stops[:1]
    own, template = tokenizer.eos_token, request.template
    if not ends or own == ends[0] or "eos_token" in template or (own and own in template):
        return tokenizer
    _require_single(tokenizer, ends[:1])
    changed = copy.deepcopy(tokenizer)
    changed.eos_token = ends[0]
    return changed


def _positioned(sample: Labelled) -> dict[str, Any]:
    row = features(sample)
    if _version() >= _FIRST_WITH_FIELDS:
        added: dict[str, Any] = _axolotl("axolotl.utils.trainer").add_position_ids(row)
        return added
    return row | {"position_ids": list(range(len(sample.input_ids)))}


def _packed(batch: Mapping[str, Any]) -> Packed:
    return Packed(
        batch["input_ids"][0],
        batch["labels"][0],
        position_ids=batch["position_ids"][0],
        sequence_ids=batch["attention_mask"][0],
    )


masker = AxolotlMasker()
"""What `maskspec check axolotl` runs."""

sharegpt = AxolotlMasker(sharegpt=True, policy=_DECLARED.changed(flags=False))
"""The data set and the configuration of the bug that maskspec starts from."""
