"""How the courses of maskers over the length of conversations are told: growth, ids and the table."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="the maskers need tokenizers of transformers")

from tests.peers.speed import OTHER, SAME, WITHOUT_END, Course, _compared, growth, table


@pytest.mark.parametrize(("exponent", "seconds"), [(1, 0.25), (2, 0.001), (1.5, 3.0)])
def test_growth_is_the_exponent_of_a_power_and_leaves_a_single_turn_out(exponent: float, seconds: float) -> None:
    course = {turns: seconds * turns**exponent for turns in (16, 64, 256)}
    assert growth({1: 100.0, **course}) == pytest.approx(exponent)


@pytest.mark.parametrize(
    ("ids", "said"), [([1, 2, 3], SAME), ([1, 2], WITHOUT_END), ([1, 3], OTHER), ([1, 2, 3, 4], OTHER)]
)
def test_ids_are_the_same_or_lack_the_end_or_are_others(ids: list[int], said: str) -> None:
    assert _compared(ids, (1, 2, 3)) == said


def test_labels_are_told_only_where_the_ids_are_the_same() -> None:
    seconds, ratios = {1: 0.002, 4: 0.004, 16: 0.016}, {1: 1.0, 4: 0.5, 16: 2.0}
    rows = table(
        [Course("first", seconds, ratios, SAME, 3, 70), Course("second", seconds, ratios, OTHER, 0, 0)]
    ).splitlines()
    assert rows[0] == "| masker | 1 turn | 4 turns | 16 turns | growth | ids | labels |"
    assert rows[2] == "| first | 2.0 (1.00) | 4.0 (0.50) | 16.0 (2.00) | 1.00 | same | 3 of 70 other |"
    assert rows[3].endswith("| 1.00 | other | not compared |")
