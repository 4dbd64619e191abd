"""Every way in which an adapter can fail: each is told apart from a wrong masker, and named."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance import AdapterError, Collated, ExitCode, Labelled, Report, Request, check_masker
from maskspec.conformance.cases import Case
from maskspec.conformance.examination import Examiner
from maskspec.conformance.timelimit import AdapterHung
from maskspec.corpus import embedded_pair
from maskspec.errors import UsageError
from maskspec.policy import Policy, Turns
from maskspec.rules import Kind, select_rules
from tests.conformance.maskers import Right, SleepsOnLong, WithoutStops, is_long, right

CHATML = embedded_pair("chatml+bytelevel-gpt2")
ZEPHYR = embedded_pair("zephyr+bytelevel-gpt2")
SHORT = 0.3


@dataclass
class Answering(Right):
    """Does whatever it is given to do."""

    name: str = "answering"
    answer: Callable[[Request], Any] = right

    def mask(self, request: Request) -> Any:
        return type(self).answer(request)


def check(answer: Callable[[Request], Any], *, rules: list[str] | None = None, **options: Any) -> Report:
    kind = type("Doing", (Answering,), {"answer": staticmethod(answer)})
    return check_masker(kind(), **{"pairs": [CHATML], "rules": rules, "profile": "quick", **options})


# What it returns.


class Array:
    """What numpy and torch have in common: `tolist()`."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def tolist(self) -> Any:
        return self.items


def test_numpy_arrays_and_what_has_tolist_are_answers() -> None:
    numpy = pytest.importorskip("numpy", reason="comes with transformers")

    def arrays(request: Request) -> Labelled:
        answer = right(request)
        return Labelled(numpy.array(answer.input_ids), numpy.array(answer.labels))

    def tensors(request: Request) -> Labelled:
        answer = right(request)
        return Labelled(Array(list(answer.input_ids)), [Array(label) for label in answer.labels])

    for answer in (arrays, tensors):
        assert check(answer, rules=["LABEL", "SPAN"]).exit_code is ExitCode.CONFORMS


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda request: None, "mask() returned NoneType; it must return maskspec.Labelled(input_ids, labels)"),  # noqa: ARG005
        (lambda request: ([1, 2], [1, 2]), "mask() returned tuple; it must return maskspec.Labelled"),  # noqa: ARG005
        (lambda request: (item for item in [right(request)]), "mask() returned generator; it must return"),
        (lambda request: Labelled([right(request).input_ids], [right(request).labels]), "input_ids is nested"),
        (lambda request: Labelled(Array([[1, 2]]), Array([[1, 2]])), "input_ids is nested"),  # noqa: ARG005
        (lambda request: Labelled(right(request).input_ids, [float("nan")]), "labels[0] is nan; ids and labels are"),
        (lambda request: Labelled(right(request).input_ids, [float("-inf")]), "labels[0] is -inf"),
        (lambda request: Labelled([1.0, 2.0], [1, 2]), "input_ids[0] must be an int, not 1.0"),  # noqa: ARG005
        (lambda request: Labelled([1, 2], [True, False]), "labels[0] must be an int, not True"),  # noqa: ARG005
        (lambda request: Labelled("12", [1, 2]), "input_ids must be a sequence of int, not str"),  # noqa: ARG005
        (lambda request: Labelled(7, [7]), "input_ids must be a sequence of int, not int"),  # noqa: ARG005
        (lambda request: Labelled(None, None), "input_ids must be a sequence of int, not NoneType"),  # noqa: ARG005
        (lambda request: Labelled([], []), "mask() returned no ids for any of the plain conversations"),  # noqa: ARG005
        (
            lambda request: Labelled.from_mask(right(request).input_ids, [0, 1]),
            "entries and the mask 2; they must have as many",
        ),
        (
            lambda request: Labelled(right(request).input_ids, [int(label != -100) for label in right(request).labels]),
            "the labels hold only 0 and 1, as a mask does",
        ),
        (
            lambda request: right(replace(request, messages=[{"role": "user", "content": "Hi"}])),
            "the same ids for different conversations",
        ),
        (
            lambda request: Labelled([5000 + ord(c) for m in request.messages for c in str(m["content"])], [-100]),
            "the ids have almost nothing in common",
        ),
    ],
)
def test_what_is_no_answer_is_wired_wrong(answer: Callable[[Request], Any], message: str) -> None:
    report = check(answer)
    (conflict,) = report.conflicts
    assert conflict.problem.startswith("your adapter is wired wrong: ")
    assert message in conflict.problem
    assert conflict.case is not None
    assert report.pairs[0].excluded == "the adapter is wired wrong"
    assert report.failures == ()
    assert report.exit_code is ExitCode.CRASHED


def test_a_wrong_answer_later_on_is_a_fault_of_the_adapter_on_that_conversation() -> None:
    report = check(lambda request: None if is_long(request) else right(request))
    (conflict,) = report.conflicts
    assert conflict.problem.endswith("mask() returned NoneType; it must return maskspec.Labelled(input_ids, labels)")
    assert conflict.count > 1
    assert conflict.case is not None
    assert len(conflict.case.messages) >= 5
    assert report.tallies["LABEL-1"].passed > 0
    assert report.exit_code is ExitCode.CRASHED


def test_labels_of_another_length_are_judged_by_label_1() -> None:
    report = check(lambda request: Labelled(right(request).input_ids, right(request).labels[:-1]), rules=["LABEL"])
    assert [failure.rule.id for failure in report.failures] == ["LABEL-1"]


def test_a_collator_that_returns_something_else_is_named() -> None:
    @dataclass
    class Collating(Right):
        def collate(self, samples: Any, padding: Any) -> Any:  # noqa: ARG002
            return [Collated([1], [1]), "row"]

    report = check_masker(Collating(), pairs=[CHATML], rules=["COLLATE-1"], profile="quick")
    assert "collate() must return a list of maskspec.Collated" in report.conflicts[0].problem


def test_labelled_takes_tuples_arrays_and_unequal_lengths() -> None:
    assert Labelled(Array([1, 2]), (3,)) == Labelled([1, 2], [3])
    assert Labelled.from_mask([7, 8, 9], [0, 1, True]).labels == (-100, 8, 9)
    with pytest.raises(AdapterError, match="only 0 and 1, not 2"):
        Labelled.from_mask([7, 8], [0, 2])


# What it raises.


def fails(error: BaseException) -> Callable[[Request], Labelled]:
    def answer(request: Request) -> Labelled:
        if is_long(request):
            raise error
        return right(request)

    return answer


@pytest.mark.parametrize("error", [IndexError("list index out of range"), SystemExit(2), RecursionError("too deep")])
def test_an_exception_on_one_kind_of_conversation_breaks_total_1(error: BaseException) -> None:
    report = check(fails(error), rules=["TOTAL-1", "LABEL-1"])
    (failure,) = report.failures
    assert (failure.rule.id, failure.kind) == ("TOTAL-1", Kind.RAISED)
    assert type(error).__name__ in failure.explanation
    assert len(failure.messages) == 5
    assert report.conflicts == ()
    assert report.tallies["LABEL-1"].passed > 0
    assert report.exit_code is ExitCode.VIOLATIONS


def test_an_exception_that_no_rule_judges_makes_the_run_incomplete() -> None:
    report = check(fails(IndexError("list index out of range")), rules=["LABEL-1"])
    (conflict,) = report.conflicts
    assert conflict.problem == "mask() raised IndexError: list index out of range"
    assert "raise error" in conflict.traceback
    assert report.exit_code is ExitCode.CRASHED


def test_an_exception_on_every_conversation_is_wired_wrong() -> None:
    def answer(request: Request) -> Labelled:
        raise KeyError("input_ids")

    report = check(answer)
    assert "mask() raised KeyError on every plain conversation: 'input_ids'" in report.conflicts[0].problem
    assert 'raise KeyError("input_ids")' in report.conflicts[0].traceback


@pytest.mark.parametrize("error", [KeyboardInterrupt(), pytest.fail.Exception("the runner's own time limit")])
def test_what_ends_a_test_or_a_program_passes_through(error: BaseException) -> None:
    # Ctrl-C cannot be told from a KeyboardInterrupt that an adapter raises by itself, and must never be swallowed.
    with pytest.raises(type(error)):
        check(fails(error))


# What it does to its input and to itself.


@pytest.mark.parametrize("part", ["messages", "tools", "template_kwargs"])
def test_an_adapter_that_edits_its_input_is_found_out_and_harms_nobody(part: str) -> None:
    def answer(request: Request) -> Labelled:
        result = right(request)
        if part == "messages":
            request.messages[0]["content"] = "changed"
        elif part == "tools" and request.tools:
            request.tools.clear()
        elif part == "template_kwargs":
            request.template_kwargs["changed"] = True  # type: ignore[index]  # what must not be done
        return result

    pair = embedded_pair("qwen3+bytelevel-gpt2") if part == "tools" else CHATML
    report = check(answer, pairs=[pair])
    (failure,) = report.failures
    assert (failure.rule.id, failure.kind) == ("RENDER-4", Kind.MUTATED)
    assert part in failure.explanation
    # The conversations of the fixed shapes are the same for the next masker.
    assert check(right, pairs=[pair]).exit_code is ExitCode.CONFORMS


def test_an_adapter_that_changes_its_answers_breaks_render_4_and_is_no_fault_of_the_harness() -> None:
    calls = 0

    def answer(request: Request) -> Labelled:
        nonlocal calls
        calls += 1
        result = right(request)
        return Labelled(result.input_ids, (-100,) * len(result.labels)) if calls % 3 == 0 else result

    report = check(answer, rules=["RENDER-4", "SPAN-1"])
    assert Kind.UNSTABLE in {failure.kind for failure in report.failures if failure.rule.id == "RENDER-4"}
    assert report.conflicts == ()
    assert report.exit_code is ExitCode.VIOLATIONS


def test_a_failure_that_does_not_show_again_is_kept_and_says_so() -> None:
    seen: set[str] = set()

    def answer(request: Request) -> Labelled:
        result = right(request)
        text = str(request.messages)
        if is_long(request) and text not in seen:
            seen.add(text)
            return Labelled(result.input_ids, (-100,) * len(result.labels))
        return result

    (failure,) = check(answer, rules=["SPAN-1"]).failures
    assert "the answers change" in failure.explanation
    assert len(failure.messages) >= 5


class RaisesOnLong(Right):
    """Raises on long conversations under its own policy, and overlooks a choice of turns."""

    def with_policy(self, policy: Policy) -> RaisesOnLong:
        return RaisesOnLong(policy=policy)

    def mask(self, request: Request) -> Labelled:
        if is_long(request) and self.policy == Policy(flags=False):
            raise IndexError("too long")
        return ReferenceMasker(policy=replace(self.policy, turns=Turns.ALL)).mask(request)


def test_what_a_masker_does_under_another_policy_shows_where_it_raises_under_its_own() -> None:
    examiner = Examiner(RaisesOnLong(), CHATML, select_rules(None))
    messages = [{"role": role, "content": "a"} for role in ("user", "assistant") * 3]
    found, kept, unasked = (
        examiner.examine(Case(messages=messages), rules=select_rules(rules))
        for rules in (["SELECT-2"], ["STOP-4"], ["SPAN-1"])
    )
    assert list(found.violations) == ["SELECT-2"]
    assert found.crash is None
    assert isinstance(kept.crash, IndexError)
    assert isinstance(unasked.crash, IndexError)


def test_two_adapters_of_one_name_in_one_session_are_judged_apart() -> None:
    wrong, correct = WithoutStops(name="mine"), Right(name="mine")
    codes = [
        check_masker(masker, pairs=[CHATML], rules=["STOP-1"], profile="quick").exit_code
        for masker in (wrong, correct, wrong)
    ]
    assert codes == [ExitCode.VIOLATIONS, ExitCode.CONFORMS, ExitCode.VIOLATIONS]


@pytest.mark.parametrize(
    ("masker", "message"),
    [
        (Right, "Right is a class; give an instance of it: Right()"),
        (object(), "it has no name, policy, mask"),
        (Right(name=7), "must be text for reports, not 7"),  # type: ignore[arg-type]
        (Right(name=" "), "must be text for reports, not ' '"),
        (Right(policy={"roles": ["assistant"]}), "must be a maskspec.Policy, not {'roles'"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_masker_is_refused(masker: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_masker(masker, pairs=[CHATML], profile="quick")
    assert message in str(caught.value)


# How long it takes.


def _busy() -> None:
    while True:
        pass


def _handles_every_exception() -> None:
    while True:
        try:
            time.sleep(60)
        except Exception:  # noqa: BLE001  (this is its fault)
            continue


def _handles_the_first_interruption() -> None:
    try:
        time.sleep(60)
    except BaseException:  # noqa: BLE001  (this is its fault)
        time.sleep(60)


@pytest.mark.parametrize(
    "hang", [_busy, _handles_every_exception, _handles_the_first_interruption, lambda: time.sleep(60)]
)
def test_a_hang_is_cut_and_the_pair_left_out(hang: Callable[[], None]) -> None:
    def answer(request: Request) -> Labelled:
        if is_long(request):
            hang()
        return right(request)

    started = time.monotonic()
    report = check(answer, time_limit=SHORT)
    assert time.monotonic() - started < 15
    (conflict,) = report.conflicts
    assert conflict.problem.startswith("mask() did not return within 0.3 s")
    assert conflict.count == 1
    assert conflict.case is not None
    assert len(conflict.case.messages) >= 5
    assert report.pairs[0].excluded == "the adapter hung; what came after was not asked"
    assert report.tallies["LABEL-1"].passed > 0
    assert report.exit_code is ExitCode.CRASHED


def test_a_hang_leaves_one_pair_out_and_keeps_what_was_found_on_it() -> None:
    report = check_masker(SleepsOnLong(), pairs=[CHATML, ZEPHYR], rules=["STOP-1"], profile="quick", time_limit=SHORT)
    assert [pair.excluded is None for pair in report.pairs] == [False, True]
    (failure,) = report.failures
    assert failure.pairs == (CHATML.name, ZEPHYR.name)
    assert len(report.conflicts) == 1


def test_a_hang_on_the_first_conversation_is_a_hang_and_not_wrong_wiring() -> None:
    report = check(lambda request: time.sleep(60), time_limit=SHORT)  # noqa: ARG005
    assert report.conflicts[0].problem.startswith("mask() did not return within 0.3 s")


def test_an_adapter_that_hangs_everywhere_does_not_take_a_limit_for_every_pair() -> None:
    pairs = [embedded_pair(f"{name}+bytelevel-gpt2") for name in ("chatml", "zephyr", "gemma", "vicuna", "llama-3")]
    report = check(lambda request: time.sleep(60), pairs=pairs, time_limit=SHORT)  # noqa: ARG005
    assert report.conflicts[0].count == 3
    assert [pair.excluded for pair in report.pairs][3:] == ["not asked, because the adapter hung on other pairs"] * 2


def test_a_hang_in_another_method_is_named_after_it() -> None:
    @dataclass
    class Packing(Right):
        def pack(self, samples: Any, max_length: int) -> Any:  # noqa: ARG002
            time.sleep(60)

    report = check_masker(Packing(), pairs=[CHATML], rules=["COLLATE-2"], profile="quick", time_limit=SHORT)
    assert report.conflicts[0].problem.startswith("pack() did not return within 0.3 s")


def test_a_hang_is_cut_in_another_thread_as_well() -> None:
    found: list[Report] = []

    def answer(request: Request) -> Labelled:
        if is_long(request):
            _busy()
        return right(request)

    thread = threading.Thread(target=lambda: found.append(check(answer, time_limit=SHORT)))
    thread.start()
    thread.join(30)
    assert found
    assert found[0].conflicts[0].problem.startswith("mask() did not return within 0.3 s")


def test_hangs_are_errors_of_the_adapter() -> None:
    assert issubclass(AdapterHung, AdapterError)
