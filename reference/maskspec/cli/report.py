"""`maskspec report`: show a saved run again, in another form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from maskspec.errors import UsageError

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
@click.argument("runs", metavar="RUN.jsonl", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "html", "junit", "jsonl"]),
    help="Default: what the suffix of --output says, else text.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: standard output."
)
@click.option(
    "--training",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also show the plots of a training check, from what `maskspec train-check --output DIR` wrote (HTML only).",
)
@click.option("--allow-incomplete", is_flag=True, help="Show what is there of a run that was cut off, and say so.")
def command(
    runs: Sequence[Path], format_: str | None, output: Path | None, training: Path | None, allow_incomplete: bool
) -> None:
    """Show a saved run: the report.jsonl that `maskspec check --output DIR` wrote.

    The exit code is 0 whatever the run found, and 2 where the file is no complete saved run.
    """
    from maskspec.conformance.reports import FORMATS, as_html, read_jsonl, write_whole

    if len(runs) > 1:
        raise UsageError(f"one saved run at a time: {len(runs)} were given; call the command once for each")
    wanted = format_ or _SUFFIXES.get("" if output is None else output.suffix.lower())
    if wanted is None and output is not None:
        raise UsageError(f"{output} does not say which format; give --format, or a suffix such as .html or .md")
    report = read_jsonl(runs[0], allow_incomplete=allow_incomplete)
    if training is not None and wanted != "html":
        raise UsageError("--training is for HTML; give --format html, or --output with the suffix .html")
    if training is not None:
        from maskspec.training.embedding import read_figures

        text = as_html(report, figures=read_figures(training))
    else:
        _, write = FORMATS[wanted or "text"]
        text = write(report)
    if output is None:
        click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, text)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
