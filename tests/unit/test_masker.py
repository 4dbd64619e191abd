"""What `mask` returns: ids, labels, weights, records and errors, on texts whose tokens are worked out by hand."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskspec import Conversation, Policy, Verdict, Zone, mask
from maskspec.alignment import Alignment
from maskspec.corpus import embedded_pair
from maskspec.errors import ConversationError, EmptyMaskError, TemplateLimitExceeded, TemplateRejected, TokenizerError
from maskspec.masker import IGNORE_INDEX, Mask, Token, Tokens
from maskspec.rendering import Limits
from maskspec.strategies import conversations
from tests.unit.divisions import CHATML, assistant, user
from tests.unit.plain_tokenizer import PlainTokenizer

MARKERS = ("<|im_start|>", "<|im_end|>")
HELLO = [user("Hi you"), assistant("Hello there")]


def tokenizer(**options: Any) -> PlainTokenizer:
    return PlainTokenizer(*MARKERS, eos="<|im_end|>", **options)


def trained(result: Mask) -> str:
    """The text with what is trained in brackets."""
    text = "".join(f"⟦{token.text}⟧" if token.verdict is Verdict.TRAIN else token.text for token in result.tokens)
    return text.replace("⟧⟦", "").replace("\n", "~")


def test_a_mask_by_hand() -> None:
    result = mask(HELLO, template=CHATML, tokenizer=tokenizer())
    assert result.text == "<|im_start|>user\nHi you<|im_end|>\n<|im_start|>assistant\nHello there<|im_end|>\n"
    # 1000 <|im_start|>  1001 user  1002 newline  1003 Hi  1004 " you"  1005 <|im_end|>
    # 1006 assistant  1007 Hello  1008 " there"
    assert result.input_ids == (1000, 1001, 1002, 1003, 1004, 1005, 1002, 1000, 1006, 1002, 1007, 1008, 1005, 1002)
    assert result.labels == (-100,) * 10 + (1007, 1008, 1005, -100)
    assert result.weights == (0.0,) * 10 + (1.0, 1.0, 1.0, 0.0)
    assert result.verdicts == (Verdict.IGNORE,) * 10 + (Verdict.TRAIN,) * 3 + (Verdict.EITHER,)
    assert result.trained_text == "Hello there<|im_end|>"
    assert result.hazards == ()
    assert result.policy == Policy()


def test_every_token_says_why_it_is_trained_or_not() -> None:
    result = mask(HELLO, template=CHATML, tokenizer=tokenizer())
    assert [(token.text, token.reason) for token in result.tokens] == [
        *((text, "user is not selected") for text in ("<|im_start|>", "user", "\n", "Hi", " you", "<|im_end|>", "\n")),
        *((text, "the prompt supplies it") for text in ("<|im_start|>", "assistant", "\n")),
        *((text, "generated content") for text in ("Hello", " there")),
        ("<|im_end|>", "generated stop"),
        ("\n", "after the stop"),
    ]
    # seven tokens of the first message stand in four judgements: opening, content, stop and tail
    of_token = [[part.zone for part in result.tokens.judgements_of(index)] for index in range(len(result.tokens))]
    opening, content = [[Zone.OPENING]] * 3, [[Zone.CONTENT]] * 2
    assert of_token == [*opening, *content, [Zone.STOP], [Zone.TAIL]] * 2


def test_a_mask_holds_the_judgements_of_all_its_text() -> None:
    result = mask(HELLO, template=CHATML, tokenizer=tokenizer())
    assert [(result.text[part.start : part.end], part.zone, part.message, part.verdict) for part in result.judgements] == [
        ("<|im_start|>user\n", Zone.OPENING, 0, Verdict.IGNORE),
        ("Hi you", Zone.CONTENT, 0, Verdict.IGNORE),
        ("<|im_end|>", Zone.STOP, 0, Verdict.IGNORE),
        ("\n", Zone.TAIL, 0, Verdict.IGNORE),
        ("<|im_start|>assistant\n", Zone.OPENING, 1, Verdict.IGNORE),
        ("Hello there", Zone.CONTENT, 1, Verdict.TRAIN),
        ("<|im_end|>", Zone.STOP, 1, Verdict.TRAIN),
        ("\n", Zone.TAIL, 1, Verdict.EITHER),
    ]  # fmt: skip


def test_what_the_template_looks_for_decides_about_the_prompt() -> None:
    """The prompt after the third question alone supplies the tag; nothing but its text tells it from the second."""
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}{% if m.role == 'assistant' %}<think>{% endif %}"
        "{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant"
        "{% if '/think' in messages[-1].content %}<think>{% endif %}{% endif %}"
    )
    messages = [turn for text in ("a", "b", "c /think") for turn in (user(text), assistant("d"))]
    result = mask(messages, template=template, tokenizer=tokenizer())
    assert result.trained_text == "<think>d<|im_end|><think>d<|im_end|>d<|im_end|>"


def test_the_ignore_index_is_that_of_the_loss() -> None:
    assert IGNORE_INDEX == -100


def test_without_offsets_the_mask_is_the_same() -> None:
    fast = mask(HELLO, template=CHATML, tokenizer=tokenizer())
    slow = mask(HELLO, template=CHATML, tokenizer=tokenizer(offsets=False))
    assert (slow.input_ids, slow.labels) == (fast.input_ids, fast.labels)
    assert list(slow.tokens) == list(fast.tokens)


# Records.

EXPECTED = [
    (0, "<|im_start|>", 0, 12, Zone.OPENING, 0, Verdict.IGNORE),
    (1, "user", 12, 16, Zone.OPENING, 0, Verdict.IGNORE),
    (2, "\n", 16, 17, Zone.OPENING, 0, Verdict.IGNORE),
    (3, "Q", 17, 18, Zone.CONTENT, 0, Verdict.IGNORE),
    (4, "<|im_end|>", 18, 28, Zone.STOP, 0, Verdict.IGNORE),
    (5, "\n", 28, 29, Zone.TAIL, 0, Verdict.IGNORE),
    (6, "<|im_start|>", 29, 41, Zone.OPENING, 1, Verdict.IGNORE),
    (7, "assistant", 41, 50, Zone.OPENING, 1, Verdict.IGNORE),
    (8, "\n", 50, 51, Zone.OPENING, 1, Verdict.IGNORE),
    (9, "A", 51, 52, Zone.CONTENT, 1, Verdict.TRAIN),
    (10, "<|im_end|>", 52, 62, Zone.STOP, 1, Verdict.TRAIN),
    (11, "\n", 62, 63, Zone.TAIL, 1, Verdict.EITHER),
]


@pytest.fixture(scope="module")
def small() -> Mask:
    return mask([user("Q"), assistant("A")], template=CHATML, tokenizer=tokenizer())


def facts(token: Token) -> tuple[object, ...]:
    return token.index, token.text, token.start, token.end, token.zone, token.message, token.verdict


def test_the_records_of_all_tokens(small: Mask) -> None:
    assert [facts(token) for token in small.tokens] == EXPECTED
    assert [token.id for token in small.tokens] == list(small.input_ids)
    assert all(token.reason for token in small.tokens)


def test_records_are_a_sequence(small: Mask) -> None:
    tokens = small.tokens
    assert len(tokens) == 12
    assert facts(tokens[3]) == EXPECTED[3]
    assert facts(tokens[-1]) == EXPECTED[-1]
    assert [facts(token) for token in tokens[2:9:3]] == EXPECTED[2:9:3]
    assert [facts(token) for token in tokens[-2:]] == EXPECTED[-2:]
    assert tokens[20:] == ()
    assert [facts(token) for token in reversed(tokens)] == EXPECTED[::-1]
    assert tokens[3] in tokens
    assert facts(tokens[-12]) == EXPECTED[0]
    for index in (12, -13):
        with pytest.raises(IndexError, match=f"token {index} of 12"):
            tokens[index]


def test_a_straddling_token_says_between_what() -> None:
    result = mask([user("Q"), assistant("\nA")], template=CHATML, tokenizer=tokenizer(merged=["\n\n"]))
    (token,) = [token for token in result.tokens if token.text == "\n\n"]
    assert token.verdict is Verdict.EITHER
    assert "opening" in token.reason
    assert "content" in token.reason
    assert result.labels[token.index] == -100


@pytest.mark.parametrize(
    ("merged", "zone"),
    [("assistant\n\n", Zone.OPENING), ("\n\nA", Zone.CONTENT)],
    ids=["mostly opening", "mostly content"],
)
def test_the_zone_of_a_straddling_token_is_that_of_most_of_its_characters(merged: str, zone: Zone) -> None:
    result = mask([user("Q"), assistant("\nA")], template=CHATML, tokenizer=tokenizer(merged=[merged]))
    (token,) = [token for token in result.tokens if token.text == merged]
    assert token.zone is zone
    assert token.reason == "straddles opening (ignore) and content (train)"


def test_a_token_of_two_zones_with_one_verdict_straddles_nothing() -> None:
    result = mask([user("Q"), assistant("A")], template=CHATML, tokenizer=tokenizer(merged=["A<|im_end|>"]))
    (token,) = [token for token in result.tokens if token.text == "A<|im_end|>"]
    assert (token.verdict, token.zone, token.reason) == (Verdict.TRAIN, Zone.STOP, "generated stop")


def test_a_token_of_an_empty_text() -> None:
    tokens = Tokens("", [7], Alignment([0], [0]), (), (Verdict.IGNORE,), ())
    assert list(tokens) == [Token(0, 7, "", 0, 0, Zone.CONTEXT, None, Verdict.IGNORE, "the text is empty")]


def test_the_clock_and_the_limits_reach_the_template() -> None:
    template = CHATML + "{{ strftime_now('%Y') }}"
    result = mask(HELLO, template=template, tokenizer=tokenizer(), clock=lambda: datetime.datetime(1999, 1, 1))
    assert result.text.endswith("1999")
    with pytest.raises(TemplateLimitExceeded):
        mask(HELLO, template=CHATML, tokenizer=tokenizer(), limits=Limits(characters=20))


@pytest.mark.parametrize(("straddling", "label"), [("train", True), ("ignore", False), ("either", False)])
def test_the_policy_decides_about_straddling_tokens(straddling: str, label: bool) -> None:
    result = mask(
        [user("Q"), assistant("\nA")],
        template=CHATML,
        tokenizer=tokenizer(merged=["\n\n"]),
        policy=Policy().changed(straddling=straddling),
    )
    (token,) = [token for token in result.tokens if token.text == "\n\n"]
    assert token.verdict is Verdict(straddling)
    assert (result.labels[token.index] == token.id) is label
    assert (result.weights[token.index] > 0) is label


def test_weights_reach_the_tokens() -> None:
    spans = [{"start": 0, "end": 5, "weight": 3}]
    messages = [user("Q"), assistant("A", weight=0.5), user("Q"), assistant("Hello there", spans=spans)]
    result = mask(messages, template=CHATML, tokenizer=tokenizer())
    weights = {token.text: result.weights[token.index] for token in result.tokens if token.verdict is Verdict.TRAIN}
    assert weights == {"A": 0.5, "<|im_end|>": 0.5, "Hello": 3.0}


# Policies.


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            Policy(roles=frozenset({"user"})),
            "<|im_start|>user~⟦Hi you<|im_end|>⟧~<|im_start|>assistant~Hello there<|im_end|>~",
        ),
        (
            Policy(roles=frozenset({"human", "gpt"})),
            "<|im_start|>user~⟦Hi you<|im_end|>⟧~<|im_start|>assistant~⟦Hello there<|im_end|>⟧~",
        ),
        (
            Policy.preset("torchtune"),
            "<|im_start|>user~Hi you<|im_end|>~⟦<|im_start|>assistant~Hello there<|im_end|>~⟧",
        ),
        (
            Policy.preset("tail-trained", stop="none"),
            "<|im_start|>user~Hi you<|im_end|>~<|im_start|>assistant~⟦Hello there⟧<|im_end|>⟦~⟧",
        ),
    ],
    ids=["the user", "both", "opening and tail", "no stop"],
)
def test_a_policy_is_followed(policy: Policy, expected: str) -> None:
    assert trained(mask(HELLO, template=CHATML, tokenizer=tokenizer(), policy=policy)) == expected


# Nothing to train.


def test_no_selected_message_is_an_error_that_names_the_roles() -> None:
    with pytest.raises(EmptyMaskError) as raised:
        mask(
            [user("Q"), {"role": "tool", "content": "4"}, user("R")],
            template=CHATML,
            tokenizer=tokenizer(),
            policy=Policy(roles=frozenset({"critic", "assistant"})),
        )
    assert str(raised.value) == (
        "no message is selected: the policy trains assistant, critic and the conversation has user, tool; "
        "change Policy(roles=…) or the messages' flags, or pass allow_empty=True"
    )


def test_a_selected_message_without_trained_text_is_an_error_that_names_it() -> None:
    template = CHATML.replace(
        "{{ m.content }}<|im_end|>", "{% if m.role != 'assistant' %}{{ m.content }}<|im_end|>{% endif %}"
    )
    with pytest.raises(EmptyMaskError) as raised:
        mask(HELLO, template=template, tokenizer=tokenizer())
    assert str(raised.value) == (
        "the policy selects messages [1], but the template prints nothing of them to train; "
        "render the conversation to see what it prints, or pass allow_empty=True"
    )


def test_flags_may_select_nothing() -> None:
    with pytest.raises(EmptyMaskError, match="no message is selected"):
        mask([user("Q"), assistant("A", train=False)], template=CHATML, tokenizer=tokenizer())


def test_an_empty_mask_can_be_wanted() -> None:
    result = mask([user("Q")], template=CHATML, tokenizer=tokenizer(), allow_empty=True)
    assert result.labels == (-100,) * len(result.input_ids)
    assert len(result.labels) == 6
    assert result.trained_text == ""


def test_a_template_that_prints_nothing() -> None:
    result = mask(HELLO, template="", tokenizer=tokenizer(), allow_empty=True)
    assert (result.text, result.input_ids, result.labels, len(result.tokens)) == ("", (), (), 0)
    with pytest.raises(EmptyMaskError):
        mask(HELLO, template="", tokenizer=tokenizer())


# Input.


def test_every_shape_of_a_conversation_is_taken() -> None:
    sharegpt = {"conversations": [{"from": "human", "value": "Hi you"}, {"from": "gpt", "value": "Hello there"}]}
    masks = [
        mask(given, template=CHATML, tokenizer=tokenizer())
        for given in (
            HELLO,
            {"messages": HELLO},
            sharegpt,
            Conversation.from_messages(HELLO),
            json.loads(json.dumps(HELLO)),
        )
    ]
    assert len({(result.text, result.labels) for result in masks}) == 1


def test_the_input_is_not_changed() -> None:
    messages = [
        {"role": "system", "content": "S"},
        user([{"type": "text", "text": "Q"}]),
        assistant(
            None, tool_calls=[{"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}], train=True
        ),
        {"role": "tool", "content": "4", "name": "f"},
        assistant("A", reasoning_content="R", weight=1),
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    variables = {"enable_thinking": True, "nested": {"a": [1]}}
    before = copy.deepcopy((messages, tools, variables))
    pair = embedded_pair("qwen3+bytelevel-qwen")
    mask(messages, template=pair.template.source, tokenizer=pair.tokenizer, tools=tools, template_kwargs=variables)
    assert (messages, tools, variables) == before


def test_the_same_input_gives_the_same_mask() -> None:
    results = [mask(HELLO, template=CHATML, tokenizer=tokenizer()) for _ in range(2)]
    assert results[0].labels == results[1].labels
    assert results[0].hazards == results[1].hazards
    assert list(results[0].tokens) == list(results[1].tokens)


def test_tools_and_variables_reach_the_template() -> None:
    template = "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}{{ mood }}{{ eos_token }}" + CHATML
    result = mask(
        HELLO,
        template=template,
        tokenizer=PlainTokenizer(*MARKERS, eos="<|im_end|>", variables={"eos_token": "<|im_end|>"}),
        tools=[{"type": "function", "function": {"name": "weather"}}],
        template_kwargs={"mood": "calm"},
    )
    assert result.text.startswith("weathercalm<|im_end|><|im_start|>user")
    assert result.trained_text == "Hello there<|im_end|>"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"conversation": [{"role": "user"}]}, ConversationError, "message 0"),
        ({"template": "{{ raise_exception('not today') }}"}, TemplateRejected, "not today"),
        ({"tokenizer": object()}, TokenizerError, "object"),
    ],
    ids=["conversation", "template", "tokenizer"],
)
def test_bad_input_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    given: dict[str, Any] = {"conversation": HELLO, "template": CHATML, "tokenizer": tokenizer(), **arguments}
    with pytest.raises(error, match=message):
        mask(given.pop("conversation"), **given)


def test_raw_tokenizers_are_taken() -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    tokenizers = pytest.importorskip("tokenizers", reason="needs tokenizers")
    pieces = [*MARKERS, "user", "assistant", "Hi", "you", "Hello", "there", "\n", " "]
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({piece: index for index, piece in enumerate(pieces)}, unk_token="user")
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"\n| "), "isolated")
    backend.add_special_tokens(list(MARKERS))
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")
    expected_ids = (0, 2, 8, 4, 9, 5, 1, 8, 0, 3, 8, 6, 9, 7, 1, 8)
    expected_labels = (-100,) * 11 + (6, 9, 7, 1, -100)
    for raw in (wrapped, backend):
        result = mask(HELLO, template=CHATML, tokenizer=raw)
        assert (result.input_ids, result.labels) == (expected_ids, expected_labels)


# Any conversation.


@pytest.mark.parametrize(
    "name",
    [
        "chatml+bytelevel-gpt2",
        "qwen3+bytelevel-qwen",
        "llama-2+sentencepiece-bpe-legacy",
        "mistral-v3+sentencepiece-bpe",
        "glm+tiktoken",
    ],
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_labels_are_the_ids_or_minus_100(name: str, data: st.DataObject) -> None:
    pytest.importorskip("transformers", reason="the embedded tokenizers load through transformers")
    pair = embedded_pair(name)
    drawn = data.draw(conversations(pair), label="conversation")
    policy = data.draw(
        st.sampled_from([Policy(), Policy.preset("torchtune"), Policy.preset("axolotl")]), label="policy"
    )
    result = mask(
        drawn.messages,
        template=pair.template.source,
        tokenizer=pair.tokenizer,
        tools=drawn.tools,
        policy=policy,
        allow_empty=True,
    )
    size = len(result.input_ids)
    assert len(result.labels) == len(result.weights) == len(result.verdicts) == len(result.tokens) == size
    assert list(result.input_ids) == list(pair.tokenizer.encode(result.text).ids)
    for token, label, weight in zip(result.tokens, result.labels, result.weights, strict=True):
        assert token.id == result.input_ids[token.index]
        assert token.text == result.text[token.start : token.end]
        trains = token.verdict is Verdict.TRAIN
        assert label == (token.id if trains else IGNORE_INDEX)
        assert (weight > 0) is trains
