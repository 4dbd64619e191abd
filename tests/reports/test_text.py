"""The text report, word for word at a fixed width, and how it keeps within its lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskspec.conformance.reports import HEADINGS, MEANING, as_text, failure_lines, table
from maskspec.conformance.reports.text import FAILURE_LINES
from maskspec.conformance.reports.wording import short_policy
from maskspec.policy import Policy, Stops
from maskspec.rules import Row, Subject
from tests.reports.factory import ROLE_1, STOP_1, TOKEN_3, failure, mixed, pair_result, report

EXPECTED = """\
ROLE-1 MUST  Messages of other roles
  A masker MUST NOT train what a user wrote.  (spec/06-rules.md#role-1)
  on chatml+words, 2 conversation(s): 1 token of message 0 (user) is trained
  smallest conversation:
    {"role": "user", "content": "Hi"}
    {"role": "assistant", "content": "Yo"}
       index  token         zone     expected  got
       …
       1      'user\\n'      OPENING  IGNORE    IGNORE
    >  2      'Hi'          CONTENT  IGNORE    TRAIN
       3      '<|im_end|>'  STOP     IGNORE    IGNORE
       …
  replay:
    maskspec replay ID

STOP-1 MUST  The stop of a turn
  A masker MUST train the stop of every selected turn.
  (spec/06-rules.md#stop-1)
  on zephyr+words, 4 conversation(s): the stop of message 1 is not trained
  smallest conversation:
    {"role": "user", "content": "Hi"}
    {"role": "assistant", "content": "Yo"}
       index  token   zone  expected  got
    >  9      '</s>'  STOP  TRAIN     IGNORE
  replay:
    maskspec replay ID

Known failures, accepted
  STOP-1 untrained TAIL, 1 conversation(s) on 1 pair(s): shop masks leave empty
    turns alone on purpose

Known failures that no longer fail; remove them
  ROLE-2 on chatml+words: no longer fails

Rules
  rule        passed  failed   known   noted excluded
  ROLE-1          18       2       0       0        0  Messages of other roles
  STOP-1           9       4       1       0        6  The stop of a turn
  TOKEN-3          0       0       0      10       10  Phantom tokens

Notes about tokenizers; they decide nothing
  TOKEN-3 words, 10 conversation(s): the tokenizer adds a token without text

Pairs: 2 asked (20 conversations), 2 with failures, 1 left out
        1  left out: unsupported by the masker: only ChatML

Why rules were excluded (rule x conversation)
       10  the vocabulary has only one tokenizer here, slow or fast
        6  the template rejects the conversation

Not installed, so not asked
  mistral: python -m pip install mistral-common

What this means for a model trained with these labels
  ROLE-1   The model learns to write the messages of other roles, such as the
           user's. Seen in 2 of 20 conversations, on 1 pair(s).
  STOP-1   The model does not learn to stop: after its answer it runs on to the
           length limit. Seen in 4 of 14 conversations, on 1 pair(s).

shop masks: breaks 2 rule(s): ROLE-1, STOP-1; 1 known failure(s) accepted
(profile quick, seed 7, 4 s)
"""


@pytest.mark.usefixtures("short_commands")
def test_a_report_with_one_of_everything() -> None:
    assert as_text(mixed(), width=80) == EXPECTED


@pytest.mark.usefixtures("short_commands")
def test_no_line_is_wider_than_the_report() -> None:
    for width in (60, 80, 120):
        assert max(map(len, as_text(mixed(), width=width).splitlines())) <= width


def test_the_headings_are_those_of_the_report() -> None:
    lines = as_text(mixed(), width=80).splitlines()
    assert MEANING in HEADINGS
    assert [heading for heading in HEADINGS if heading not in lines] == ["Never asked"]


def test_a_failure_has_a_command_that_the_replay_understands() -> None:
    from maskspec.conformance.counterexamples import Counterexample

    item = failure()
    (command,) = [line.strip() for line in failure_lines(item) if line.strip().startswith("maskspec replay ")]
    again = Counterexample.parse(command.split()[2])
    assert again.rule.id == "ROLE-1"
    assert [dict(message) for message in again.case.messages] == list(item.messages)


def test_a_failure_keeps_within_its_lines_whatever_it_holds() -> None:
    rows = tuple(
        Row(index=k, text="a\nb", zone="CONTENT", message=k, expected="TRAIN", got="IGNORE", wrong=k % 3 == 0)
        for k in range(90)
    )
    item = failure(
        messages=tuple({"role": "user", "content": f"{number} " + "word " * 90} for number in range(40)),
        rows=rows,
        explanation="a long explanation " * 60,
    )
    lines = failure_lines(item, width=80)
    assert len(lines) <= FAILURE_LINES
    assert lines[5].endswith("…"), "a cut explanation says so"
    assert "    … 36 more …" in lines
    assert any("more wrong" in line for line in lines)
    assert lines[-2] == "  replay:"


def test_what_cannot_be_seen_is_spelled_out() -> None:
    rows = (
        Row(index=0, text="\x1b[31m\u202e\t\u0301", zone="", message=None, expected="IGNORE", got="TRAIN", wrong=True),
    )
    lines = failure_lines(failure(messages=({"role": "user", "content": "\u202eabc\x85"},), rows=rows))
    assert any(r"'\x1b[31m\u202e\t\u0301'" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_table_of_nothing_wrong_has_only_its_head_and_an_ellipsis() -> None:
    rows = tuple(Row(index=k, text="x", zone="", message=None, expected="EITHER", got="TRAIN") for k in range(3))
    assert table(rows) == ["  index  token  zone  expected  got", "  …"]


def test_notes_that_differ_in_their_zone_alone_are_one() -> None:
    notes = tuple(
        failure(TOKEN_3, zone=zone, explanation=explanation, subject=Subject.TOKENIZER, cases=cases, rows=())
        for zone, explanation, cases in (
            ("OPENING", "a stray token", 3),
            ("STOP", "a stray token", 4),
            ("", "other", 1),
        )
    )
    lines = as_text(report(pair_result(failures=notes)), width=100).splitlines()
    assert [line for line in lines if line.startswith("  TOKEN-3 words")] == [
        "  TOKEN-3 words, 7 conversation(s): a stray token",
        "  TOKEN-3 words, 1 conversation(s): other",
    ]


def test_rules_that_nobody_was_asked_about_stand_together_under_their_reason() -> None:
    text = as_text(report(pair_result(excluded="only ChatML"), rules=(ROLE_1, STOP_1)))
    assert "no check could be run" in text
    assert "1  left out: only ChatML" in text


def test_an_interrupted_run_names_the_pairs_that_it_did_not_come_to() -> None:
    text = as_text(report(pair_result(), unfinished=("a+b", "c+d")), width=80)
    assert "Not come to: 2 pair(s): a+b, c+d" in text
    assert "interrupted after 1 of 3 pairs" in text


def test_the_command_names_the_stored_file_when_the_identifier_would_be_long() -> None:
    import random

    letters = random.Random(0)
    content = "".join(letters.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(3000))
    item = failure(messages=({"role": "user", "content": content},))
    lines = failure_lines(item, output=Path("out"))
    assert "maskspec replay out/role-1-trained-content.json" in lines[-1]


def test_a_policy_is_shown_without_the_names_of_types() -> None:
    text = short_policy(repr(Policy(stop=Stops.LAST, roles=frozenset({"assistant"}))))
    assert text.startswith("Policy(roles={'assistant'}, turns=all, stop=last, opening=ignore, ")
    assert "<" not in text
    assert short_policy("anything <else>") == "anything <else>"
