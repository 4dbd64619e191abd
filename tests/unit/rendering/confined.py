"""Runs templates in a process of their own, because the ones it is given try to use up the machine.

A test process cannot survive a template that is not stopped. This one has a
limited address space, answers one JSON line per request, and is ended and
started anew by `Confinement` when it does not answer.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

MEMORY = 700 * 1024 * 1024
"""Bytes that one rendering may use beyond what the process has; a rendering of 16 million characters needs 500 MB."""

PATIENCE = 30.0
"""Seconds of wall time after which a rendering counts as endless."""

MESSAGES = [
    {"role": "user", "content": "Hi & <x> 'q' \"d\""},
    {"role": "assistant", "content": "Yo", "given": {"list": [1, 2.5], "deep": {"a": ["b"]}}},
]


@dataclass(frozen=True)
class Outcome:
    """What became of a template: the kind of error ("" for none), its message, and CPU seconds."""

    error: str
    message: str
    seconds: float


def attempt(template: str, *, traced: bool, limits: dict[str, Any]) -> Outcome:
    """Render a template and report."""
    from maskspec.conversation import Conversation
    from maskspec.rendering import ConversationRenderer, Limits

    started = time.process_time()
    try:
        renderer = ConversationRenderer(
            Conversation.coerce(MESSAGES),
            template=template,
            limits=Limits(**limits),
            special_tokens={"bos_token": "<s>"},
        )
        if traced:
            renderer.rendering()
        else:
            renderer.text()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return Outcome(type(error).__name__, str(error)[:300], time.process_time() - started)
    return Outcome("", "", time.process_time() - started)


def confine() -> None:
    """Limit the address space to what is used now and some more, where the platform can."""
    if sys.platform == "linux":
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))


class Confinement:
    """A confined process, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()

    def attempt(self, template: str, *, traced: bool = True, **limits: Any) -> Outcome:
        """Render a template there; an answer that does not come is the error "no answer"."""
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([template, traced, limits]) + "\n")
        self._process.stdin.flush()
        try:
            answer = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            answer = ""
        if not answer:
            self.close()
            return Outcome("no answer", f"the process died or was silent for {PATIENCE:g} seconds", PATIENCE)
        return Outcome(**json.loads(answer))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> None:
        answers: queue.Queue[str] = queue.Queue()
        self._answers = answers
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        assert self._process.stdout is not None
        threading.Thread(target=_forward, args=(self._process.stdout, answers), daemon=True).start()


def _forward(lines: TextIO, answers: queue.Queue[str]) -> None:
    try:
        for line in lines:
            answers.put(line)
    except ValueError:  # the pipe was closed under the reader
        pass
    answers.put("")


def main() -> None:
    """Answer requests until there are no more."""
    attempt("{{ messages }}", traced=True, limits={})
    for line in sys.stdin:
        template, traced, limits = json.loads(line)
        confine()
        outcome = attempt(template, traced=traced, limits=limits)
        print(json.dumps({"error": outcome.error, "message": outcome.message, "seconds": outcome.seconds}), flush=True)


if __name__ == "__main__":
    main()
