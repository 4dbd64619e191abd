"""Where messages are printed: a system text inside the turn of a question."""

from __future__ import annotations

from collections.abc import Iterator

from maskspec.findings.kinds import FindingKind
from maskspec.findings.records import Observation, excerpt
from maskspec.findings.subject import Asked

__all__ = ["roles"]


def roles(asked: Asked) -> Iterator[Observation]:
    """Whether the text of a leading system message is printed inside another message's turn, and of which one."""
    if asked.role(0) != "system":
        return
    spans = [span for span in asked.sources if span.origin.message == 0 and span.origin.path[0] == "content"]
    hosts = [span.origin.quoted_in for span in spans]
    if not hosts or any(host is None or asked.role(host) != "user" for host in hosts):
        return
    questions = [index for index in range(len(asked.messages)) if asked.role(index) == "user"]
    host = hosts[0]
    where = "the only question" if len(questions) == 1 else "the first question" if host == questions[0] else ""
    where = where or ("the last question" if host == questions[-1] else "another question")
    piece = excerpt(asked.text, spans[0].start, spans[-1].end)
    detail = f"the system text is printed inside message {host}, {where}"
    yield Observation(FindingKind.SYSTEM_MERGED, detail, where, 0, excerpts=(piece,))
