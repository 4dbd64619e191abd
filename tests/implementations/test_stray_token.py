"""The required case: transformers' slow and fast Llama tokenizers on the Mistral v3 vocabulary, `legacy` both ways.

The suite is run as `maskspec check` runs it, on the pair and no more: nothing names the id, the marker or the place
before the finding does. What it has to find was worked out by hand from axolotl#2089.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("mistral_common", reason="needs the Mistral v3 vocabulary: python -m pip install mistral-common")
pytest.importorskip("sentencepiece", reason="needs the slow tokenizer: python -m pip install sentencepiece")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance import check_masker
from maskspec.conformance.report import Failure
from maskspec.corpus import real_pair
from maskspec.corpus._libraries import transformers_major
from maskspec.rules import Subject

STRAY = "29473 ('▁')"

#                  <s> [INST]  ▁     ▁a   [/INST]  ▁     ▁a   </s>
SMALLEST_STRAY = [1, 3, 29473, 1032, 4, 29473, 1032, 2]
SMALLEST = [1, 3, 1032, 4, 1032, 2]
SMALLEST_TEXT = "<s>[INST] a[/INST] a</s>"

WITH_STRAY = {4: ("mistral-v3:slow:legacy", "mistral-v3:legacy"), 5: ("mistral-v3:slow:legacy",)}
"""The tokenizers that have it; the fast one of transformers 5 takes the flag and puts no space where one stands."""
WITHOUT_STRAY = {4: ("mistral-v3", "mistral-v3:slow"), 5: ("mistral-v3", "mistral-v3:slow")}
CASES = [*((name, True) for name in WITH_STRAY[transformers_major()])]
CASES += [(name, False) for name in WITHOUT_STRAY[transformers_major()]]
CASES += [("mistral-v3:legacy", False)] if transformers_major() == 5 else []


def noted(name: str, rule: str) -> list[Failure]:
    report = check_masker(ReferenceMasker(), pairs=[real_pair(name)], rules=[rule], profile="quick", seed=0)
    assert report.tallies[rule].run > 20
    return [failure for failure in report.notes if failure.rule.id == rule]


def test_the_classes_are_those_of_transformers() -> None:
    kinds = {name: type(real_pair(name).tokenizer.raw).__name__ for name in ("mistral-v3", "mistral-v3:slow")}
    four = {"mistral-v3": "LlamaTokenizerFast", "mistral-v3:slow": "LlamaTokenizer"}
    five = {"mistral-v3": "LlamaTokenizer", "mistral-v3:slow": "SentencePieceBackend"}
    assert kinds == (four if transformers_major() == 4 else five)


@pytest.mark.parametrize("name", WITH_STRAY[transformers_major()])
def test_the_stray_token_is_found_by_a_run_that_is_not_told_where_to_look(name: str) -> None:
    failure = noted(name, "TOKEN-3")[0]
    assert failure.subject is Subject.TOKENIZER
    assert failure.explanation.startswith(f"1 token(s) spell nothing, the first is {STRAY} at character 9;")
    assert failure.explanation.endswith("the tokenizer puts them there by itself")
    # Shrunk: one question of one letter. `<s>[INST]` is nine characters, two tokens.
    assert failure.case.messages == [{"role": "user", "content": "a"}]
    assert [(row.index, row.text) for row in failure.rows if row.wrong] == [(2, "▁")]


@pytest.mark.parametrize("name", WITHOUT_STRAY[transformers_major()])
def test_the_others_have_no_stray_token(name: str) -> None:
    assert noted(name, "TOKEN-3") == []


@pytest.mark.skipif(transformers_major() < 5, reason="the fast tokenizer of transformers 4 has it everywhere")
def test_the_fast_legacy_tokenizer_of_transformers_5_has_it_only_where_no_space_stands() -> None:
    """Behind `[AVAILABLE_TOOLS]` that an answer holds, and never behind the `[INST]` of the template."""
    (failure,) = noted("mistral-v3:legacy", "TOKEN-3")
    assert STRAY in failure.explanation
    assert failure.zone == "CONTENT"


@pytest.mark.parametrize(("name", "stray"), CASES)
def test_the_ids_of_the_smallest_conversation(name: str, stray: bool) -> None:
    ids: Any = real_pair(name).tokenizer.encode(SMALLEST_TEXT).ids
    assert list(ids) == (SMALLEST_STRAY if stray else SMALLEST)


@pytest.mark.parametrize("name", ["mistral-v3:slow", "mistral-v3:slow:legacy"])
def test_slow_and_fast_of_one_mode_agree_on_ids_in_conversations_or_say_where_not(name: str) -> None:
    """In transformers 4 both modes agree wherever bos begins the text; in 5 the legacy ones do not."""
    found = noted(name, "TOKEN-1")
    if transformers_major() == 5 and name.endswith("legacy"):
        (failure,) = found
        assert failure.subject is Subject.TOKENIZER
        assert "token 2 is 29473 '▁' with the one and 1032 '▁a' with the other" in failure.explanation
    else:
        assert found == []
