"""`maskspec rules`: the rules of the specification, all in a line each or one in full."""

from __future__ import annotations

import json

import click

from maskspec.errors import UsageError
from maskspec.suggestions import suggestion

__all__ = ["command"]

_MARKS = {"checked": "checked", "trained": "by train-check", "specified": "not yet checked"}


@click.command("rules")
@click.argument("rule", required=False)
@click.option("--family", help="Only the rules of one family (STOP).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(rule: str | None, family: str | None, as_json: bool) -> None:
    """List the rules, or show RULE in full."""
    from maskspec.rules.catalogue import load_rules

    rules = load_rules()
    if rule is not None:
        upper = rule.upper()
        if upper not in rules:
            hint = suggestion(upper, rules, otherwise="`maskspec rules` lists them")
            raise UsageError(f"there is no rule {rule!r}{hint}")
        chosen = [rules[upper]]
    else:
        chosen = [item for item in rules.values() if family is None or item.family == family.upper()]
        if not chosen:
            known = ", ".join(dict.fromkeys(item.family for item in rules.values()))
            raise UsageError(f"there is no family {family!r}; known are {known}")
    if as_json:
        records = [
            {
                "id": item.id,
                "level": item.level.value,
                "title": item.title,
                "sentence": item.sentence,
                "status": item.status.value,
                "where": f"spec/{item.location}",
                "check": item.check,
            }
            for item in chosen
        ]
        click.echo(json.dumps(records if rule is None else records[0], ensure_ascii=False, indent=2))
        return
    if rule is None:
        for item in chosen:
            mark = _MARKS[item.status.value]
            click.echo(f"{item.id:<10} {item.level.value:<7} {mark:<16} {item.title}")
        return
    item = chosen[0]
    click.echo(f"{item.id}  {item.level.value}  {item.title}\n\n{item.sentence}\n")
    click.echo(f"where:  spec/{item.location}")
    click.echo(f"check:  {item.check or 'specified, not yet checked'}")
