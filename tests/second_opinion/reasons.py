"""Why the two opinions may differ: each reason with a condition that can be checked, on the text or on the template.

A difference that meets no condition has no name and fails the tests. Where a
reason says how a template is written, `Writing` reads that in its syntax tree:
a template that is not written so cannot hide an error behind the reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import pairwise

from jinja2 import nodes

from tests.second_opinion.plain import environment


class Reason(Enum):
    """Why the two opinions differ where both have one."""

    CONTROL_FLOW = "control flow"
    BRANCHES_AGREE = "two branches print the same"
    PRINTED_BY_BOTH = "close or beginning"
    ONE_EXPRESSION = "two messages in one expression"
    AFTER_THE_LOOP = "last turn after the loop"
    PRINTED_AHEAD = "header printed ahead"
    JOINED_ANSWERS = "answers in one turn"


REASONS: Mapping[Reason, str] = {
    Reason.CONTROL_FLOW: "limit of the method: a literal that comes and goes with a message is printed outside the loop over "
    "the messages, or by the message beside it; trained by neither opinion",
    Reason.BRANCHES_AGREE: "limit of the method: a changed value sends the template into another branch, which prints the same "
    "characters from elsewhere (the role's name in the branch for all other roles, the tool's name from the result when "
    "the call is not found, white space and `</think>` by which the text is taken apart)",
    Reason.PRINTED_BY_BOTH: "limit of the method: the template prints the same characters at the end of a turn that nothing "
    "follows and at the beginning of the one that follows; trained by neither opinion, or printed after the loop where "
    "nothing follows",
    Reason.ONE_EXPRESSION: "limit of the method: one expression joins the texts of two messages, and the literal between them "
    "comes and goes with the later one; chapter 02 gives it to the earlier one",
    Reason.AFTER_THE_LOOP: "limit of the method: the last answer, or its end, is printed after the loop over the messages; it "
    "comes and goes with the answer, and by control flow (chapter 02) header and end are nobody's, unless a declared stop "
    "is among them (chapter 03)",
    Reason.PRINTED_AHEAD: "limit of the method: the message before looks ahead and prints the header of the answer; it comes and "
    "goes with the answer, and by control flow (chapter 02) it is the message's that prints it",
    Reason.JOINED_ANSWERS: "limit of the method: the template joins answers that follow each other into one turn; what stands "
    "between and after them comes and goes with either, and by control flow (chapter 02) it is that answer's which prints it",
}
"""What each reason means."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How a template is written, as far as reasons need it.

    `between` are the constants between two different operands of one `+` or
    `~`, `ahead` those printed where a later message has been looked at, and
    `after` says whether anything is printed after the last loop without a
    generation prompt being asked for.
    """

    between: frozenset[str]
    ahead: frozenset[str]
    after: bool

    def joins(self, text: str) -> bool:
        """Whether the text is visible and a part of a constant between two operands."""
        return bool(text.strip()) and any(text in constant for constant in self.between)

    def prints_ahead(self, text: str) -> bool:
        """Whether the text is a part of a constant that is printed with an eye on a later message, or made of several."""
        if any(text in constant for constant in self.ahead):
            return True
        first, others = (_any_of(found) for found in ({*self.ahead, *map(str.lstrip, self.ahead)} - {""}, self.ahead))
        return re.fullmatch(f"{first}{others}*", text) is not None


def _any_of(texts: Collection[str]) -> str:
    """A pattern for any of the texts, the longest first."""
    return f"(?:{'|'.join(map(re.escape, sorted(texts, key=len, reverse=True))) or '(?!)'})"


@lru_cache(maxsize=1024)
def writing(source: str) -> Writing:
    """Read a template."""
    tree = environment().parse(source)
    return Writing(frozenset(_between(tree)), frozenset(_ahead(tree)), _after(tree))


def _operands(node: nodes.Node) -> list[nodes.Node]:
    """The operands of a chain of `+`, or of one `~`."""
    if isinstance(node, nodes.Concat):
        return list(node.nodes)
    if isinstance(node, nodes.Add):
        return [*_operands(node.left), node.right]
    return [node]


def _between(tree: nodes.Template) -> Iterator[str]:
    for chain in tree.find_all((nodes.Add, nodes.Concat)):
        operands = _operands(chain)
        for place, operand in enumerate(operands[1:-1], 1):
            if isinstance(operand, nodes.Const) and isinstance(operand.value, str):
                before = [each for each in operands[:place] if not isinstance(each, nodes.Const)]
                behind = [each for each in operands[place + 1 :] if not isinstance(each, nodes.Const)]
                if before and behind and _held_by(before[-1]) != _held_by(behind[0]):
                    yield operand.value


def _held_by(operand: nodes.Node) -> nodes.Node:
    """What an operand is read from: `message` for `message.role` and `message['content']`."""
    while isinstance(operand, nodes.Filter | nodes.Getattr) or (
        isinstance(operand, nodes.Getitem)
        and isinstance(operand.arg, nodes.Const)
        and isinstance(operand.arg.value, str)
    ):
        if operand.node is None:
            break
        operand = operand.node
    return operand


def _looks_ahead(node: nodes.Node, names: set[str]) -> bool:
    """Whether an expression reads the element after the current one, or a name that holds what was read there."""
    for each in _with_itself(node):
        if isinstance(each, nodes.Name) and each.name in names:
            return True
        if isinstance(each, nodes.Getattr) and each.attr == "nextitem":
            return True
        if isinstance(each, nodes.Getitem) and isinstance(each.arg, nodes.Add) and each.arg.right == nodes.Const(1):
            return True
    return False


def _ahead(tree: nodes.Template) -> Iterator[str]:
    names: set[str] = set()
    assignments = [each for each in tree.find_all(nodes.Assign) if isinstance(each.target, nodes.Name)]
    while True:
        found = {each.target.name for each in assignments if _looks_ahead(each.node, names)}  # type: ignore[attr-defined]
        if found <= names:
            break
        names |= found
    for choice in tree.find_all(nodes.If):
        if _looks_ahead(choice.test, names):
            for part in (*choice.body, *choice.elif_, *choice.else_):
                yield from _printed(part)


def _printed(node: nodes.Node) -> Iterator[str]:
    """The constant texts that a statement prints."""
    for output in _with_itself(node):
        if isinstance(output, nodes.Output):
            for each in output.find_all((nodes.Const, nodes.TemplateData)):
                text = each.data if isinstance(each, nodes.TemplateData) else each.value  # type: ignore[attr-defined]
                if isinstance(text, str) and text:
                    yield text


def _after(tree: nodes.Template) -> bool:
    """Whether something is printed after the last loop of the template over a name, asked for a prompt or not."""
    loops = [place for place, each in enumerate(tree.body) if isinstance(each, nodes.For)]
    return any(_unasked(each) for each in tree.body[loops[-1] + 1 :]) if loops else False


def _unasked(node: nodes.Node) -> bool:
    if isinstance(node, nodes.If):
        branches = (*node.elif_, *node.else_)
        asked = isinstance(node.test, nodes.Name) and node.test.name == "add_generation_prompt"
        return any(map(_unasked, branches if asked else (*node.body, *branches)))
    printed = (part for each in _with_itself(node) if isinstance(each, nodes.Output) for part in each.nodes)
    return any(not isinstance(part, nodes.TemplateData) or part.data.strip() for part in printed)


def _with_itself(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    yield from node.find_all(nodes.Node)


def nearest(sources: list[int | None], start: int, end: int) -> tuple[int | None, int | None]:
    """The messages of the last source character before a place and of the first one behind another."""
    before = next((each for each in reversed(sources[:start]) if each is not None), None)
    return before, next((each for each in sources[end:] if each is not None), None)


def printed_together(text: str, sources: list[int | None], first: int, second: int) -> bool:
    """Whether nothing but white space stands between the source characters of two messages, or the second has none."""
    known = [(at, each) for at, each in enumerate(sources) if each in (first, second)]
    return second not in sources or any(
        (left[1], right[1]) == (first, second) and not text[left[0] + 1 : right[0]].strip()
        for left, right in pairwise(known)
    )
