"""One failure as data that travels: a short printable id, or a readable JSON record, that another machine can replay.

An id holds everything: the masker's import path, the pair, the rule, in which way it
failed and the conversation. Nothing in it depends on the library that generated the
conversation, so it stays good when that library changes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conformance.report import Failure
from maskspec.errors import UsageError
from maskspec.rules import Kind, Rule, load_rules

__all__ = ["PREFIX", "Counterexample", "masker_path", "replay_command"]

PREFIX = "ms1."
"""What every id begins with; the number counts the formats of ids."""

_FORMAT = 2
_CHECKSUM = 4
_LONG = 700
"""Ids with more characters than this are better kept in a file, where there is one."""

# Compression starts from this text, which makes ids half as long. Changing it needs a new prefix.
_PRIMER = (
    b'"spans":[[0,1]],"train":false,"weight":0,"reasoning_content":"","tool_call_id":"call_0","role":"tool","content":"'
    b'"tool_calls":[{"id":"call_0","type":"function","function":{"name":"","arguments":{"city":"'
    b'"tools":[{"type":"function","function":{"name":"","description":"","parameters":{"type":"object","properties":{'
    b'"city":{"type":"string"}},"required":["city"]}}}],"template_kwargs":{"enable_thinking":true},"number":1'
    b'{"role":"developer","content":"{"role":"system","content":"'
    b"sentencepiece-unigram:slow+sentencepiece-bpe-legacy:plain+bytelevel-qwen+bytelevel-gpt2+tiktoken"
    b"deepseek llama-3+ mistral-v3+ zephyr+ gemma+ harmony+ qwen3+ chatml+"
    b'{"maskspec_counterexample":2,"rule":"INJECT-1","rule":"STOP-1","rule":"SPAN-1","rule":"ROLE-1","rule":"OPEN-1",'
    b'"kind":"different ids","kind":"untrained","kind":"trained",'
    b'"zone":"REASONING","zone":"TOOL_CALL","zone":"SCAFFOLD","zone":"CONTEXT","zone":"CONTENT","zone":"STOP",'
    b'"zone":"OPENING","masker":"reference","policy":"Policy(roles=frozenset({\'assistant\'}), turns=<Turns.ALL: '
    b"'all'>, stop=<Stops.TURN: 'turn'>, opening=<Verdict.IGNORE: 'ignore'>, reasoning=<Verdict.TRAIN: 'train'>, "
    b"content=<Verdict.TRAIN: 'train'>, tool_call=<Verdict.TRAIN: 'train'>, scaffold=<Verdict.TRAIN: 'train'>, "
    b"tail=<Verdict.EITHER: 'either'>, straddling=<Verdict.EITHER: 'either'>, flags=True, "
    b'generated=frozenset({\'assistant\', \'model\'}))","pair":"chatml+bytelevel-gpt2","messages":[{"role":"user",'
    b'"content":"a"},{"role":"assistant","content":"b"}]}'
)


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Which rule a masker broke, in which way, on which pair, and the smallest conversation that shows it.

    `masker` is what `maskspec check` takes (`reference`, `package.module:object`), empty
    where nothing leads to the masker from outside. `policy` is the declared one, as text.
    """

    rule: Rule
    kind: Kind
    zone: str
    masker: str
    policy: str
    pair: str
    case: Case

    @classmethod
    def of(cls, failure: Failure) -> Counterexample:
        """The counterexample of a failure."""
        return cls(
            rule=failure.rule,
            kind=failure.kind,
            zone=failure.zone,
            masker=failure.masker,
            policy=failure.policy,
            pair=failure.pair,
            case=failure.case,
        )

    @property
    def identifier(self) -> str:
        """The printable id: a prefix, then base64url of a checksum and the compressed record."""
        # Keys stay in their order: templates print tool schemas and arguments in it.
        text = json.dumps(self.as_json(), ensure_ascii=True, separators=(",", ":"), default=str)
        squeezer = zlib.compressobj(level=9, wbits=-15, zdict=_PRIMER)
        packed = squeezer.compress(text.encode()) + squeezer.flush()
        return PREFIX + base64.urlsafe_b64encode(_checksum(packed) + packed).decode().rstrip("=")

    @classmethod
    def parse(cls, identifier: str) -> Counterexample:
        """The counterexample behind an id; white space inside, as line breaks bring it, is ignored.

        Raises:
            UsageError: it is no id, not complete, or of a later version.
        """
        text = "".join(identifier.split())
        if not text.startswith(PREFIX):
            raise UsageError(f"{_short(text)!r} is no counterexample id: ids begin with {PREFIX!r}")
        body = text.removeprefix(PREFIX)
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            checksum, packed = raw[:_CHECKSUM], raw[_CHECKSUM:]
            if checksum != _checksum(packed):
                raise ValueError("the checksum does not fit")
            record = json.loads(zlib.decompressobj(wbits=-15, zdict=_PRIMER).decompress(packed))
        except (ValueError, zlib.error) as error:
            raise UsageError(
                f"the counterexample id {_short(text)!r} is damaged ({error}); copy the whole line or use the file"
            ) from None
        return cls.from_json(record, where=f"counterexample id {_short(text)!r}")

    def as_json(self) -> dict[str, Any]:
        """A versioned record: what a failure's own record holds, without what a replay finds again."""
        return {
            "maskspec_counterexample": _FORMAT,
            "rule": self.rule.id,
            "kind": self.kind.value,
            "zone": self.zone,
            "masker": self.masker,
            "policy": self.policy,
            "pair": self.pair,
            **self.case.as_json(),
        }

    @classmethod
    def from_json(cls, record: Any, *, where: str) -> Counterexample:
        """Read a record of `as_json`, or of a `Failure`; `where` names its place in errors.

        Raises:
            UsageError: something is missing, damaged, or of another version.
        """
        if not isinstance(record, Mapping):
            raise UsageError(f"{where}: a counterexample is a JSON object, not {type(record).__name__}")
        version = record.get("maskspec_counterexample")
        if version != _FORMAT:
            raise UsageError(
                f"{where}: maskspec_counterexample is {version!r} and this version reads {_FORMAT}; "
                "replay it with the version that wrote it, or run the check again"
            )
        for name in ("rule", "kind", "zone", "masker", "policy", "pair"):
            if not isinstance(record.get(name), str):
                raise UsageError(f"{where}: {name!r} must be text, not {record.get(name)!r}")
        rule = load_rules().get(record["rule"])
        if rule is None:
            raise UsageError(f"{where}: there is no rule {record['rule']!r} in this version of maskspec")
        try:
            kind = Kind(record["kind"])
        except ValueError:
            known = ", ".join(member.value for member in Kind)
            raise UsageError(f"{where}: kind is {record['kind']!r}; known are {known}") from None
        return cls(
            rule=rule,
            kind=kind,
            zone=record["zone"],
            masker=record["masker"],
            policy=record["policy"],
            pair=record["pair"],
            case=_case(record, where),
        )

    @classmethod
    def read(cls, path: Path) -> Counterexample:
        """The counterexample in a JSON file, as `maskspec check --output` writes one for every failure.

        Raises:
            UsageError: the file cannot be read or holds none.
        """
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise UsageError(f"{path} is no JSON: {error}") from None
        return cls.from_json(record, where=str(path))


def replay_command(failure: Failure, file: Path | None = None) -> str:
    """The shell line that replays a failure: by its id, or by `file`, where its record is stored, if the id is long."""
    counterexample = Counterexample.of(failure)
    identifier = counterexample.identifier
    subject = str(file) if file is not None and len(identifier) > _LONG else identifier
    missing = [] if counterexample.masker else ["--masker", "package.module:object"]
    return shlex.join(["maskspec", "replay", subject, *missing])


def masker_path(masker: object, *, namespace: Mapping[str, Any] | None = None, module: str = "") -> str:
    """The import path `module:name` that leads to a masker, or an empty string where none does.

    Looks for a name that holds this very object in the module of its class, then in
    `namespace`, the names of `module`; else its class, if that needs no arguments.
    """
    import sys

    kind = masker if isinstance(masker, type) else type(masker)
    home = getattr(masker, "__module__", kind.__module__)
    if isinstance(getattr(masker, "__qualname__", None), str):  # a class or a function
        name: str = masker.__qualname__  # type: ignore[attr-defined]  # just looked for
        return "" if "<" in name else f"{home}:{name}"
    places = [(home, vars(sys.modules[home])) if home in sys.modules else (home, {}), (module, namespace or {})]
    for place, names in places:
        for name, value in names.items():
            if value is masker and place and not name.startswith("__"):
                return f"{place}:{name}"
    return "" if "<" in kind.__qualname__ or _needs_arguments(kind) else f"{kind.__module__}:{kind.__qualname__}"


def _needs_arguments(kind: type) -> bool:
    import inspect

    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        return True
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(item.default is inspect.Parameter.empty and item.kind not in optional for item in parameters)


def _case(record: Mapping[str, Any], where: str) -> Case:
    messages, tools = record.get("messages"), record.get("tools")
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise UsageError(f"{where}: 'messages' must be a list of objects")
    if tools is not None and (not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools)):
        raise UsageError(f"{where}: 'tools' must be a list of objects")
    if not isinstance(record.get("template_kwargs", {}), Mapping):
        raise UsageError(f"{where}: 'template_kwargs' must be an object")
    number = record.get("number", 0)
    if not isinstance(number, int) or isinstance(number, bool):
        raise UsageError(f"{where}: 'number' must be a whole number, not {number!r}")
    return Case.from_json(record)


def _checksum(packed: bytes) -> bytes:
    return hashlib.sha256(packed).digest()[:_CHECKSUM]


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:24]}…{text[-12:]}"
