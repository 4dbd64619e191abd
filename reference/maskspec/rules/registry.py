"""Ties the catalogue of rules to the functions that check them, and picks rules by name."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import TYPE_CHECKING

from maskspec.errors import MaskspecError, UsageError
from maskspec.rules.catalogue import Rule, Status, load_rules
from maskspec.rules.violations import Finding, violation_type
from maskspec.suggestions import suggestion

if TYPE_CHECKING:
    from maskspec.rules.trial import Trial

__all__ = ["Check", "checked_rules", "is_asked", "load_check", "rule", "select_rules"]

Check = Callable[["Trial"], None]
"""Examines one trial; raises the rule's own violation type, or `Excluded`."""


def rule(identifier: str, *, every: int = 1) -> Callable[[Callable[[Trial], Finding | None]], Check]:
    """Turn a function that returns a finding into the check of a rule, which raises the rule's own violation.

    `every` is for checks that ask the masker again: they look at every so many generated
    conversations only. Fixed ones are looked at by every check.
    """

    def decorate(examine: Callable[[Trial], Finding | None]) -> Check:
        @wraps(examine)
        def check(trial: Trial) -> None:
            finding = examine(trial)
            if finding is not None:
                raise violation_type(identifier)(finding)

        check.rule = identifier  # type: ignore[attr-defined]  # read back by the test that ties checks to ids
        check.every = every  # type: ignore[attr-defined]  # read back by `is_asked`
        return check

    return decorate


@cache
def load_check(item: Rule) -> Check:
    """The function that checks a rule.

    Raises:
        MaskspecError: the suite has no check of the rule, or its path leads nowhere.
    """
    if item.check is None or item.status is not Status.CHECKED:
        raise MaskspecError(f"{item.id} {_elsewhere(item)}; it stands in spec/{item.location}")
    module, _, name = item.check.partition(":")
    try:
        check: Check = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise MaskspecError(
            f"the check of {item.id}, {item.check!r} in spec/rules.toml, was not found: {error}"
        ) from error
    return check


def is_asked(item: Rule, number: int, *, fixed: bool) -> bool:
    """Whether a rule looks at case `number` of a pair; costly rules take turns over the generated ones."""
    every: int = getattr(load_check(item), "every", 1)
    return fixed or every == 1 or (number + zlib.crc32(item.id.encode())) % every == 0


def checked_rules() -> tuple[Rule, ...]:
    """The rules that the suite has a check of, in the order of the specification."""
    return tuple(item for item in load_rules().values() if item.status is Status.CHECKED)


def _elsewhere(item: Rule) -> str:
    """Why the suite does not ask about a rule."""
    if item.status is Status.TRAINED:
        return "is checked on a model, by `maskspec train-check`"
    return "is specified but not yet checked"


def select_rules(names: Iterable[str] | None) -> tuple[Rule, ...]:
    """The checked rules with these ids or of these families (`STOP-1`, `ROLE`), all of them for None.

    Raises:
        UsageError: a name is neither, or names only rules that have no check yet.
    """
    if names is None:
        return checked_rules()
    known = set(load_rules()) | {item.family for item in load_rules().values()}
    wanted: set[str] = set()
    for name in names:
        upper = name.strip().upper()
        if upper not in known:
            hint = suggestion(upper, sorted(known), otherwise="`maskspec rules` lists them")
            raise UsageError(f"there is no rule or family {name!r}{hint}")
        found = {item.id for item in checked_rules() if upper in (item.id, item.family)}
        if not found:
            (first, *_) = (item for item in load_rules().values() if upper in (item.id, item.family))
            raise UsageError(f"{upper} {_elsewhere(first)}; `maskspec rules` shows which rules the suite checks")
        wanted |= found
    return tuple(item for item in checked_rules() if item.id in wanted)
