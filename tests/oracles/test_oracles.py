"""Oracles and reference agree, or their disagreement has a class; every class shows itself in its smallest case."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from maskspec.policy import Policy, Verdict
from tests.oracles import tags, training_templates
from tests.oracles.asking import fixed, generated
from tests.oracles.differences import Piece, blocks
from tests.oracles.examining import Comparison, class_of, differences, examine
from tests.oracles.oracle import Case, Oracle, Owner
from tests.oracles.registry import ORACLES, lacking
from tests.oracles.table import TABLE, load, table
from tests.oracles.training_templates import SHOWN

pytestmark = pytest.mark.corpus

EXAMPLES = {"tags": 15}
"""Generated conversations per pair here; the command asks more."""

PAIRS = [(name, pair) for name, oracle in ORACLES.items() for pair in oracle.pairs]
CLASSES = [(name, number) for name, oracle in ORACLES.items() for number, _ in enumerate(oracle.classes)]


def asked(name: str) -> Oracle:
    missing = lacking(ORACLES[name])
    if missing:
        pytest.skip("; ".join(missing))
    return ORACLES[name]


@cache
def on_fixed_shapes(name: str, pair: str) -> Comparison:
    oracle = asked(name)
    loaded = oracle.pair(pair)
    return examine(oracle, loaded, fixed(loaded))


@pytest.mark.parametrize(("name", "pair"), PAIRS)
def test_every_disagreement_on_fixed_shapes_has_a_class(name: str, pair: str) -> None:
    found = on_fixed_shapes(name, pair)
    assert found.unexplained == []
    assert found.conversations > 0
    assert found.tokens > 0


def test_every_oracle_has_been_asked_about_every_pair() -> None:
    for name, oracle in ORACLES.items():
        assert set(load(name)["pairs"]) == set(oracle.pairs)


def test_every_pair_was_asked_enough() -> None:
    """Five hundred generated conversations were compared, or two thousand drawn."""
    for name in ORACLES:
        for pair, parts in load(name)["pairs"].items():
            found = parts["generated"]
            drawn = found["conversations"] + sum(found["excluded"].values())
            assert found["conversations"] >= 500 or drawn >= 2000, (name, pair)


@pytest.mark.parametrize(("name", "pair"), PAIRS)
def test_the_counts_on_fixed_shapes_are_the_stored_ones(name: str, pair: str) -> None:
    assert on_fixed_shapes(name, pair).as_json() == load(name)["pairs"][pair]["fixed"], (
        f"write them anew: python -m tests.oracles {name}"
    )


@pytest.mark.parametrize(("name", "pair"), PAIRS)
def test_every_disagreement_on_generated_conversations_has_a_class(name: str, pair: str) -> None:
    oracle = asked(name)
    loaded = oracle.pair(pair)
    found = examine(oracle, loaded, generated(loaded, EXAMPLES.get(name, 60)))
    assert found.unexplained == []
    assert found.conversations > 0


@pytest.mark.parametrize(
    ("name", "number"), CLASSES, ids=[f"{name}-{ORACLES[name].classes[number].name}" for name, number in CLASSES]
)
def test_the_smallest_case_shows_its_class(name: str, number: int) -> None:
    oracle = asked(name)
    kind = oracle.classes[number]
    pair = oracle.pair(kind.case.pair)
    found = {class_of(oracle, each) for each in differences(oracle, pair, kind.case.asked())}
    assert kind.name in found
    assert None not in found
    if kind.owner is Owner.POLICY:
        under = differences(oracle, pair, kind.case.asked(), Policy(**kind.policy))
        assert kind.name not in {class_of(oracle, each) for each in under}


@pytest.mark.parametrize(
    ("name", "pair"), [(name, pair) for name, pair in PAIRS if any(each.policy for each in ORACLES[name].classes)]
)
def test_the_declared_policies_make_both_agree(name: str, pair: str) -> None:
    """Under the policies of all classes found on the fixed shapes, none of them is left."""
    oracle = asked(name)
    loaded = oracle.pair(pair)
    shown = [each for each in oracle.classes if each.policy and each.name in on_fixed_shapes(name, pair).classes]
    options = {option: value for each in shown for option, value in each.policy.items()}
    found = examine(oracle, loaded, fixed(loaded), Policy(**options))
    assert not {each.name for each in shown} & set(found.classes)
    assert found.agreed >= on_fixed_shapes(name, pair).agreed


@pytest.mark.parametrize("pair", SHOWN)
def test_the_tags_show_the_classes_that_were_read_in_the_template(pair: str) -> None:
    assert set(on_fixed_shapes("tags", pair).classes) == SHOWN[pair]


def test_every_training_template_was_read() -> None:
    asked("tags")
    assert set(training_templates.pairs()) == set(SHOWN)
    assert len(SHOWN) == 31


@pytest.mark.parametrize("case", tags.MENDED, ids=lambda case: case.pair)
def test_what_an_oracle_found_wrong_in_the_reference_stays_mended(case: Case) -> None:
    oracle = asked("tags")
    found = {class_of(oracle, each) for each in differences(oracle, oracle.pair(case.pair), case.asked())}
    assert found <= {"tail", "opening"}


@pytest.mark.parametrize(
    ("name", "pair"), [("mistral", "mistral-v3"), ("llama", "llama-3"), ("tags", "llama3_training")]
)
@pytest.mark.parametrize("wrong", [{"stop": "none"}, {"content": "ignore"}, {"roles": frozenset({"user"})}], ids=str)
def test_a_wrong_answer_falls_into_no_class(name: str, pair: str, wrong: dict[str, Any]) -> None:
    """Policies stand for errors of the reference: no stop, no content, the wrong role."""
    oracle = asked(name)
    loaded = oracle.pair(pair)
    options = {key: Verdict(value) if key == "content" else value for key, value in wrong.items()}
    assert examine(oracle, loaded, fixed(loaded)[:3], Policy(**options)).unexplained


def test_tokens_belong_together_by_the_text_that_they_spell() -> None:
    ours = [Piece(surface, trained=True) for surface in (b"a", b"bc", b" ", b"d")]
    theirs = [Piece(surface, trained=False) for surface in (b"ab", b"c", b"d")]
    assert list(blocks((1, 2, 9, 3), (4, 5, 3), ours, theirs)) == [((0, 2), (0, 2)), ((2, 4), (2, 3))]


def test_no_class_is_an_error_of_the_reference() -> None:
    assert not [each.name for oracle in ORACLES.values() for each in oracle.classes if each.owner is Owner.OURS]


def test_no_two_classes_of_an_oracle_have_one_name() -> None:
    for oracle in ORACLES.values():
        names = [each.name for each in oracle.classes]
        assert len(names) == len(set(names))


def test_the_committed_table_is_that_of_the_stored_results() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(ORACLES), "write it anew: python -m tests.oracles"
