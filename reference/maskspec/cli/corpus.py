"""`maskspec corpus`: the templates, tokenizers and pairs that are here, and the command for each that is not.

Everything is listed where nothing optional is installed, too: no tokenizer is
loaded, and what could not be loaded is marked. `corpus lint` does load them, and
`corpus add` fetches what pip does not install.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from maskspec.cli.corpus_add import add
from maskspec.cli.corpus_lint import lint
from maskspec.cli.corpus_report import report

if TYPE_CHECKING:
    from maskspec.corpus import MissingPair, Pair

__all__ = ["command"]

_ABSENT = "not loadable here"


@click.group("corpus")
def command() -> None:
    """See the templates, tokenizers and pairs at hand, check them, and add more."""


command.add_command(add)
command.add_command(lint)
command.add_command(report)


@command.command("list")
@click.argument("what", type=click.Choice(["pairs", "templates", "tokenizers"]), default="pairs")
@click.option("--missing", is_flag=True, help="Only what is not installed, with the command that installs it.")
def listing(what: str, missing: bool) -> None:
    """List the pairs, templates or tokenizers at hand."""
    from maskspec.conformance import default_pairs
    from maskspec.corpus import SUITE, real_pairs

    usual = default_pairs()[0]
    everything = real_pairs(everything=True)
    pairs = (*usual, *(pair for pair in everything.found if pair.name not in {each.name for each in usual}))
    absent = everything.missing
    if missing:
        _show_missing(pairs, absent)
        return
    rows = {"pairs": _pairs, "templates": _templates, "tokenizers": _tokenizers}[what](pairs, absent)
    _show(list(rows))
    lacking = _lacking(pairs)
    if lacking:
        click.echo(f"{_ABSENT}: what needs {', '.join(lacking)}; install with: {SUITE}", err=True)
    if absent:
        click.echo(f"{len(absent)} real pair(s) are not installed; see `maskspec corpus list --missing`", err=True)


def _pairs(pairs: Sequence[Pair], absent: Sequence[MissingPair]) -> Iterator[tuple[str, str]]:
    from maskspec.corpus import in_default_run

    for pair in pairs:
        marks = [pair.kind.value]
        if pair.slow:
            marks.append("slow tokenizer")
        if pair.markers.value == "plain":
            marks.append("markers as plain text")
        if pair.lacking:
            marks.append(_ABSENT)
        if not in_default_run(pair.name):
            marks.append("only when named")
        yield pair.name, ", ".join(marks)
    for missing in absent:
        yield missing.name, f"missing, {missing.install}"


def _templates(pairs: Sequence[Pair], absent: Sequence[MissingPair]) -> Iterator[tuple[str, str]]:
    from maskspec.corpus import Kind, embedded_templates

    for template in embedded_templates():
        stops = " ".join(template.stops) or "none declared"
        yield template.name, f"embedded  stops: {stops}{', generation tags' if template.has_generation_tags else ''}"
    for pair in pairs:
        if pair.kind in (Kind.PACKAGE, Kind.ADDED):
            yield pair.name, f"package   {pair.template.origin}"
    for missing in absent:
        yield missing.name, f"missing   {missing.install}"


def _tokenizers(pairs: Sequence[Pair], absent: Sequence[MissingPair]) -> Iterator[tuple[str, str]]:
    from maskspec.corpus import Kind, embedded_tokenizers

    lacking = {pair.name.partition("+")[2]: pair.lacking for pair in pairs if pair.kind is Kind.EMBEDDED}
    for tokenizer in embedded_tokenizers():
        mark = f"{_ABSENT}: " if lacking[tokenizer.name] else ""
        yield tokenizer.name, f"embedded  {mark}{tokenizer.description}"
    for pair in pairs:
        # A pair with another template for the same vocabulary has a plus in its name.
        if pair.kind in (Kind.PACKAGE, Kind.ADDED) and "+" not in pair.name:
            yield pair.name, f"{pair.kind.value:<8}  {pair.licence}"
    for missing in absent:
        yield missing.name, f"missing   {missing.install}"


def _show_missing(pairs: Sequence[Pair], absent: Sequence[MissingPair]) -> None:
    """What is not installed, then the commands that install all of it."""
    from maskspec.corpus import SUITE, trl_templates
    from maskspec.errors import MissingPackageError

    rows: list[tuple[str, str]] = []
    commands: dict[str, None] = {}
    lacking = _lacking(pairs)
    if lacking:
        rows.append((f"{sum(bool(pair.lacking) for pair in pairs)} embedded pairs", f"need {', '.join(lacking)}"))
        commands[SUITE] = None
    for missing in absent:
        rows.append((missing.name, f"needs {', '.join(missing.packages)}"))
        commands.update(dict.fromkeys(missing.install.split(" && ")))
    try:
        trl_templates()
    except MissingPackageError as error:
        rows.append(("trl's training templates", "need trl"))
        commands[str(error).partition("install it with: ")[2]] = None
    if not rows:
        click.echo("nothing is missing")
        return
    _show(rows)
    click.echo("\nInstall with:")
    for each in commands:
        click.echo(f"  {each}")


def _lacking(pairs: Iterable[Pair]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for pair in pairs for name in pair.lacking))


def _show(rows: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, rest in rows:
        click.echo(f"{name:<{width}}  {rest}")
