"""What a learning run is judged by: answers and curves written by hand, at and around the limits."""

from __future__ import annotations

import pytest

from tests.training.lacking import REASON

pytest.importorskip("torch", reason=REASON)

from maskspec.training.answering import Answered, judge_answers
from maskspec.training.learning import rate_at, require_number
from maskspec.training.problems import TrainingError
from maskspec.training.records import Curve, Reason
from maskspec.training.samples import Reply
from maskspec.training.teaching import judge_curve

QUESTION = Reply(prompt=(1,), bare=(1,), opening="<|assistant|>\n", answers=("wet", "so: wet"))


def answered(text: str, *, stopped: bool = True, number: int = 0) -> Answered:
    return Answered(QUESTION, number, text, stopped)


def reasons(answers: list[Answered]) -> list[Reason | None]:
    return [each.reason for each in judge_answers(answers)]


def test_right_answers_that_stop_pass() -> None:
    right, stops = judge_answers([answered("wet"), answered(" so: wet\n", number=2)])
    assert (right.value, right.reason, stops.value, stops.reason) == (1.0, None, 1.0, None)
    assert right.detail == "2 of 2 over 3 turns"


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (answered("dry"), [Reason.WRONG_ANSWER, None]),
        (answered(""), [Reason.WRONG_ANSWER, None]),
        (answered("wet wet"), [Reason.WRONG_ANSWER, None]),
        (answered("wet wet wet", stopped=False), [Reason.DOES_NOT_STOP, Reason.DOES_NOT_STOP]),
        (answered("dry dry dry", stopped=False), [Reason.WRONG_ANSWER, Reason.DOES_NOT_STOP]),
        (answered("<|assistant|>\nwet"), [Reason.WRITES_OPENING, None]),
    ],
)
def test_a_bad_answer_is_called_what_it_is(bad: Answered, expected: list[Reason | None]) -> None:
    assert reasons([bad]) == expected


def test_one_miss_in_twenty_is_allowed_and_two_are_not() -> None:
    assert reasons([answered("wet")] * 19 + [answered("dry")]) == [None, None]
    assert reasons([answered("wet")] * 18 + [answered("dry")] * 2) == [Reason.WRONG_ANSWER, None]


@pytest.mark.parametrize(
    ("answers", "stops", "user", "expected"),
    [
        ((5.0, 0.5), (4.0, 0.4), (10.0, 8.0), [None, None, None]),
        ((5.0, 0.51), (4.0, 0.4), (10.0, 8.0), [Reason.NOT_LEARNT, None, None]),
        ((5.0, 0.5), (4.0, 0.41), (10.0, 8.0), [None, Reason.NOT_LEARNT, None]),
        ((5.0, 0.5), (4.0, 0.4), (10.0, 7.99), [None, None, Reason.USER_LEARNT]),
        ((5.0, 0.0), (4.0, 0.0), (6.0, 20.0), [None, None, None]),
    ],
)
def test_trained_losses_fall_to_a_tenth_and_those_of_the_user_keep_four_fifths(
    answers: tuple[float, ...], stops: tuple[float, ...], user: tuple[float, ...], expected: list[Reason | None]
) -> None:
    curve = Curve("x", (0, 1), {"answers": answers, "stop tokens": stops, "user text": user, "template": (7.0, 7.0)})
    assert [each.reason for each in judge_curve(curve)] == expected


def test_the_learning_rate_rises_stays_and_falls() -> None:
    shares = [rate_at(step, 30) for step in range(30)]
    assert shares[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert shares[3:20] == [1.0] * 17
    assert shares[20:] == pytest.approx([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_with_a_remedy(loss: float) -> None:
    with pytest.raises(TrainingError, match=r"at step 3: training diverged, .* use --dtype float32 .* another --seed"):
        require_number(loss, 3)
    require_number(0.0, 3)
