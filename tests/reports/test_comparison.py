"""Several runs beside each other: columns, counts, causes, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskspec.conformance.advice import parse_advice
from maskspec.conformance.comparison import Comparison, Standing, standing
from maskspec.conformance.folding import fold
from maskspec.conformance.report import Category, Conflict, Report, Tally
from maskspec.conformance.reports.combined import comparison_as_html
from maskspec.conformance.reports.combined.wording import findings_in_words, kept_and_broken, scope, verdict
from maskspec.errors import UsageError
from maskspec.rules import Rule, load_rules
from tests.reports.factory import (
    ADVICE,
    REASONS,
    ROLE_1,
    STOP_1,
    TOKEN_3,
    beside_each_other,
    failure,
    pair_result,
    report,
    two_versions,
)
from tests.reports.test_html import data


def named(name: str, plain: Report | None = None, **more: object) -> tuple[str, Report]:
    return f"{name}.jsonl", replace(plain or report(), masker=name, **more)


def test_two_versions_of_a_masker_are_two_columns() -> None:
    comparison = Comparison.of(two_versions())
    assert [column.name for column in comparison.columns] == ["shop masks 1.0", "shop masks 2.0"]
    assert [rule.id for rule in comparison.rules] == ["ROLE-1", "STOP-1", "TOKEN-3"]
    assert comparison.families == ("ROLE", "STOP", "TOKEN")
    assert comparison.versions == ("maskspec", "transformers")
    # Three rules on three pairs, and on two; 44 and 40 checks.
    assert (comparison.cells, comparison.checks_run) == (15, 84)
    assert scope(comparison) == "3 rules on 4 pairs of template and tokenizer: 15 cells, 84 checks"


def test_the_counts_of_a_column() -> None:
    old, new = Comparison.of(two_versions()).columns
    assert old.total == Tally(
        passed=27,
        failed=6,
        known=1,
        noted=10,
        excluded={
            "the template rejects the conversation": 6,
            "the vocabulary has only one tokenizer here, slow or fast": 10,
        },
    )
    assert new.total == Tally(passed=26, known=4, noted=10)
    assert [len(column.asked) for column in (old, new)] == [2, 2]
    assert {kind.name: count for kind, count in old.counts.items() if count} == {"OPEN": 2, "UNSORTED": 1}
    assert findings_in_words(old) == "3 findings: 2 not accepted, 1 without a class"
    assert findings_in_words(new) == "2 findings: 1 bug, 1 policy"
    assert findings_in_words(Comparison.of([named("m")]).columns[0]) == "0 findings"


def test_findings_are_put_together_by_what_is_behind_them() -> None:
    old, new = Comparison.of(two_versions()).columns
    assert [(cause.standing, cause.reason, len(cause.failures)) for cause in new.causes] == [
        (Standing.BUG, REASONS[Category.BUG], 1),
        (Standing.POLICY, REASONS[Category.POLICY], 1),
    ]
    assert [(cause.standing.name, len(cause.failures)) for cause in old.causes] == [("OPEN", 2), ("UNSORTED", 1)]
    assert new.standings == {"STOP-1": Standing.BUG}
    assert old.standings == {"ROLE-1": Standing.OPEN, "STOP-1": Standing.OPEN}


def test_the_smallest_conversation_of_a_cause_stands_first() -> None:
    long = failure(messages=({"role": "user", "content": "x" * 50},), explanation="long")
    short = failure(STOP_1, messages=({"role": "user", "content": "x"},), explanation="short")
    (column,) = Comparison.of([named("m", report(pair_result(failures=(long, short))))]).columns
    assert [item.explanation for item in column.causes[0].failures] == ["short", "long"]


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ((None,), (1, 1, True)),
        ((Category.BUG,), (1, 1, True)),
        ((Category.POLICY,), (1, 1, False)),
        ((Category.TEMPLATE, Category.TOKENIZER), (1, 1, False)),
        ((Category.TEMPLATE, Category.BUG), (1, 1, True)),
        ((), (1, 0, False)),
    ],
)
def test_what_speaks_against_a_masker(categories: tuple[Category | None, ...], expected: tuple[int, int, bool]) -> None:
    failures = tuple(failure(known="a reason", category=category) for category in categories)
    found = report(pair_result(tallies={"ROLE-1": Tally(passed=5, known=len(failures))}, failures=failures))
    (column,) = Comparison.of([named("m", found)]).columns
    assert kept_and_broken(column, "ROLE") == expected
    assert kept_and_broken(column, "STOP") == (0, 0, False)


@pytest.mark.parametrize(
    ("broken", "expected", "state"),
    [
        ({}, ("Keeps every rule that was asked, in 20 checks", ""), "conforms"),
        (
            {ROLE_1: Category.POLICY, STOP_1: Category.TEMPLATE},
            (
                "Breaks no rule by a fault of its own, in 20 checks",
                "Breaks ROLE-1, STOP-1 on purpose, or for want of a right answer",
            ),
            "conforms",
        ),
        (
            {ROLE_1: Category.TOKENIZER, STOP_1: Category.BUG},
            ("Breaks 1 rule: STOP-1", "And ROLE-1 on purpose, or for want of a right answer"),
            "violations",
        ),
        ({STOP_1: None}, ("Breaks 1 rule: STOP-1", ""), "violations"),
    ],
)
def test_beside_others_an_accepted_bug_is_a_broken_rule(
    broken: dict[Rule, Category | None], expected: tuple[str, str], state: str
) -> None:
    failures = tuple(failure(item, known="a reason", category=category) for item, category in broken.items())
    tallies = {item.id: Tally(passed=9, known=1) if item in broken else Tally(passed=10) for item in (ROLE_1, STOP_1)}
    comparison = Comparison.of([named("m", report(pair_result(tallies=tallies, failures=failures)))])
    assert verdict(comparison.columns[0]) == expected
    assert data(comparison_as_html(comparison))["runs"][0]["state"] == state


def test_what_could_not_be_asked_is_no_verdict_about_the_masker() -> None:
    crashed = report(pair_result(conflicts=(Conflict(pair="chatml+words", problem="mask() raised", count=2),)))
    (column,) = Comparison.of([named("m", crashed)]).columns
    assert verdict(column) == ("Incomplete, the adapter failed (1 problem)", "")


def test_the_standing_of_a_failure() -> None:
    assert standing(failure()) is Standing.OPEN
    assert standing(failure(known="x")) is Standing.UNSORTED
    assert {standing(failure(known="x", category=category)).value for category in Category} == {
        "bug", "policy", "template", "tokenizer",
    }  # fmt: skip


def test_a_masker_without_a_version_has_that_of_its_package() -> None:
    versions = {"transformers": "5.23.0"}
    comparison = Comparison.of([named("transformers", versions=versions), named("reference", versions=versions)])
    assert [column.name for column in comparison.columns] == ["transformers 5.23.0", "reference"]


def test_rules_stand_in_the_order_of_the_catalogue_whatever_each_run_asked() -> None:
    catalogue = list(load_rules())
    assert catalogue.index("ROLE-1") < catalogue.index("STOP-1") < catalogue.index("TOKEN-3")
    comparison = Comparison.of([named("a", report(rules=(TOKEN_3, STOP_1))), named("b", report(rules=(ROLE_1,)))])
    assert [rule.id for rule in comparison.rules] == ["ROLE-1", "STOP-1", "TOKEN-3"]


def test_a_note_of_a_tokenizer_is_one_however_many_maskers_met_it() -> None:
    assert [note.rule.id for note in Comparison.of(two_versions()).notes] == ["TOKEN-3"]


def test_the_same_masker_and_version_twice_is_refused_with_a_remedy() -> None:
    with pytest.raises(UsageError) as caught:
        Comparison.of([("a.jsonl", report()), ("b.jsonl", report())])
    assert "a.jsonl and b.jsonl are both runs of shop masks" in str(caught.value)
    assert "leave one of them out" in str(caught.value)


def test_no_run_is_refused() -> None:
    with pytest.raises(UsageError, match="no run was given"):
        Comparison.of([])


def test_advice_goes_to_the_masker_that_its_heading_names() -> None:
    advice = parse_advice("## Shop-Masks 2.0\nx\n\n## elsewhere 1.0\ny", source="f.md")
    comparison = Comparison.of(two_versions(), advice=advice)
    assert [column.advice and column.advice.masker for column in comparison.columns] == [None, "Shop-Masks 2.0"]
    assert [item.masker for item in comparison.unused] == ["elsewhere 1.0"]


def test_advice_that_was_asked_for_and_is_for_no_run_is_refused() -> None:
    (advice,) = parse_advice("## shop masks\nx", source="f.md")
    with pytest.raises(
        UsageError, match=r"f\.md is advice for 'shop masks', and the runs are of shop masks 1\.0, shop"
    ):
        Comparison.of(two_versions(), advice=[replace(advice, required=True)])


def test_two_pieces_of_advice_for_one_masker_are_refused() -> None:
    with pytest.raises(UsageError, match=r"a\.md and b\.md are both advice for shop masks 2\.0"):
        Comparison.of(
            two_versions(), advice=[*parse_advice(ADVICE, source="a.md"), *parse_advice(ADVICE, source="b.md")]
        )


def test_the_factory_makes_as_many_cells_as_it_says() -> None:
    comparison = Comparison.of(beside_each_other(maskers=2, rules=5, pairs=3))
    assert comparison.cells == 30
    assert len({column.name for column in comparison.columns}) == 2


def test_failures_with_one_reason_and_two_classes_are_two() -> None:
    both = [failure(known="the same words", category=category) for category in (Category.BUG, Category.TEMPLATE)]
    assert [item.category for item in fold(both, (ROLE_1,))] == [Category.BUG, Category.TEMPLATE]
    (one,) = fold([both[0], both[0]], (ROLE_1,))
    assert one.cases == 2
