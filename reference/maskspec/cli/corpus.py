"""`maskspec corpus`: the templates, tokenizers and pairs that are here, and the command for each that is not."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.group("corpus")
def command() -> None:
    """See the templates, tokenizers and pairs at hand."""


@command.command("list")
@click.argument("what", type=click.Choice(["pairs", "templates", "tokenizers"]), default="pairs")
@click.option("--missing", is_flag=True, help="Only what is not installed, with the command that installs it.")
def listing(what: str, missing: bool) -> None:
    """List the pairs, templates or tokenizers at hand."""
    from maskspec.corpus import embedded_templates, embedded_tokenizers, real_pairs

    real = real_pairs()
    if missing:
        for absent in real.missing:
            click.echo(f"{absent.name:<32} needs {', '.join(absent.packages)}: {absent.install}")
        if not real.missing:
            click.echo("nothing is missing")
        return
    if what == "templates":
        for template in embedded_templates():
            stops = " ".join(template.stops) or "none declared"
            tags = "generation tags" if template.has_generation_tags else ""
            click.echo(f"{template.name:<32} embedded   stops: {stops:<28} {tags}".rstrip())
        for pair in real.found:
            click.echo(f"{pair.name:<32} installed  {pair.template.origin}")
    elif what == "tokenizers":
        for tokenizer in embedded_tokenizers():
            click.echo(f"{tokenizer.name:<32} embedded   {tokenizer.description}")
        for pair in real.found:
            click.echo(f"{pair.name:<32} installed  {pair.licence}")
    else:
        _pairs()
    if real.missing:
        click.echo(
            f"{len(real.missing)} real pair(s) are not installed; see `maskspec corpus list --missing`", err=True
        )


def _pairs() -> None:
    from maskspec.conformance import default_pairs

    for pair in default_pairs()[0]:
        modes = [pair.kind.value]
        if pair.slow:
            modes.append("slow tokenizer")
        if pair.markers.value == "plain":
            modes.append("markers as plain text")
        click.echo(f"{pair.name:<48} {', '.join(modes)}")
