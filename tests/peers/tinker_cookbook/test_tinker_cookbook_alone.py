"""What the suite finds in tinker-cookbook, shown without maskspec: its own entry point, answers worked out by hand.

Nothing of maskspec is imported here, so a mistake of the suite cannot make its own finding look true. What is expected
is what the cookbook promises: what carries loss is the output of a message, "what the model generates for this turn: the
message text/images plus end-of-turn tokens", and not the header, "what the model sees but does not generate"
(`RenderedMessage` in `renderers/base.py`); and for a renderer of a model, the text of its chat template, where the
class says that it is designed to match it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.alone import fault
from tests.peers.tinker_cookbook.entry import call, datum, messages, needed, prompt, renderer, trained, whole

pytestmark = needed

STOP = "the end of a turn is written only where the content of the message is not empty, calls or not"
PREFILL = "what the generation prompt supplies is taken from the loss only where the last message or turn is trained"
CLOSE = "an empty thought in front of a call stands in the header, though the model has to close it"
ESCAPED = "the arguments of a call are written with escapes for all letters that are not ASCII"
TRIMMED = "the template trims this text, and the renderer does not"
BARE = "tools are written as bare functions, without the type that the template writes around each"
INSERTED = "the message that the renderer puts in front has no mark of its own, and is refused for that"
APART = "results that follow each other are written as questions of their own"

NO_THOUGHT = "<think>\n\n</think>\n\n"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def result(text: str) -> dict[str, Any]:
    return {"role": "tool", "content": text, "name": "now", "tool_call_id": "functions.f:0"}


CHAT = [user("Hi"), assistant("Yo")]
CALL = [user("Hi"), assistant("", tool_calls=[call("now")]), result("4"), assistant("Yo")]
REASONED = [user("Hi"), assistant("Yo", reasoning_content="Hm")]


class TestAnAnswer:
    @pytest.mark.parametrize(
        ("name", "end", "expected"),
        [
            ("qwen3", "<|im_start|>assistant\n", f"{NO_THOUGHT}Yo<|im_end|>"),
            ("qwen3_instruct", "<|im_start|>assistant\n", "Yo<|im_end|>"),
            ("qwen3_5", "<|im_start|>assistant\n<think>\n", "\n</think>\n\nYo<|im_end|>"),
            ("qwen3_5_disable_thinking", f"<|im_start|>assistant\n{NO_THOUGHT}", "Yo<|im_end|>"),
            ("deepseekv3", "<｜Assistant｜></think>", "Yo<｜end▁of▁sentence｜>"),
            ("kimi_k2", "<|im_assistant|>assistant<|im_middle|>", "<think></think>Yo<|im_end|>"),
            ("gpt_oss_medium_reasoning", "<|start|>assistant", "<|channel|>final<|message|>Yo<|return|>"),
            ("llama3", "<|start_header_id|>assistant<|end_header_id|>\n\n", "Yo<|eot_id|>"),
        ],
    )
    def test_what_follows_the_prompt_is_trained_to_its_end(self, name: str, end: str, expected: str) -> None:
        made = renderer(name)
        assert prompt(made, messages(CHAT[:1])).endswith(end)
        assert trained(made, messages(CHAT)) == expected

    @pytest.mark.parametrize("name", ["qwen3", "kimi_k2", "llama3", "gpt_oss_medium_reasoning"])
    def test_nothing_to_say_and_then_the_stop(self, name: str) -> None:
        assert trained(renderer(name), messages([user("Hi"), assistant("")])).endswith(
            ("<|im_end|>", "<|eot_id|>", "<|return|>")
        )

    @fault(STOP)
    def test_nothing_to_say_and_no_stop(self) -> None:
        text = trained(renderer("deepseekv3"), messages([user("Hi"), assistant("")]))
        assert text == "<｜end▁of▁sentence｜>"


class TestWhatThePromptSupplies:
    """The last message and the last turn are masked by the prompt itself; all messages are not."""

    @pytest.mark.parametrize("kind", ["last_assistant_message", "last_assistant_turn"])
    def test_an_empty_thought(self, kind: str) -> None:
        made = renderer("qwen3_disable_thinking")
        assert prompt(made, messages(CHAT[:1])).endswith(f"<|im_start|>assistant\n{NO_THOUGHT}")
        assert trained(made, messages(CHAT), kind) == "Yo<|im_end|>"

    @fault(PREFILL)
    def test_an_empty_thought_where_all_messages_are_trained(self) -> None:
        assert trained(renderer("qwen3_disable_thinking"), messages(CHAT)) == "Yo<|im_end|>"

    @pytest.mark.parametrize("kind", ["last_assistant_message", "last_assistant_turn"])
    def test_the_tag_in_front_of_a_thought(self, kind: str) -> None:
        made = renderer("qwen3_5")
        assert prompt(made, messages(CHAT[:1])).endswith("<|im_start|>assistant\n<think>\n")
        assert trained(made, messages(REASONED), kind) == "Hm\n</think>\n\nYo<|im_end|>"

    @fault(PREFILL)
    def test_the_tag_in_front_of_a_thought_where_all_messages_are_trained(self) -> None:
        assert trained(renderer("qwen3_5"), messages(REASONED)) == "Hm\n</think>\n\nYo<|im_end|>"

    @fault(PREFILL)
    def test_the_tag_of_deepseek_where_all_messages_are_trained(self) -> None:
        made = renderer("deepseekv3_thinking")
        assert prompt(made, messages(CHAT[:1])).endswith("<｜Assistant｜><think>")
        assert trained(made, messages(REASONED)) == "Hm</think>Yo<｜end▁of▁sentence｜>"


class TestCalls:
    def test_a_call_ends_with_the_stop(self) -> None:
        text = trained(renderer("qwen3"), messages(CALL))
        assert text.startswith('<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call><|im_end|>')

    @fault(STOP)
    def test_a_call_without_words_ends_with_the_stop(self) -> None:
        """The renderer's stop sequence is this token; DeepSeek's template writes it behind calls, too."""
        text = trained(renderer("deepseekv3"), messages(CALL))
        assert text.startswith(
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            "<｜end▁of▁sentence｜>"
        )

    def test_a_call_with_words_ends_with_the_stop(self) -> None:
        conversation = [user("Hi"), assistant("Hm", tool_calls=[call("now")])]
        assert trained(renderer("deepseekv3"), messages(conversation)).endswith("<｜end▁of▁sentence｜>")

    @fault(CLOSE)
    def test_the_thought_in_front_of_a_call_is_closed_by_the_model(self) -> None:
        made = renderer("qwen3_5")
        assert prompt(made, messages(CALL[:1])).endswith("<think>\n")
        assert trained(made, messages(CALL)).startswith("\n</think>\n\n<tool_call>")

    def test_the_function_that_is_called_is_trained(self) -> None:
        text = trained(renderer("gpt_oss_medium_reasoning"), messages(CALL[:2]))
        assert text == " to=functions.now<|channel|>commentary <|constrain|>json<|message|>{}<|call|>"

    @fault(ESCAPED)
    def test_letters_are_written_as_in_the_template(self) -> None:
        """The template writes arguments with `tojson`, which transformers gives no escapes for letters."""
        conversation = [user("Hi"), assistant("", tool_calls=[call("now", zone="é")])]
        assert '{"zone": "é"}' in whole(renderer("qwen3"), messages(conversation))

    @pytest.mark.parametrize("name", ["qwen3_5", "deepseekv3", "kimi_k2"])
    def test_letters_elsewhere(self, name: str) -> None:
        conversation = [user("Hi"), assistant("", tool_calls=[call("now", zone="é")])]
        assert "é" in whole(renderer(name), messages(conversation))

    @fault(APART)
    def test_results_stand_together(self) -> None:
        """The template opens a question for the first result and closes it behind the last."""
        text = whole(renderer("qwen3"), messages([*CALL[:3], result("5"), CALL[-1]]))
        assert "<tool_response>\n4\n</tool_response>\n<tool_response>\n5\n</tool_response><|im_end|>" in text

    def test_results_of_the_next_models_stand_together(self) -> None:
        text = whole(renderer("qwen3_5"), messages([*CALL[:3], result("5"), CALL[-1]]))
        assert "<tool_response>\n4\n</tool_response>\n<tool_response>\n5\n</tool_response><|im_end|>" in text


class TestTheTextOfTheTemplate:
    @fault(TRIMMED)
    def test_a_text_of_llama(self) -> None:
        """The template writes `message['content'] | trim`; its list of intended differences does not name that."""
        text = whole(renderer("llama3"), messages([user(" Hi "), assistant(" Yo ")]))
        assert "\n\nHi<|eot_id|>" in text
        assert text.endswith("\n\nYo<|eot_id|>")

    @fault(TRIMMED)
    def test_reasoning_of_qwen(self) -> None:
        """The template writes `reasoning_content | trim`."""
        text = whole(renderer("qwen3_5"), messages([user("Hi"), assistant("Yo", reasoning_content="Hm ")]))
        assert text.endswith("<think>\nHm\n</think>\n\nYo<|im_end|>")

    def test_a_text_of_qwen(self) -> None:
        text = whole(renderer("qwen3_5"), messages([user(" Hi "), assistant(" Yo ")]))
        assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nYo<|im_end|>"

    @pytest.mark.parametrize("name", ["qwen3", pytest.param("qwen3_5", marks=fault(BARE))])
    def test_tools(self, name: str) -> None:
        """Both templates write each tool as OpenAI gives it, with its type; the cookbook's type has the function."""
        tool = {"name": "now", "description": "d", "parameters": {"type": "object"}}
        (front,) = renderer(name).create_conversation_prefix_with_tools([tool])
        function = '{"name": "now", "description": "d", "parameters": {"type": "object"}}'
        assert f'<tools>\n{{"type": "function", "function": {function}}}\n</tools>' in front["content"]


def marked() -> list[Any]:
    """Two questions and answers, of which the second two are to be trained."""
    rows = messages([*CHAT, user("So"), assistant("No")])
    return [{**row, "trainable": index > 1} for index, row in enumerate(rows)]


class TestMarks:
    """`CUSTOMIZED: Use per-message train flags from the dataset`, with a flag in every message of the dataset."""

    def test_messages_are_marked_one_by_one(self) -> None:
        assert trained(renderer("llama3"), marked(), "customized") == "So<|eot_id|>No<|eot_id|>"

    @pytest.mark.parametrize("name", ["gpt_oss_medium_reasoning", "kimi_k2"])
    @fault(INSERTED)
    def test_with_a_prompt_of_the_renderers_own(self, name: str) -> None:
        try:
            text = trained(renderer(name), marked(), "customized")
        except AssertionError as error:
            text = str(error)
        assert not text.startswith("When using CUSTOMIZED")

    def test_without_a_prompt_of_its_own(self) -> None:
        text = trained(renderer("gpt_oss_no_sysprompt"), marked(), "customized")
        assert text == "<|message|>So<|end|><|channel|>final<|message|>No<|return|>"


class TestPolicies:
    def test_nothing_is_written_behind_the_last_stop(self) -> None:
        """Where the template writes a newline, which belongs to the next header."""
        assert whole(renderer("qwen3_instruct"), messages(CHAT)).endswith("Yo<|im_end|>")

    def test_control_tokens_in_a_text_are_text(self) -> None:
        """Where the template's text has them as control tokens."""
        made = renderer("qwen3")
        ids = datum(made, messages([user("<|im_end|>"), CHAT[1]])).model_input.to_ints()
        # One ends the question; that of the answer is a target and no input.
        assert ids.count(made.tokenizer.convert_tokens_to_ids("<|im_end|>")) == 1

    @pytest.mark.parametrize(("missing", "expected"), [(0, "Yo<|eot_id|>"), (1, "Yo"), (2, "Y"), (3, "")])
    def test_a_limit_cuts_the_end(self, missing: int, expected: str) -> None:
        made = renderer("llama3")
        length = 1 + len(datum(made, messages(CHAT)).model_input.to_ints())
        assert trained(made, messages(CHAT), max_length=length - missing) == expected

    def test_reasoning_of_an_earlier_answer_of_gpt_oss_is_kept(self) -> None:
        """Where the template leaves it out."""
        text = whole(renderer("gpt_oss_no_sysprompt"), messages([*REASONED, user("So"), assistant("No")]))
        assert "<|channel|>analysis<|message|>Hm<|end|>" in text

    def test_the_date_of_llama_is_left_out_as_documented(self) -> None:
        assert whole(renderer("llama3"), messages(CHAT)).startswith("<|begin_of_text|><|start_header_id|>user")
