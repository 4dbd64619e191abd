"""What can be said of the adapter of unsloth-zoo without the package: what it declares, and what it refuses."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="the adapter needs a tokenizer")

from maskspec.adapters.unsloth_zoo import PARTS, detected, masker
from maskspec.conformance import Request, Unsupported
from maskspec.conformance.protocol import Labelled, Padding
from maskspec.policy import Policy, Turns

ROW = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


class Tokenizer:
    apply_chat_template = None


def request(pair: str) -> Request:
    return Request(messages=list(ROW), template="", tokenizer=Tokenizer(), policy=masker.policy, pair=pair)


def test_the_declared_policy_is_the_default_one_without_flags() -> None:
    assert masker.policy == detected.policy == Policy(flags=False)


def test_the_last_response_alone_is_an_option() -> None:
    other = masker.with_policy(masker.policy.changed(turns="last"))
    assert other.policy.turns is Turns.LAST
    assert other.with_policy(masker.policy) == masker


@pytest.mark.parametrize("changes", [{"turns": "last_round"}, {"stop": "none"}, {"roles": {"user"}}, {"flags": True}])
def test_other_policies_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Unsupported, match="last response alone"):
        masker.with_policy(masker.policy.changed(**changes))


def test_a_family_that_unsloth_does_not_name_is_refused() -> None:
    with pytest.raises(Unsupported, match="gives no instruction part"):
        masker.mask(request("falcon"))


def test_the_two_parts_of_a_family_differ() -> None:
    assert all(instruction != response and instruction and response for instruction, response in PARTS.values())


def test_an_object_that_is_no_tokenizer_of_transformers_is_refused() -> None:
    with pytest.raises(Unsupported, match="not one of transformers"):
        masker.mask(Request(messages=ROW, template="", tokenizer=object(), policy=masker.policy, pair="qwen3"))


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_has_no_label_and_no_attention(side: str) -> None:
    pytest.importorskip("numpy", reason="the collator of transformers makes arrays")
    rows = masker.collate([Labelled([1, 5], [-100, 5]), Labelled([7], [7])], Padding(9, side))
    ids, labels, attended = ((7, 9), (7, -100), (1, 0)) if side == "right" else ((9, 7), (-100, 7), (0, 1))
    assert (rows[0].input_ids, rows[0].labels, rows[0].attention_mask) == ((1, 5), (-100, 5), (1, 1))
    assert (rows[1].input_ids, rows[1].labels, rows[1].attention_mask) == (ids, labels, attended)
