"""Read conversations from files and streams, saying exactly where a file is wrong.

Accepted are JSON (one record, a list of records, or a list of messages) and JSON
Lines (one record or list of messages a line), in UTF-8 with or without a byte
order mark. Records are whatever `Conversation.coerce` reads. JSON Lines are read
one line at a time, so a large file costs no memory.
"""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from maskspec.conversation import SHAREGPT_ROLES, Conversation
from maskspec.errors import ConversationError, UsageError

__all__ = ["read_conversations"]

_FORMATS = ("auto", "json", "jsonl")
_LINE_SUFFIXES = (".jsonl", ".ndjson")


class _DuplicateKey(ValueError):
    """One JSON object holds the same key twice."""


def read_conversations(
    path_or_file: str | os.PathLike[str] | IO[str] | IO[bytes],
    *,
    format: str = "auto",
    roles: Mapping[str, str] = SHAREGPT_ROLES,
) -> Iterator[Conversation]:
    """Yield the conversations of a file, of an open text or binary stream, or of standard input (`-`).

    `format` is "json", "jsonl" or "auto": auto reads files called .jsonl or .ndjson line by line, and of
    anything else decides by content. `roles` maps ShareGPT role names, as in `Conversation.from_sharegpt`.

    Raises UsageError at once for a path that cannot be read or an unknown format, and ConversationError while
    iterating: malformed JSON with line and column (from 1), an invalid conversation with its line, or its record
    (from 0, as messages are) in a JSON list, and a file that holds no conversation at all.
    """
    if format not in _FORMATS:
        raise UsageError(f"unknown format {format!r}; known formats: {', '.join(_FORMATS)}")
    if isinstance(path_or_file, str | os.PathLike):
        source = os.fspath(path_or_file)
        if source == "-":
            return _read_stream(getattr(sys.stdin, "buffer", sys.stdin), "standard input", format, roles)
        return _read_path(_readable(source), format, roles)
    if not hasattr(path_or_file, "read"):
        raise UsageError(f"cannot read a {type(path_or_file).__name__}; give a path, '-' or an open file")
    name = getattr(path_or_file, "name", None)
    return _read_stream(path_or_file, name if isinstance(name, str) else "the stream", format, roles)


def _readable(source: str) -> Path:
    path = Path(source)
    if path.is_dir():
        raise UsageError(f"{source} is a folder; name a .json or .jsonl file in it")
    if not path.exists():
        raise UsageError(
            f"{source} does not exist (looked for {path.absolute()}); check the path, or give '-' for stdin"
        )
    if not os.access(path, os.R_OK):
        raise UsageError(f"{source} cannot be read: permission denied")
    return path


def _read_path(path: Path, format_: str, roles: Mapping[str, str]) -> Iterator[Conversation]:
    if format_ == "auto" and path.suffix.lower() in _LINE_SUFFIXES:
        format_ = "jsonl"
    try:
        with path.open("rb") as file:
            yield from _read_stream(file, str(path), format_, roles)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None


def _read_stream(
    stream: IO[str] | IO[bytes], name: str, format_: str, roles: Mapping[str, str]
) -> Iterator[Conversation]:
    count = 0
    for value, place in _values(stream, name, format_):
        try:
            conversation = Conversation.coerce(value, roles=roles)
        except ConversationError as error:
            raise ConversationError(f"{error.problem} ({place})", message=error.message, field=error.field) from None
        count += 1
        yield conversation
    if not count:
        raise ConversationError(f"{name} holds no conversation; a record has 'messages' or 'conversations'")


def _values(stream: IO[str] | IO[bytes], name: str, format_: str) -> Iterator[tuple[Any, str]]:
    """Yield what stands for one conversation each, and the words that say where it stands."""
    if format_ == "jsonl":
        yield from _lines(stream, name)
        return
    text = "".join(_decoded(stream, name))
    try:
        document = _parsed(text)
    except json.JSONDecodeError as error:
        # JSON Lines under another name: the first line is a document of its own and more follows.
        if format_ == "auto" and error.msg == "Extra data" and "\n" not in text[: error.pos].strip():
            yield from _lines(text.split("\n"), name)
            return
        if not text.strip():
            return
        raise _malformed(error, f"{name}, line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise _malformed(error, name) from None
    if isinstance(document, list) and not _is_message_list(document):
        for index, record in enumerate(document):
            yield record, f"{name}, record {index}"
    else:
        yield document, name


def _is_message_list(document: list[Any]) -> bool:
    first = document[0] if document else None
    return isinstance(first, Mapping) and bool({"role", "from"} & first.keys())


def _lines(lines: Iterable[str | bytes], name: str) -> Iterator[tuple[Any, str]]:
    for number, line in enumerate(_decoded(lines, name), start=1):
        if not line.strip():
            continue
        try:
            value = _parsed(line.rstrip("\r\n"))
        except json.JSONDecodeError as error:
            hint = "; if the file is one JSON document, read it with format json" if number == 1 else ""
            raise _malformed(error, f"{name}, line {number}, column {error.colno}{hint}") from None
        except (ValueError, RecursionError) as error:
            raise _malformed(error, f"{name}, line {number}") from None
        yield value, f"{name}, line {number}"


def _decoded(lines: Iterable[str | bytes], name: str) -> Iterator[str]:
    """Yield the lines as text, without a byte order mark."""
    number = 0
    try:
        for line in lines:
            number += 1
            text = _text(line, f"{name}, line {number}") if isinstance(line, bytes) else line
            yield text.removeprefix("\ufeff") if number == 1 else text
    except UnicodeDecodeError as error:
        # A text stream decodes by itself, in blocks: the offset says nothing about a line.
        problem = f"not UTF-8: {error.reason}; save the file as UTF-8 ({name}, after line {number})"
        raise ConversationError(problem) from None


def _text(line: bytes, place: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            problem = "the text is UTF-16"
        else:
            problem = f"byte 0x{line[error.start]:02X} at byte {error.start} of the line"
        raise ConversationError(f"not UTF-8: {problem}; save the file as UTF-8 ({place})") from None


def _parsed(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in result if names.count(key) > 1)
        raise _DuplicateKey(f"the key {twice!r} stands twice in one object")
    return result


def _malformed(error: Exception, place: str) -> ConversationError:
    if isinstance(error, json.JSONDecodeError):
        return ConversationError(f"not valid JSON: {error.msg} ({place})")
    if isinstance(error, RecursionError):
        return ConversationError(f"JSON nested too deeply to read ({place})")
    return ConversationError(f"JSON that cannot be used: {error} ({place})")
