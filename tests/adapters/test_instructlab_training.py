"""What can be said of the adapter of instructlab-training without it: what it declares, hands over and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskspec.adapters._model_folders import model_folder
from maskspec.adapters.instructlab_training import _row, masker
from maskspec.conformance import Request, Unsupported
from maskspec.conformance.protocol import Labelled, Padding
from maskspec.policy import Policy, Verdict

ROW = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


def request(messages: list[dict[str, object]] = ROW, **more: object) -> Request:
    given = {"template": "", "tokenizer": object(), "policy": masker.policy} | more
    return Request(messages=messages, **given)  # type: ignore[arg-type]


def test_the_declared_policy_ends_with_the_stop_and_says_nothing_of_text_that_the_template_adds() -> None:
    assert masker.policy == Policy(tail=Verdict.IGNORE, scaffold=Verdict.EITHER, flags=False)


def test_other_roles_are_an_option() -> None:
    assert masker.with_policy(masker.policy.changed(roles={"user", "tool"})).policy.roles == {"user", "tool"}


@pytest.mark.parametrize("changes", [{"turns": "last"}, {"stop": "none"}, {"flags": True}, {"scaffold": "train"}])
def test_other_policies_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Unsupported, match="a choice of roles"):
        masker.with_policy(masker.policy.changed(**changes))


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"tools": [{"type": "function"}]}, "no tools"),
        ({"template_kwargs": {"enable_thinking": False}}, "no variables"),
    ],
)
def test_what_is_not_handed_to_the_template_is_refused(more: dict[str, object], what: str) -> None:
    with pytest.raises(Unsupported, match=what):
        masker.mask(request(**more))


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"content": [{"type": "text", "text": "Yo"}]}, "text as its content"),
        ({"content": None}, "asks for a content"),
        ({}, "asks for a content"),
        ({"content": "Yo", "reasoning_content": "So"}, "templates that print it"),
    ],
)
def test_an_answer_without_text_is_refused(answer: dict[str, object], what: str) -> None:
    with pytest.raises(Unsupported, match=what):
        masker._require_text(request([{"role": "assistant", **answer}]))


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": ""},
        {"role": "assistant", "reasoning_content": "So"},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"content": "no role"},
        "no message",
    ],
)
def test_what_the_documentation_does_not_exclude_is_handed_over(message: object) -> None:
    masker._require_text(request([message], template="{{ message.reasoning_content }}"))  # type: ignore[list-item]


def test_padding_on_the_left_is_refused() -> None:
    with pytest.raises(Unsupported, match="on the right"):
        masker.collate([Labelled([1], [-100])], Padding(0, "left"))


def test_a_row_counts_its_tokens_and_those_with_loss() -> None:
    assert _row(Labelled([5, 6, 7], [-100, 6, 7])) == {
        "input_ids": [5, 6, 7],
        "labels": [-100, 6, 7],
        "len": 3,
        "num_loss_counted_tokens": 2,
    }


def test_a_folder_says_which_kind_of_model_it_holds() -> None:
    folder = Path(model_folder("gpt_oss"))
    assert json.loads((folder / "config.json").read_text(encoding="utf-8")) == {"model_type": "gpt_oss"}
    assert model_folder("gpt_oss") == str(folder) != model_folder("llama")
