"""`maskspec train-check`: train a small model on the labels of a masker, and look at what it learns."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskspec.errors import UsageError

if TYPE_CHECKING:
    from maskspec.training import Subject, TrainingReport

__all__ = ["command"]


@click.command("train-check")
@click.argument("masker", default="reference")
@click.option("--pair", "pairs", multiple=True, metavar="NAME", help="A template with its tokenizer; repeatable.")
@click.option("--template", metavar="NAME", help="A file, a folder with a tokenizer, a corpus name or a hub id.")
@click.option("--tokenizer", metavar="NAME", help="A folder, a corpus name or a hub id (default: beside the template).")
@click.option("--stop-token", "stops", multiple=True, metavar="TOKEN", help="A token that ends a turn; repeatable.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "bfloat16"]), help="Default: float32 on cpu, bfloat16 on cuda.")
@click.option(
    "--size",
    type=click.Choice(["small", "large"]),
    default="small",
    show_default=True,
    help="A model of 0.2 million parameters, or one of 135 million besides its embeddings and rows of 2048 tokens.",
)
@click.option("--architecture", type=click.Choice(["llama", "qwen2", "qwen3"]), default="llama", show_default=True)
@click.option(
    "--trainer",
    "trainers",
    multiple=True,
    type=click.Choice(["loop", "transformers", "trl"]),
    help="Who trains; repeatable. Default: a plain loop, and the trainers of transformers and trl where installed.",
)
@click.option("--compile/--no-compile", "compiled", default=None, help="Time torch.compile too (default: on cuda).")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of weights and conversations.")
@click.option("--no-mutants", is_flag=True, help="Leave TRAIN-4 out: the check then does not show that it can fail.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the report as text, Markdown and JSON, and a plot of each pair as SVG and PNG.",
)
@click.option("--format", "format_", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option("--no-color", is_flag=True, help="No progress bar.")
def command(
    masker: str,
    pairs: Sequence[str],
    template: str | None,
    tokenizer: str | None,
    stops: Sequence[str],
    device: str,
    dtype: str | None,
    size: str,
    architecture: str,
    trainers: Sequence[str],
    compiled: bool | None,
    seed: int,
    no_mutants: bool,
    output: Path | None,
    format_: str,
    no_color: bool,
) -> None:
    """Train a model on the labels of MASKER, and check that it learns to answer and to stop, and nothing else.

    MASKER is `reference` (the default), `transformers`, or an own one as package.module:object. Rules TRAIN-1 to
    TRAIN-3 are about its labels; TRAIN-4 shows, on the reference's, that the check notices broken ones.

    Exit codes: 0 every rule is kept, 1 one is broken, 2 wrong use, 3 the check itself is not sound here.
    """
    from maskspec.training.problems import require_libraries

    if output is not None:
        require_libraries("matplotlib")
    require_libraries("torch", "transformers")
    subjects = _subjects(masker, pairs, template, tokenizer, stops)

    from maskspec.training import check_training

    with _showing(no_color=no_color) as progress:
        report = check_training(
            subjects,
            device=device,
            dtype=dtype,
            size=size,
            architecture=architecture,
            trainers=trainers or None,
            compiled=compiled,
            seed=seed,
            mutants=not no_mutants,
            command=shlex.join(["maskspec", *sys.argv[1:]]) if "train-check" in sys.argv else "",
            progress=progress,
        )
    _write(report, output, format_)
    sys.exit(report.exit_code)


def _subjects(
    masker: str, pairs: Sequence[str], template: str | None, tokenizer: str | None, stops: Sequence[str]
) -> list[Subject]:
    from maskspec.adapters import load_masker
    from maskspec.cli.pairs import find_target
    from maskspec.conformance.loading import require_masker
    from maskspec.training import Subject

    # As for `maskspec check`: an installed command does not have the working folder on its path.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    loaded = load_masker(masker)
    require_masker(loaded)
    if pairs and (template is not None or tokenizer is not None):
        raise UsageError("--pair names template and tokenizer already; leave out --template and --tokenizer")
    targets = [find_target(pair=name, template=None, tokenizer=None, stops=stops) for name in pairs] or [
        find_target(pair=None, template=template, tokenizer=tokenizer, stops=stops)
    ]
    return [Subject(loaded, each.name, each.template, each.tokenizer, each.template_kwargs) for each in targets]


def _write(report: TrainingReport, output: Path | None, format_: str) -> None:
    from maskspec.training.writers import FORMATS, WIDTH, as_text, write_training_report

    if output is not None:
        try:
            write_training_report(report, output)
        except OSError as error:
            raise UsageError(f"{output} cannot be written: {error.strerror or error}") from error
    if format_ == "text" and sys.stdout.isatty():
        width = min(max(shutil.get_terminal_size().columns, 80), 120)
        click.echo(as_text(report, width=width), nl=False)
    elif format_ == "text":
        click.echo(as_text(report, width=WIDTH), nl=False)
    else:
        click.echo(FORMATS[format_][1](report), nl=False)


@contextmanager
def _showing(*, no_color: bool) -> Iterator[Callable[[str, str, float], None]]:
    """Yields what is to be told the progress: a bar on a terminal, elsewhere a line for each part of the work."""
    if sys.stderr.isatty() and not no_color and not os.environ.get("NO_COLOR"):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=1.0)

            def update(pair: str, doing: str, share: float) -> None:
                bar.update(task, completed=share, description=f"{pair}  {doing}")

            yield update
        return
    last = ("", "")

    def line(pair: str, doing: str, share: float) -> None:
        nonlocal last
        if (pair, doing) != last:
            last = (pair, doing)
            click.echo(f"{100 * share:3.0f} %  {pair}: {doing}", err=True)

    yield line
