"""A survey made by hand, for what writes reports: two templates, three kinds, one of them on both."""

from __future__ import annotations

from maskspec.conformance.cases import Case
from maskspec.findings import Excerpt, Finding, FindingKind, Observation, Survey, TemplateFindings

QUESTION = {"role": "user", "content": "Q"}
ANSWER = {"role": "assistant", "content": "A"}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}

REWRITTEN = Finding(
    Observation(
        FindingKind.HISTORY_LAST_TURN,
        "the first 2 of 3 messages are rendered otherwise: template text inside an earlier turn is another",
        beginning=2,
        excerpts=(
            Excerpt("the beginning alone", "…<|user|>Q", "<|last|>A", ""),
            Excerpt("the whole", "…<|user|>Q", "A<|user|>P", "…"),
        ),
    ),
    Case(messages=(QUESTION, ANSWER, {"role": "user", "content": "P"})),
    conversations=34,
)
BLANK = Finding(
    Observation(
        FindingKind.BLANK_AFTER_STOP,
        "the template prints '\\n' behind the stop of message 1",
        "\n",
        message=1,
        excerpts=(Excerpt("rendering", "…A<|end|>", "\n", ""),),
    ),
    Case(messages=(QUESTION, ANSWER)),
    conversations=1,
)
TOOLS = Finding(
    Observation(FindingKind.TOOLS_DROPPED, "tool schemas are given, and nothing of them is printed"),
    Case(messages=(QUESTION, ANSWER), tools=(TOOL,), template_kwargs={"enable_thinking": False}),
    conversations=7,
)

KINDS = (
    FindingKind.HISTORY_LAST_TURN,
    FindingKind.STOP_MISSING,
    FindingKind.BLANK_AFTER_STOP,
    FindingKind.TOOLS_DROPPED,
)


def template(name: str, *findings: Finding, asked: int = 85, refused: int = 3) -> TemplateFindings:
    return TemplateFindings(name, "shop 1.0", "0" * 64, asked, refused, findings)


def survey(
    *templates: TemplateFindings, kinds: tuple[FindingKind, ...] = KINDS, missing: tuple[str, ...] = ()
) -> Survey:
    return Survey(templates, 20, 0, {"maskspec": "0.1.0", "jinja2": "3.1.6"}, kinds, missing)


def two() -> Survey:
    return survey(template("shop:first", REWRITTEN, BLANK), template("shop:second", BLANK, TOOLS, refused=0))


def large(count: int, each: int) -> Survey:
    """Many templates with many findings, no two conversations alike."""
    findings = [
        Finding(
            Observation(
                KINDS[number % 4], f"finding {number}", f"<|variant{number}|>", excerpts=BLANK.observation.excerpts
            ),
            Case(messages=({"role": "user", "content": f"Question {number}"}, ANSWER)),
        )
        for number in range(each)
    ]
    return survey(*(template(f"shop:template-{number:03}", *findings) for number in range(count)))
