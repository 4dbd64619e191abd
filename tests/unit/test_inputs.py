"""Reading files and streams: every accepted form, and where each error says it is."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from maskspec.conversation import SHAREGPT_ROLES, Conversation
from maskspec.errors import ConversationError, UsageError
from maskspec.inputs import read_conversations

A: list[dict[str, Any]] = [{"role": "user", "content": "grüß dich\u2028"}, {"role": "assistant", "content": "👋"}]
B: list[dict[str, Any]] = [{"role": "user", "content": "b"}]
SHAREGPT = {"conversations": [{"from": "human", "value": "b"}]}


def dumps(value: object, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


ACCEPTED = {
    "one record": ("a.json", dumps({"messages": A}), [A]),
    "one record, indented": ("a.json", dumps({"messages": A}, indent=2), [A]),
    "a list of messages": ("a.json", dumps(A), [A]),
    "a list of records": ("a.json", dumps([{"messages": A}, SHAREGPT]), [A, B]),
    "a list of lists": ("a.json", dumps([A, B]), [A, B]),
    "a list of ShareGPT turns": ("a.json", dumps(SHAREGPT["conversations"]), [B]),
    "lines": ("a.jsonl", dumps({"messages": A}) + "\n" + dumps(SHAREGPT) + "\n", [A, B]),
    "lines without a last newline": ("a.ndjson", dumps({"messages": A}) + "\n" + dumps(B), [A, B]),
    "lines with Windows ends": ("a.jsonl", dumps({"messages": A}) + "\r\n" + dumps(B) + "\r\n", [A, B]),
    "blank lines": ("a.JSONL", "\n" + dumps(A) + "\n\n  \n" + dumps(B) + "\n\n", [A, B]),
    "one line": ("a.jsonl", dumps({"messages": A}), [A]),
    "lines called .json": ("a.json", dumps({"messages": A}) + "\n" + dumps(B) + "\n", [A, B]),
    "lines without a suffix": ("a", dumps(A) + "\n" + dumps(B) + "\n", [A, B]),
}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize(("name", "text", "expected"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_files_and_streams_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: list[Any], mark: bytes
) -> None:
    wanted = [Conversation.from_messages(messages) for messages in expected]
    data = mark + text.encode()
    path = tmp_path / name
    path.write_bytes(data)
    assert list(read_conversations(path)) == wanted
    assert list(read_conversations(str(path))) == wanted
    assert list(read_conversations(io.BytesIO(data))) == wanted
    assert list(read_conversations(io.StringIO(data.decode(), newline=""))) == wanted
    with path.open(encoding="utf-8") as file:
        assert list(read_conversations(file)) == wanted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))
    assert list(read_conversations("-")) == wanted
    monkeypatch.setattr(sys, "stdin", io.StringIO(data.decode()))
    assert list(read_conversations("-")) == wanted


REFUSED = {
    "broken document": (
        "a.json",
        b'{"messages": [\n  {"role": "user" "content": "a"}\n]}',
        "not valid JSON: Expecting ',' delimiter (a.json, line 2, column 19)",
    ),
    "broken line": (
        "a.jsonl",
        b'[{"role": "user", "content": "a"}]\n\n{"messages": [}\n',
        "not valid JSON: Expecting value (a.jsonl, line 3, column 15)",
    ),
    "a document called .jsonl": (
        "a.jsonl",
        b'{\n  "messages": []\n}',
        "line 1, column 2; if the file is one JSON document",
    ),
    "lines, broken, called .json": ("a.json", b'[{"role": "user", "content": "a"}]\n{"m', "(a.json, line 2, column 2)"),
    "document with something after it": ("a.json", b'{\n"messages": []\n} x', "Extra data (a.json, line 3, column 3)"),
    "single quotes": ("a.json", b"{'messages': []}", "(a.json, line 1, column 2)"),
    "wrong message in a line": (
        "a.jsonl",
        b'[{"role": "user", "content": "a"}]\n[{"role": "user", "content": "a"}, {"role": "user", "content": 3}]\n',
        "is a number; give text, a list of parts or null (an object as JSON text) (a.jsonl, line 2)",
    ),
    "wrong record in a list": (
        "a.json",
        b'[{"messages": [{"role": "user", "content": "a"}]}, {"text": "b"}]',
        "has neither 'messages' nor 'conversations' (keys seen: 'text') (a.json, record 1)",
    ),
    "wrong message in a document": ("a.json", b'[{"role": "user"}]', "message 0, field 'content': is missing"),
    "unknown role": ("a.jsonl", b'{"conversations": [{"from": "robot", "value": "a"}]}', "message 0, field 'from'"),
    "escaped surrogate": ("a.jsonl", b'[{"role": "user", "content": "\\ud83d"}]', "U+D83D at character 0"),
    "not a number": ("a.json", b'[{"role": "user", "content": "a", "k": NaN}]', "message 0, field 'k': holds nan"),
    "a message on a line": (
        "a.jsonl",
        b'{"role": "user", "content": "a"}\n',
        "put this one message in a list (a.jsonl, line 1)",
    ),
    "a number": ("a.json", b"3", "is a number; give a list of messages"),
    "numbers": ("a.json", b"[1, 2]", "is a number; give a list of messages, or an object with 'messages'"),
    "a key twice": (
        "a.jsonl",
        b'[{"role": "user", "content": "a", "content": "b"}]',
        "the key 'content' stands twice in one object (a.jsonl, line 1)",
    ),
    "nothing": ("a.json", b"", "a.json holds no conversation"),
    "no lines": ("a.jsonl", b"\n\n", "a.jsonl holds no conversation"),
    "an empty list": ("a.json", b"[]", "a.json holds no conversation"),
    "Latin-1": (
        "a.jsonl",
        b'\n{"a": "\xe4"}',
        "not UTF-8: byte 0xE4 at byte 7 of the line; save the file as UTF-8 (a.jsonl, line 2)",
    ),
    "UTF-16": (
        "a.json",
        "[]".encode("utf-16"),
        "not UTF-8: the text is UTF-16; save the file as UTF-8 (a.json, line 1)",
    ),
    "too deep": ("a.json", b"[" * 100_000, "nested too deeply"),
    "an endless number": ("a.jsonl", b"[" + b"9" * 5000 + b"]", "(a.jsonl, line 1)"),
}


@pytest.mark.parametrize(("name", "data", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_an_error_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(data)
    with pytest.raises(ConversationError) as caught:
        list(read_conversations(name))
    assert words in str(caught.value)
    str(caught.value).encode()


def test_lines_before_an_error_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(dumps(A) + "\n" + "{\n", encoding="utf-8")
    reader = read_conversations(path)
    assert next(reader) == Conversation.from_messages(A)
    with pytest.raises(ConversationError, match="line 2"):
        next(reader)


def test_the_format_can_be_given() -> None:
    assert len(list(read_conversations(io.StringIO(dumps(A, indent=1)), format="json"))) == 1
    assert len(list(read_conversations(io.StringIO(dumps(A) + "\n" + dumps(B)), format="jsonl"))) == 2
    with pytest.raises(ConversationError, match="Extra data"):
        list(read_conversations(io.StringIO(dumps(A) + "\n" + dumps(B)), format="json"))


def test_role_names_can_be_given() -> None:
    roles = SHAREGPT_ROLES | {"robot": "assistant"}  # type: ignore[operator]
    text = '{"conversations": [{"from": "robot", "value": "a"}]}'
    assert next(read_conversations(io.StringIO(text), roles=roles)).roles == ("assistant",)


def test_streams_are_named_by_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO("{")
    with pytest.raises(ConversationError, match="the stream, line 1"):
        list(read_conversations(stream))
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(ConversationError, match="standard input holds no conversation"):
        list(read_conversations("-"))


def test_a_text_stream_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "\xe4"}')
    with path.open(encoding="utf-8") as file, pytest.raises(ConversationError, match=r"not UTF-8: .*after line 0"):
        list(read_conversations(file, format="jsonl"))


def test_what_cannot_be_opened_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.json does not exist \(looked for "):
        read_conversations(tmp_path / "no.json")
    with pytest.raises(UsageError, match="is a folder"):
        read_conversations(tmp_path)
    with pytest.raises(UsageError, match="unknown format 'csv'; known formats: auto, json, jsonl"):
        read_conversations(tmp_path / "no.json", format="csv")
    with pytest.raises(UsageError, match="cannot read a int"):
        read_conversations(3)  # type: ignore[arg-type]


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("[]")
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda *_: False)
        with pytest.raises(UsageError, match="permission denied"):
            read_conversations(path)
    reader = read_conversations(path)
    path.unlink()
    with pytest.raises(UsageError, match="No such file or directory"):
        next(reader)


def test_lines_are_read_one_at_a_time() -> None:
    taken = 0

    class Endless(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise AssertionError("the whole stream was asked for")

        def __next__(self) -> bytes:
            nonlocal taken
            taken += 1
            return dumps(B).encode() + b"\n"

    reader = read_conversations(Endless(), format="jsonl")  # type: ignore[arg-type]
    for _ in range(3):
        next(reader)
    assert taken == 3
