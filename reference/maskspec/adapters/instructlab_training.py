"""instructlab-training's data processing, as `process_data` does it without a chat template of its own.

Each row goes through the functions that `process_messages_into_input_ids` maps over a data set:
`ensure_dataset_is_compatible_with_legacy_format`, then `unmask_sample`, which chooses the roles and calls
`unmask_messages`. The tokenizer comes from `configure_tokenizer`, which adds the tokens that mark what is trained.
Batches are made by the trainer's collators: `padded_mb_collate_fn`, and `MaxTokensPerRankCollator` where packed.

Declared policy, after the readme's "Data format", `docs/reasoning_content.md` and the docstring of `unmask_messages`:

- `content` and `reasoning_content` of the assistant are trained, and what follows up to the tokenizer's end token,
  which "is only ever unmasked for the `assistant` role"; nothing behind it, hence `tail` IGNORE. A call of a tool
  stands in front of that token.
- Of the template's own text inside a turn, what stands between reasoning and content or between content and end token
  is trained, and what stands before both is not. Nothing more is promised, so `scaffold` is EITHER.
- There are no flags of messages. `unmask: true` on a row trains every role but the system's; `unmask_messages` takes
  any list of roles, and so does `with_policy`.

Refused as the documentation refuses it: a trained message whose content is not text ("unmasking non-string data types
is currently unsupported"), one with neither content nor reasoning, since "Data format" asks for a content, and
reasoning where the template does not print it ("only supported for models with chat templates that use the DeepSeek
R1-style parser").

Truncation: none, rows of `max_seq_len` tokens and more are dropped, and so are those of fewer than 20, which is not
asked here.

Not instructlab-training's own: `AutoTokenizer` inside `configure_tokenizer` is replaced while it runs, so that it gets
a copy of the suite's tokenizer instead of loading one; and because `unmask_sample` asks the model's folder whether the
model is gpt-oss, the copy is given the name of a folder with a `config.json` that says so. Rows do not go through an
Arrow table, which writes each key of one message into all others. numba runs without its compiler
(`NUMBA_DISABLE_JIT`), which takes longer than all batches of the suite.

Not asked: tools and variables of a template, since `unmask_messages` hands it messages alone.
"""

from __future__ import annotations

import copy
import importlib
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest import mock

from maskspec.adapters._model_folders import model_folder
from maskspec.adapters._shared import require_transformers, titled
from maskspec.conformance.protocol import Collated, Labelled, Packed, Padding, Request, Unsupported
from maskspec.policy import Policy, Verdict

__all__ = ["InstructLabMasker", "masker"]

_DECLARED = Policy(tail=Verdict.IGNORE, scaffold=Verdict.EITHER, flags=False)
_REASONING = ("reasoning_content", "thinking")  # the fields that unmask_messages wraps beside the content


@dataclass(frozen=True, slots=True)
class InstructLabMasker:
    """`unmask_sample`, or `unmask_messages` where other roles are asked for."""

    policy: Policy = _DECLARED
    name: str = field(default_factory=lambda: titled("instructlab-training"))
    _tokenizers: dict[tuple[int, str], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def mask(self, request: Request) -> Labelled:
        """One row of a data set."""
        if request.tools:
            raise Unsupported("unmask_messages hands no tools to the template")
        if request.template_kwargs:
            raise Unsupported("unmask_messages hands no variables to the template")
        module, tokenizer = _module("data_process"), self._tokenizer(request)
        self._require_text(request)
        if self.policy == _DECLARED:
            row = module.ensure_dataset_is_compatible_with_legacy_format({"messages": request.messages})
            answer = module.unmask_sample(row, tokenizer)
        else:
            answer = module.unmask_messages(request.messages, tokenizer, sorted(self.policy.roles))
        return Labelled(answer["input_ids"], answer["labels"])

    def with_policy(self, policy: Policy) -> InstructLabMasker:
        """The same with other `unmask_roles`."""
        if policy.changed(roles=_DECLARED.roles) != _DECLARED:
            raise Unsupported("instructlab-training has a choice of roles, and of nothing else of a policy")
        return replace(self, policy=policy)

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        """Pad a batch with the collator for attention without packing, which pads on the right."""
        if padding.side != "right":
            raise Unsupported("instructlab-training pads on the right")
        batch = _module("sampler").padded_mb_collate_fn(
            [_row(sample) for sample in samples], 0, pad_token_id=padding.token_id
        )
        rows = zip(batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True)
        return [Collated(ids, labels, attended) for ids, labels, attended in rows]

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        """Choose the rows and join each with the collator for flash attention."""
        collator = _module("sampler").MaxTokensPerRankCollator(max_length, rank=0, world_size=1)
        return [
            Packed(batch["input_ids"][0], batch["labels"][0], position_ids=batch["position_ids"][0])
            for batch in collator([_row(sample) for sample in samples])
        ]

    def _require_text(self, request: Request) -> None:
        for message in request.messages:
            if not isinstance(message, dict) or message.get("role") not in self.policy.roles:
                continue
            if any(message.get(key) is not None and key not in request.template for key in _REASONING):
                raise Unsupported("reasoning is for templates that print it, and the documentation says so")
            content = message.get("content")
            if isinstance(content, list):
                raise Unsupported("a trained message has text as its content, and the documentation says so")
            if content is None and all(message.get(key) is None for key in _REASONING):
                raise Unsupported("the data format asks for a content of every message")

    def _tokenizer(self, request: Request) -> Any:
        """A copy of the request's tokenizer as `configure_tokenizer` leaves it; made once for each template."""
        require_transformers(request.tokenizer)
        key = (id(request.tokenizer), request.template)
        if key not in self._tokenizers:
            tokenizer = copy.deepcopy(request.tokenizer)
            tokenizer.chat_template = request.template
            tokenizer.name_or_path = model_folder("gpt_oss" if request.pair.startswith("gpt-oss") else "llama")
            loader = SimpleNamespace(from_pretrained=lambda *_, **__: tokenizer)
            module = _module("data_process")
            with mock.patch.object(module, "AutoTokenizer", loader):
                # The original is kept as well, so its id belongs to no other.
                self._tokenizers[key] = (request.tokenizer, module.configure_tokenizer(tokenizer.name_or_path))
        return self._tokenizers[key][1]


@cache
def _module(name: str) -> Any:
    os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pydantic, about the way its options are declared
        return importlib.import_module(f"instructlab.training.{name}")


def _row(sample: Labelled) -> dict[str, Any]:
    """A sample as `TokenDataset` gives it."""
    return {
        "input_ids": list(sample.input_ids),
        "labels": list(sample.labels),
        "len": len(sample.input_ids),
        "num_loss_counted_tokens": sum(label != -100 for label in sample.labels),
    }


masker = InstructLabMasker()
"""What `maskspec check instructlab-training` runs."""
