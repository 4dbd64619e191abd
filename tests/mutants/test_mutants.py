"""The suite proves itself: every mutant is caught by a rule that is meant to, and no right masker is accused."""

from __future__ import annotations

import re

import pytest

from maskspec.conformance import Masker
from maskspec.rules import checked_rules
from tests.mutants.catalogue import MUTANTS, NOT_REPRODUCED, Mutant
from tests.mutants.history import HISTORY
from tests.mutants.measuring import Measurement, loaded, measure

RULES = {rule.id for rule in checked_rules()}


@pytest.fixture(params=list(MUTANTS))
def mutant(request: pytest.FixtureRequest) -> Mutant:
    return MUTANTS[request.param]


def observed(control: Masker, pair: str) -> Measurement:
    """What a right masker shows on a pair; many mutants share one, so it is asked once."""
    key = (type(control).__qualname__, repr(control), pair)
    if key not in _OBSERVED:
        _OBSERVED[key] = measure(control, pair)
    return _OBSERVED[key]


_OBSERVED: dict[tuple[str, str, str], Measurement] = {}


def available(mutant: Mutant) -> list[str]:
    """The mutant's pairs whose packages are installed; skips where there is none."""
    found = [name for name in mutant.pairs if not loaded(name).lacking]
    if not found:
        pytest.skip(f"needs {', '.join(loaded(mutant.pairs[0]).lacking)}")
    return found


@pytest.mark.filterwarnings("ignore")  # transformers warns of what some mutants do wrong
def test_a_mutant_is_caught_by_what_is_meant_to_catch_it(mutant):
    fired: dict[str, str] = {}
    for pair in available(mutant):
        found = measure(mutant.masker(), pair)
        assert not found.trouble, f"{pair}: {found.trouble}"
        assert found.passed, f"{pair}: nothing was checked"
        for failure in found.failures:
            fired.setdefault(failure.rule.id, f"{pair}: {failure.explanation}")
    assert set(fired) & set(mutant.expected), f"it survives; what fired: {fired}"
    beyond = {rule: text for rule, text in fired.items() if not mutant.admits(rule)}
    assert not beyond, "rules fired that are neither expected nor allowed"


@pytest.mark.filterwarnings("ignore")  # as above
def test_a_right_masker_of_the_same_style_is_not_accused(mutant):
    if mutant.control is None:
        pytest.skip(f"no right masker of this style: {mutant.no_control}")
    for pair in available(mutant):
        found = observed(mutant.control(), pair)
        assert not found.trouble, f"{pair}: {found.trouble}"
        assert [f"{failure.rule.id} {failure.explanation}" for failure in found.failures] == []
        for rule in mutant.expected:
            tally = found.result.tallies[rule]
            if tally.passed:
                break
        else:
            pytest.fail(f"{pair}: no rule that is to catch the mutant was asked about its control")


@pytest.mark.filterwarnings("ignore")  # as above
@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_catches_a_mutant(rule):
    declaring = [mutant for mutant in MUTANTS.values() if rule in mutant.expected]
    assert any(
        rule in measure(mutant.masker(), pair, rules=[rule]).fired
        for mutant in declaring
        for pair in mutant.pairs
        if not loaded(pair).lacking
    ), f"{rule} catches none of {[mutant.name for mutant in declaring]}"


def test_every_historical_bug_has_a_mutant_or_a_reason():
    reproduced = {row for mutant in MUTANTS.values() for row in mutant.rows}
    assert reproduced | set(NOT_REPRODUCED) == set(HISTORY)
    assert not reproduced & set(NOT_REPRODUCED)
    assert all(len(reason.split()) > 5 for reason in NOT_REPRODUCED.values())


def test_there_are_ten_mutants_that_history_lacks():
    assert sum(not mutant.rows for mutant in MUTANTS.values()) >= 10


def test_a_mutant_is_described(mutant):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", mutant.name)
    assert set(mutant.expected) <= RULES
    assert set(mutant.allowed) <= RULES | {rule.partition("-")[0] for rule in RULES}
    assert not set(mutant.expected) & set(mutant.allowed)
    assert mutant.summary.endswith(".")
    told = type(mutant.masker()).__doc__ or ""
    assert any(rule in told for rule in mutant.expected), "the docstring names a rule that is to catch it"
    for row in mutant.rows:
        threads = [thread.partition("#") for thread in HISTORY[row].threads]
        assert not threads or any(repository in told and f"#{number}" in told for repository, _, number in threads)


@pytest.mark.parametrize("row", sorted(set(HISTORY) - set(NOT_REPRODUCED)))
def test_a_historical_bug_is_caught_by_what_it_broke(row):
    families = HISTORY[row].families
    expected = {rule for mutant in MUTANTS.values() if row in mutant.rows for rule in mutant.expected}
    assert [rule for rule in expected if rule in families or rule.partition("-")[0] in families]
