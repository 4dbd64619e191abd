"""`maskspec report`: show a saved run again in another form, or several runs beside each other."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskspec.errors import UsageError

if TYPE_CHECKING:
    from maskspec.conformance.report import Report

__all__ = ["command"]

_SUFFIXES = {
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".jsonl": "jsonl",
    ".xml": "junit",
    ".html": "html",
    ".htm": "html",
}


@click.command("report")
@click.argument("runs", metavar="RUN.jsonl|DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "html", "junit", "jsonl"]),
    help="Default: what the suffix of --output says, else text. Several runs: text, markdown or html.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: standard output."
)
@click.option(
    "--advice",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE.md|DIR",
    help="What users of a masker can do: Markdown that begins with `## <masker> <version>`, or a folder of such files.",
)
@click.option(
    "--known-failures",
    "known",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE.toml|DIR",
    help="Accept failures by this file, not as the run did; with several runs each entry needs its `versions`.",
)
@click.option(
    "--training",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also show the plots of a training check, from what `maskspec train-check --output DIR` wrote (HTML only).",
)
@click.option("--allow-incomplete", is_flag=True, help="Show what is there of a run that was cut off, and say so.")
def command(
    runs: Sequence[Path],
    format_: str | None,
    output: Path | None,
    advice: Sequence[Path],
    known: Sequence[Path],
    training: Path | None,
    allow_incomplete: bool,
) -> None:
    """Show a saved run, or several beside each other: the report.jsonl that `maskspec check --output DIR` wrote.

    Several runs, or one with --advice, become one report: masker by rule by template, with versions,
    findings and what to do. A masker and version has one column. A folder stands for every report.jsonl
    below it, and after --known-failures for every known*.toml.

    The exit code is 0 whatever the runs found, and 2 where a file is no complete saved run.
    """
    from maskspec.conformance.reports import read_jsonl, write_whole

    wanted = format_ or _SUFFIXES.get("" if output is None else output.suffix.lower())
    if wanted is None and output is not None:
        raise UsageError(f"{output} does not say which format; give --format, or a suffix such as .html or .md")
    wanted = wanted or "text"
    if training is not None and wanted != "html":
        raise UsageError("--training is for HTML; give --format html, or --output with the suffix .html")
    files = _inside(runs, "report.jsonl")
    combined = len(files) > 1 or bool(advice)
    if combined and training is not None:
        raise UsageError("--training belongs to one run; leave it out, or show that run alone and without --advice")
    found = [(str(path), read_jsonl(path, allow_incomplete=allow_incomplete)) for path in files]
    if known:
        accepted = _inside(known, "known*.toml")
        found = [(source, _accepted(report, accepted, alone=len(found) == 1)) for source, report in found]
    if combined:
        options = {"--known-failures": known, "--advice": advice, "--output": [output] if output else []}
        named = [word for option, values in options.items() for value in values for word in (option, str(value))]
        text = _combined(found, wanted, advice, shlex.join(["maskspec", "report", *map(str, runs), *named]))
    else:
        text = _single(found[0][1], wanted, training)
    if output is None:
        click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, text)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error


def _inside(paths: Sequence[Path], pattern: str) -> list[Path]:
    """The files, and in place of each folder those below it that have such a name."""
    found: list[Path] = []
    for path in paths:
        files = sorted(path.rglob(pattern)) if path.is_dir() else [path]
        if not files:
            raise UsageError(f"{path} holds no {pattern}; name the file itself, or another folder")
        found += files
    return found


def _accepted(report: Report, paths: Sequence[Path], *, alone: bool) -> Report:
    """The report with the failures accepted that the files accept; a masker that none of them is for stays as it is."""
    from maskspec.conformance.acceptance import accepted_anew, entries_for, idle_entries
    from maskspec.conformance.comparison import masker_name
    from maskspec.conformance.known import KnownFailures

    name = masker_name(report)
    known = entries_for([KnownFailures.read(path) for path in paths], name, alone=alone)
    if known is None:
        return report
    for entry in idle_entries(report, known):
        click.echo(f"{name}: the run shows nothing that {entry.identifier} accepts", err=True)
    return accepted_anew(report, known)


def _single(report: Report, wanted: str, training: Path | None) -> str:
    from maskspec.conformance.reports import FORMATS, as_html

    if training is None:
        _, write = FORMATS[wanted]
        return write(report)
    from maskspec.training.embedding import read_figures

    return as_html(report, figures=read_figures(training))


def _combined(found: Sequence[tuple[str, Report]], wanted: str, paths: Sequence[Path], command: str) -> str:
    from maskspec.conformance.advice import read_advice
    from maskspec.conformance.comparison import Comparison
    from maskspec.conformance.reports.combined import COMBINED_FORMATS

    if wanted not in COMBINED_FORMATS:
        raise UsageError(
            f"several runs become one report as {', '.join(COMBINED_FORMATS)}, not as {wanted}, which is a form of one "
            "run; call the command once for each run"
        )
    comparison = Comparison.of(found, advice=read_advice(paths), command=command)
    for advice in comparison.unused:
        click.echo(f"{advice.source}: no run of {advice.masker} was given, so its advice is left out", err=True)
    for column in comparison.columns:
        if paths and column.advice is None:
            click.echo(f"no advice for {column.name}", err=True)
    return COMBINED_FORMATS[wanted](comparison)
