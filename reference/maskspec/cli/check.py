"""`maskspec check`: run the suite on one masker and end with the documented exit code."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskspec.errors import MaskspecError

if TYPE_CHECKING:
    from maskspec.conformance import Progress, Report

__all__ = ["command"]

_EXTENSIONS = {"text": "txt", "markdown": "md", "jsonl": "jsonl"}
_QUIET_SECONDS = 10.0


@click.command("check")
@click.argument("masker")
@click.option(
    "--profile",
    type=click.Choice(["quick", "default", "deep"]),
    default="quick",
    show_default=True,
    help="Generated conversations for each pair: 20, 100 or 2000.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of the generated conversations; it repeats them on the same versions and code.",
)
@click.option("--rules", "rules", multiple=True, metavar="RULE", help="Only these rules or families (STOP-1, ROLE).")
@click.option("--pair", "pair_names", multiple=True, metavar="NAME", help="Only these pairs (chatml+bytelevel-gpt2).")
@click.option("--template", "templates", multiple=True, metavar="NAME", help="Only pairs with these templates.")
@click.option("--tokenizer", "tokenizers", multiple=True, metavar="NAME", help="Only pairs with these tokenizers.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the report in every format and each counterexample as JSON.",
)
@click.option("--format", "format_", type=click.Choice(list(_EXTENSIONS)), default="text", show_default=True)
@click.option("--no-color", is_flag=True, help="No colours, and no progress bar.")
def command(
    masker: str,
    profile: str,
    seed: int,
    rules: Sequence[str],
    pair_names: Sequence[str],
    templates: Sequence[str],
    tokenizers: Sequence[str],
    output: Path | None,
    format_: str,
    no_color: bool,
) -> None:
    """Check MASKER against the rules.

    MASKER is `reference`, `transformers`, or an own one as package.module:object.

    Exit codes: 0 conforms, 1 breaks a rule, 2 wrong use, 3 the adapter or the suite itself failed.
    """
    import traceback

    # Hypothesis would leave a folder `.hypothesis` wherever the command is run.
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(caches / "maskspec" / "hypothesis"))

    from maskspec.adapters import load_masker
    from maskspec.cli.pairs import select_pairs
    from maskspec.conformance import as_jsonl, as_markdown, as_text, check_masker, save_counterexamples

    # `python -m` puts the working folder on the path, an installed command does not.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    subject = load_masker(masker)
    pairs, missing = select_pairs(names=pair_names, templates=templates, tokenizers=tokenizers)
    try:
        with _progress(no_color=no_color) as progress:
            report = check_masker(
                subject,
                pairs=pairs,
                rules=rules or None,
                profile=profile,
                seed=seed,
                progress=progress,
                missing=missing,
            )
    except MaskspecError:
        raise
    except Exception:  # noqa: BLE001  (whatever failed, the documented exit code says so)
        click.echo(traceback.format_exc(), err=True)
        click.echo("Error: the suite itself failed; the traceback above belongs into a bug report", err=True)
        sys.exit(3)
    written = {
        "text": as_text(report, output=output, width=_columns()),
        "markdown": as_markdown(report),
        "jsonl": as_jsonl(report),
    }
    if output is not None:
        save_counterexamples(report, output)
        for kind, text in written.items():
            (output / f"report.{_EXTENSIONS[kind]}").write_text(text, encoding="utf-8")
    _show(written[format_], report, plain=format_ != "text" or no_color)
    sys.exit(int(report.exit_code))


def _columns() -> int:
    """The columns of the terminal within what reads well; fixed where there is no terminal."""
    from maskspec.conformance.writers import WIDTH

    return min(max(shutil.get_terminal_size().columns, 60), 120) if sys.stdout.isatty() else WIDTH


def _show(text: str, report: Report, *, plain: bool) -> None:
    if plain or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        click.echo(text, nl=False)
        return
    for line in text.splitlines():
        click.secho(line, **_style(line, report))


def _style(line: str, report: Report) -> dict[str, Any]:
    from maskspec.conformance.writers import MEANING

    names = {rule.id for rule in report.rules}
    broken = {failure.rule.id for failure in report.failures}
    name = line.strip().partition(" ")[0]
    if line.startswith(f"{report.masker}:"):
        return {"fg": "green" if int(report.exit_code) == 0 else "red", "bold": True}
    if line.partition(" ")[0] in names or line.startswith("ADAPTER"):
        return {"fg": "red", "bold": True}
    if line.lstrip().startswith("> ") or name in broken:
        return {"fg": "red"}
    if line in ("Rules", "Never asked", MEANING) or line.startswith(("Pairs: ", "Why rules were", "Not installed")):
        return {"bold": True}
    if line.endswith("(never asked)"):
        return {"dim": True}
    return {}


@contextmanager
def _progress(*, no_color: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; elsewhere a line on standard error from time to time."""
    if sys.stderr.isatty() and not no_color:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)

            def update(state: Progress) -> None:
                failures = f"{state.failures} kind(s) of failure" if state.failures else "no failure"
                bar.update(task, completed=state.done, total=state.total, description=f"{failures}  {state.pair}")

            yield update
        return
    last = time.monotonic()

    def line(state: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _QUIET_SECONDS or state.done in (0, state.total):
            last = now
            click.echo(f"{state.done}/{state.total} pairs, {state.failures} kind(s) of failure", err=True)

    yield line
