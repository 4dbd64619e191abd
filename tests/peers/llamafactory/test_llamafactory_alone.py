"""What the suite finds in LLaMA-Factory, shown without maskspec: its own entry points, answers worked out by hand.

Nothing of maskspec is imported here, so a mistake of the suite cannot make its own finding look true. What is expected
is what LLaMA-Factory's documentation promises: `data/README.md`, which describes the formats of data sets and says that
the format of OpenAI is a special case of the sharegpt format, the help of the fields of `DataArguments` (`mask_history`:
"train on the last turn only"; `cutoff_len`: "the cutoff length of the tokenized inputs"), and its README, which asks for
a chat model's corresponding template. A fault is an expected failure of its version.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.peers.alone import fault
from tests.peers.llamafactory.entry import by_get_dataset, module, needed, packed, prepared, text, tokenizer, trained

pytestmark = needed

SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."


def chat(*texts: str) -> list[dict[str, Any]]:
    """User and assistant in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


def system(words: str) -> dict[str, Any]:
    return {"role": "system", "content": words}


class TestAnswersOfChatml:
    """Controls: what every answer is trained for, and nothing else."""

    def test_every_answer_with_its_end_and_the_newline_behind_it(self) -> None:
        given = tokenizer()
        row = prepared(chat("Hi", "Yo", "So", "No"), "qwen", given)
        assert trained(given, row) == ["Yo<|im_end|>\n", "No<|im_end|>\n"]

    def test_the_text_is_that_of_the_model(self) -> None:
        given = tokenizer()
        row = prepared([system("Be kind."), *chat("Hi", "Yo")], "qwen", given)
        assert text(given, row) == (
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
        )

    def test_every_label_is_the_id_in_its_place(self) -> None:
        given = tokenizer()
        row = prepared(chat("Hi", "Yo", "So", "No"), "qwen", given)
        assert all(label in (-100, item) for item, label in zip(row["input_ids"], row["labels"], strict=True))

    def test_get_dataset_gives_the_same_row(self, tmp_path: Path) -> None:
        messages = chat("Hi", "Yo", "So", "No")
        assert by_get_dataset(messages, "qwen", tokenizer(), tmp_path) == prepared(messages, "qwen", tokenizer())

    def test_with_mask_history_only_the_last_answer(self) -> None:
        given = tokenizer()
        row = prepared(chat("Hi", "Yo", "So", "No"), "qwen", given, mask_history=True)
        assert trained(given, row) == ["No<|im_end|>\n"]


class TestTheEndThatIsNotWritten:
    """Templates with `efficient_eos` write no end behind an answer, and label the first token of the next question."""

    def test_the_first_token_of_the_next_question_stands_for_the_end(self) -> None:
        """On purpose: a label that is not the id in its place."""
        given = tokenizer()
        row = prepared(chat("Hi", "Yo", "So", "No"), "glm4", given)
        assert trained(given, row) == ["\nYo<|endoftext|>", "\nNo<|endoftext|>"]
        assert text(given, row).endswith("Yo<|user|>\nSo<|assistant|>\nNo<|endoftext|>")

    @fault("the labels for the ends of the turns before the last are not taken back with those of their answers")
    def test_with_mask_history_only_the_last_answer(self) -> None:
        given = tokenizer()
        row = prepared(chat("Hi", "Yo", "So", "No", "Go", "Ho"), "glm4", given, mask_history=True)
        assert trained(given, row) == ["\nHo<|endoftext|>"]

    @fault("a history is walked from its end, so its first token is taken for the one behind an answer")
    def test_with_mask_history_the_first_token_is_not_the_end_of_anything(self) -> None:
        row = prepared(chat("Hi", "Yo", "So", "No"), "glm4", tokenizer(), mask_history=True)
        assert row["labels"][0] == -100

    @fault("answers before the last have no end token in the text, which the model's own template writes there")
    def test_an_answer_of_gpt_oss_ends_before_the_next_question(self) -> None:
        given = tokenizer()
        assert "Yo<|end|><|start|>user" in text(given, prepared(chat("Hi", "Yo", "So", "No"), "gpt_oss", given))


class TestTheFormatOfOpenai:
    """`data/README.md`: "simply a special case of the sharegpt format"."""

    @fault("the converter of `formatting: openai` writes `detailed thinking off` for every model")
    def test_a_conversation_without_a_system_message_gets_none_or_the_models(self) -> None:
        given = tokenizer()
        row = prepared(chat("Hi", "Yo"), "qwen", given, formatting="openai")
        assert text(given, row).startswith(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n")

    @fault("the converter of `formatting: openai` writes `detailed thinking off` for every model")
    def test_a_system_message_is_left_as_it_is(self) -> None:
        given = tokenizer()
        row = prepared([system("Be kind."), *chat("Hi", "Yo")], "qwen", given, formatting="openai")
        assert text(given, row).startswith("<|im_start|>system\nBe kind.<|im_end|>\n")

    def test_as_sharegpt_with_tags_it_is(self) -> None:
        given = tokenizer()
        row = prepared(chat("Hi", "Yo"), "qwen", given)
        assert text(given, row).startswith(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n")


class TestTemplatesByHand:
    """README: "use the corresponding template" for chat models, so the text is to be the one of the model."""

    @fault("the template has no newline behind the end of a question")
    def test_zephyr_has_a_newline_behind_every_end(self) -> None:
        given = tokenizer(bos="<s>", eos="</s>")
        row = prepared([system("Be kind."), *chat("Hi", "Yo")], "zephyr", given)
        assert "<|user|>\nHi</s>\n<|assistant|>\nYo</s>" in text(given, row)

    @fault("the thought is put in front of the newline that begins an answer, with newlines of its own")
    def test_an_empty_thought_of_glm_stands_behind_the_newline(self) -> None:
        given = tokenizer()
        assert "<|assistant|>\n<think></think>\nYo" in text(given, prepared(chat("Hi", "Yo"), "glm4_moe", given))

    @fault("the system message is put into the first question, and Mistral's template puts it into the last")
    def test_the_system_message_of_mistral_stands_in_the_last_question(self) -> None:
        given = tokenizer(bos="<s>", eos="</s>")
        row = prepared([system("Be kind."), *chat("Hi", "Yo", "So", "No")], "mistral", given)
        assert text(given, row) == "<s>[INST] Hi[/INST] Yo</s>[INST] Be kind.\n\nSo[/INST] No</s>"

    @fault("`{{idx}}` in a question is taken for a place of the template")
    def test_a_question_may_hold_two_braces(self) -> None:
        given = tokenizer()
        row = prepared(chat("Print {{idx}}", "Yo"), "qwen", given)
        assert "Print {{idx}}<|im_end|>" in text(given, row)

    def test_thoughts_of_earlier_answers_are_kept_while_those_are_trained(self) -> None:
        """A policy: Qwen's own template leaves them out, and an answer is trained with the thought that led to it."""
        given = tokenizer()
        row = prepared(chat("Hi", "<think>\nHm\n</think>\n\nYo", "So", "No"), "qwen3", given)
        assert trained(given, row) == [
            "<think>\nHm\n</think>\n\nYo<|im_end|>\n",
            "<think>\n\n</think>\n\nNo<|im_end|>\n",
        ]

    @fault("the template asks for the processor of a model that sees, which this model is not", raises=ValueError)
    def test_the_model_mistral_small_2501_needs_no_processor(self) -> None:
        """It is registered with this template, and its repository holds a tokenizer and no processor."""
        registered = module("llamafactory.extras.constants").DEFAULT_TEMPLATE["Mistral-Small-24B-Instruct-2501"]
        given = tokenizer(bos="<s>", eos="</s>")
        assert trained(given, prepared(chat("Hi", "Yo"), registered, given)) == ["Yo</s>"]


class TestTheCutoff:
    """`cutoff_len` cuts each pair of question and answer by itself: a policy, and no prefix of the whole."""

    def test_nothing_is_longer_than_the_limit(self) -> None:
        given = tokenizer()
        whole = len(prepared(chat("Hi" * 20, "Yo" * 20), "qwen3_nothink", given)["input_ids"])
        for limit in range(1, whole + 2):
            row = prepared(chat("Hi" * 20, "Yo" * 20), "qwen3_nothink", given, cutoff_len=limit)
            assert len(row["input_ids"]) == min(limit, whole)

    def test_a_long_question_loses_its_end_and_the_header_of_the_answer(self) -> None:
        """The question has 59 tokens and the answer 4: `<|im_start|>user\n` takes 6 and `<|im_end|>` one of them."""
        given = tokenizer()
        row = prepared(chat("i" * 40, "Yo"), "qwen3_nothink", given, cutoff_len=20)
        assert text(given, row) == "<|im_start|>user\niiiiiiiiiiYo<|im_end|>\n"
        assert trained(given, row) == ["Yo<|im_end|>\n"]


class TestPacking:
    """`neat_packing`: "sequence packing without cross-attention"."""

    ROWS = (chat("Hi", "Yo"), chat("So", "No"))

    def test_samples_of_a_row_are_told_apart(self) -> None:
        given = tokenizer()
        row = packed(list(self.ROWS), "qwen3_nothink", given, cutoff_len=100)
        assert trained(given, row) == ["No<|im_end|>\n", "Yo<|im_end|>\n"]
        assert [place for place, position in enumerate(row["position_ids"]) if position == 0][:2] == [0, 25]
        assert row["attention_mask"] == [1] * 25 + [2] * 25 + [0] * 50

    @fault("rows are joined without a thought for a first token that is trained")
    def test_the_first_token_of_a_sample_is_not_predicted_from_the_sample_before(self) -> None:
        row = packed(list(self.ROWS), "qwen3_nothink", tokenizer(), cutoff_len=100, train_on_prompt=True)
        assert row["labels"][25] == -100
