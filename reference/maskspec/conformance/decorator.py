"""`@conformance(masker)`: one test function of another project becomes one test per rule and pair.

Decorating only notes what is wanted. The pytest plugin (`maskspec.pytest_plugin`) asks
for the tests when it collects and hands each of them to the function as `check`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

from maskspec.conformance.counterexamples import masker_path
from maskspec.conformance.known import KnownFailures
from maskspec.conformance.pairs import default_pairs, find_pair, twin_name
from maskspec.conformance.profiles import PROFILES
from maskspec.conformance.protocol import Masker
from maskspec.conformance.timelimit import TIME_LIMIT, TimeLimit
from maskspec.corpus import Pair
from maskspec.errors import UsageError
from maskspec.rules import Rule, select_rules

__all__ = ["ARGUMENT", "ATTRIBUTE", "Place", "Suite", "conformance", "make_masker"]

ARGUMENT = "check"
"""The argument that a decorated test function takes."""

ATTRIBUTE = "__maskspec__"
"""Where a decorated function keeps its `Suite`; the plugin looks there."""

_Function = TypeVar("_Function", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Place:
    """A pair to ask on, and the one to ask instead where the masker cannot use it.

    `instead` has the same template with generation tags: it prints the same text, so it is
    worth asking only of maskers that need the tags.
    """

    pair: Pair
    instead: Pair | None = None


@dataclass(frozen=True, eq=False)
class Suite:
    """What one decorated function wants checked. Nothing is loaded before it is asked for.

    `source` is the masker, its class, or a function that makes it. `function`, `module`,
    `folder` and `namespace` say where the decorated function stands.
    """

    source: Any
    function: str
    module: str
    folder: Path
    namespace: Mapping[str, Any] = field(repr=False)
    wanted_pairs: tuple[Pair | str, ...] | None = None
    rules: tuple[Rule, ...] = ()
    profile: str | None = None
    seed: int | None = None
    known_path: Path | None = None
    seconds: float = TIME_LIMIT

    @cached_property
    def masker(self) -> Masker:
        """The masker itself, made once per process."""
        return make_masker(self.source)

    @cached_property
    def masker_path(self) -> str:
        """Where `maskspec replay` finds the masker, empty where nothing leads to it."""
        return masker_path(self.source, namespace=self.namespace, module=self.module)

    @cached_property
    def known(self) -> KnownFailures | None:
        """The accepted failures, None where no file is named.

        Raises:
            UsageError: the file is missing or wrong.
        """
        return None if self.known_path is None else KnownFailures.read(self.known_path)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The pairs to ask on, the same ones in the same order in every process of a run; no tokenizer is loaded.

        Raises:
            UsageError: a pattern fits no pair.
            CorpusError: there is no pair of a given name.
        """
        if self.wanted_pairs is None:
            return tuple(_without_twins(_everything()[0]))
        places: dict[str, Place] = {}
        for wanted in self.wanted_pairs:
            for place in _places(wanted):
                places.setdefault(place.pair.name, place)
        return tuple(places.values())

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every pair that may be asked, those with generation tags included."""
        return tuple(pair for place in self.places for pair in (place.pair, place.instead) if pair is not None)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of `pairs`."""
        return tuple(pair.name for pair in self.pairs)

    @property
    def missing(self) -> tuple[str, ...]:
        """A line for each real pair that is not installed, where all pairs are wanted."""
        return _everything()[1] if self.wanted_pairs is None else ()


def conformance(
    masker: Any,
    *,
    pairs: Iterable[Pair | str] | None = None,
    rules: Iterable[str] | None = None,
    profile: str | None = None,
    seed: int | None = None,
    known_failures: str | Path | None = None,
    time_limit: float = TIME_LIMIT,
) -> Callable[[_Function], _Function]:
    """Check a masker with pytest: one test for every rule on every pair.

        @conformance(MyMasker(), known_failures="known-failures.toml")
        def test_loss_mask(check):
            check()

    `masker` is a masker, its class, or a function without arguments that makes one.
    `pairs` are names (`chatml+bytelevel-gpt2`), patterns (`chatml+*`) or `Pair` objects; by
    default those of a full run. `rules` are ids or families, by default all that have a check.
    `profile` and `seed` are those of `check_masker`; the options of pytest come before them, its
    configuration after them. `known_failures` is a file, relative to the one that holds the
    function. `time_limit` is the number of seconds that the masker may take for one conversation.

    Raises:
        UsageError: something that is no masker, a rule that does not exist, or a function without `check`.
    """
    if not (isinstance(masker, type) or _is_masker(masker) or callable(masker)):
        raise UsageError(_NO_MASKER.format(masker))
    if profile is not None and profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
    TimeLimit(time_limit)
    chosen = select_rules(rules)
    wanted = None if pairs is None else tuple([pairs] if isinstance(pairs, str) else pairs)
    if wanted == ():
        raise UsageError("no pair is wanted; name some in `pairs`, or leave it out for those of a full run")

    def decorate(function: _Function) -> _Function:
        name = getattr(function, "__name__", repr(function))
        if ARGUMENT not in inspect.signature(function).parameters:
            raise UsageError(f"{name}() must take the argument {ARGUMENT!r} and call it: def {name}({ARGUMENT}): ...")
        if hasattr(function, ATTRIBUTE):
            raise UsageError(f"{name}() is decorated with @conformance twice; write one function for each masker")
        folder = Path(inspect.getfile(function)).resolve().parent
        suite = Suite(
            source=masker,
            function=name,
            module=function.__module__,
            folder=folder,
            namespace=getattr(function, "__globals__", {}),
            wanted_pairs=wanted,
            rules=chosen,
            profile=profile,
            seed=seed,
            known_path=None if known_failures is None else folder / known_failures,
            seconds=time_limit,
        )
        setattr(function, ATTRIBUTE, suite)
        return function

    return decorate


_NO_MASKER = (
    "{0!r} is no masker: a masker has `name`, `policy` and `mask(request) -> Labelled`; "
    "its class, or a function that makes one, will do too"
)


def make_masker(source: Any) -> Masker:
    """The masker that a masker, its class or a function without arguments stands for.

    Raises:
        UsageError: what came of it is no masker.
    """
    made = source if not isinstance(source, type) and _is_masker(source) else source()
    if isinstance(made, type) or not _is_masker(made):
        raise UsageError(_NO_MASKER.format(made))
    found: Masker = made
    return found


def _is_masker(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("name", "policy", "mask"))


@cache
def _everything() -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    return default_pairs()


def _without_twins(pairs: Iterable[Pair]) -> Iterator[Place]:
    """Each pair once: the one with generation tags stands behind the one without, which prints the same text."""
    by_name = {pair.name: pair for pair in pairs}
    tagged = {twin: pair for pair in by_name.values() if (twin := twin_name(pair)) in by_name}
    hidden = {pair.name for pair in tagged.values()}
    for name, pair in by_name.items():
        if name not in hidden:
            yield Place(pair, instead=tagged.get(name))


def _places(wanted: Pair | str) -> Iterator[Place]:
    if isinstance(wanted, Pair):
        yield Place(wanted)
    elif any(sign in wanted for sign in "*?["):
        from fnmatch import fnmatchcase

        found = [pair for pair in _everything()[0] if fnmatchcase(pair.name, wanted)]
        if not found:
            raise UsageError(f"no pair fits the pattern {wanted!r}; `maskspec corpus list` lists the pairs")
        yield from _without_twins(found)
    else:
        yield Place(find_pair(wanted))
