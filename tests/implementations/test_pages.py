"""The table and the appendix are what is kept and told, and read as they should."""

from __future__ import annotations

import tomllib

import pytest
from markdown_it import MarkdownIt

pytest.importorskip("transformers", reason="the registry of implementations needs its version")

from tests.implementations.appendix import PAGE, appendix, stories, told_anew
from tests.implementations.classes import Difference, RoundTrip
from tests.implementations.pins import FILE, Answers, Pin, pins, written
from tests.implementations.registry import VOCABULARIES
from tests.implementations.results import SERIES, TABLE, load, table

AGAIN = "run `python -m tests.implementations --appendix`"
EVERY = [kind.value for kind in (*Difference, *RoundTrip)]


def test_the_appendix_is_what_the_generator_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == appendix(), AGAIN


def test_the_table_is_what_the_generator_gives() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), AGAIN


def test_the_entries_have_the_words_of_the_stories() -> None:
    assert FILE.read_text(encoding="utf-8") == written(told_anew(pins())), AGAIN


def test_every_class_has_its_story_and_every_story_its_table() -> None:
    told = stories()[1]
    assert list(told) == EVERY
    for name, story in told.items():
        assert story.text.count("{table}") == 1, name
        assert "**For the labels.**" in story.text, name
        assert "**What to do.**" in story.text, name
        assert story.consequence, name


def test_nothing_is_left_to_be_filled_in() -> None:
    assert "{" not in PAGE.read_text(encoding="utf-8").replace("{%", "")


def test_every_table_of_the_page_renders_with_as_many_cells_as_its_head() -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(PAGE.read_text(encoding="utf-8"))
    kinds = [token.type for token in tokens]
    assert kinds.count("table_open") >= len(EVERY)
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    rendered = kinds.count("tr_open")
    separators = sum(set(line) <= set("|-: ") for line in rows)
    assert rendered == len(rows) - separators


def test_both_series_were_run_on_the_same_texts() -> None:
    first, second = (load(series) for series in SERIES)
    assert (first["examples"], first["seed"]) == (second["examples"], second["seed"])
    assert first["examples"] >= 1000
    assert first["versions"]["transformers"].startswith("4.57.")
    assert second["versions"]["transformers"].startswith("5.")
    assert list(first["vocabularies"]) == list(second["vocabularies"]) == list(VOCABULARIES)
    for kept in (first, second):
        for name, row in kept["vocabularies"].items():
            assert row["texts"] == kept["examples"], name
            assert len(row["implementations"]) >= 3, name


@pytest.mark.parametrize("series", SERIES)
def test_every_class_that_was_counted_has_its_entry(series: int) -> None:
    for name, row in load(series)["vocabularies"].items():
        known = {pin.kind.value for pin in pins() if pin.vocabulary == name and pin.differs(series)}
        seen = {*row["classes"], *(kind for kinds in row["round trips"].values() for kind in kinds)}
        assert seen <= known, name


def test_what_is_written_is_read_again() -> None:
    text = 'a"\\\n\x7f▁é🙂'
    pin = Pin("a-name", Difference.OTHER_ID, "x", text, "none", "", (Answers((4, 5), ("one", "two"), (1, 2), (text,)),))
    (entry,) = tomllib.loads(written([pin]))["difference"]
    assert entry["text"] == text
    assert entry["answer"] == [
        {"transformers": [4, 5], "implementations": ["one", "two"], "ids": [1, 2], "pieces": [text]}
    ]
