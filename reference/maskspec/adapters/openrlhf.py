"""OpenRLHF's `SFTDataset`, as `openrlhf.cli.train_sft` builds it with `--data.multiturn`.

Each conversation is a row of a data set, and `SFTDataset(rows, tokenizer, max_len, strategy, multiturn=True)` gives ids
and a loss mask for it. The mask belongs to the logits: `SFTTrainer` multiplies `loss_mask[:, :-1]` with the log
probabilities of the tokens that follow (`Actor` rolls the ids by one), so token k + 1 is trained where the mask holds 1
at k. The labels here are that, and nothing more. A weight at the last token asks for what a batch pads with; it has no
place in labels and is kept for the collator.

Configuration, after the options of `train_sft` and the readme's "Supervised Fine-tuning":

- `--data.apply_chat_template`, which `--data.multiturn` ("Multi-turn fine-tuning loss") demands, with the whole
  conversation under `--data.input_key` and no output key; `--data.tokenizer_chat_template` names the template.
- The tokenizer as `openrlhf.utils.get_tokenizer` leaves it: padding on the right, and the end token as padding where
  there is none.

Declared policy: all assistant messages, each with everything that the template prints from the end of the generation
prompt on, hence `tail` TRAIN; line ends behind the last turn are taken off the text. There are no flags. `with_policy`
knows one other, `turns: last`, which is SFTDataset without `multiturn`: the last message is the response.

Truncation: `--data.max_len`, on the right. Rows of which all but the last message fill it are left out of the data set,
which a comment in the source announces; they are `Unsupported` here.

Not OpenRLHF's own: the rows are a list behind the three methods of `datasets.Dataset` that SFTDataset calls, because
an Arrow table writes each key of one message into all others; and `strategy` is the namespace of options that
`train_sft` parses. No module is replaced by a stub. Packing (`--ds.packing_samples`) happens inside the model with
`flash_attn`, which needs a GPU; it is not asked.

Not asked either: tools and variables of a template, since SFTDataset hands it messages alone.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from maskspec.adapters._shared import padder, require_transformers, titled
from maskspec.conformance.protocol import Collated, Labelled, Padding, Request, Unsupported
from maskspec.policy import Policy, Turns, Verdict

__all__ = ["OpenRLHFMasker", "masker"]

_DECLARED = Policy(tail=Verdict.TRAIN, flags=False)
_MAX_LEN = 1 << 20  # longer than any conversation of the suite: nothing is left out or cut unless a rule asks
_ROOM_FOR_AN_ANSWER = 2  # SFTDataset keeps a row when all but its last message leaves more room than this


class _Rows(list[dict[str, Any]]):
    """Rows with what SFTDataset asks of a data set: to be mapped, filtered and read by column."""

    column_names = ("messages",)

    def map(self, function: Callable[[dict[str, Any]], dict[str, Any]], **_: Any) -> _Rows:
        """The rows that a function makes of these."""
        return _Rows(function(dict(row)) for row in self)

    def filter(self, keep: Callable[[dict[str, Any]], bool]) -> _Rows:
        """The rows that are kept."""
        return _Rows(row for row in self if keep(row))

    def __getitem__(self, name: Any) -> Any:
        """A column by its name."""
        return [row[name] for row in self] if isinstance(name, str) else super().__getitem__(name)


@dataclass(frozen=True, slots=True)
class OpenRLHFMasker:
    """SFTDataset with the loss of many turns, or of the last message alone."""

    policy: Policy = _DECLARED
    name: str = field(default_factory=lambda: titled("openrlhf"))
    truncation: tuple[str, ...] = ("right",)
    _tokenizers: dict[int, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _last: dict[Labelled, float] = field(default_factory=dict, init=False, repr=False, compare=False)

    def mask(self, request: Request) -> Labelled:
        """A data set of one row."""
        return self.mask_batch([request])[0]

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        """A data set with a row for each request."""
        tokenizer = self._tokenizer(requests[0])
        max_len = requests[0].max_length or _MAX_LEN
        rows = _Rows({"messages": self._messages(request)} for request in requests)
        data_set = importlib.import_module("openrlhf.datasets").SFTDataset(
            rows,
            tokenizer,
            max_len,
            _strategy(requests[0].template),
            multiturn=self.policy.turns is Turns.ALL,
        )
        if len(data_set) == len(rows):
            return [self._answer(data_set[index]) for index in range(len(rows))]
        if any(len(_prompt(tokenizer, row["messages"])) >= max_len - _ROOM_FOR_AN_ANSWER for row in rows):
            raise Unsupported("SFTDataset leaves out rows of which all but the last message fill max_len")
        if len(rows) > 1:
            raise Unsupported("SFTDataset leaves a row of this batch out")
        return [Labelled((), ())]

    def with_policy(self, policy: Policy) -> OpenRLHFMasker:
        """The same with or without `multiturn`."""
        if policy.changed(turns=Turns.ALL) != _DECLARED or policy.turns is Turns.LAST_ROUND:
            raise Unsupported("OpenRLHF trains all assistant messages or the last message, and has no other choice")
        return replace(self, policy=policy)

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        """Pad a batch with `SFTDataset.collate_fn`, which pads on the right."""
        if padding.side != "right":
            raise Unsupported("SFTDataset pads on the right")
        data_set = object.__new__(importlib.import_module("openrlhf.datasets").SFTDataset)
        data_set.tokenizer = padder(padding.token_id, "right")
        batch = data_set.collate_fn([_item(sample, self._last.get(sample, 0.0)) for sample in samples])
        rows = [_labelled(*(part[index : index + 1] for part in batch)) for index in range(len(samples))]
        return [
            Collated(row.input_ids, row.labels, attended.tolist())
            for row, attended in zip(rows, batch[1].int(), strict=True)
        ]

    def _answer(self, row: tuple[Any, Any, Any]) -> Labelled:
        labelled = _labelled(*row)
        self._last[labelled] = float(row[2][0, -1])
        return labelled

    def _messages(self, request: Request) -> list[dict[str, Any]]:
        if request.tools:
            raise Unsupported("SFTDataset hands no tools to the template")
        if request.template_kwargs:
            raise Unsupported("SFTDataset hands no variables to the template")
        if self.policy.turns is Turns.LAST and request.messages[-1].get("role") != "assistant":
            raise Unsupported("without multiturn the last message is the response, whoever wrote it")
        return request.messages

    def _tokenizer(self, request: Request) -> Any:
        """The tokenizer as `get_tokenizer` leaves it; a copy, since SFTDataset sets its template."""
        require_transformers(request.tokenizer)
        key = id(request.tokenizer)
        if key not in self._tokenizers:
            tokenizer = copy.deepcopy(request.tokenizer)
            tokenizer.padding_side = "right"
            if tokenizer.pad_token is None:
                tokenizer.pad_token = tokenizer.eos_token
            # The original is kept as well, so its id belongs to no other.
            self._tokenizers[key] = (request.tokenizer, tokenizer)
        return self._tokenizers[key][1]


def _strategy(template: str) -> SimpleNamespace:
    """The options under `--data.` that SFTDataset reads."""
    options = SimpleNamespace(
        input_key="messages", output_key=None, apply_chat_template=True, tokenizer_chat_template=template
    )
    return SimpleNamespace(args=SimpleNamespace(data=options))


def _prompt(tokenizer: Any, messages: Sequence[Mapping[str, Any]]) -> list[int]:
    """The ids of all but the last message, by whose number SFTDataset leaves rows out."""
    text = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _labelled(input_ids: Any, _: Any, loss_mask: Any) -> Labelled:
    """The labels of a row: what `SFTTrainer` weighs with 1 is the token behind each 1 of the mask."""
    ids: list[int] = input_ids[0].tolist()
    weights = loss_mask[0, :-1].tolist()
    return Labelled(ids, [-100, *(item if weight else -100 for item, weight in zip(ids[1:], weights, strict=True))])


def _item(sample: Labelled, last: float) -> tuple[Any, Any, Any]:
    """The three tensors of a row, as `collate_fn` takes them; `last` is the weight at its last token."""
    torch = importlib.import_module("torch")
    ids = torch.tensor([list(sample.input_ids)])
    weights = [float(label != -100) for label in sample.labels[1:]]
    return ids, torch.ones_like(ids), torch.tensor([[*weights, last]])


masker = OpenRLHFMasker()
"""What `maskspec check openrlhf` runs."""
