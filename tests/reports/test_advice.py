"""What the users of a masker can do: Markdown that people wrote, taken apart, and whom it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskspec.conformance.advice import Block, Shape, Span, Style, parse_advice, read_advice, same_name
from maskspec.errors import UsageError
from tests.reports.factory import ADVICE


def test_a_text_becomes_paragraphs_items_and_code() -> None:
    (advice,) = parse_advice(ADVICE, source="advice.md")
    assert (advice.masker, advice.source, advice.required) == ("shop masks 2.0", "advice.md", False)
    assert advice.blocks == (
        Block(
            Shape.PARAGRAPH,
            (
                Span("Asked as "),
                Span("its trainer", Style.STRONG),
                Span(" calls it, with "),
                Span("train_on_headers: true", Style.CODE),
                Span("; a second line."),
            ),
        ),
        Block(Shape.ITEM, (Span("Give "), Span("stop", Style.CODE), Span(" a value & look at <the labels>."))),
        Block(
            Shape.ITEM,
            (Span("Read "), Span("its page", Style.LINK, "https://example.org/stops?a=1"), Span(".")),
        ),
        Block(Shape.CODE, (Span('stop: "</s>"', Style.CODE),)),
    )
    assert advice.blocks[2].text == "Read its page (https://example.org/stops?a=1)."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a\nb\n\nc", [("paragraph", "a b"), ("paragraph", "c")]),
        ("a\n- b\n  c\n1. d", [("paragraph", "a"), ("item", "b c"), ("item", "d")]),
        ("### More\na", [("paragraph", "More"), ("paragraph", "a")]),
        ("a\n````\n```\nb\n````\nc", [("paragraph", "a"), ("code", "```\nb"), ("paragraph", "c")]),
        ("```\na\n\n  b\n", [("code", "a\n\n  b\n")]),
        ("[x](javascript:alert(1))", [("paragraph", "[x](javascript:alert(1))")]),
        ("a `b", [("paragraph", "a `b")]),
    ],
)
def test_shapes(body: str, expected: list[tuple[str, str]]) -> None:
    (advice,) = parse_advice(f"## m 1\n{body}")
    assert [(block.shape.value, block.text) for block in advice.blocks] == expected


def test_one_file_can_be_for_several_versions() -> None:
    found = parse_advice("## masks 1.0\nOld.\n\n## masks 2.0 ##\nNew.\n")
    assert [(advice.masker, advice.blocks[0].text) for advice in found] == [
        ("masks 1.0", "Old."),
        ("masks 2.0", "New."),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with `## <masker> <version>`"),
        ("# A title\n\n## masks 1.0\nx", "does not begin with"),
        ("## masks 1.0\n\n", "nothing is said under the heading 'masks 1.0'"),
    ],
)
def test_a_text_that_is_for_nobody_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_advice(text)


def test_a_folder_gives_the_advice_in_it_and_passes_over_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "advice.md").write_text("## masks 1.0\nx\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("# Read me\n", encoding="utf-8")
    (found,) = read_advice([tmp_path])
    assert (found.masker, found.required) == ("masks 1.0", False)
    (named,) = read_advice([tmp_path / "a" / "advice.md"])
    assert named.required
    with pytest.raises(UsageError, match="does not begin with"):
        read_advice([tmp_path / "README.md"])


def test_a_folder_without_advice_and_a_file_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no advice"):
        read_advice([tmp_path])
    (tmp_path / "x.md").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot be read as advice"):
        read_advice([tmp_path / "x.md"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("unsloth_zoo 1.0", "Unsloth-Zoo  1.0", True),
        ("axolotl 0.5.2", "axolotl 0.19.0", False),
        ("axolotl 0.5.2", "axolotl", False),
    ],
)
def test_whom_a_heading_names(one: str, other: str, same: bool) -> None:
    assert same_name(one, other) is same
