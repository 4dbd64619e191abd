"""The state of one traced rendering: who owns what the template is printing now.

Ownership is a scope. A loop opens one, every iteration over a message sets
its owner, and the end of the loop restores what was there before, so a second
loop nested in the first does not leak. Looking at another message
(`messages[loop.index0 + 1]`) never moves ownership.

A literal belongs to the message being rendered. Where no message is, or where
an expression of an index loop reaches ahead to a later message (a loop over
pairs), it belongs to the message whose source it is joined with in that
expression. Sources of one message that another repeats are *quoted*: they keep
their origin, and stand in the region of the message that quotes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from maskspec.rendering.origins import PENDING_LITERAL, Origin, OriginKind, Path, Run, value_origin
from maskspec.rendering.traced import (
    Runs,
    TracedFloat,
    TracedInteger,
    TracedText,
    make_traced,
    runs_of,
    sole_owner,
)

__all__ = ["REASONING_NAMES", "Trace"]

REASONING_NAMES = ("reasoning_content", "thinking", "reasoning")
"""The names under which a message's reasoning reaches templates (source: transformers 5.23.0)."""

REASONING_PATH = REASONING_NAMES[0]


class Trace:
    """Owners and origins during one rendering of one conversation."""

    __slots__ = (
        "_adopted",
        "_containers",
        "_keep_alive",
        "_literal",
        "_messages",
        "_reaches_ahead",
        "_scopes",
        "owner",
    )

    def __init__(self) -> None:
        self.owner: int | None = None
        self._literal = PENDING_LITERAL
        self._reaches_ahead = True
        self._scopes: list[tuple[int | None, bool]] = []
        self._messages: dict[int, int] = {}
        self._containers: dict[int, Origin] = {}
        self._adopted: dict[tuple[int, int], Origin] = {}
        self._keep_alive: list[Any] = []

    # Values with origins

    def trace_messages(self, messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Copies of the messages whose text knows its origin.

        Reasoning is passed under several names; whichever the template reads,
        its path is `("reasoning_content",)`. The names of a message's fields
        are the format's own words and no source text; names further inside
        (the arguments of a call) are.
        """
        kind = OriginKind.MESSAGE
        traced: list[dict[str, Any]] = []
        for index, message in enumerate(messages):
            copy: dict[str, Any] = {}
            for key, value in message.items():
                path = (REASONING_PATH if key in REASONING_NAMES else key,)
                if type(value) is str and value:
                    copy[key] = make_traced(value, ((len(value), value_origin(kind, index, path), 0),))
                else:
                    copy[key] = self.trace_value(value, kind, index, path)
            self._messages[id(copy)] = index
            self._containers[id(copy)] = value_origin(OriginKind.MESSAGE, index, ())
            traced.append(copy)
        self._keep_alive.append(traced)
        return traced

    def trace_value(self, value: Any, kind: OriginKind, message: int | None, path: Path) -> Any:
        """A copy of a JSON-like value whose text and numbers know their origin."""
        if type(value) is str:
            if not value:
                return value
            return make_traced(value, ((len(value), value_origin(kind, message, path), 0),))
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            integer = TracedInteger(value)
            integer._origin = value_origin(kind, message, path)
            return integer
        if isinstance(value, float):
            real = TracedFloat(value)
            real._origin = value_origin(kind, message, path)
            return real
        copy: Any
        if isinstance(value, Mapping):
            copy = {
                self._traced_key(key, kind, message, (*path, key)): self.trace_value(item, kind, message, (*path, key))
                for key, item in value.items()
            }
        elif isinstance(value, (list, tuple)):
            copy = type(value)(
                self.trace_value(item, kind, message, (*path, position)) for position, item in enumerate(value)
            )
        else:
            return value
        self._containers[id(copy)] = value_origin(kind, message, path)
        self._keep_alive.append(copy)
        return copy

    def _traced_key(self, key: Any, kind: OriginKind, message: int | None, path: Path) -> Any:
        if not isinstance(key, str) or not key:
            return key
        return make_traced(key, ((len(key), value_origin(kind, message, path, True), 0),))

    def container(self, value: Any) -> Origin | None:
        """The origin of a mapping or list that came from the conversation."""
        return self._containers.get(id(value))

    # Scopes

    def _own(self, owner: int | None, reaches_ahead: bool) -> None:
        self.owner = owner
        self._reaches_ahead = reaches_ahead
        self._literal = PENDING_LITERAL if owner is None else self.literal(owner)

    def open_scope(self) -> None:
        """Remember the owner before a loop."""
        self._scopes.append((self.owner, self._reaches_ahead))

    def close_scope(self) -> None:
        """Restore the owner after a loop."""
        self._own(*self._scopes.pop())

    def iterate(self, targets: Sequence[Any]) -> None:
        """A loop's next iteration begins, with these loop variables."""
        for target in targets:
            message = self.message_of(target)
            if message is not None:
                self._own(message, False)
                return
        self._own(*self._scopes[-1])

    def select(self, sequence: Any, index: Any) -> None:
        """An index loop's next iteration begins: it owns the message that its index selects."""
        if isinstance(sequence, (list, tuple)) and isinstance(index, int) and 0 <= index < len(sequence):
            message = self.message_of(sequence[index])
            if message is not None:
                self._own(message, True)

    def message_of(self, value: Any) -> int | None:
        """The index of the message that a value is: by identity, or a rebuilt one by what it was built from."""
        if type(value) is not dict:
            return None
        index = self._messages.get(id(value))
        if index is not None:
            return index
        if id(value) in self._containers or "role" not in value:
            return None
        for candidate in (value["role"], *value.values()):
            owner = sole_owner(candidate)
            if owner is None:
                container = self._containers.get(id(candidate))
                owner = container.message if container is not None and container.is_source else None
            if owner is not None:
                return owner
        return None

    # Joining text

    def join(self, parts: Sequence[str]) -> str:
        """One text from the operands of one expression, literals given to the message they are joined with."""
        owner = self.owner
        if self._reaches_ahead:
            parts = [self.claim(part) if _is_mixed(part) else part for part in parts]
            owners = [sole_owner(part) for part in parts]
            if any(found is not None and (owner is None or found > owner) for found in owners):
                return self._join_near(parts, owners)
        runs: list[Run] = []
        settled = True
        for part in parts:
            if type(part) is TracedText:
                if owner is None or part._settled == owner:
                    runs.extend(part._runs)
                    continue
                for run in part._runs:
                    origin = run[1]
                    if origin.message is None:
                        run = (run[0], self.adopted(origin, owner), run[2])
                    elif origin.message != owner:
                        settled = False
                    runs.append(run)
            elif part:
                runs.append((len(part), self._literal, None))
        if owner is None:
            return make_traced("".join(parts), self._settle(tuple(runs)))
        text = make_traced("".join(parts), tuple(runs))
        if settled:
            text._settled = owner
        return text

    def _join_near(self, parts: Sequence[str], owners: Sequence[int | None]) -> str:
        """Join operands of several messages: a literal goes to the nearest one, the current owner first."""
        following: list[int | None] = [None] * len(parts)
        upcoming: int | None = None
        for position in range(len(parts) - 1, -1, -1):
            following[position] = upcoming
            if owners[position] is not None:
                upcoming = owners[position]
        previous: int | None = None
        runs: list[Run] = []
        for position, part in enumerate(parts):
            if owners[position] is not None:
                previous = owners[position]
                runs.extend(runs_of(part))
                continue
            near = (previous, following[position])
            claim = previous if previous is not None else following[position]
            if self.owner is not None and self.owner in near:
                claim = self.owner
            runs.extend(runs_of(part) if claim is None else self._claimed(runs_of(part), claim))
        return make_traced("".join(parts), tuple(runs))

    def _settle(self, runs: Runs) -> Runs:
        """Outside any loop, give a literal to the message that follows it in the text, else to the one before it."""
        if all(origin.message is not None for _, origin, _ in runs):
            return runs
        upcoming: int | None = None
        settled: list[Run] = []
        for run in reversed(runs):
            if run[1].message is not None:
                upcoming = run[1].message
            elif upcoming is not None:
                run = (run[0], self.adopted(run[1], upcoming), run[2])
            settled.append(run)
        previous: int | None = None
        result: list[Run] = []
        for run in reversed(settled):
            if run[1].message is not None:
                previous = run[1].message
            elif previous is not None:
                run = (run[0], self.adopted(run[1], previous), run[2])
            result.append(run)
        return tuple(result)

    def claim(self, text: str) -> str:
        """Give what nobody owns in a text to the message being rendered, or to the one whose sources it holds."""
        if type(text) is not TracedText:
            if self.owner is None or not text:
                return text
            literal = make_traced(text, ((len(text), self._literal, None),))
            literal._settled = self.owner
            return literal
        if text._settled == self.owner:
            return text
        if self.owner is None:
            return make_traced(text, self._settle(text._runs))
        runs = text._runs
        if len(runs) == 1 and runs[0][1].message is not None:
            return text
        ahead = {origin.message for _, origin, _ in runs if origin.kind is OriginKind.MESSAGE}
        reached = ahead.pop() if self._reaches_ahead and len(ahead) == 1 else None
        return make_traced(text, self._claimed(runs, self.owner if reached is None else max(reached, self.owner)))

    def emit(self, text: str) -> str:
        """A piece of the output: what nobody owns is claimed, repeated sources are marked as quoted."""
        owner = self.owner
        text = self.claim(text)
        if owner is None or type(text) is not TracedText or text._settled == owner:
            return text
        for _, origin, _ in text._runs:
            if origin.kind is OriginKind.MESSAGE and origin.message != owner:
                break
        else:
            return text
        return make_traced(text, tuple((length, self._quoted(origin, owner), at) for length, origin, at in text._runs))

    def _quoted(self, origin: Origin, owner: int) -> Origin:
        if origin.kind is not OriginKind.MESSAGE or origin.message is None or origin.message == owner:
            return origin
        if origin.message > owner and self._reaches_ahead:
            return origin
        key = (id(origin), owner)  # what is quoted has a message, what is adopted has none: no key means both
        found = self._adopted.get(key)
        if found is None:
            found = self._adopted[key] = replace(origin, quoted_in=owner)
            self._keep_alive.append(origin)
        return found

    def _claimed(self, runs: Runs, owner: int) -> Runs:
        for _, origin, _ in runs:
            if origin.message is None:
                break
        else:
            return runs
        return tuple(
            run if run[1].message is not None else (run[0], self.adopted(run[1], owner), run[2]) for run in runs
        )

    def literal(self, owner: int) -> Origin:
        """The origin of a literal that belongs to a message."""
        return value_origin(OriginKind.LITERAL, owner, ())

    def adopted(self, origin: Origin, owner: int) -> Origin:
        """The same origin, owned by a message."""
        if origin is PENDING_LITERAL:
            return self.literal(owner)
        key = (id(origin), owner)
        found = self._adopted.get(key)
        if found is None:
            found = replace(origin, message=owner)
            self._adopted[key] = found
            self._keep_alive.append(origin)
        return found

    def mark_generated(self, text: str) -> str:
        """Mark every character of a text as printed inside a generation block."""
        text = self.claim(text)
        return make_traced(
            text,
            tuple((length, replace(origin, generated=True), offset) for length, origin, offset in runs_of(text)),
        )


def _is_mixed(text: str) -> bool:
    """Whether a text holds sources of a message next to characters that nobody owns."""
    if type(text) is not TracedText or len(text._runs) < 2:
        return False
    owners = {origin.message for _, origin, _ in text._runs}
    return None in owners and len(owners) > 1
