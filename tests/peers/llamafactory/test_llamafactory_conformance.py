"""The suite on LLaMA-Factory: nothing but what is known of its version, and everything that is known still there."""

from __future__ import annotations

import pytest

from maskspec.adapters.llamafactory import _TEMPLATES, masker
from maskspec.conformance.protocol import Labelled, Padding, Unsupported
from tests.peers import conformance
from tests.peers.llamafactory import entry
from tests.peers.peer import PEERS

pytestmark = entry.needed


class TestConformance(conformance.Conformance):
    peer = PEERS["llamafactory"]


@pytest.mark.parametrize(
    ("pair", "model"),
    [
        ("mistral-v1", "Mistral-7B-Instruct-v0.2"),
        ("mistral-v2", "Codestral-22B-v0.1-Chat"),
        ("mistral-v3", "Mistral-7B-Instruct-v0.3"),
        ("mistral-nemo", "Mistral-Nemo-Instruct-2407"),
        ("mistral-small-2501", "Mistral-Small-24B-Instruct-2501"),
        ("zephyr", "Zephyr-7B-Beta-Chat"),
        ("llama-2", "Llama-2-7B-Chat"),
        ("llama-3", "Llama-3-8B-Instruct"),
        ("llama-3.1", "Llama-3.1-8B-Instruct"),
        ("llama-3.2", "Llama-3.2-3B-Instruct"),
        ("qwen2.5", "Qwen2.5-7B-Instruct"),
        ("qwen3", "Qwen3-8B-Thinking"),
        ("qwen3-instruct-2507", "Qwen3-4B-Instruct-2507"),
        ("qwen3.5", "Qwen3.5-0.8B-Thinking"),
        ("deepseek-v3", "DeepSeek-V3-671B-Chat"),
        ("deepseek-r1", "DeepSeek-R1-671B-Chat"),
        ("glm-4", "GLM-4-9B-Chat"),
        ("glm-4.5", "GLM-4.5-Thinking"),
        ("gpt-oss", "GPT-OSS-20B-Thinking"),
        ("phi-3", "Phi-3-4B-4k-Instruct"),
        ("phi-4", "Phi-4-14B-Instruct"),
        ("gemma-2", "Gemma-2-2B-Instruct"),
        ("gemma-3", "Gemma-3-1B-Instruct"),
        ("falcon", "Falcon-7B-Instruct"),
        ("command-r", "CommandR-35B-Chat"),
    ],
)
def test_the_template_of_a_pair_is_the_one_that_is_registered_for_its_model(pair: str, model: str) -> None:
    assert entry.module("llamafactory.extras.constants").DEFAULT_TEMPLATE[model] == _TEMPLATES[pair]


def test_the_collator_pads_to_eight_on_either_side_with_any_id() -> None:
    samples = [Labelled([1, 5, 6], [-100, 5, 6]), Labelled([1], [-100])]
    right, left = (masker.collate(samples, Padding(9, side)) for side in ("right", "left"))
    assert right[1].input_ids == (1, 9, 9, 9, 9, 9, 9, 9)
    assert right[0].labels == (-100, 5, 6, -100, -100, -100, -100, -100)
    assert right[0].attention_mask == (1, 1, 1, 0, 0, 0, 0, 0)
    assert left[0].input_ids == (9, 9, 9, 9, 9, 1, 5, 6)
    assert left[0].labels == (-100, -100, -100, -100, -100, -100, 5, 6)
    assert left[1].attention_mask == (0, 0, 0, 0, 0, 0, 0, 1)


def test_rows_are_as_long_as_they_may_be_and_tell_the_samples_apart() -> None:
    rows = masker.pack([Labelled([1, 5, 6], [-100, 5, 6]), Labelled([1, 7], [-100, 7])], 8)
    assert len(rows) == 1
    assert rows[0].input_ids == (1, 5, 6, 1, 7, 0, 0, 0)
    assert rows[0].labels == (-100, 5, 6, -100, 7, -100, -100, -100)
    assert rows[0].position_ids == (0, 1, 2, 0, 1, 0, 0, 0)
    assert rows[0].sequence_ids == (1, 1, 1, 2, 2, 0, 0, 0)


def test_a_sample_that_would_fill_a_row_is_refused() -> None:
    with pytest.raises(Unsupported, match="one token less"):
        masker.pack([Labelled([1, 5, 6], [-100, 5, 6])], 3)
