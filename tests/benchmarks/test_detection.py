"""The benchmark of detection: what is counted, and that the first kill is found where it is."""

from __future__ import annotations

import math
from zlib import crc32

import pytest

from maskspec import Labelled, Policy, Request
from maskspec.shapes import shapes_for_pair
from maskspec.strategies import sample
from tests.benchmarks.detection import report, summary
from tests.mutants.detection import Detection, Search, detect
from tests.mutants.measuring import loaded
from tests.mutants.mutant import Mutant

FIXED, GENERATED = True, False


@pytest.mark.parametrize(
    ("searches", "profile", "fixed", "expected"),
    [
        # By hand: 20 generated conversations in profile quick, 100 in default; the shapes of a pair come first.
        ([Search(18, 4, 7)], "quick", FIXED, 4),
        ([Search(18, 4, 7)], "quick", GENERATED, 7),
        ([Search(18, None, 7)], "quick", FIXED, 25),
        ([Search(18, None, 21)], "quick", FIXED, None),
        ([Search(18, None, 21)], "default", FIXED, 39),
        ([Search(18, None, None)], "default", FIXED, None),
        ([Search(18, None, 21), Search(16, 2, None)], "quick", FIXED, 18 + 20 + 2),
        ([Search(18, None, 21), Search(16, 2, 5)], "quick", GENERATED, 20 + 5),
        ([Search(18, None, 21), Search(16, 2, 5)], "default", GENERATED, 21),
        ([Search(18, None, None), Search(16, 2, 5)], "default", GENERATED, 100 + 5),
        ([Search(18, None, None), Search(16, 2, 5)], "default", FIXED, 18 + 100 + 2),
    ],
)
def test_conversations_are_counted_in_the_order_of_a_run(
    searches: list[Search], profile: str, fixed: bool, expected: int | None
) -> None:
    assert Detection(0, tuple(searches)).asked(profile, fixed=fixed) == expected


class TrainsNothingAfterNewlines:
    """Right but for conversations in ChatML whose last message begins with a newline, which it leaves untrained."""

    name = "trains-nothing-after-newlines"
    policy = Policy(flags=False)

    def mask(self, request: Request) -> Labelled:
        from maskspec.adapters.reference import ReferenceMasker

        right = ReferenceMasker(policy=self.policy).mask(request)
        if request.pair.startswith("chatml") and str(request.messages[-1]["content"]).startswith("\n"):
            return Labelled(right.input_ids, [-100] * len(right.input_ids))
        return right


PAIR = "chatml+bytelevel-gpt2"


def showing(seed: int) -> int:
    """Which generated conversation is the first to show the defect, found without the suite, counted from 1."""
    for number, each in enumerate(
        sample(loaded(PAIR), flags=False, examples=100, seed=crc32(f"{seed}:{PAIR}".encode())), 1
    ):
        answers = [message["content"] for message in each.messages if message["role"] == "assistant"]
        if str(each.messages[-1]["content"]).startswith("\n") and any(answers):
            return number
    raise AssertionError("no conversation ends with such a message; choose other seeds")


def test_the_first_conversation_that_shows_the_defect_is_found() -> None:
    pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")
    mutant = Mutant(
        name="nothing-after-newlines",
        summary="Conversations whose last message begins with a newline are not trained.",
        expected=("SPAN-1",),
        masker=TrainsNothingAfterNewlines,
        no_control="it is made for this test",
        pairs=("gemma+tiktoken", PAIR),
    )
    found = detect(mutant, profile="default", seeds=[0, 1])
    assert [each.seed for each in found] == [0, 1]
    for each in found:
        first, second = each.searches
        assert (first.fixed, first.generated) == (None, None)
        assert second.generated == showing(each.seed)
        assert each.asked("default", fixed=GENERATED) == 100 + showing(each.seed)
        shapes = [shape.name for shape in shapes_for_pair(loaded(PAIR), flags=False)]
        assert second.fixed == 1 + shapes.index("leading newline")
    assert found == detect(mutant, profile="default", seeds=[0, 1])


def test_the_report_names_targets_that_are_missed() -> None:
    found = {
        "caught-at-once": [Detection(seed, (Search(10, 1, 2),)) for seed in range(2)],
        "caught-late": [Detection(0, (Search(10, None, 30),)), Detection(1, (Search(10, None, None),))],
    }
    rows = {row.name: row for row in summary(found)}
    fixed = "with the fixed shapes"
    assert rows[f"the highest median, {fixed}"].value == math.inf
    assert rows[f"the highest median, {fixed}"].detail == "caught-late"
    assert rows[f"mutants not caught with every seed, profile default, {fixed}"].value == 1
    assert (
        rows[f"mutants not caught with every seed, profile default, {fixed}"].detail == "3 of 4 runs catch their mutant"
    )
    assert (
        rows[f"mutants not caught with every seed, profile quick, {fixed}"].detail == "2 of 4 runs catch their mutant"
    )
    lines = list(report(found, command="measure", seconds=3))
    assert "| caught-at-once | 2/2 | 2/2 | 1 | 1 | 2/2 | 2/2 | 2 | 2 |" in lines
    assert "| caught-late | 0/2 | 1/2 | ∞ | ∞ | 0/2 | 1/2 | ∞ | ∞ |" in lines
    assert sum("**missed**" in line for line in lines) == 2
