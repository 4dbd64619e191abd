"""How much is asked: the profiles, and the settings of a run that every one of its parts needs."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata

from maskspec.conformance.timelimit import TIME_LIMIT, TimeLimit
from maskspec.errors import UsageError
from maskspec.rules import Rule, select_rules

__all__ = ["PROFILES", "Plan", "today", "versions"]

PROFILES: Mapping[str, int] = {"quick": 20, "default": 100, "deep": 2000}
"""How many conversations are generated for each pair, besides the fixed shapes."""

_DECISIVE = ("maskspec", "transformers", "tokenizers", "jinja2", "hypothesis", "sentencepiece", "tiktoken")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked on every pair; the same plan gives the same result on the same versions.

    `masker_path` is how the masker can be loaded again (`module:object`), empty where it cannot.
    """

    rules: tuple[Rule, ...]
    profile: str
    seed: int
    time_limit: float = TIME_LIMIT
    masker_path: str = ""

    @classmethod
    def make(
        cls,
        *,
        rules: Iterable[str | Rule] | None,
        profile: str,
        seed: int,
        time_limit: float = TIME_LIMIT,
        masker_path: str = "",
    ) -> Plan:
        """The plan for rules by id, by family or as they are (None: all that have a check).

        Raises:
            UsageError: an unknown profile or rule, a seed that is no int, or a time limit that is none.
        """
        if profile not in PROFILES:
            raise UsageError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise UsageError(f"the seed must be a whole number, not {seed!r}")
        limit = TimeLimit(time_limit).seconds
        names = None if rules is None else [item.id if isinstance(item, Rule) else item for item in rules]
        return cls(select_rules(names), profile, seed, limit, masker_path)

    @property
    def examples(self) -> int:
        """How many conversations are generated for each pair."""
        return PROFILES[self.profile]


def today() -> str:
    """The day in UTC, `2026-11-23`: runs on peers tell when they were made, since peers change."""
    return datetime.now(UTC).date().isoformat()


def versions() -> dict[str, str]:
    """Versions of what decides about ids, texts and conversations, as far as it is installed."""
    found = {"python": platform.python_version()}
    for name in _DECISIVE:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
