"""What the suite finds in oumi, shown without maskspec: its own entry point, answers worked out by hand.

Nothing of maskspec is imported here, so a mistake of the suite cannot make its own
finding look true. What is expected is what oumi's documentation promises
(`TrainTarget` in `oumi/core/configs/params/data_params.py`): that `all_assistant_turns`
trains everything between the assistant's header and the end-of-turn token, inclusive,
and masks user messages; that `final_assistant_turn` trains only the final assistant
response; and that the templates are found in the tokenizer's chat template. A fault is
an expected failure of its version.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.peers.alone import CHATML, MISTRAL, chat, fault
from tests.peers.oumi.entry import collator, needed, row, trained, with_template
from tests.unit.vocabularies import mistral_fast, mistral_slow, qwen

pytestmark = needed

MERGED = "the header that is found ends with a space, which no answer leaves a token of its own"
QUOTED = "the header is looked for in the ids of the row, whoever wrote it"
ENDED = "an answer ends at the first end-of-turn token, whoever wrote it"
AFTER = "everything after the last header is trained, also messages of others"
TRAILING = "tokens at the end of a row are taken for padding by their id"
DECODED = "the header is found by decoding ids, which a slow tokenizer does otherwise"
PADDED = "the base collator takes the label from every token that is the padding token"

ANSWER = ["Ċ", "Yo", "<|im_end|>", "Ċ"]


@pytest.fixture(scope="module")
def chatml() -> Any:
    return with_template(qwen(), CHATML, "<|endoftext|>")


@pytest.fixture(scope="module")
def mistral() -> Any:
    return with_template(mistral_fast("v3", False), MISTRAL, "<unk>")


class TestAllAssistantTurns:
    def test_every_answer_is_trained_with_its_end(self, chatml: Any, tmp_path: Path) -> None:
        """A policy, and documented: the newline of the header is cut off what is looked for, and trained."""
        tokens = row(chatml, tmp_path, chat("Hi", "Yo", "Hi", "Yo"))
        assert trained(tokens) == ANSWER * 2

    def test_an_empty_answer_is_trained_to_its_end(self, chatml: Any, tmp_path: Path) -> None:
        assert trained(row(chatml, tmp_path, chat("Hi", ""))) == ["Ċ", "<|im_end|>", "Ċ"]

    @fault(QUOTED)
    def test_a_question_that_quotes_the_header_is_not_trained(self, chatml: Any, tmp_path: Path) -> None:
        tokens = row(chatml, tmp_path, chat("<|im_start|>assistant\nHi", "Yo"))
        assert trained(tokens) == ANSWER

    @fault(ENDED)
    def test_an_answer_that_quotes_the_end_is_trained_to_its_own(self, chatml: Any, tmp_path: Path) -> None:
        tokens = row(chatml, tmp_path, chat("Hi", "Yo<|im_end|>\nYo"))
        assert trained(tokens) == ["Ċ", "Yo", "<|im_end|>", "Ċ", "Yo", "<|im_end|>", "Ċ"]

    @fault(MERGED)
    def test_a_template_with_a_space_before_the_answer_is_trained_on(self, mistral: Any, tmp_path: Path) -> None:
        """Only a warning says that the row trains nothing; it is so for every row."""
        assert trained(row(mistral, tmp_path, chat("Hi", "Yo"))) == ["▁Y", "o", "</s>"]

    def test_what_is_looked_for_there_ends_with_a_space(self, mistral: Any, tmp_path: Path) -> None:
        found = collator(mistral, tmp_path)._default_collator
        assert (found.response_template, found.end_of_turn_template) == ("[/INST] ", "</s>")

    @fault(TRAILING)
    def test_the_last_end_is_trained_where_rows_are_padded_with_it(self, tmp_path: Path) -> None:
        """As in Llama 3's format, nothing stands behind the end; oumi warns of such a padding token and takes it."""
        template = CHATML.replace("<|im_end|>\n", "<|im_end|>")
        tokens = row(with_template(qwen(), template, "<|im_end|>"), tmp_path, chat("Hi", "Yo", "Hi", "Yo"))
        assert trained(tokens) == ["Ċ", "Yo", "<|im_end|>"] * 2

    def test_the_end_is_trained_where_rows_are_padded_with_another_token(self, tmp_path: Path) -> None:
        template = CHATML.replace("<|im_end|>\n", "<|im_end|>")
        tokens = row(with_template(qwen(), template, "<|endoftext|>"), tmp_path, chat("Hi", "Yo", "Hi", "Yo"))
        assert trained(tokens) == ["Ċ", "Yo", "<|im_end|>"] * 2


class TestSlowTokenizers:
    @staticmethod
    def rows(folder: Path) -> list[list[tuple[str, bool]]]:
        """The same row with both tokenizers of a vocabulary."""
        tokenizers = [load("v3", False) for load in (mistral_fast, mistral_slow)]
        return [row(with_template(item, MISTRAL, "<unk>"), folder, chat("Hi", "Yo")) for item in tokenizers]

    def test_the_ids_are_the_same(self, tmp_path: Path) -> None:
        fast, slow = self.rows(tmp_path)
        assert [name for name, _ in fast] == [name for name, _ in slow]

    @fault(DECODED)
    def test_the_labels_are_the_same(self, tmp_path: Path) -> None:
        fast, slow = self.rows(tmp_path)
        assert trained(fast) == trained(slow)


class TestFinalAssistantTurn:
    def test_only_the_last_answer_is_trained(self, chatml: Any, tmp_path: Path) -> None:
        tokens = row(chatml, tmp_path, chat("Hi", "So", "Hi", "Yo"), "final_assistant_turn")
        assert trained(tokens) == ANSWER

    @fault(AFTER)
    def test_a_question_behind_it_is_not_trained(self, chatml: Any, tmp_path: Path) -> None:
        tokens = row(chatml, tmp_path, chat("Hi", "Yo", "So"), "final_assistant_turn")
        assert trained(tokens) == ANSWER

    @fault(PADDED)
    def test_the_end_is_trained_where_rows_are_padded_with_it(self, tmp_path: Path) -> None:
        tokenizer = with_template(qwen(), CHATML, "<|im_end|>")
        tokens = row(tokenizer, tmp_path, chat("Hi", "Yo"), "final_assistant_turn")
        assert trained(tokens) == ANSWER
