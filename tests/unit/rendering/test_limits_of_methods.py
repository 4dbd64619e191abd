"""What a budget counts before `%` and the methods of strings: never less than Python then builds, and little more.

How large a result is, Python itself says (`real`), as in `test_limits.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from maskspec.errors import TemplateLimitExceeded
from maskspec.rendering.limits import Budget, Limits


def budget(**given: Any) -> Budget:
    return Budget(Limits(**given))


# Formatting


PERCENT: list[tuple[str, Any, int]] = [
    # a pattern, its values, how many characters may be asked for
    ("%s", "x" * 100, 2 + 101),
    ("x" * 100, (), 100 + 1),
    ("<%s|%s>", ("a" * 50, "b" * 50), 7 + 1 + 51 + 51),
    ("%d%d", (10**50, 10**50), 4 + 2 * 58),
    ("%1000d", False, 6 + 1000 + 1),
    ("%-40s%40s", ("a", "b"), 89 + 5),
    ("%.500f", 1.5, 506 + 1),
    ("%*s", (1000, "a"), 3 + 7 + 1000),
    ("%-*s", (-1000, "a"), 4 + 7 + 1000),
    ("%0*d", (1000, True), 4 + 6 + 1001),
    ("%.*f", (1000, 1.0), 4 + 6 + 1000),
    ("%5.*f", (1000, 1.0), 5 + 5 + 6 + 1000),
    ("%%%*.*f", (1000, 1000, 1.0), 7 + 10 + 2000),
    ("x" * 100 + "%*s", (1, "a"), 103 + 4 + 1),
    ("%(a)s", {"a": "x" * 100}, 5 + 104 + 101),
    ("%(a)s%(a)s%(a)s", {"a": "x" * 100, "b": "y"}, 15 + 108 + 3 * 101),
    ("x" * 100 + "%(a)s", {"a": "x"}, 105 + 5 + 2),
    ("%%" * 100, {}, 200 + 1),
    # A star that is no width.
    ("* %s", 5, 4 + 2),
    ("* %s", 2.5, 4 + 1),
    ("* %s: %d", ("a", 10**12), 8 + 17),
    ("%d * %d", (10**12, 10**12), 7 + 29),
    ("5%% * %d", (10**12,), 9 + 5 + 15),
    ("* %s", [10**12], 4 + 15),
]


@pytest.mark.parametrize(
    ("pattern", "values", "enough"), PERCENT, ids=[f"{case[0][-9:]}-{n}" for n, case in enumerate(PERCENT)]
)
def test_percent_formatting(pattern: str, values: Any, enough: int) -> None:
    budget(characters=enough).percent(pattern, values)
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        budget(characters=min(len(pattern % values), enough) - 1).percent(pattern, values)


@pytest.mark.parametrize(
    ("pattern", "widths"),
    [
        ("", 0),
        ("%s and {}", 0),
        ("%5d", 5),
        ("%100d", 100),
        ("{:>12.34}", 46),
        ("%7s%8s", 15),
        ("%007d", 7),
    ],
)
def test_widths_are_added_up(pattern: str, widths: int) -> None:
    assert budget().widths(pattern) == widths


@pytest.mark.parametrize(
    "width", [10**9, 10**14, 10**5000], ids=["a thousand million", "fifteen digits", "very many digits"]
)
def test_a_width_of_any_number_of_digits_is_refused(width: int) -> None:
    pattern = "%" + "".join(["1", "0" * (5000 if width > 10**20 else len(str(width)) - 1)]) + "d"
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        budget().percent(pattern, 1)


# Methods of strings


METHODS: list[tuple[str, str, tuple[Any, ...], int]] = [
    # a text, a method, its arguments, how many characters may be asked for
    ("aXa", "replace", ("a", "bbb"), 7),
    ("aXa", "replace", ("a", "bbb", -1), 7),
    ("aXaX", "replace", ("aX", "bbb"), 6),
    ("aXa", "replace", ("a", ""), 3),
    ("aXa", "replace", ("zz", "yyyyyy"), 3),
    ("ab", "replace", ("", "xy"), 8),
    ("ab", "center", (50,), 52),
    ("ab", "ljust", (50, "-"), 52),
    ("ab", "rjust", (50,), 52),
    ("ab", "zfill", (50,), 52),
    ("ab\tc", "ljust", (50,), 54),
    ("a\tb\t", "expandtabs", (40,), 84),
    ("a\tb\t", "expandtabs", (), 20),
    ("no tabs", "expandtabs", (10**9,), 7),
    ("--", "join", (["abc", "de", "f"],), 6 + 3 * 2),
    ("", "join", (["abc", "de"],), 5),
    ("--", "join", (("abc",),), 5),
    ("aab", "translate", ({97: "xyz"},), 9),
    ("aab", "translate", ({97: None, 98: 99},), 3),
    ("\x00\x01", "translate", (["wxyz", "z"],), 8),
    ("\x00\x01", "translate", (("wxyz", "z"),), 8),
    ("\x00\x01", "translate", ("ab",), 2),
]


@pytest.mark.parametrize(
    ("text", "name", "arguments", "enough"), METHODS, ids=[f"{case[1]}-{n}" for n, case in enumerate(METHODS)]
)
def test_a_method_that_builds_a_text(text: str, name: str, arguments: tuple[Any, ...], enough: int) -> None:
    budget(characters=enough).string_method(text, name, arguments)
    real = len(getattr(text, name)(*arguments))
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        budget(characters=min(real, len(text)) - 1 if real <= len(text) else real - 1).string_method(
            text, name, arguments
        )


SPLITS: list[tuple[str, str, tuple[Any, ...]]] = [
    ("a,b,c", "split", (",",)),
    ("a,b,c", "rsplit", (",",)),
    ("a--b--c", "split", ("--",)),
    ("a b c", "split", ()),
    ("a\tb\u2003c", "rsplit", ()),
    ("a b c", "split", (None,)),
    ("a b c", "split", (None, -1)),
    ("a\nb\nc", "splitlines", ()),
    ("a\rb\u2028c", "splitlines", (True,)),
    ("no,line,breaks here", "splitlines", ()),
    ("no space, here", "split", ("\n",)),
]


@pytest.mark.parametrize(("text", "name", "arguments"), SPLITS)
def test_a_method_that_builds_a_list(text: str, name: str, arguments: tuple[Any, ...]) -> None:
    real = len(getattr(text, name)(*arguments))
    budget(characters=0, items=real).string_method(text, name, arguments)
    with pytest.raises(TemplateLimitExceeded, match="items"):
        budget(items=real - 1).string_method(text, name, arguments)


@pytest.mark.parametrize("separator", [chr(code) for code in range(0x110000) if chr(code).isspace()], ids=ascii)
def test_every_kind_of_white_space_separates(separator: str) -> None:
    text = f"a{separator}b{separator}c"
    assert len(text.split()) == 3
    with pytest.raises(TemplateLimitExceeded, match="items"):
        budget(items=2).string_method(text, "split", ())
    lines = len(text.splitlines())
    if lines > 1:
        with pytest.raises(TemplateLimitExceeded, match="items"):
            budget(items=lines - 1).string_method(text, "splitlines", ())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("upper", ()),
        ("strip", ("a",)),
        ("count", ("a",)),
        ("startswith", (10**9,)),
        ("partition", (",",)),
        ("replace", ("a",)),
        ("replace", (1, "bbb")),
        ("replace", ("a", 1)),
        ("replace", ()),
        ("center", ("a",)),
        ("center", (-5,)),
        ("zfill", (None,)),
    ],
)
def test_arguments_that_make_nothing_longer_cost_nothing(name: str, arguments: tuple[Any, ...]) -> None:
    """A method that shortens, or a call that Python itself refuses afterwards."""
    budget(characters=0, items=0).string_method("aaa", name, arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("join", ()), ("translate", ()), ("translate", (5,)), ("center", ()), ("expandtabs", ()), ("split", (5,))],
)
def test_arguments_that_are_missing_or_wrong_are_left_to_python(name: str, arguments: tuple[Any, ...]) -> None:
    budget().string_method("aaa", name, arguments)
