"""What is suggested for a name that nobody knows."""

from __future__ import annotations

import pytest

from maskspec.suggestions import close_names, suggestion


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("chatlm", "; did you mean 'chatml'?"),
        (" ChatML ", "; did you mean 'chatml'?"),
        ("gemma-1", "; did you mean 'gemma-2' or 'gemma-3b'?"),
        ("zzzz", "; known are three"),
        ("", "; known are three"),
    ],
)
def test_close_names_are_suggested_and_otherwise_a_remedy(name: str, sentence: str) -> None:
    assert suggestion(name, ["chatml", "gemma-3b", "gemma-2"], otherwise="known are three") == sentence


def test_nothing_is_said_where_nothing_is_close() -> None:
    assert suggestion("zzzz", ["chatml"]) == ""


def test_the_closest_comes_first_and_keeps_its_case() -> None:
    assert close_names("stop-111", ["SPAN-1", "STOP-1", "STOP-11"]) == ["STOP-11", "STOP-1"]
    assert close_names("stop-111", ["SPAN-1", "STOP-1", "STOP-11"], most=1) == ["STOP-11"]


def test_a_name_that_differs_in_case_only_is_meant() -> None:
    assert close_names("open-1", ["TOKEN-1", "OPEN-1"]) == ["OPEN-1"]
