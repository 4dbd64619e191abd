"""`maskspec replay`: put a stored counterexample to a masker again, here and now."""

from __future__ import annotations

import json
import re
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskspec.errors import MaskspecError, UsageError

if TYPE_CHECKING:
    from maskspec.conformance.counterexamples import Counterexample
    from maskspec.conformance.replaying import Replay
    from maskspec.corpus import Pair

__all__ = ["command"]


@click.command("replay")
@click.argument("counterexample")
@click.option("--masker", metavar="MASKER", help="Another masker than the stored one, as `maskspec check` takes it.")
@click.option("--pair", "pair_name", metavar="NAME", help="Another pair than the stored one.")
@click.option("--template", metavar="NAME", help="Another template: a file, a folder, a corpus name or a hub id.")
@click.option("--tokenizer", metavar="NAME", help="Another tokenizer: a folder, a corpus name or a hub id.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--time-limit", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="For each call of the masker."
)
def command(
    counterexample: str,
    masker: str | None,
    pair_name: str | None,
    template: str | None,
    tokenizer: str | None,
    format_: str,
    time_limit: float | None,
) -> None:
    """Ask the masker about COUNTEREXAMPLE again and say whether it still fails.

    COUNTEREXAMPLE is an id (ms1.…), a JSON file as `check --output` writes it, or an entry of a file of known
    failures: known-failures.toml#open-1-trained-opening.

    Exit codes: 0 no longer fails, 1 fails, 2 wrong use or not to be asked here, 3 the adapter or the suite failed.
    """
    # `python -m` puts the working folder on the path, an installed command does not.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))

    from maskspec.adapters import load_masker
    from maskspec.conformance.decorator import make_masker
    from maskspec.conformance.replaying import replay
    from maskspec.conformance.timelimit import TIME_LIMIT, TimeLimit

    stored = _find(counterexample)
    reference = masker or stored.masker
    if not reference:
        raise UsageError("nothing leads to the masker from here; name it with --masker package.module:object")
    subject = make_masker(load_masker(reference))
    pair = _pair(stored, pair_name, template, tokenizer)
    try:
        result = replay(stored, subject, pair=pair, guard=TimeLimit(TIME_LIMIT if time_limit is None else time_limit))
    except MaskspecError:
        raise
    except Exception:  # noqa: BLE001  (whatever failed, the documented exit code says so)
        click.echo(traceback.format_exc(), err=True)
        click.echo("Error: the suite itself failed; the traceback above belongs into a bug report", err=True)
        sys.exit(3)
    policy = repr(subject.policy)
    click.echo(
        _as_json(result, reference, policy) if format_ == "json" else _as_text(result, reference, policy), nl=False
    )
    sys.exit(int(result.exit_code))


def _find(text: str) -> Counterexample:
    """The counterexample that an id, a file, or a file and an entry of it stand for."""
    from maskspec.conformance.counterexamples import PREFIX, Counterexample
    from maskspec.conformance.known import KnownFailures

    place, hash_, name = text.rpartition("#")
    if hash_ and place.endswith(".toml"):
        entries = KnownFailures.read(place).entries
        for entry in entries:
            if entry.identifier == name:
                return entry.counterexample
        raise UsageError(f"{place} has no entry {name!r}; it has {', '.join(item.identifier for item in entries)}")
    if text.endswith(".toml"):
        entries = KnownFailures.read(text).entries
        if len(entries) == 1:
            return entries[0].counterexample
        names = ", ".join(f"{text}#{item.identifier}" for item in entries) or "it has none"
        raise UsageError(f"{text} is a file of known failures; name one entry: {names}")
    if text.strip().startswith(PREFIX):
        return Counterexample.parse(text)
    if text.endswith(".json") or Path(text).is_file():
        return Counterexample.read(Path(text))
    raise UsageError(f"{text!r} is neither a counterexample id (they begin with {PREFIX!r}) nor a file")


def _pair(stored: Counterexample, name: str | None, template: str | None, tokenizer: str | None) -> Pair | None:
    """The pair that the options name, None for the stored one; what is not named is taken from the stored one."""
    from dataclasses import replace

    from maskspec.conformance import find_pair
    from maskspec.corpus import (
        Kind,
        Pair,
        embedded_templates,
        embedded_tokenizers,
        load_template,
        load_tokenizer,
    )

    if name is not None:
        if template is not None or tokenizer is not None:
            raise UsageError("--pair names template and tokenizer already; leave out --template and --tokenizer")
        return find_pair(name)
    if template is None and tokenizer is None:
        return None
    own_template = template in {item.name for item in embedded_templates()}
    own_tokenizer = tokenizer is not None and tokenizer.partition(":")[0] in {i.name for i in embedded_tokenizers()}
    if own_template and own_tokenizer:
        return find_pair(f"{template}+{tokenizer}")
    if template is None:
        before = find_pair(stored.pair)
        if own_tokenizer and before.kind is Kind.EMBEDDED:
            return find_pair(f"{before.template.name}+{tokenizer}")
        return replace(
            before, name=f"{before.template.name} + {tokenizer}", load=partial(load_tokenizer, str(tokenizer))
        )
    source = load_template(template)
    if tokenizer is None:
        return replace(find_pair(stored.pair), name=f"{source.name} + {stored.pair}", template=source)
    name = f"{source.name} + {tokenizer}"
    return Pair(name=name, template=source, kind=Kind.LOCAL, load=partial(load_tokenizer, tokenizer))


def _as_text(result: Replay, masker: str, policy: str) -> str:
    from maskspec.conformance.profiles import versions
    from maskspec.conformance.reports import failure_lines
    from maskspec.conformance.reports.plain import readable
    from maskspec.conformance.reports.wording import visible

    stored = result.counterexample
    rule = stored.rule
    if result.failure is not None:
        lines = failure_lines(result.failure)
        # The command that was just given.
        del lines[lines.index("  replay:") :]
    else:
        lines = [f"{rule.id} {rule.level.value}  {rule.title}", f"  {rule.sentence}  (spec/{rule.location})"]
        lines += [f"  on {result.pair}", "  conversation:"]
        lines += [f"    {visible(readable(dict(message)))}" for message in stored.case.messages]
        lines += [f"    {line}" for line in result.traceback.rstrip().splitlines()[-12:]]
    was, now = _options(stored.policy), _options(policy)
    for option in [name for name in {**was, **now} if _words(was.get(name)) != _words(now.get(name))]:
        lines.append(f"  the declared policy has changed: {option} was {was.get(option)}, is {now.get(option)}")
    lines.append("  " + ", ".join(f"{name} {version}" for name, version in versions().items()))
    return "\n".join([*lines, f"{masker}: {result.sentence}"]) + "\n"


def _as_json(result: Replay, masker: str, policy: str) -> str:
    from maskspec.conformance.profiles import versions
    from maskspec.conformance.reports.plain import plain

    record: dict[str, Any] = {
        "maskspec_replay": 1,
        "outcome": result.outcome.value,
        "exit_code": int(result.exit_code),
        "sentence": result.sentence,
        "masker": masker,
        "policy": policy,
        "pair": result.pair,
        "versions": versions(),
        "stored": result.counterexample.as_json(),
        "found": None if result.failure is None else result.failure.as_json(),
    }
    return json.dumps(plain(record), ensure_ascii=False, indent=2) + "\n"


def _options(policy: str) -> dict[str, str]:
    """The options of a policy's text, by name."""
    body = policy.partition("(")[2].removesuffix(")")
    return {name: value for part in re.split(r", (?=\w+=)", body) for name, _, value in [part.partition("=")]}


def _words(value: str | None) -> list[str]:
    """The words of an option; the order inside a set changes from process to process."""
    return sorted(re.findall(r"\w+", value or ""))
