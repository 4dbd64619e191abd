"""A report as JUnit XML, which CI systems show as tests: one test case per rule and pair."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from maskspec.conformance.report import Failure, PairResult, Report
from maskspec.conformance.reports.text import WIDTH, failure_lines
from maskspec.conformance.reports.wording import State, exclusions, state_of
from maskspec.rules import Rule

__all__ = ["as_junit"]

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(report: Report) -> str:
    """The report as JUnit XML.

    One suite per pair, one case per rule in it. A known failure and a rule that could not be asked
    are skipped, with the reason; a note about a tokenizer passes and says what it noted. An
    adapter that failed is an error, a known failure that fails no longer is a failure.
    """
    suites = [_pair(report, pair) for pair in report.pairs]
    suites += [suite for suite in (_adapter(report), _stale(report), _unfinished(report)) if suite is not None]
    root = ElementTree.Element("testsuites", name=_legal(f"maskspec {report.masker}"))
    for suite in suites:
        cases = suite.findall("testcase")
        counts = {
            "tests": len(cases),
            **{
                name: sum(case.find(child) is not None for case in cases)
                for name, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
            },
        }
        suite.attrib.update({name: str(count) for name, count in counts.items()})
    root.attrib.update(
        {
            name: str(sum(int(suite.attrib[name]) for suite in suites))
            for name in ("tests", "failures", "errors", "skipped")
        }
    )
    root.set("time", f"{report.seconds:.3f}")
    root.extend(suites)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _pair(report: Report, pair: PairResult) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=_legal(pair.pair), time=f"{pair.seconds:.3f}")
    for rule in report.rules:
        case = ElementTree.SubElement(suite, "testcase", classname=_legal(f"{pair.pair}.{rule.family}"), name=rule.id)
        tally = pair.tallies.get(rule.id)
        state = state_of(tally, pair)
        shown = _shown(report, pair, rule)
        if state is State.FAILED:
            broken = [failure for failure in shown if failure.known is None]
            message = broken[0].explanation if broken else rule.sentence
            _child(case, "failure", message=message, kind=rule.id, text=_details(broken))
        elif state is State.KNOWN:
            reasons = dict.fromkeys(failure.known or "" for failure in shown)
            _child(case, "skipped", message=f"known failure: {'; '.join(reasons)}")
        elif state is State.NOTED:
            noted = "\n".join(dict.fromkeys(failure.explanation for failure in shown))
            _child(case, "system-out", text=f"about the tokenizer: {noted}")
        elif state is State.EXCLUDED:
            reasons_of = exclusions(tally, pair)
            _child(case, "skipped", message="; ".join(f"{reason} ({count})" for reason, count in reasons_of.items()))
        elif state is State.NOT_ASKED:
            _child(case, "skipped", message="not asked on this pair")
    return suite


def _shown(report: Report, pair: PairResult, rule: Rule) -> list[Failure]:
    """The pair's findings under one rule; where it kept none of its own, the folded ones that name it."""
    own = [failure for failure in pair.failures if failure.rule.id == rule.id]
    folded = (*report.failures, *report.notes)
    return own or [failure for failure in folded if failure.rule.id == rule.id and pair.pair in failure.pairs]


def _details(failures: list[Failure]) -> str:
    return "\n\n".join("\n".join(failure_lines(failure, width=WIDTH)) for failure in failures)


def _adapter(report: Report) -> ElementTree.Element | None:
    if not report.conflicts:
        return None
    suite = ElementTree.Element("testsuite", name="the adapter")
    for conflict in report.conflicts:
        case = ElementTree.SubElement(suite, "testcase", classname="adapter", name=_legal(conflict.pair or "run"))
        _child(case, "error", message=conflict.problem, kind="adapter", text=conflict.traceback)
    return suite


def _stale(report: Report) -> ElementTree.Element | None:
    if not report.stale:
        return None
    suite = ElementTree.Element("testsuite", name="known failures")
    for item in report.stale:
        case = ElementTree.SubElement(suite, "testcase", classname="known failures", name=_legal(item))
        message = "this known failure fails no longer and must be removed from the file"
        _child(case, "failure", message=message, kind="stale")
    return suite


def _unfinished(report: Report) -> ElementTree.Element | None:
    if not report.unfinished:
        return None
    suite = ElementTree.Element("testsuite", name="interrupted")
    for name in report.unfinished:
        case = ElementTree.SubElement(suite, "testcase", classname="interrupted", name=_legal(name))
        _child(case, "error", message="the run was interrupted before this pair", kind="interrupted")
    return suite


def _child(case: ElementTree.Element, tag: str, *, message: str = "", kind: str = "", text: str = "") -> None:
    child = ElementTree.SubElement(case, tag)
    if message:
        child.set("message", _legal(message))
    if kind:
        child.set("type", kind)
    if text:
        child.text = _legal(text)


def _legal(text: str) -> str:
    """The text with every character that XML 1.0 forbids (its production 2, Char) written as an escape."""
    return _FORBIDDEN.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)
