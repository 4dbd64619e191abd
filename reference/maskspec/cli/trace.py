"""`maskspec trace`: one conversation, every token, and the reason for each label."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskspec.errors import UsageError

if TYPE_CHECKING:
    from maskspec.conversation import Conversation
    from maskspec.policy import Policy

__all__ = ["command"]


@click.command("trace")
@click.argument("conversation", type=click.Path(allow_dash=True))
@click.option("--pair", metavar="NAME", help="A template with its tokenizer, from `maskspec corpus list`.")
@click.option("--template", metavar="NAME", help="A file, a folder with a tokenizer, a corpus name or a hub id.")
@click.option("--tokenizer", metavar="NAME", help="A folder, a corpus name or a hub id (default: beside the template).")
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE", help="Train this role (default: assistant); repeatable."
)
@click.option("--policy", "preset", metavar="PRESET", help="A named policy.")
@click.option(
    "--tools",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Tool schemas as JSON.",
)
@click.option("--kwargs", metavar="JSON", help="""Template variables, such as '{"enable_thinking": false}'.""")
@click.option("--stop-token", "stops", multiple=True, metavar="TOKEN", help="A token that ends a turn; repeatable.")
@click.option(
    "--index", type=click.IntRange(min=0), default=0, show_default=True, help="Which conversation of the file."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of a table.")
@click.option("--width", type=click.IntRange(min=60), help="Columns to use (default: those of the terminal).")
@click.option("--no-color", is_flag=True, help="No colours.")
def command(
    conversation: str,
    pair: str | None,
    template: str | None,
    tokenizer: str | None,
    roles: Sequence[str],
    preset: str | None,
    tools: Path | None,
    kwargs: str | None,
    stops: Sequence[str],
    index: int,
    as_json: bool,
    width: int | None,
    no_color: bool,
) -> None:
    """Show which tokens of CONVERSATION carry loss, and why.

    CONVERSATION is a file of OpenAI messages or ShareGPT turns, JSON or JSON Lines, or - for standard input.
    """
    from maskspec.cli.display import show_mask
    from maskspec.cli.pairs import find_target
    from maskspec.masker import mask

    policy = _policy(preset, roles)
    variables = _variables(kwargs)
    target = find_target(pair=pair, template=template, tokenizer=tokenizer, stops=stops)
    subject = _read(conversation, index, tools)
    result = mask(
        subject,
        template=target.template,
        tokenizer=target.tokenizer,
        policy=policy,
        template_kwargs={**target.template_kwargs, **variables},
        allow_empty=True,
    )
    if as_json:
        click.echo(json.dumps(_as_json(result, target.name), ensure_ascii=False, indent=2))
        return
    show_mask(result, subject, title=target.name, width=width, no_color=no_color)


def _policy(preset: str | None, roles: Sequence[str]) -> Policy:
    from dataclasses import replace

    from maskspec.policy import Policy

    policy = Policy.preset(preset) if preset is not None else Policy()
    return replace(policy, roles=frozenset(roles)) if roles else policy


def _variables(kwargs: str | None) -> Mapping[str, Any]:
    if kwargs is None:
        return {}
    try:
        variables = json.loads(kwargs)
    except json.JSONDecodeError as error:
        raise UsageError(f"--kwargs is not valid JSON: {error}") from None
    if not isinstance(variables, dict):
        raise UsageError("--kwargs must be a JSON object, such as '{\"enable_thinking\": false}'")
    return variables


def _read(path: str, index: int, tools: Path | None) -> Conversation:
    from maskspec.conversation import Conversation
    from maskspec.inputs import read_conversations

    found = next(islice(read_conversations(path), index, None), None)
    if found is None:
        raise UsageError(f"{path} holds no conversation with index {index}; they count from 0")
    if tools is None:
        return found
    try:
        schemas = json.loads(tools.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{tools} is not valid JSON: {error}") from None
    return Conversation.from_messages(found.messages, tools=schemas)


def _as_json(result: Any, pair: str) -> dict[str, Any]:
    return {
        "pair": pair,
        "text": result.text,
        "input_ids": list(result.input_ids),
        "labels": list(result.labels),
        "tokens": [
            {
                "index": token.index,
                "id": token.id,
                "text": token.text,
                "start": token.start,
                "end": token.end,
                "zone": token.zone.name,
                "message": token.message,
                "verdict": token.verdict.name,
                "reason": token.reason,
            }
            for token in result.tokens
        ],
        "hazards": [
            {"kind": hazard.kind.name, "message": hazard.message, "token": hazard.token, "detail": hazard.detail}
            for hazard in result.hazards
        ],
    }
