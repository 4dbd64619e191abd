"""Shows how far a long run is: a bar on a terminal, elsewhere a line from time to time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from maskspec.conformance import Progress

__all__ = ["showing_progress"]

_QUIET_SECONDS = 10.0


@contextmanager
def showing_progress(*, no_color: bool) -> Iterator[Callable[[Progress], None]]:
    """Yields what is to be told the progress; all output goes to standard error."""
    if sys.stderr.isatty() and not no_color:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)

            def update(state: Progress) -> None:
                doing = f"making them smaller, {state.pair}" if state.shrinking and state.pair else state.pair
                bar.update(task, completed=state.done, total=state.total, description=f"{_failures(state)}  {doing}")

            yield update
        return
    last = time.monotonic()
    first, shrinking = True, False

    def line(state: Progress) -> None:
        nonlocal last, first, shrinking
        now = time.monotonic()
        begins = state.shrinking and bool(state.pair) and not shrinking
        if first or begins or not state.pair or now - last >= _QUIET_SECONDS:
            last, first, shrinking = now, False, state.shrinking
            doing = ", making the conversations smaller" if state.shrinking and state.pair else ""
            click.echo(f"{state.done}/{state.total} pairs, {_failures(state)}{doing}", err=True)

    yield line


def _failures(state: Progress) -> str:
    return f"{state.failures} kind(s) of failure" if state.failures else "no failure"
