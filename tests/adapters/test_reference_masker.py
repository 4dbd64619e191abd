"""The reference as a masker under test: its cuts, batches and rows, written out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from maskspec.adapters.reference import ReferenceMasker, masker
from maskspec.conformance.protocol import Labelled, Masker, Padding, Request, Unsupported
from maskspec.errors import ConversationError
from maskspec.policy import Policy, Turns
from tests.unit.plain_tokenizer import PlainTokenizer

TEMPLATE = (
    "{% for message in messages %}{{ '<u>' if message.role == 'user' else '<a>' }}{{ message.content }}{{ '</s>' }}"
    "{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
)
VOCABULARY = PlainTokenizer("<u>", "<a>", "</s>", "<pad>")
HI = (("user", "hi"), ("assistant", "yo"))
BYE = (("user", "bye"), ("assistant", "so"))
PAD = VOCABULARY.id_of("<pad>")


def request(*turns: tuple[str, Any], **more: Any) -> Request:
    messages = [{"role": role, "content": content} for role, content in turns]
    return Request(messages, TEMPLATE, VOCABULARY, Policy(), stops=("</s>",), **more)


def shown(answer: Any) -> str:
    """The tokens of an answer; those that are trained stand in square brackets."""
    parts = []
    for identifier, label in zip(answer.input_ids, answer.labels, strict=True):
        assert label in (-100, identifier)
        text = VOCABULARY.token(identifier)
        parts.append(f"[{text}]" if label == identifier else text)
    return " ".join(parts)


def test_it_answers_the_protocol_with_every_ability() -> None:
    assert isinstance(masker, Masker)
    for ability in ("with_policy", "truncation", "mask_batch", "collate", "pack", "documented_errors"):
        assert hasattr(masker, ability)
    assert masker.policy == Policy()


def test_a_whole_conversation() -> None:
    assert shown(masker.mask(request(*HI))) == "<u> hi </s> <a> [yo] [</s>]"


@pytest.mark.parametrize(
    ("limit", "side", "expected"),
    [
        (5, "right", "<u> hi </s> <a> [yo]"),
        (4, "right", "<u> hi </s> <a>"),
        (1, "right", "<u>"),
        (5, "left", "hi </s> <a> [yo] [</s>]"),
        (1, "left", "[</s>]"),
        (6, "right", "<u> hi </s> <a> [yo] [</s>]"),
        (6, "left", "<u> hi </s> <a> [yo] [</s>]"),
        (99, "left", "<u> hi </s> <a> [yo] [</s>]"),
    ],
)
def test_a_limit(limit: int, side: str, expected: str) -> None:
    assert shown(masker.mask(request(*HI, max_length=limit, truncation_side=side))) == expected


def test_a_batch_is_masked_one_by_one() -> None:
    first, second = masker.mask_batch([request(*HI), request(*BYE)])
    assert shown(first) == "<u> hi </s> <a> [yo] [</s>]"
    assert shown(second) == "<u> bye </s> <a> [so] [</s>]"


@pytest.mark.parametrize(
    ("side", "expected", "attention"),
    [
        ("right", "<u> hi </s> <a> [yo] [</s>] <pad> <pad>", (1, 1, 1, 1, 1, 1, 0, 0)),
        ("left", "<pad> <pad> <u> hi </s> <a> [yo] [</s>]", (0, 0, 1, 1, 1, 1, 1, 1)),
    ],
)
def test_padding(side: str, expected: str, attention: tuple[int, ...]) -> None:
    short = masker.mask(request(*HI))
    long = masker.mask(request(*HI, ("user", "so hi")))
    padded, whole = masker.collate([short, Labelled(long.input_ids[:8], long.labels[:8])], Padding(PAD, side))
    assert shown(padded) == expected
    assert padded.attention_mask == attention
    assert whole.attention_mask == (1,) * 8


def test_padding_with_the_stop_leaves_the_stop_trained() -> None:
    short = masker.mask(request(*HI))
    long = Labelled([*short.input_ids, *short.input_ids[:1]], [*short.labels, -100])
    padded, _ = masker.collate([short, long], Padding(VOCABULARY.id_of("</s>")))
    assert shown(padded) == "<u> hi </s> <a> [yo] [</s>] </s>"


def test_packing_fills_rows_and_marks_where_samples_begin() -> None:
    samples = masker.mask_batch([request(*HI), request(*BYE), request(*HI)])
    full, rest = masker.pack(samples, 12)
    assert shown(full) == "<u> hi </s> <a> [yo] [</s>] <u> bye </s> <a> [so] [</s>]"
    assert full.position_ids == (0, 1, 2, 3, 4, 5) * 2
    assert full.sequence_ids == (0,) * 6 + (1,) * 6
    assert shown(rest) == "<u> hi </s> <a> [yo] [</s>]"
    assert len(masker.pack(samples, 11)) == 3


def test_packing_never_trains_the_first_token_of_a_sample() -> None:
    cut = masker.mask(request(*HI, max_length=2, truncation_side="left"))
    assert shown(cut) == "[yo] [</s>]"
    (row,) = masker.pack([cut, cut], 4)
    assert shown(row) == "yo [</s>] yo [</s>]"


def test_a_sample_longer_than_a_row_has_a_row_of_its_own() -> None:
    samples = masker.mask_batch([request(*HI), request(*HI, *BYE)])
    assert [len(row.input_ids) for row in masker.pack(samples, 6)] == [6, 12]


def test_no_samples_give_no_rows() -> None:
    assert masker.collate([], Padding(PAD)) == []
    assert masker.pack([], 8) == []


def test_another_policy() -> None:
    other = masker.with_policy(Policy(turns=Turns.LAST))
    assert shown(other.mask(request(*HI, *BYE))) == "<u> hi </s> <a> yo </s> <u> bye </s> <a> [so] [</s>]"
    assert ReferenceMasker(policy=other.policy) == other


def test_an_invalid_conversation_is_refused_with_the_error_it_documents() -> None:
    assert masker.documented_errors == (ConversationError,)
    with pytest.raises(ConversationError):
        masker.mask(request(("user", 7)))


def test_what_the_template_rejects_is_unsupported() -> None:
    rejecting = Request([{"role": "user", "content": "hi"}], "{{ raise_exception('no') }}", VOCABULARY, Policy())
    with pytest.raises(Unsupported, match="no"):
        masker.mask(rejecting)
