"""What the suite finds in renderers, shown without maskspec: its own entry point, answers worked out by hand.

Nothing of maskspec is imported here, so a mistake of the suite cannot make its own finding look true. What is expected
is what renderers promises: a token of the mask is True "if the model would have produced this token at inference time
(i.e. it appears in the sampled completion)", and False for what the template adds (`RenderedTokens` in
`renderers/base.py`). What a model is given there is the renderer's own prompt, so each case writes down that prompt
too. Its modules promise the text of the model's chat template.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.alone import fault
from tests.peers.renderers.entry import gpt_oss, needed, prompt, renderer, spelling, trained, whole

pytestmark = needed

PREFILL = "what the renderer's own prompt puts in front of the answer is called sampled"
NEWLINE = "the newline behind the role is not called sampled, though the renderer's own prompt ends before it"
HEADER = "all headers are taken for the prompt's, also those that only the model can have written"
MAP = "the map leads to the renderer of models that think, whose template is another"
SEPARATOR = "the newline between two calls is not written"
NONE = "a content that is None is written as the text None"
LATER = "only system messages at the beginning are collected; a later one becomes a question"

NO_THOUGHT = "<think>\n\n</think>\n\n"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str | None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def call(name: str, **arguments: str) -> dict[str, Any]:
    return {"id": "call1", "type": "function", "function": {"name": name, "arguments": arguments}}


HI, YO = user("Hi"), assistant("Yo")


class TestAnAnswer:
    """A question, and an answer of which everything behind the prompt is sampled, to its stop."""

    @pytest.mark.parametrize(
        ("name", "thinking", "end"),
        [
            ("qwen3", True, "<|im_start|>assistant\n"),
            ("qwen3", False, f"<|im_start|>assistant\n{NO_THOUGHT}"),
            ("qwen3.5", True, "<|im_start|>assistant\n<think>\n"),
            ("qwen3.5", False, f"<|im_start|>assistant\n{NO_THOUGHT}"),
            ("qwen3.6", True, "<|im_start|>assistant\n<think>\n"),
            ("qwen3.6", False, f"<|im_start|>assistant\n{NO_THOUGHT}"),
            ("glm-4.5", True, "\nHi<|assistant|>"),
            ("glm-4.5", False, "\nHi/nothink<|assistant|>\n<think></think>"),
        ],
    )
    def test_the_prompt_that_the_model_is_given(self, name: str, thinking: bool, end: str) -> None:
        assert prompt(renderer(name, enable_thinking=thinking), [HI]).endswith(end)

    def test_qwen3_writes_its_empty_thought_itself(self) -> None:
        made = renderer("qwen3")
        assert trained(made, [HI, YO]) == f"{NO_THOUGHT}Yo<|im_end|>"

    @fault(PREFILL)
    def test_qwen3_without_thinking(self) -> None:
        made = renderer("qwen3", enable_thinking=False)
        assert trained(made, [HI, YO]) == "Yo<|im_end|>"

    @pytest.mark.parametrize("name", ["qwen3.5", "qwen3.6"])
    @fault(PREFILL)
    def test_the_tag_that_the_prompt_opens(self, name: str) -> None:
        made = renderer(name)
        assert trained(made, [HI, YO]) == "\n</think>\n\nYo<|im_end|>"

    @pytest.mark.parametrize("name", ["qwen3.5", "qwen3.6"])
    @fault(PREFILL)
    def test_the_empty_thought_that_the_prompt_writes(self, name: str) -> None:
        made = renderer(name, enable_thinking=False)
        assert trained(made, [HI, YO]) == "Yo<|im_end|>"

    @fault(NEWLINE)
    def test_the_newline_behind_the_role(self) -> None:
        made = renderer("glm-4.5")
        assert trained(made, [HI, YO]) == "\n<think></think>\nYo"

    @fault(PREFILL)
    def test_glm_without_thinking(self) -> None:
        made = renderer("glm-4.5", enable_thinking=False)
        assert trained(made, [HI, YO]) == "\nYo"

    @pytest.mark.parametrize(
        ("name", "stop"),
        [("deepseek-v3", "<｜end▁of▁sentence｜>"), ("kimi-k2", "<|im_end|>")],
    )
    def test_elsewhere_it_is_the_answer_and_its_stop(self, name: str, stop: str) -> None:
        assert trained(renderer(name), [HI, YO]) == f"Yo{stop}"

    def test_a_stop_that_the_next_question_writes_belongs_to_the_answer(self) -> None:
        assert trained(renderer("glm-4.5"), [HI, YO, HI]) == "<think></think>\nYo<|user|>"


class TestGptOss:
    """The renderer's prompt ends with the header of the analysis; all that follows is the model's."""

    def test_its_prompt(self) -> None:
        assert prompt(gpt_oss(), [HI]).endswith("Hi<|end|><|start|>assistant<|channel|>analysis<|message|>")

    @fault(HEADER)
    def test_the_answer_behind_a_thought_is_started_by_the_model(self) -> None:
        made, messages = gpt_oss(auto_drop_analysis=False), [HI, assistant("Yo", reasoning_content="Hm")]
        text = whole(made, messages)
        assert text.startswith(prompt(made, [HI]))
        expected = "Hm<|end|><|start|>assistant<|channel|>final<|message|>Yo<|return|>"
        assert text.removeprefix(prompt(made, [HI])) == expected
        assert trained(made, messages) == expected

    @fault(HEADER)
    def test_the_function_that_is_called_is_chosen_by_the_model(self) -> None:
        assert "now" in trained(gpt_oss(), [HI, assistant("", tool_calls=[call("now", zone="UTC")])])

    def test_what_it_is_called_with_and_the_stop_are_trained(self) -> None:
        text = trained(gpt_oss(), [HI, assistant("", tool_calls=[call("now", zone="UTC")])])
        assert text == '{"zone": "UTC"}<|call|>'

    def test_the_thought_is_left_out_as_documented(self) -> None:
        """A policy: `auto_drop_analysis` is on, and keeps reasoning only in front of calls still unanswered."""
        messages = [HI, assistant("Yo", reasoning_content="Hm")]
        assert "Hm" not in whole(gpt_oss(), messages)
        assert "Hm" in whole(gpt_oss(auto_drop_analysis=False), messages)


class TestTheTextOfTheTemplate:
    @fault(MAP)
    def test_a_model_that_never_thinks(self) -> None:
        """The template of Qwen3-4B-Instruct-2507 writes a role, a newline, the answer and its end."""
        import renderers

        tokenizer = spelling("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>",
                             "</tool_call>", "<tool_response>", "</tool_response>", "Instruct-2507")  # fmt: skip
        tokenizer.name_or_path = "Qwen/Qwen3-4B-Instruct-2507"
        made = renderers.create_renderer(tokenizer)
        assert whole(made, [HI, YO]) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"

    @pytest.mark.parametrize("name", ["deepseek-v3", "deepseek-r1"])
    @fault(SEPARATOR)
    def test_two_calls_stand_on_lines_of_their_own(self, name: str) -> None:
        """Both models' templates write a newline in front of every call but the first."""
        text = whole(renderer(name), [HI, assistant(None, tool_calls=[call("now"), call("then")])])
        assert "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>" in text

    @pytest.mark.parametrize("words", ["", pytest.param("Hm", marks=fault(SEPARATOR))])
    def test_two_calls_of_glm_stand_on_lines_of_their_own(self, words: str) -> None:
        """Its template writes a newline in front of every call, whether the message says something or not."""
        text = whole(renderer("glm-4.5"), [HI, assistant(words, tool_calls=[call("now"), call("then")])])
        assert "</tool_call>\n<tool_call>" in text

    def test_one_call(self) -> None:
        text = whole(renderer("deepseek-v3"), [HI, assistant(None, tool_calls=[call("now")])])
        assert text.endswith(
            "<｜Assistant｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```"
            "<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>"
        )

    @fault(LATER)
    def test_a_system_message_in_the_middle(self) -> None:
        """DeepSeek's templates collect all system messages and write them first, with an empty line between."""
        messages = [{"role": "system", "content": "S"}, HI, {"role": "system", "content": "T"}, YO]
        text = whole(renderer("deepseek-v3"), messages)
        assert text.startswith("<｜begin▁of▁sentence｜>S\n\nT<｜User｜>Hi<｜Assistant｜>")

    @fault(NONE)
    def test_a_call_without_words(self) -> None:
        """As OpenAI writes it: the content of a message that only calls is null."""
        assert "None" not in whole(renderer("glm-4.5"), [HI, assistant(None, tool_calls=[call("now")])])

    @pytest.mark.parametrize("name", ["qwen3", "qwen3.5", "deepseek-v3", "kimi-k2"])
    def test_a_call_without_words_elsewhere(self, name: str) -> None:
        assert "None" not in whole(renderer(name), [HI, assistant(None, tool_calls=[call("now")])])

    def test_the_empty_thought_stays_in_the_history_as_documented(self) -> None:
        """A policy, and in the words of the module: with thinking disabled it is written again in earlier turns."""
        text = whole(renderer("qwen3", enable_thinking=False), [HI, YO, HI, YO])
        assert text.count(f"assistant\n{NO_THOUGHT}Yo") == 2

    def test_schemas_of_tools_are_sorted_as_by_the_models_own_tokenizer(self) -> None:
        """A policy: Kimi's own tokenizer class sorts the keys before the template sees them."""
        tools = [{"type": "function", "function": {"name": "now", "description": "d", "parameters": {}}}]
        text = whole(renderer("kimi-k2"), [HI, YO], tools=tools)
        assert '[{"function":{"description":"d","name":"now","parameters":{}},"type":"function"}]' in text


class TestOptions:
    CHAT = (HI, YO, user("So"), assistant("No"))

    def test_messages_are_chosen_one_by_one(self) -> None:
        text = trained(renderer("kimi-k2"), list(self.CHAT), message_loss_mask=[0, 0, 0, 1])
        assert text == "No<|im_end|>"

    def test_choosing_a_question_trains_nothing_of_it(self) -> None:
        text = trained(renderer("kimi-k2"), list(self.CHAT), message_loss_mask=[1, 0, 0, 1])
        assert text == "No<|im_end|>"

    def test_other_roles_are_trained_without_what_stands_around_them(self) -> None:
        text = trained(
            renderer("kimi-k2"),
            list(self.CHAT),
            role_to_mask=lambda message: message["role"] == "user",
            content_sft_roles={"user"},
        )
        assert text == "HiSo"

    def test_a_last_stop_can_be_asked_for(self) -> None:
        """Not the default: the text is then no longer the template's."""
        made = renderer("glm-4.5")
        assert whole(made, [HI, YO]).endswith("\nYo")
        assert trained(made, [HI, YO], ensure_final_stop=True) == "<think></think>\nYo<|endoftext|>"
