"""The conversation that maskspec starts from (axolotl issue 2089), with ids worked out by hand.

Ten ShareGPT messages, five equal pairs, the Mistral v3 vocabulary, and
`roles_to_train: ["gpt"]`. Maskers that searched the ids for turns lost some of
them, because the slow tokenizer puts a stray `▁` after every control token and
the fast one does not. Each tokenizer has to be masked by its own ids, and on
all of them exactly the five answers and their stops are trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maskspec import Conversation, HazardKind, Mask, Policy, mask
from maskspec.conversation import canonical_roles
from maskspec.corpus import embedded_template
from tests.unit.vocabularies import mistral_fast, mistral_slow, transformers_major

RECORD = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}] * 5}
ROLES_TO_TRAIN = ["gpt"]
TEXT = "<s>" + "[INST] Hi[/INST] Yo</s>" * 5

STRAY = 29473
#                   [INST]  ▁    ▁Hi   [/INST]  ▁     ▁Y     o    </s>
PAIR_WITH_STRAY = [3, STRAY, 16127, 4, STRAY, 1395, 29477, 2]
LABELS_WITH_STRAY = [-100, -100, -100, -100, -100, 1395, 29477, 2]
#              [INST] ▁Hi  [/INST]  ▁Y     o    </s>
PAIR = [3, 16127, 4, 1395, 29477, 2]
LABELS = [-100, -100, -100, 1395, 29477, 2]

LEGACY_FAST_IS_STRAY = 4
"""The release of transformers whose legacy fast tokenizer, converted from the slow one, has the stray token too."""

WITHOUT_STRAY: dict[str, Callable[[], Any]] = {
    "slow": lambda: mistral_slow("v3", False),
    "fast": lambda: mistral_fast("v3", False),
}


def masked(tokenizer: Any, **changes: Any) -> Mask:
    return mask(
        Conversation.coerce(RECORD),
        template=embedded_template("mistral-v3").source,
        tokenizer=tokenizer,
        policy=Policy(roles=canonical_roles(ROLES_TO_TRAIN)).changed(**changes),
    )


def stray_positions(result: Mask) -> list[int]:
    return [position for position, token_id in enumerate(result.input_ids) if token_id == STRAY]


def phantoms(result: Mask) -> list[int | None]:
    return [hazard.token for hazard in result.hazards if hazard.kind is HazardKind.PHANTOM]


def check_with_stray(result: Mask) -> None:
    assert result.text == TEXT
    assert list(result.input_ids) == [1, *PAIR_WITH_STRAY * 5]
    assert list(result.labels) == [-100, *LABELS_WITH_STRAY * 5]
    assert phantoms(result) == stray_positions(result) == [2, 5, 10, 13, 18, 21, 26, 29, 34, 37]
    for position in stray_positions(result):
        assert result.tokens[position].text == ""
        assert result.tokens[position].start == result.tokens[position].end


def check_without_stray(result: Mask) -> None:
    assert result.text == TEXT
    assert list(result.input_ids) == [1, *PAIR * 5]
    assert list(result.labels) == [-100, *LABELS * 5]
    assert phantoms(result) == stray_positions(result) == []


def test_the_role_of_the_data_set_is_the_role_of_the_template() -> None:
    assert canonical_roles(ROLES_TO_TRAIN) == {"assistant"}
    assert Conversation.coerce(RECORD).roles == ("user", "assistant") * 5


def test_slow_legacy_has_the_stray_token_and_its_labels_are_right() -> None:
    check_with_stray(masked(mistral_slow("v3", True)))


@pytest.mark.parametrize("name", WITHOUT_STRAY)
def test_without_legacy_there_is_no_stray_token_and_the_labels_are_right(name: str) -> None:
    check_without_stray(masked(WITHOUT_STRAY[name]()))


def test_fast_legacy_has_it_in_transformers_4_and_is_labelled_right_in_both() -> None:
    check = check_with_stray if transformers_major() == LEGACY_FAST_IS_STRAY else check_without_stray
    check(masked(mistral_fast("v3", True)))


LOADS: dict[str, Callable[[], Any]] = {
    **WITHOUT_STRAY,
    "slow legacy": lambda: mistral_slow("v3", True),
    "fast legacy": lambda: mistral_fast("v3", True),
}


@pytest.mark.parametrize("name", LOADS)
def test_what_is_trained_is_the_same_text_on_every_tokenizer(name: str) -> None:
    """The space before each answer is its opening, which nothing confirms; it shares a token with the answer."""
    result = masked(LOADS[name]())
    assert result.trained_text == " Yo</s>" * 5
    trained = [token for token in result.tokens if result.labels[token.index] != -100]
    assert [token.message for token in trained] == [1, 1, 1, 3, 3, 3, 5, 5, 5, 7, 7, 7, 9, 9, 9]


@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"turns": "last"}, " Yo</s>"),
        ({"stop": "none"}, " Yo" * 5),
        ({"stop": "last"}, " Yo" * 5 + "</s>"),
        ({"roles": canonical_roles(["human"])}, "Hi" * 5),
    ],
    ids=["last turn", "no stop", "last stop", "the human"],
)
def test_other_policies_are_right_on_every_tokenizer(name: str, changes: dict[str, Any], expected: str) -> None:
    result = masked(LOADS[name](), **changes)
    trained = "".join(result.text[part.start : part.end] for part in result.judgements if part.verdict.value == "train")
    assert trained.replace("[/INST]", "") == expected.replace(" ", "")
