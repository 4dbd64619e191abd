"""What the suite finds in axolotl, shown without maskspec: its own entry point, answers worked out by hand.

Nothing of maskspec is imported here, so a mistake of the suite cannot make its own
finding look true. What is expected is what axolotl's documentation promises: that
`roles_to_train` are the roles whose tokens are trained, that `train_on_eos: turn`
trains the end token of each trainable turn, and that `train_detail` names characters
by their offsets (`docs/dataset-formats/conversation.qmd`, and the descriptions in
`axolotl/utils/schemas/datasets.py`). A fault is an expected failure of its versions.
"""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import TemplateError

from tests.peers.axolotl.entry import (
    NEWEST,
    OLD,
    VERSION,
    fault_in,
    module,
    needed,
    sharegpt,
    spoken,
    strategy,
    trained,
)
from tests.unit.vocabularies import mistral_fast, mistral_slow

pytestmark = needed

SEARCHED = "the ids of the content alone are searched behind as many end tokens as there are messages before it"
EMPTY = "a turn without content has no place, and its end token is looked for from there"
ALONE = "the tokens of the content alone are taken for those of the content in its place"
NEAR = "an end token up to three tokens behind a turn is taken for its own"
FIRST = "rows are joined without a thought for a first token that is trained"


COUNTING = (
    "{% set seen = namespace(number=0) %}{% for message in messages %}"
    "{% if message.role != 'tool' and not message.tool_calls %}"
    "{% if (message.role == 'user') != (seen.number % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% set seen.number = seen.number + 1 %}{% endif %}{% endfor %}"
)
PRINTING = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}[INST] {{ message.content }}[/INST]"
    "{% elif message.role == 'tool' %} {{ message.content }}"
    "{% elif message.tool_calls %} {{ message.tool_calls[0].function.name }}{{ eos_token }}"
    "{% else %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
CALL = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "Yo", "arguments": {}}}]},
    {"role": "tool", "content": "Hi"},
    {"role": "assistant", "content": "Yo"},
]

newest = pytest.mark.skipif(
    VERSION != NEWEST, reason="0.5.2 loses the answer (the bug of the seed), or takes text alone"
)


@pytest.fixture(scope="module")
def fast() -> Any:
    return mistral_fast("v3", False)


@pytest.fixture(scope="module")
def slow() -> Any:
    return mistral_slow("v3", False)


def chat(*texts: str, **last: Any) -> dict[str, Any]:
    """User and assistant in turn; `last` are further keys of the last message."""
    messages: list[dict[str, Any]] = [
        {"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)
    ]
    messages[-1] |= last
    return {"messages": messages}


def detailed(answer: str, begin: int, end: int) -> dict[str, Any]:
    """An answer of which the characters from `begin` to `end`, both included, are to be trained."""
    return chat("Hi", answer, train_detail=[{"begin_offset": begin, "end_offset": end, "train": True}])


class TestTheBugOfTheSeed:
    """Issue 2089: turns of the chosen role that are left out, and turns that are trained for another's sake."""

    @fault_in(OLD, reason=SEARCHED)
    @pytest.mark.parametrize("load", [mistral_fast, mistral_slow])
    @pytest.mark.parametrize("legacy", [False, True])
    def test_all_of_five_equal_answers_are_trained(self, load: Any, legacy: bool) -> None:
        tokenizer = load("v3", legacy)
        record = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}] * 5}
        assert trained(tokenizer, sharegpt(tokenizer).tokenize_prompt(record)) == ["▁Y", "o", "</s>"] * 5

    @pytest.mark.skipif(VERSION != OLD, reason="the answers that are lost are those of 0.5.2")
    def test_the_third_and_the_fifth_answer_are_lost(self, fast: Any) -> None:
        """Message 5 is searched behind the fifth end token, where nothing is left; 7 and 9 are found in the first pair."""
        record = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}] * 5}
        labels = sharegpt(fast).tokenize_prompt(record)["labels"]
        #  <s>, and five times  [INST] ▁Hi [/INST] ▁Y o </s>
        pairs = [labels[1 + 6 * number : 7 + 6 * number] for number in range(5)]
        answers = [pair[3:5] for pair in pairs]
        assert answers == [[1395, 29477], [1395, 29477], [-100, -100], [1395, 29477], [-100, -100]]

    @fault_in(OLD, reason=SEARCHED)
    def test_a_single_answer_is_trained(self, fast: Any) -> None:
        assert trained(fast, strategy(fast).tokenize_prompt(chat("Hi", "Yo"))) == ["▁Y", "o", "</s>"]

    @fault_in(OLD, reason=SEARCHED)
    def test_a_question_in_the_words_of_an_answer_is_not_trained(self, fast: Any) -> None:
        row = strategy(fast).tokenize_prompt(chat("Yo", "Yo", "Yo", "Yo"))
        #  <s> [INST] ▁Y o [/INST] ▁Y o </s> [INST] ▁Y o [/INST] ▁Y o </s>
        assert [place for place, (_, loss) in enumerate(spoken(fast, row)) if loss] == [5, 6, 7, 12, 13, 14]

    def test_the_second_answer_of_two_is_trained(self, fast: Any) -> None:
        """Its search begins in front again, because there is no third end token: why the bug was seen so late."""
        row = strategy(fast).tokenize_prompt(chat("Hi", "So", "Hi", "Yo"))
        assert spoken(fast, row)[-3:] == [("▁Y", True), ("o", True), ("</s>", True)]


class TestAnEmptyAnswer:
    """`train_on_eos: turn` promises the end token of each trainable turn, and an empty answer is one."""

    @fault_in(OLD, NEWEST, reason=EMPTY)
    def test_its_end_token_is_trained(self, fast: Any) -> None:
        row = strategy(fast).tokenize_prompt(chat("Hi", ""))
        assert spoken(fast, row)[-1] == ("</s>", True)

    @fault_in(NEWEST, reason="only the way for fast tokenizers gives up on empty turns")
    def test_it_is_labelled_alike_with_both_tokenizers(self, fast: Any, slow: Any) -> None:
        rows = [strategy(tokenizer).tokenize_prompt(chat("Hi", "")) for tokenizer in (fast, slow)]
        assert rows[0]["input_ids"] == rows[1]["input_ids"]
        assert rows[0]["labels"][-1] == rows[1]["labels"][-1]


class TestCharacterSpans:
    """`train_detail` names characters of the content; with a space that joins the first token they are others."""

    @fault_in(OLD, reason=SEARCHED)
    def test_a_word_in_the_middle(self, fast: Any) -> None:
        row = strategy(fast, message_field_training_detail="train_detail").tokenize_prompt(
            detailed("Hi there you", 3, 7)
        )
        assert trained(fast, row) == ["▁there", "</s>"]

    @fault_in(OLD, NEWEST, reason=ALONE)
    def test_a_word_behind_a_space_at_the_beginning(self, fast: Any) -> None:
        row = strategy(fast, message_field_training_detail="train_detail").tokenize_prompt(detailed(" Sure. 4", 7, 7))
        #  alone ▁ ▁Sure . ▁ 4, in its place ▁▁ Sure . ▁ 4
        assert trained(fast, row) == ["4", "</s>"]

    @fault_in(OLD, NEWEST, reason=ALONE)
    def test_nothing_outside_the_span_is_trained(self, fast: Any) -> None:
        row = strategy(fast, message_field_training_detail="train_detail").tokenize_prompt(detailed("\nYo", 0, 0))
        #  alone ▁ <0x0A> Y o, in its place <0x0A> Y o behind the ▁ of the template
        assert trained(fast, row) == ["<0x0A>", "</s>"]


class TestOtherRoles:
    def test_a_trained_question_is_trained_and_its_answer_is_not(self, fast: Any) -> None:
        row = strategy(fast, roles_to_train=["user"]).tokenize_prompt(chat("Hi", "Yo, how are you today?"))
        assert trained(fast, row) == ["▁Hi"]

    @fault_in(NEWEST, reason=NEAR)
    def test_the_end_of_a_short_answer_does_not_belong_to_the_question(self, fast: Any) -> None:
        row = strategy(fast, roles_to_train=["user"]).tokenize_prompt(chat("Hi", "Yo"))
        #  [INST] ▁Hi [/INST] ▁Y o </s>: the end token stands three tokens behind the question
        assert trained(fast, row) == ["▁Hi"]

    def test_what_closes_a_trained_question_is_no_part_of_it(self, fast: Any) -> None:
        """A policy: axolotl trains what a message says and the end token, and no other text of the template."""
        row = strategy(fast, message_field_training="train").tokenize_prompt(chat("Hi", train=True))
        assert spoken(fast, row)[-2:] == [("▁Hi", True), ("[/INST]", False)]


class TestWhatTheTemplateIsGiven:
    @fault_in(NEWEST, reason="a message without a role is handed to the template as it is")
    def test_a_message_without_a_role_is_refused(self, fast: Any) -> None:
        messages = [{"role": "user", "content": "Hi"}, {"content": "Yo"}]
        try:
            strategy(fast).tokenize_prompt({"messages": messages})
        except (KeyError, ValueError):
            refused = True
        else:
            refused = False
        assert refused

    @newest
    def test_a_call_of_a_tool_is_labelled(self, fast: Any) -> None:
        labels = strategy(fast, PRINTING).tokenize_prompt({"messages": CALL})["labels"]
        assert [label for label in labels if label != -100] == [1395, 29477, 2] * 2

    @newest
    @fault_in(
        NEWEST, reason="the turn is looked for with another in its place that calls no tool, which the template refuses"
    )
    def test_a_call_of_a_tool_is_labelled_where_roles_have_to_alternate(self, fast: Any) -> None:
        """As in Mistral's own templates: calls and their results do not count, so the answer follows the question."""
        try:
            labels = strategy(fast, COUNTING + PRINTING).tokenize_prompt({"messages": CALL})["labels"]
        except TemplateError:
            labels = []
        assert [label for label in labels if label != -100] == [1395, 29477, 2] * 2

    @newest
    @pytest.mark.parametrize(
        "load",
        [
            mistral_fast,
            pytest.param(
                mistral_slow,
                marks=fault_in(NEWEST, reason="without offsets a turn is looked for in a rendering that ends with it"),
            ),
        ],
    )
    def test_an_answer_before_the_tools_is_trained(self, load: Any) -> None:
        """As in Mistral's own templates, the tools stand before the last question, which the beginning has elsewhere."""
        template = (
            "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}"
            "{% if tools and message == (messages | selectattr('role', 'equalto', 'user') | list)[-1] %}Yo Yo Yo{% endif %}"
            "[INST] {{ message.content }}[/INST]{% else %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
        )
        tokenizer = load("v3", False)
        tools = [{"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]
        row = strategy(tokenizer, template).tokenize_prompt({**chat("Hi", "Yo", "So"), "tools": tools})
        assert trained(tokenizer, row) == ["▁Y", "o", "</s>"]

    @newest
    def test_the_parts_of_a_content_become_one_text(self, fast: Any) -> None:
        """A policy, and documented: the template never sees parts, whatever it would print for them."""
        parts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": " there"}]
        rows = [
            strategy(fast).tokenize_prompt(
                {"messages": [{"role": "user", "content": content}, *chat("", "Yo")["messages"][1:]]}
            )
            for content in (parts, "Hi there")
        ]
        assert rows[0] == rows[1]

    @newest
    def test_text_that_the_template_adds_to_a_turn_is_not_trained(self, fast: Any) -> None:
        """A policy: an empty think block that a template prints before each answer is such text."""
        template = (
            "{{ bos_token }}{% for message in messages %}"
            "{% if message.role == 'user' %}[INST] {{ message.content }}[/INST]"
            "{% else %} Well. {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
        )
        row = strategy(fast, template).tokenize_prompt(chat("Hi", "Yo"))
        assert trained(fast, row) == ["▁Y", "o", "</s>"]


class TestBatches:
    @staticmethod
    def packed(*samples: tuple[list[int], list[int]]) -> dict[str, Any]:
        """One row of samples, as the trainer's collator joins them."""
        from transformers import PreTrainedTokenizerBase

        padder = type("Padder", (PreTrainedTokenizerBase,), {"pad_token_id": 0})(pad_token="<pad>")
        collator = module("axolotl.utils.collators").V2BatchSamplerDataCollatorForSeq2Seq(padder, return_tensors="np")
        rows = [
            {
                "input_ids": ids,
                "labels": labels,
                "attention_mask": [1] * len(ids),
                "position_ids": list(range(len(ids))),
            }
            for ids, labels in samples
        ]
        batch = collator([rows])
        return {key: batch[key][0].tolist() for key in ("input_ids", "labels", "position_ids", "attention_mask")}

    def test_samples_of_a_row_are_told_apart(self) -> None:
        row = self.packed(([1, 5, 6], [-100, -100, 6]), ([1, 7], [-100, 7]))
        assert row == {
            "input_ids": [1, 5, 6, 1, 7],
            "labels": [-100, -100, 6, -100, 7],
            "position_ids": [0, 1, 2, 0, 1],
            "attention_mask": [1, 1, 1, 2, 2],
        }

    @fault_in(OLD, NEWEST, reason=FIRST)
    def test_the_first_token_of_a_sample_is_not_predicted_from_the_sample_before(self) -> None:
        """As after `train_on_inputs: true`, which trains every token of a sample."""
        assert self.packed(([1, 5], [1, 5]), ([1, 7], [1, 7]))["labels"][2] == -100
