"""Writes the specification's appendix on historical bugs: `python -m tests.mutants.appendix`, a second's work.

The prose is written by hand, in `stories.md`, one section for each bug of the history.
Here it gets its links, the threads, the rules that catch the bug, and a token table of
what the mutant made of a conversation, from what the last run of the matrix kept.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from maskspec.conformance.cases import Case
from maskspec.conformance.report import Failure
from maskspec.rules import Row, checked_rules
from maskspec.rules.prose import parse_sections
from tests.mutants.catalogue import MUTANTS, NOT_REPRODUCED
from tests.mutants.history import HISTORY
from tests.mutants.markdown import cell, code, escaped
from tests.mutants.matrix import Outcome, Outcomes

__all__ = ["OWNERS", "PAGE", "STORIES", "Story", "appendix", "main", "stories"]

STORIES = Path(__file__).with_name("stories.md")
PAGE = Path(__file__).parents[2] / "spec" / "09-how-masks-go-wrong.md"

OWNERS: Mapping[str, str] = {
    "alpaca-lora": "tloen/alpaca-lora",
    "AReaL": "areal-project/AReaL",
    "axolotl": "axolotl-ai-cloud/axolotl",
    "FastChat": "lm-sys/FastChat",
    "LLaMA-Factory": "hiyouga/LlamaFactory",
    "mlx-lm": "ml-explore/mlx-lm",
    "ms-swift": "modelscope/ms-swift",
    "NeMo Automodel": "NVIDIA-NeMo/Automodel",
    "open-instruct": "allenai/open-instruct",
    "OpenRLHF": "OpenRLHF/OpenRLHF",
    "prime-rl": "PrimeIntellect-ai/prime-rl",
    "renderers": "PrimeIntellect-ai/renderers",
    "slime": "THUDM/slime",
    "tinker-cookbook": "thinking-machines-lab/tinker-cookbook",
    "torchtune": "meta-pytorch/torchtune",
    "transformers": "huggingface/transformers",
    "trl": "huggingface/trl",
    "unsloth": "unslothai/unsloth",
    "unsloth-zoo": "unslothai/unsloth-zoo",
    "VeOmni": "ByteDance-Seed/VeOmni",
    "verl": "verl-project/verl",
    "vllm": "vllm-project/vllm",
}
"""Where each repository of the history is kept on GitHub."""

_STORY = re.compile(r"(\d+)\. (.+)")
_REFERENCE = re.compile(
    r"`[^`]*`"  # code stays as it is
    r"|\{(?P<story>\d+) (?P<words>[^}]+)\}"
    r"|\b(?P<rule>[A-Z]+-\d)\b(?!\])"
    rf"|(?<![\w/-])(?P<thread>(?:{'|'.join(OWNERS)})#\d+)"
)

_CONTENTS = "The ways, and what catches them"
"""The heading below which the table of the chapters stands."""

_MADE = "<!-- Made by `python -m tests.mutants.appendix`; the prose is in tests/mutants/stories.md. Do not edit. -->"

_SPELLED = ("RENDER-1", "RENDER-2")
"""Rules about ids: their tables show tokens on both sides."""

_WIDTH = 120
_AROUND = 2
_LONG_RUN = 9
_EDGE = 3


@dataclass(frozen=True, slots=True)
class Story:
    """One historical bug as it is told: its number in the history, its title, and the text below it."""

    row: int
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class _Chapter:
    """A heading of the hand-written text, what stands below it, and the stories that follow."""

    heading: str
    depth: int
    text: str
    stories: tuple[Story, ...]


def _read() -> tuple[_Chapter, ...]:
    """The hand-written text, taken apart; raises ValueError for a story whose heading does not name its bug."""
    chapters: list[_Chapter] = []
    for section in parse_sections(STORIES.read_text(encoding="utf-8"), chapter=STORIES.name):
        text = section.text.partition("\n")[2].strip("\n")
        if section.depth < 3:
            chapters.append(_Chapter(section.heading, section.depth, text, ()))
            continue
        match = _STORY.fullmatch(section.heading)
        if match is None:
            raise ValueError(f"{STORIES.name}: the heading {section.heading!r} does not begin with the number of a bug")
        told = (*chapters[-1].stories, Story(int(match[1]), match[2], " ".join(text.split())))
        chapters[-1] = replace(chapters[-1], stories=told)
    return tuple(chapters)


def stories() -> Mapping[int, Story]:
    """The stories by the number of the bug in the history."""
    return {story.row: story for chapter in _read() for story in chapter.stories}


def appendix(outcomes: Outcomes) -> str:
    """The page."""
    return _Writer(_read(), stories(), {outcome.name: outcome for outcome in outcomes.mutants}).page()


@dataclass(frozen=True, slots=True)
class _Writer:
    """The hand-written text, its stories, and what the last run of the matrix found, by the mutants' names."""

    chapters: Sequence[_Chapter]
    stories: Mapping[int, Story]
    outcomes: Mapping[str, Outcome]

    def page(self) -> str:
        """The text in its order, each story with what belongs to it."""
        blocks = []
        for chapter in self.chapters:
            blocks.append(f"{'#' * chapter.depth} {chapter.heading}")
            if chapter.depth == 1:
                blocks.append(_MADE)
            blocks.append(self.linked(chapter.text))
            if chapter.heading == _CONTENTS:
                blocks.append("\n".join(self.contents()))
            for story in chapter.stories:
                blocks += self.story(story)
        return "\n\n".join(block for block in blocks if block) + "\n"

    def contents(self) -> Iterator[str]:
        """The chapters, how many bugs each tells of, and the families of rules that catch them."""
        yield "| way | bugs | caught by |"
        yield "|---|--:|---|"
        for chapter in self.chapters:
            if chapter.stories:
                found = {rule.partition("-")[0] for story in chapter.stories for rule in self.rules(story.row)}
                names = dict.fromkeys(rule.id.partition("-")[0] for rule in checked_rules())
                families = ", ".join(f"[{name}](06-rules.md#{name.lower()})" for name in names if name in found)
                yield f"| [{chapter.heading}](#{_slug(chapter.heading)}) | {len(chapter.stories)} | {families} |"

    def story(self, story: Story) -> Iterator[str]:
        """One bug: what there is to know at a glance, the text, and the tables."""
        threads = ", ".join(map(thread_link, HISTORY[story.row].threads))
        caught = ", ".join(map(rule_link, self.rules(story.row)))
        yield f"### {story.title}"
        yield f"{f'Reported in {threads}.' if threads else 'Met in many places.'} " + (
            f"Caught by {caught}." if caught else "No rule can see it."
        )
        yield self.linked(story.text.replace("To notice it,", "**To notice it**,"))
        for mutant in self.mutants(story.row):
            yield from self.shown(mutant)
        if story.row in NOT_REPRODUCED:
            yield f"*Not among the mutants.* {NOT_REPRODUCED[story.row]}"

    def mutants(self, row: int) -> list[Outcome]:
        """What reproduces a bug."""
        return [self.outcomes[name] for name, mutant in MUTANTS.items() if row in mutant.rows]

    def rules(self, row: int) -> list[str]:
        """The rules that are meant to catch a bug and do, in the order of the specification."""
        found = {rule for each in self.mutants(row) for rule in MUTANTS[each.name].expected if rule in each.fired}
        return [rule.id for rule in checked_rules() if rule.id in found]

    def shown(self, outcome: Outcome) -> Iterator[str]:
        """What a mutant makes of its conversation."""
        told = outcome.told or outcome.smallest
        if told is None:
            raise ValueError(f"nothing is known that catches {outcome.name}")
        template, _, tokenizer = told.pair.partition("+")
        format_ = f"`{template}` with the tokenizer `{tokenizer}`" if tokenizer else f"`{template}`"
        module = type(MUTANTS[outcome.name].masker()).__module__.replace(".", "/")
        yield f"*The mutant* `{outcome.name}` (`{module}.py`), on {format_}:"
        yield conversation(told.case)
        if told.rows:
            yield "\n".join(table(told))
        yield f"{rule_link(told.rule.id)}: {escaped(told.explanation)}."

    def linked(self, text: str) -> str:
        """The text with its links: `{7 this one}` is a story, `STOP-1` a rule, `trl#976` a thread."""

        def link(match: re.Match[str]) -> str:
            if match["story"]:
                return f"[{match['words']}](#{_slug(self.stories[int(match['story'])].title)})"
            if match["rule"]:
                return rule_link(match["rule"])
            return thread_link(match["thread"]) if match["thread"] else match[0]

        return "\n\n".join(wrapped(_REFERENCE.sub(link, block)) for block in text.split("\n\n"))


def _slug(heading: str) -> str:
    """The anchor of a heading that occurs once."""
    return parse_sections(f"# {heading}\n", chapter="")[0].anchor


def wrapped(block: str) -> str:
    """A paragraph, or the items of a list, in lines that are not too long."""
    items = re.split(r"\n(?=- )", block)
    return "\n".join(
        textwrap.fill(
            " ".join(item.split()),
            _WIDTH,
            subsequent_indent="  " if item.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for item in items
    )


def rule_link(rule: str) -> str:
    """A rule's id as a link to its section."""
    return f"[{rule}](06-rules.md#{rule.lower()})"


def thread_link(thread: str) -> str:
    """A thread as a link, or as it is where nobody knows the repository's owner."""
    repository, _, number = thread.partition("#")
    owner = OWNERS.get(repository)
    return f"[{thread}](https://github.com/{owner}/issues/{number})" if owner else thread


def conversation(case: Case) -> str:
    """The messages as a reader says them."""
    return "  \n".join(f"> {_message(message)}" for message in case.messages)


def _message(message: Mapping[str, object]) -> str:
    parts = [f"**{message['role']}**"]
    if message.get("reasoning_content"):
        parts.append(f"(thinks {code(str(message['reasoning_content']))})")
    calls = message.get("tool_calls")
    if isinstance(calls, Sequence):
        for call in calls:
            function = call["function"]
            arguments = ", ".join(f"{name}={value!r}" for name, value in function["arguments"].items())
            parts.append("calls " + code(f"{function['name']}({arguments})"))
    if message.get("content"):
        parts.append(code(str(message["content"])))
    flags = [f"`{key}: {str(message[key]).lower()}`" for key in ("train", "weight") if key in message]
    return " ".join(parts) + (f", flagged {' and '.join(flags)}" if flags else "")


def table(told: Failure) -> Iterator[str]:
    """The token table: the rows that are wrong, and what stands around them."""
    spelled = told.rule.id in _SPELLED
    yield f"| | token | zone | {'expected token' if spelled else 'expected'} | {'its token' if spelled else 'got'} |"
    yield "|---|---|---|---|---|"
    rows = [(row, is_wrong(row)) for row in told.rows]
    last = -1
    for position in shown([wrong for _, wrong in rows]):
        yield from _gap(rows[last + 1 : position])
        row, wrong = rows[position]
        token = cell(code(row.text)) if row.text else ""
        zone = row.zone.lower() if row.message is None else f"{row.zone.lower()} {row.message}"
        expected, got = (_spelling(each) if spelled else each.lower() for each in (row.expected, row.got))
        yield f"| {'✗' if wrong else ''} | {token} | {zone} | {expected} | {f'**{got}**' if wrong else got} |"
        last = position
    yield from _gap(rows[last + 1 :])


def _spelling(token: str) -> str:
    return cell(code(token)) if token else "nothing"


def _gap(rows: Sequence[tuple[Row, bool]]) -> Iterator[str]:
    """What stands for rows that are not shown."""
    if rows:
        wrong = any(flag for _, flag in rows)
        yield f"| {'✗' if wrong else ''} | … {len(rows)} more, {'as wrong' if wrong else 'right'} | | | |"


def is_wrong(row: Row) -> bool:
    """Whether a row contradicts what is expected, also where the rule that is shown looks elsewhere."""
    return row.wrong or (
        row.expected in ("TRAIN", "IGNORE") and row.got in ("TRAIN", "IGNORE") and row.expected != row.got
    )


def shown(wrong: Sequence[bool]) -> list[int]:
    """The positions to show: wrong rows and their neighbours; of a long wrong stretch, its two ends."""
    keep: set[int] = set()
    start = None
    for position, flag in enumerate((*wrong, False)):
        if flag and start is None:
            start = position
        elif not flag and start is not None:
            stretch = list(range(start, position))
            if len(stretch) > _LONG_RUN:
                stretch = stretch[:_EDGE] + stretch[-_EDGE:]
            around = range(start - _AROUND, position + _AROUND)
            keep |= {near for near in around if not start <= near < position and 0 <= near < len(wrong)} | set(stretch)
            start = None
    alone = {hidden for hidden in range(len(wrong)) if {hidden - 1, hidden + 1} <= keep | {-1, len(wrong)}}
    return sorted(keep | alone)


def main() -> None:
    """Write the page."""
    PAGE.write_text(appendix(Outcomes.read()), encoding="utf-8")


if __name__ == "__main__":
    main()
