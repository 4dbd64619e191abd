"""Ties every rule to its prose: finds what has come apart and refreshes the hashes.

A rule stands in two places, as data in `spec/rules.toml` and as a section of a
chapter. `--check` lists every way in which the two disagree. A changed section
also counts, because its hash no longer matches: whoever changes the prose
looks at the check again and then says so with `--write`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from maskspec.data import data_path
from maskspec.errors import MaskspecError
from maskspec.rules.catalogue import Rule, load_rules
from maskspec.rules.prose import Section, chapters, prose_hash

__all__ = ["disagreements", "main", "refreshed", "stated_rule"]

_RULE_HEADING = re.compile(r"[A-Z]+-[1-9][0-9]*")
_STATEMENT = re.compile(r"\*(?P<level>[A-Z]+), (?P<status>[a-z]+)\. (?P<title>[^*]+)\*")
_TABLE_ID = re.compile(r'id = "(?P<id>[^"]*)"')
_TABLE_HASH = re.compile(r'prose_sha256 = "[^"]*"')


def stated_rule(section: Section) -> tuple[str, str, str, str] | None:
    """Return (level, status, title, sentence) as a rule's section states them, None where it does not.

    The section starts with a line such as `*MUST, checked. Canonical ids*`,
    followed by the sentence as a quotation.
    """
    paragraphs = [paragraph for paragraph in section.prose.split("\n\n") if paragraph.strip()]
    if len(paragraphs) < 2 or not (statement := _STATEMENT.fullmatch(paragraphs[0].strip())):
        return None
    lines = paragraphs[1].strip().splitlines()
    if not all(line.startswith(">") for line in lines):
        return None
    sentence = " ".join(line.removeprefix(">").strip() for line in lines)
    return statement["level"], statement["status"], statement["title"], sentence


def disagreements(
    rules: Mapping[str, Rule], sections: Mapping[str, Sequence[Section]], *, compare_hashes: bool = True
) -> Iterator[str]:
    """Yield one line for every way in which the catalogue and the prose disagree.

    `sections` holds the sections of each chapter by file name. An orphan is
    found in both directions: a rule without prose, prose without a rule.
    """
    for chapter, members in sections.items():
        for section in members:
            if _RULE_HEADING.fullmatch(section.heading) and section.heading not in rules:
                yield f"{chapter}, line {section.line}: {section.heading} has prose but no rule in the catalogue"
    for rule in rules.values():
        found = [section for section in sections.get(rule.chapter, ()) if section.anchor == rule.anchor]
        if not found:
            yield f"{rule.id}: no heading {rule.anchor!r} in {rule.chapter}"
            continue
        section = found[0]
        where = f"{rule.id} ({rule.chapter}, line {section.line})"
        if section.heading != rule.id:
            yield f"{where}: the heading is {section.heading!r}"
        stated = stated_rule(section)
        expected = (rule.level.value, rule.status.value, rule.title, rule.sentence)
        if stated is None:
            yield f"{where}: must begin with '*{rule.level}, {rule.status}. {rule.title}*' and quote the sentence"
            continue
        for name, here, there in zip(("level", "status", "title", "sentence"), stated, expected, strict=True):
            if here != there:
                yield f"{where}: the {name} is {here!r} in the prose and {there!r} in the catalogue"
        if compare_hashes and prose_hash(section) != rule.prose_sha256:
            yield (
                f"{where}: the prose has changed since it was last compared with the check; compare them again, "
                "then run: python -m maskspec.rules.traceability --write"
            )


def refreshed(catalogue: str, sections: Mapping[str, Sequence[Section]]) -> str:
    """Return the text of a catalogue with the hash of every rule's present prose, and nothing else changed."""
    hashes = {section.heading: prose_hash(section) for members in sections.values() for section in members}
    current = ""
    lines = []
    for line in catalogue.splitlines():
        if table := _TABLE_ID.fullmatch(line):
            current = table["id"]
        if _TABLE_HASH.fullmatch(line) and current in hashes:
            line = f'prose_sha256 = "{hashes[current]}"'
        lines.append(line)
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 where prose and catalogue agree, 1 where they do not, 2 for an unreadable file."""
    parser = argparse.ArgumentParser(prog="python -m maskspec.rules.traceability", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="list every disagreement; change nothing")
    action.add_argument("--write", action="store_true", help="refresh the hashes after comparing prose and checks")
    parser.add_argument("--catalogue", type=Path, default=None, help="another rules.toml than the one of this checkout")
    options = parser.parse_args(arguments)
    try:
        path = options.catalogue if options.catalogue is not None else data_path("spec", "rules.toml")
        found = list(disagreements(load_rules(path), chapters(), compare_hashes=not options.write))
        if options.write and not found:
            path.write_text(refreshed(path.read_text(encoding="utf-8"), chapters()), encoding="utf-8")
            load_rules.cache_clear()
    except (MaskspecError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for line in found:
        sys.stdout.write(f"{line}\n")
    if found:
        return 1
    sys.stdout.write(f"{len(load_rules(path))} rules agree with their prose\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
