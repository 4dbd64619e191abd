"""What the suite finds in torchtune, shown without maskspec: its own entry point, answers worked out by hand.

Nothing of maskspec is imported here, so a mistake of the suite cannot make its own
finding look true. What is expected is what torchtune's documentation promises: that
`Message.masked` says whether a message is used in the loss, that messages which are
encoded one by one give the ids of the whole text (`Llama2Tokenizer.tokenize_messages`),
that Mistral's format is that of the linked page, Llama 2's that of Meta's
`generation.py`, and Phi-4's the tiktoken one. A fault is an expected failure of its version.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.peers.alone import fault
from tests.peers.torchtune.entry import chat, llama2, llama3, mistral, module, needed, phi4, qwen, row, trained

pytestmark = needed

BOS, EOS = 1, 2
IM_START, IM_END = 151644, 151645
PHI_START, PHI_END, PHI_SEP = 100264, 100265, 100266

LIMIT = "the mask is cut as the tokens are: its last entry becomes True, as their last becomes the end token"
OVERWRITTEN = "the last token becomes the end token whether or not there is anything to cut"
ENDLESS = "no answer ends with <|im_end|> unless add_eos is set, which no builder and no data set does"
PATTERN = "the pattern of GPT-2 divides the text, and not the one that stands unused in the same file"
APART = "the parts that a prompt template adds to a message are encoded as if each began a text"
EACH_TURN = "every turn begins with <s>, as in Llama 2's format"
EVERY_USER = "the system message is put into every user message"
TWICE = "the end token that is meant for an answer follows whatever message is the last"
BEFORE = "content that is neither text nor a list leaves that of the message before in its place"
DROPPED = "spaces at the end of a content are dropped"
UNNAMED = "no tokenizer looks at the role of a message"
FIRST = "rows are joined without a thought for a first token that is trained"


def text(string: str) -> list[int]:
    """The ids of a text in the vocabulary of single bytes."""
    return list(string.encode())


class TestQwen:
    def test_a_message_is_trained_with_its_header(self, tmp_path: Path) -> None:
        answer = row(qwen(tmp_path), chat("a", "b"))
        user, header = [IM_START, *text("user\n"), *text("a"), IM_END, *text("\n")], [IM_START, *text("assistant\n")]
        assert answer["tokens"] == [*user, *header, *text("b"), IM_END]
        assert trained(answer) == [False] * len(user) + [True] * (len(header) + 2)

    @fault(LIMIT)
    def test_a_limit_that_is_not_reached_changes_nothing(self, tmp_path: Path) -> None:
        answer = row(qwen(tmp_path, max_seq_len=100), chat("a", "b"))
        assert (answer["tokens"][-1], trained(answer)[-1]) == (IM_END, True)

    @fault(TWICE)
    def test_a_question_ends_once(self, tmp_path: Path) -> None:
        answer = row(qwen(tmp_path), chat("a", "b", "c"))
        assert answer["tokens"].count(IM_END) == 3


class TestPhi4:
    @fault(ENDLESS)
    def test_an_answer_ends_with_its_end_token(self, tmp_path: Path) -> None:
        answer = row(phi4(tmp_path), chat("a", "b"))
        user = [PHI_START, *text("user"), PHI_SEP, *text("a"), PHI_END]
        assert answer["tokens"] == [*user, PHI_START, *text("assistant"), PHI_SEP, *text("b"), PHI_END]

    def test_a_question_ends_with_it(self, tmp_path: Path) -> None:
        assert row(phi4(tmp_path), chat("a", "b"))["tokens"].count(PHI_END) >= 1

    def test_merges_are_used(self, tmp_path: Path) -> None:
        assert phi4(tmp_path, ("a", "b")).encode("ab", add_bos=False, add_eos=False) == [256]

    @fault(PATTERN)
    def test_text_is_divided_as_the_model_divides_it(self, tmp_path: Path) -> None:
        """The tiktoken pattern has 'M with capital letters, and a dot with the word behind it, in one piece."""
        tokenizer = phi4(tmp_path, ("'", "M"), (".", "a"))
        assert [tokenizer.encode(part, add_bos=False, add_eos=False) for part in ("'M", ".a")] == [[256], [257]]


class TestMistral:
    @fault(APART)
    def test_a_turn_has_the_ids_of_its_text(self) -> None:
        tokenizer = mistral()
        answer = row(tokenizer, chat("Hi", "Yo"))
        whole = tokenizer.encode("[INST] Hi [/INST] Yo", add_bos=True, add_eos=True)
        assert answer["tokens"] == whole

    @fault(EACH_TURN)
    def test_only_the_first_instruction_begins_with_the_beginning(self) -> None:
        """The page that the docstring links: the very first instruction begins with it, the next do not."""
        assert row(mistral(), chat("Hi", "Yo", "So", "Ok"))["tokens"].count(BOS) == 1

    def test_every_answer_ends_and_is_trained_to_its_end(self) -> None:
        answer = row(mistral(), chat("Hi", "Yo", "So", "Ok"))
        ends = [place for place, token in enumerate(answer["tokens"]) if token == EOS]
        assert len(ends) == 2
        assert all(trained(answer)[place] for place in ends)

    @fault(DROPPED)
    def test_an_answer_keeps_a_space_at_its_end(self) -> None:
        assert row(mistral(), chat("Hi", "Yo "))["tokens"] != row(mistral(), chat("Hi", "Yo"))["tokens"]

    @fault(OVERWRITTEN)
    def test_a_limit_that_is_not_reached_leaves_the_last_question_alone(self) -> None:
        messages = chat("Hi", "Yo", "So")
        free = row(mistral(), messages)["tokens"]
        assert row(mistral(max_seq_len=100), messages)["tokens"] == free


class TestLlama2:
    @fault(EVERY_USER)
    def test_the_system_message_stands_once(self) -> None:
        """Meta's `generation.py`, which the docstring names, puts it into the first user message alone."""
        tokenizer = llama2()
        tokens = row(tokenizer, chat("Hi", "Yo", "So", "Ok", system="Be brief."))["tokens"]
        assert tokenizer.decode(tokens).count("Be brief.") == 1


class TestLlama3:
    def test_an_answer_is_trained_to_its_end_and_the_end_of_the_row_is_not(self) -> None:
        """A policy, and documented: the row ends with one more token, which is masked."""
        tokenizer = llama3()
        answer = row(tokenizer, chat("Hi", "Yo"))
        assert answer["tokens"][-2:] == [tokenizer.eot_id, tokenizer.eos_id]
        assert trained(answer)[-2:] == [True, False]

    def test_a_limit_that_is_not_reached_changes_nothing(self) -> None:
        assert row(llama3(max_seq_len=100), chat("Hi", "Yo")) == row(llama3(), chat("Hi", "Yo"))

    def test_a_cut_row_ends_with_the_end_token(self) -> None:
        """A policy, and documented (`torchtune.data.truncate`): the last token becomes the end token."""
        tokenizer = llama3(max_seq_len=8)
        assert row(tokenizer, chat("Hi", "Yo"))["tokens"][-1] == tokenizer.eos_id


class TestOpenAIMessages:
    @fault(BEFORE)
    def test_a_call_of_a_tool_does_not_repeat_the_question(self, tmp_path: Path) -> None:
        """A message that calls a tool has no content; the assistant is trained on the words of the user."""
        call = {"type": "function", "function": {"name": "now", "arguments": "{}"}}
        messages = [*chat("abc"), {"role": "assistant", "content": None, "tool_calls": [call]}]
        assert bytes(token for token in row(qwen(tmp_path), messages)["tokens"] if token < 256).count(b"abc") == 1

    @fault(UNNAMED)
    def test_a_misspelled_role_is_refused(self, tmp_path: Path) -> None:
        """`Message` names four roles; the answer of any other is masked, and the row trains nothing."""
        messages = [*chat("a"), {"role": "asistant", "content": "b"}]
        try:
            row(qwen(tmp_path), messages)
        except (KeyError, ValueError):
            refused = True
        else:
            refused = False
        assert refused

    def test_the_parts_of_a_content_are_one_text(self, tmp_path: Path) -> None:
        parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "c"}]
        assert row(qwen(tmp_path), messages) == row(qwen(tmp_path), chat("ab", "c"))


class TestBatches:
    @staticmethod
    def packed(*samples: tuple[list[int], list[int]]) -> dict[str, Any]:
        """One row of samples, as the recipes join them."""
        rows = [{"tokens": tokens, "labels": labels} for tokens, labels in samples]
        row = module("torchtune.datasets").PackedDataset(rows, max_seq_len=6)[0]
        return {key: values.tolist() for key, values in row.items()}

    def test_samples_of_a_row_are_told_apart(self) -> None:
        """Three and two tokens in a row of six, which one of padding fills."""
        assert self.packed(([1, 5, 6], [-100, -100, 6]), ([1, 7], [-100, 7])) == {
            "tokens": [1, 5, 6, 1, 7, 0],
            "labels": [-100, -100, 6, -100, 7, -100],
            "input_pos": [0, 1, 2, 0, 1, 2],
            "seq_lens": [3, 2, 1],
        }

    @fault(FIRST)
    def test_the_first_token_of_a_sample_is_not_predicted_from_the_sample_before(self, tmp_path: Path) -> None:
        """As after `train_on_input: True`, which trains every token of a sample."""
        answer = row(qwen(tmp_path), chat("a", "b"), train_on_input=True)
        samples = [{"tokens": list(answer["tokens"]), "labels": [int(label) for label in answer["labels"]]}] * 2
        length = len(answer["tokens"])
        joined = module("torchtune.datasets").PackedDataset(samples, max_seq_len=2 * length)[0]
        assert joined["labels"][length].item() == -100
