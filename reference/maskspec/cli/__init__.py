"""The command `maskspec`: check a masker, trace one conversation, read the rules, see the corpora.

Each command lives in a module of its own and is imported when it is used; the
libraries behind them are imported later still, so that `maskspec --help` is quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import click

from maskspec.errors import MaskspecError

__all__ = ["command", "main"]

_COMMANDS = ("check", "replay", "report", "trace", "train-check", "rules", "corpus")


class _Problem(click.ClickException):
    """An error of maskspec as one clear line on standard error."""

    exit_code = 2


class _Commands(click.Group):
    """A group that imports a command when it is named, and shows errors of maskspec without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click passes it)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (as above)
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"maskspec.cli.{cmd_name.replace('-', '_')}").command
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MaskspecError as error:
            raise _Problem(" ".join(str(error).split("\n"))) from error


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"maskspec {version('maskspec')}")
        except PackageNotFoundError:
            click.echo("maskspec (not installed, run from a checkout)")
        context.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version and exit."
)
def command() -> None:
    """Which tokens of a chat conversation carry loss: the specification, and a suite that checks maskers against it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, 1 (violations), 2 (wrong use) or 3 (adapter or harness failed)."""
    command.main(args=arguments, prog_name="maskspec")
