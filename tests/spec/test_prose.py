"""The chapters hold together: links lead somewhere, code that is named exists, binding words stand where they bind."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from maskspec.errors import CorpusError
from maskspec.rules.prose import Section, chapters, parse_sections, prose_hash

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
IDENTIFIER = re.compile(r"`(maskspec(?:\.\w+)+)`")
KEYWORD = re.compile(r"\b(MUST(?: NOT)?|SHALL|SHOULD|REQUIRED|RECOMMENDED|MAY|OPTIONAL)\b")
APPENDICES = ("09-how-masks-go-wrong.md", "10-where-tokenizers-differ.md")
THREAD = re.compile(r"https://github\.com/[\w-]+/[\w-]+/issues/\d+")
SECTIONS = [section for members in chapters().values() for section in members]


def test_the_chapters_are_numbered_without_a_gap_and_listed_in_the_contents() -> None:
    numbered = sorted(name for name in chapters() if name != "README.md")
    assert [name[:2] for name in numbered] == [f"{number:02}" for number in range(len(numbered))]
    contents = "\n".join(section.prose for section in chapters()["README.md"])
    assert all(f"({name})" in contents for name in numbered)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.chapter}#{section.anchor}")
def test_links_lead_somewhere(section: Section, repository: Path) -> None:
    for target in LINK.findall(section.prose):
        if section.chapter in APPENDICES and THREAD.fullmatch(target):
            continue
        assert "://" not in target, f"{section.chapter} leads outside the repository: {target}"
        name, _, anchor = unquote(target).partition("#")
        name = name or section.chapter
        assert (repository / "spec" / name).is_file(), f"{section.chapter} links to {name}, which does not exist"
        if anchor:
            assert anchor in {other.anchor for other in chapters()[name]}, f"{section.chapter} links to {target}"


@pytest.mark.parametrize("chapter", sorted(chapters()))
def test_code_that_is_named_exists(chapter: str) -> None:
    for section in chapters()[chapter]:
        for identifier in IDENTIFIER.findall(section.prose):
            parts = identifier.split(".")
            for length in range(len(parts), 0, -1):
                try:
                    value = importlib.import_module(".".join(parts[:length]))
                except ModuleNotFoundError:
                    continue
                for attribute in parts[length:]:
                    assert hasattr(value, attribute), f"{chapter} names {identifier}, which does not exist"
                    value = getattr(value, attribute)
                break


def test_the_words_of_rfc_2119_stand_only_in_the_sentences_of_rules() -> None:
    for section in SECTIONS:
        if section.chapter == "README.md" or section.depth == 1:
            continue
        for line in section.prose.splitlines():
            if KEYWORD.search(line) and section.chapter == "06-rules.md":
                assert line.startswith((">", "*MUST", "*SHOULD")) or "The level is SHOULD" in line, line


def test_a_reader_needs_about_forty_minutes() -> None:
    # 240 words a minute; examples are looked at, not read. The appendices are no part of the requirements.
    words = sum(len(section.prose.split()) for section in SECTIONS if section.chapter not in APPENDICES)
    assert words / 240 <= 40


def test_sections_end_at_the_next_heading_of_any_level() -> None:
    text = "# One\n\nFirst.\n\n## Two `x` & 3\n\nSecond.\n```sh\n# no heading\n```\n\n## Two `x` & 3\nThird.\n"
    one, two, again = parse_sections(text, chapter="c.md")
    assert (one.heading, one.anchor, one.depth, one.line, one.prose) == ("One", "one", 1, 1, "First.")
    assert (two.anchor, two.prose, two.fences[0].language, two.fences[0].text, two.fences[0].line) == (
        "two-x--3",
        "Second.",
        "sh",
        "# no heading",
        8,
    )
    assert (again.anchor, again.prose) == ("two-x--3-1", "Third.")


def test_the_hash_sees_every_word_and_no_trailing_space() -> None:
    def digest(text: str) -> str:
        return prose_hash(parse_sections(text, chapter="c.md")[0])

    assert digest("# One\n\nFirst.\n") == digest("# One\n\nFirst.   \n\n\n")
    assert digest("# One\n\nFirst.\n") != digest("# One\n\nFirst!\n")
    assert digest("# One\n\n```x\na\n```\n") != digest("# One\n\n```x\nb\n```\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Words.\n# One\n", "line 1: text before the first heading"),
        ("# One\n\n```sh\nls\n", "line 3: this fenced block"),
    ],
)
def test_a_broken_chapter_is_refused(text: str, expected: str) -> None:
    with pytest.raises(CorpusError, match=re.escape(expected)):
        parse_sections(text, chapter="c.md")
