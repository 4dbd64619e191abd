"""What the matrix found is kept, and what is written about it is what it found."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from maskspec.conformance.replaying import Outcome as Replayed
from maskspec.conformance.reports.markdown import fence
from tests.mutants.appendix import PAGE, appendix, shown, stories, wrapped
from tests.mutants.asking import ask, still_caught
from tests.mutants.catalogue import MUTANTS
from tests.mutants.history import HISTORY
from tests.mutants.markdown import cell, code, escaped
from tests.mutants.matrix import TABLE, Outcomes, table
from tests.mutants.measuring import loaded

OUTCOMES = Outcomes.read()

BY_NAME = {outcome.name: outcome for outcome in OUTCOMES.mutants}

STORED = [
    pytest.param(outcome.name, failure, id=f"{outcome.name}-{kind}")
    for outcome in OUTCOMES.mutants
    for kind, failure in (("smallest", outcome.smallest), ("told", outcome.told))
    if failure is not None
]


def test_every_mutant_was_run_and_was_caught():
    assert list(BY_NAME) == list(MUTANTS), "run `python -m tests.mutants.matrix`"
    assert [name for name, outcome in BY_NAME.items() if outcome.smallest is None] == []
    assert [name for name, mutant in MUTANTS.items() if mutant.rows and BY_NAME[name].told is None] == []


def test_the_table_is_made_of_what_was_found():
    assert TABLE.read_text(encoding="utf-8") == table(OUTCOMES)


def test_the_page_is_what_the_generator_gives():
    assert PAGE.read_text(encoding="utf-8") == appendix(OUTCOMES), "run `python -m tests.mutants.appendix`"


@pytest.mark.parametrize(("name", "failure"), STORED)
def test_a_stored_counterexample_still_shows_the_defect(name, failure):
    mutant, pair = MUTANTS[name], loaded(failure.pair)
    if pair.lacking:
        pytest.skip(f"needs {', '.join(pair.lacking)}")
    assert failure.rule.id in mutant.expected
    assert still_caught(mutant, failure)


@pytest.mark.parametrize(("name", "failure"), STORED)
def test_a_right_masker_answers_a_stored_counterexample_rightly(name, failure):
    mutant, pair = MUTANTS[name], loaded(failure.pair)
    if mutant.control is None:
        pytest.skip(f"no right masker of this style: {mutant.no_control}")
    if pair.lacking:
        pytest.skip(f"needs {', '.join(pair.lacking)}")
    # A right masker of a style may decline a conversation; shrinking does not ask it.
    may_decline = name in DECLINED or failure is BY_NAME[name].smallest
    assert ask(mutant.control(), failure) in {Replayed.NO_LONGER_FAILS, *[Replayed.NOT_ASKED] * may_decline}


DECLINED = {"drops-what-does-not-grow", "keeps-what-does-not-grow-untrained", "lengths-used-elsewhere"}
"""Mutants whose defect lies in what they do where a right masker of their style declines."""


def test_every_bug_has_a_story():
    assert set(stories()) == set(HISTORY)
    assert len({story.title for story in stories().values()}) == len(HISTORY)


@pytest.mark.parametrize("story", stories().values(), ids=lambda story: str(story.row))
def test_a_story_says_how_to_notice_the_bug(story):
    assert 60 <= len(story.text.split()) <= 150
    assert story.text.count("To notice it, ") == 1


def test_the_page_counts_the_bugs_rightly():
    # "sixty-three ways", "Fifty-eight were reported"
    assert len(HISTORY) == 63
    assert sum(bool(bug.threads) for bug in HISTORY.values()) == 58


def test_no_wrapped_line_of_prose_begins_a_list_or_a_heading():
    for block in appendix(OUTCOMES).split("\n\n"):
        for line in block.split("\n")[1:]:
            assert not re.match(r"#+ |\d+[.)] |[+*] ", line), line
            assert not line.startswith("- ") or block.startswith("- "), line


def test_the_page_is_read_as_it_is_meant():
    html = MarkdownIt("commonmark").enable("table").render(appendix(OUTCOMES))
    tables = [
        re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL) for table in re.findall(r"<table>.*?</table>", html, re.DOTALL)
    ]
    widths = [{len(re.findall(r"<t[hd]", row)) for row in rows} for rows in tables]
    assert widths == [{3}, *[{5}] * (len(tables) - 1)]
    assert len(tables) - 1 == sum(
        bool(outcome.told and outcome.told.rows) * len(MUTANTS[outcome.name].rows) for outcome in OUTCOMES.mutants
    )
    assert html.count("<h3>") == len(HISTORY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello!", "`Hello!`"),
        (" a", "`␣a`"),
        ("a b", "`a b`"),
        ("  a  b ", "`␣␣a␣␣b␣`"),
        ("\n\t", "`\\n\\t`"),
        ("`", "`` ` ``"),
        ("a``b", "```a``b```"),
        ("\u202e", "`\\u202e`"),
        ("\\n", "`\\\\n`"),
    ],
)
def test_code_shows_what_cannot_be_seen(text, expected):
    assert code(text) == expected


def test_a_pipe_does_not_end_a_cell():
    assert cell(code("<|x|>")) == r"`<\|x\|>`"


def test_text_is_shown_word_for_word():
    assert escaped("a <b> *c* [d](e) `f`\n") == r"a \<b\> \*c\* \[d\](e) \`f\`\n"


def test_a_fence_is_longer_than_what_it_holds():
    assert list(fence(["a", "```"], language="json")) == ["````json", "a", "```", "````"]


def test_a_wrapped_list_stays_a_list():
    first, second = wrapped(f"- {'word ' * 30}\n  more\n- other").split("\n- ")
    assert first.split("\n")[1].startswith("  word")
    assert second == "other"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ([False] * 6, []),
        ([False, False, False, False, True, False, False, False, False, False], [2, 3, 4, 5, 6]),
        # One hidden row takes as much room as the note that it is hidden.
        ([False, False, False, True, False], [0, 1, 2, 3, 4]),
        ([True] * 12, [0, 1, 2, 9, 10, 11]),
    ],
)
def test_a_table_shows_the_wrong_rows_and_what_is_around(wrong, expected):
    assert shown(wrong) == expected
