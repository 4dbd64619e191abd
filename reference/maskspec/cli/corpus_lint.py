"""`maskspec corpus lint`: check pairs of template and vocabulary, the real ones and a user's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from maskspec.corpus.linting import Lint

__all__ = ["lint"]


@click.command("lint")
@click.argument("pairs", metavar="[PAIR]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per pair and line.")
@click.option("--quiet", is_flag=True, help="Only pairs with something wrong.")
@click.pass_context
def lint(context: click.Context, pairs: Sequence[str], as_json: bool, quiet: bool) -> None:
    """Check that each PAIR is what it says: markers, stops, template, texts, added tokens, one mask.

    A PAIR is a name that `maskspec corpus list` shows, a local folder as `save_pretrained` writes
    it, or a hub id. Without one, every real pair that is found here is checked. The exit code
    is 1 where something is wrong, 2 where a pair cannot be loaded at all.
    """
    from maskspec.conformance import find_pair
    from maskspec.corpus import real_pairs
    from maskspec.corpus.linting import lint_pair

    everything = real_pairs(everything=True)
    chosen = [find_pair(name) for name in pairs] if pairs else list(everything.found)
    results = []
    for pair in chosen:
        # Shown while it runs: the largest vocabularies take many seconds to load.
        if not as_json:
            click.echo(f"checking {pair.name}", err=True)
        results.append(lint_pair(pair))
    shown = [each for each in results if not (quiet and each.passed)]
    if as_json:
        for each in shown:
            click.echo(json.dumps(_document(each), ensure_ascii=False))
    else:
        _table(shown)
        wrong = sum(not each.passed for each in results)
        click.echo(f"{len(results)} pair(s) checked, {wrong} wrong")
        if not pairs and everything.missing:
            click.echo(f"{len(everything.missing)} are not here; see `maskspec corpus list --missing`")
    context.exit(int(any(not each.passed for each in results)))


def _document(result: Lint) -> dict[str, object]:
    checks = {each.check: {"outcome": each.outcome.name.lower(), "detail": each.detail} for each in result.checks}
    return {"pair": result.pair, "passed": result.passed, "checks": checks}


def _table(results: Sequence[Lint]) -> None:
    from maskspec.corpus.linting import CHECKS

    if not results:
        return
    width = max(len("pair"), *(len(each.pair) for each in results))
    click.echo("  ".join((f"{'pair':<{width}}", *CHECKS)).rstrip())
    for result in results:
        cells = (f"{each.outcome.value:<{len(each.check)}}" for each in result.checks)
        click.echo("  ".join((f"{result.pair:<{width}}", *cells)).rstrip())
    click.echo()
    for result in results:
        for each in result.checks:
            if each.detail:
                click.echo(f"{each.outcome.value} {result.pair}, {each.check}: {' '.join(each.detail.split())}")
