"""Every option of a policy, on texts whose marks are written by hand: ⟦trained⟧, ⟨either⟩, the rest ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from maskspec.conversation import Conversation, canonical_roles
from maskspec.errors import PolicyError
from maskspec.policy import PRESETS, Judgement, Policy, Stops, Turns, Verdict, judge
from maskspec.segmentation import Zone
from tests.unit.divisions import EOS, assistant, call, divide, user

PROMPT = "{% if add_generation_prompt %}<assistant>{% endif %}"
PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{{ '\\n' }}{% endfor %}" + PROMPT
RICH = (
    "{% for m in messages %}<{{ m.role }}>"
    "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}"
    "{% for t in m.tool_calls or [] %}<call>{{ t.function.name }}</call>{% endfor %}</s>{{ '\\n' }}{% endfor %}"
    + PROMPT
)
"""A template that shows every zone."""

RICH_MESSAGES = [user("Q"), assistant("C", reasoning_content="R", tool_calls=[call("f", {})])]

_MARKS = {Verdict.TRAIN: ("⟦", "⟧"), Verdict.EITHER: ("⟨", "⟩"), Verdict.IGNORE: ("", "")}


def judged(
    messages: Sequence[Mapping[str, Any]], policy: Policy, *, template: str = PLAIN, **options: Any
) -> tuple[str, tuple[Judgement, ...]]:
    rendering, segmentation = divide(template, messages, tokens=EOS, **options)
    return rendering.text, judge(segmentation, rendering, Conversation.from_messages(messages), policy)


def marked(messages: Sequence[Mapping[str, Any]], policy: Policy, **options: Any) -> str:
    """The text with marks around what is trained and what may be."""
    text, judgements = judged(messages, policy, **options)
    assert [position for part in judgements for position in range(part.start, part.end)] == list(range(len(text)))
    shown, before = "", ("", "")
    for part in judgements:
        marks = _MARKS[part.verdict]
        if marks != before:
            shown += before[1] + marks[0]
            before = marks
        shown += text[part.start : part.end]
    return (shown + before[1]).replace("\n", "~")


def rich(policy: Policy) -> str:
    return marked(RICH_MESSAGES, policy, template=RICH)


# One option for each zone.


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "<user>Q</s>~<assistant>⟦<think>R</think>C<call>f</call></s>⟧⟨~⟩"),
        ({"opening": "train"}, "<user>Q</s>~⟦<assistant><think>R</think>C<call>f</call></s>⟧⟨~⟩"),
        ({"opening": "either"}, "<user>Q</s>~⟨<assistant>⟩⟦<think>R</think>C<call>f</call></s>⟧⟨~⟩"),
        ({"reasoning": "ignore"}, "<user>Q</s>~<assistant>⟦<think>⟧R⟦</think>C<call>f</call></s>⟧⟨~⟩"),
        ({"reasoning": "either"}, "<user>Q</s>~<assistant>⟦<think>⟧⟨R⟩⟦</think>C<call>f</call></s>⟧⟨~⟩"),
        ({"content": "ignore"}, "<user>Q</s>~<assistant>⟦<think>R</think>⟧C⟦<call>f</call></s>⟧⟨~⟩"),
        ({"content": "either"}, "<user>Q</s>~<assistant>⟦<think>R</think>⟧⟨C⟩⟦<call>f</call></s>⟧⟨~⟩"),
        ({"tool_call": "ignore"}, "<user>Q</s>~<assistant>⟦<think>R</think>C<call>⟧f⟦</call></s>⟧⟨~⟩"),
        ({"tool_call": "either"}, "<user>Q</s>~<assistant>⟦<think>R</think>C<call>⟧⟨f⟩⟦</call></s>⟧⟨~⟩"),
        ({"scaffold": "ignore"}, "<user>Q</s>~<assistant><think>⟦R⟧</think>⟦C⟧<call>⟦f⟧</call>⟦</s>⟧⟨~⟩"),
        ({"scaffold": "either"}, "<user>Q</s>~<assistant>⟨<think>⟩⟦R⟧⟨</think>⟩⟦C⟧⟨<call>⟩⟦f⟧⟨</call>⟩⟦</s>⟧⟨~⟩"),
        ({"tail": "ignore"}, "<user>Q</s>~<assistant>⟦<think>R</think>C<call>f</call></s>⟧~"),
        ({"tail": "train"}, "<user>Q</s>~<assistant>⟦<think>R</think>C<call>f</call></s>~⟧"),
        ({"stop": "none"}, "<user>Q</s>~<assistant>⟦<think>R</think>C<call>f</call>⟧</s>⟨~⟩"),
        ({"stop": "all"}, "<user>Q⟦</s>⟧~<assistant>⟦<think>R</think>C<call>f</call></s>⟧⟨~⟩"),
        ({"straddling": "train"}, "<user>Q</s>~<assistant>⟦<think>R</think>C<call>f</call></s>⟧⟨~⟩"),
        ({"roles": ["user"]}, "<user>⟦Q</s>⟧⟨~⟩<assistant><think>R</think>C<call>f</call></s>~"),
        (
            {"roles": ["user", "assistant"]},
            "<user>⟦Q</s>⟧⟨~⟩<assistant>⟦<think>R</think>C<call>f</call></s>⟧⟨~⟩",
        ),
        (
            {"roles": ["user", "assistant"], "opening": "train", "tail": "train"},
            "⟦<user>Q</s>~<assistant><think>R</think>C<call>f</call></s>~⟧",
        ),
    ],
    ids=str,
)
def test_an_option_changes_its_zone_and_no_other(changes: dict[str, Any], expected: str) -> None:
    assert rich(Policy().changed(**changes)) == expected


@pytest.mark.parametrize("zone", list(Zone), ids=lambda zone: zone.value)
def test_the_default_verdict_of_every_zone(zone: Zone) -> None:
    expected = {
        Zone.OPENING: Verdict.IGNORE,
        Zone.REASONING: Verdict.TRAIN,
        Zone.CONTENT: Verdict.TRAIN,
        Zone.TOOL_CALL: Verdict.TRAIN,
        Zone.SCAFFOLD: Verdict.TRAIN,
        Zone.STOP: Verdict.TRAIN,
        Zone.TAIL: Verdict.EITHER,
        Zone.CONTEXT: Verdict.IGNORE,
    }
    assert Policy().zone_verdict(zone) is expected[zone]


def test_every_judgement_says_why() -> None:
    messages = [user("Q"), assistant("C", train=False), assistant("D", reasoning_content="R")]
    _, judgements = judged(messages, Policy(), template=RICH)
    reasons = {(part.message, part.zone): part.reason for part in judgements}
    for zone in (Zone.OPENING, Zone.CONTENT, Zone.STOP, Zone.TAIL):
        assert "user" in reasons[0, zone]
        assert "not selected" in reasons[0, zone]
        assert "flag" in reasons[1, zone]
    selected = [reason for (message, _), reason in reasons.items() if message == 2]
    assert len(set(selected)) == len(selected) == 6
    assert all(reasons.values())


def test_an_unconfirmed_opening_is_either_unless_the_policy_trains_it() -> None:
    template = PLAIN.removesuffix(PROMPT)
    messages = [user("Q"), assistant("A")]
    assert marked(messages, Policy(), template=template) == "<user>Q</s>~⟨<assistant>⟩⟦A</s>⟧⟨~⟩"
    trained = Policy(opening=Verdict.TRAIN)
    assert marked(messages, trained, template=template) == "<user>Q</s>~⟦<assistant>A</s>⟧⟨~⟩"


# Which messages.

ROUNDS = [user("a"), assistant("b"), user("c"), assistant("d"), assistant("e"), user("f")]


@pytest.mark.parametrize(
    ("messages", "changes", "selected"),
    [
        (ROUNDS, {}, {1, 3, 4}),
        (ROUNDS, {"turns": "last"}, {4}),
        (ROUNDS, {"turns": "last_round"}, set()),
        (ROUNDS[:-1], {"turns": "last_round"}, {3, 4}),
        (ROUNDS[:-1], {"turns": "last_round", "roles": ["user", "assistant"]}, {3, 4}),
        (ROUNDS, {"turns": "last", "roles": ["user", "assistant"]}, {5}),
        (ROUNDS, {"roles": ["user"]}, {0, 2, 5}),
        (ROUNDS, {"roles": ["system"]}, set()),
        ([assistant("a"), assistant("b")], {"turns": "last_round"}, {0, 1}),
    ],
)
def test_roles_and_turns(messages: list[dict[str, Any]], changes: dict[str, Any], selected: set[int]) -> None:
    assert Policy().changed(**changes).selected(Conversation.from_messages(messages)) == selected


@pytest.mark.parametrize(
    ("flags", "selected"),
    [
        ({1: {"train": False}}, {3, 4}),
        ({1: {"weight": 0}}, {3, 4}),
        ({1: {"weight": 0.5}}, {1, 3, 4}),
        ({0: {"train": True}}, {0, 1, 3, 4}),
        ({0: {"weight": 2}}, {0, 1, 3, 4}),
        ({0: {"train": False}}, {1, 3, 4}),
        ({3: {"spans": [{"start": 0, "end": 1, "train": False}]}}, {1, 4}),
        ({0: {"spans": [{"start": 0, "end": 1}]}}, {0, 1, 3, 4}),
    ],
    ids=str,
)
def test_a_messages_own_flag_comes_first(flags: dict[int, dict[str, Any]], selected: set[int]) -> None:
    messages = [{**message, **flags.get(index, {})} for index, message in enumerate(ROUNDS)]
    conversation = Conversation.from_messages(messages)
    assert Policy().selected(conversation) == selected
    assert Policy(flags=False).selected(conversation) == {1, 3, 4}


def test_a_flag_wins_over_turns_and_does_not_move_them() -> None:
    flagged = [*ROUNDS[:1], {**ROUNDS[1], "train": True}, *ROUNDS[2:]]
    policy = Policy(turns=Turns.LAST)
    assert policy.selected(Conversation.from_messages(flagged)) == {1, 4}
    dropped = [*ROUNDS[:4], {**ROUNDS[4], "train": False}]
    assert policy.selected(Conversation.from_messages(dropped)) == set()


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("turn", "<user>a</s>~<assistant>⟦b</s>⟧⟨~⟩<user>c</s>~<assistant>⟦d</s>⟧⟨~⟩"),
        ("last", "<user>a</s>~<assistant>⟦b⟧</s>⟨~⟩<user>c</s>~<assistant>⟦d</s>⟧⟨~⟩"),
        ("none", "<user>a</s>~<assistant>⟦b⟧</s>⟨~⟩<user>c</s>~<assistant>⟦d⟧</s>⟨~⟩"),
        ("all", "<user>a⟦</s>⟧~<assistant>⟦b</s>⟧⟨~⟩<user>c⟦</s>⟧~<assistant>⟦d</s>⟧⟨~⟩"),
    ],
)
def test_which_stops(stop: str, expected: str) -> None:
    assert marked(ROUNDS[:4], Policy().changed(stop=stop)) == expected


def test_the_last_stop_is_that_of_the_last_selected_message() -> None:
    messages = [ROUNDS[0], ROUNDS[1], ROUNDS[2], assistant("d", train=False)]
    assert marked(messages, Policy(stop=Stops.LAST)) == "<user>a</s>~<assistant>⟦b</s>⟧⟨~⟩<user>c</s>~<assistant>d</s>~"


def test_a_boundary_stop_belongs_to_the_turn_that_it_ends() -> None:
    template = (
        "{% for m in messages %}</s>{{ m.role }}:{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}</s>assistant:{% endif %}"
    )
    messages = [user("a"), assistant("b"), user("c")]
    assert marked(messages, Policy(), template=template) == "</s>user:a</s>assistant:⟦b</s>⟧user:c"
    assert marked(messages, Policy(stop=Stops.NONE), template=template) == "</s>user:a</s>assistant:⟦b⟧</s>user:c"


# Character spans and weights.


def spans(*ranges: tuple[int, int], **more: Any) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, **more} for start, end in ranges]


@pytest.mark.parametrize(
    ("content", "ranges", "expected"),
    [
        ("abcdef", [(0, 2)], "<assistant>⟦ab⟧cdef</s>⟨~⟩"),
        ("abcdef", [(2, 4)], "<assistant>ab⟦cd⟧ef</s>⟨~⟩"),
        ("abcdef", [(4, 6)], "<assistant>abcd⟦ef</s>⟧⟨~⟩"),
        ("abcdef", [(0, 6)], "<assistant>⟦abcdef</s>⟧⟨~⟩"),
        ("abcdef", [(0, 1), (3, 4)], "<assistant>⟦a⟧bc⟦d⟧ef</s>⟨~⟩"),
        ("abcdef", [(3, 4), (0, 1)], "<assistant>⟦a⟧bc⟦d⟧ef</s>⟨~⟩"),
        ("abcdef", [(0, 3), (3, 6)], "<assistant>⟦abcdef</s>⟧⟨~⟩"),
        ("👩‍👩‍👧é", [(1, 5)], "<assistant>👩⟦\u200d👩\u200d👧⟧é</s>⟨~⟩"),
    ],
)
def test_only_the_spans_of_the_content_are_trained(content: str, ranges: list[tuple[int, int]], expected: str) -> None:
    messages = [user("q"), assistant(content, spans=spans(*ranges))]
    assert marked(messages, Policy()) == "<user>q</s>~" + expected


def test_an_untrained_span_at_the_end_leaves_the_stop_out() -> None:
    given = [{"start": 0, "end": 3}, {"start": 3, "end": 6, "train": False}]
    assert marked([user("q"), assistant("abcdef", spans=given)], Policy()).endswith("⟦abc⟧def</s>⟨~⟩")


def test_scaffold_and_reasoning_are_outside_all_spans() -> None:
    message = assistant("abc", reasoning_content="R", tool_calls=[call("f", {})], spans=spans((0, 1)))
    expected = "<user>q</s>~<assistant><think>R</think>⟦a⟧bc<call>f</call></s>⟨~⟩"
    assert marked([user("q"), message], Policy(), template=RICH) == expected


def test_spans_count_the_characters_of_the_content_and_of_no_other_field() -> None:
    """A field of somebody's own counts as content, but the spans say nothing of it."""
    template = PLAIN.replace("{{ m.content }}", "{% if m.note %}{{ m.note }}: {% endif %}{{ m.content }}")
    message = assistant("abc", note="xyz", spans=spans((0, 1)))
    assert marked([user("q"), message], Policy(), template=template).endswith("<assistant>xyz: ⟦a⟧bc</s>⟨~⟩")
    assert marked([user("q"), assistant("abc", note="xyz")], Policy(), template=template).endswith(
        "<assistant>⟦xyz: abc</s>⟧⟨~⟩"
    )


def test_spans_count_the_characters_of_the_message_not_of_what_is_printed() -> None:
    template = PLAIN.replace("{{ m.content }}", "{{ m.content | trim }}")
    message = assistant("  abc  ", spans=spans((2, 3)))
    assert marked([user("q"), message], Policy(), template=template).endswith("<assistant>⟦a⟧bc</s>⟨~⟩")
    at_the_end = assistant("  abc  ", spans=spans((4, 7)))
    assert marked([user("q"), at_the_end], Policy(), template=template).endswith("<assistant>ab⟦c</s>⟧⟨~⟩")


def test_spans_follow_content_that_the_template_takes_apart() -> None:
    template = PLAIN.replace(
        "{{ m.content }}",
        "{% if '|' in m.content %}{{ m.content.split('|')[1] }}({{ m.content.split('|')[0] }})"
        "{% else %}{{ m.content }}{% endif %}",
    )
    message = assistant("abc|def", spans=spans((1, 5)))
    assert marked([user("q"), message], Policy(), template=template).endswith("<assistant>⟦d⟧ef(a⟦bc⟧)</s>⟨~⟩")


def test_spans_are_not_asked_where_flags_are_off() -> None:
    messages = [user("q"), assistant("abc", spans=spans((0, 1)))]
    assert marked(messages, Policy(flags=False)).endswith("<assistant>⟦abc</s>⟧⟨~⟩")


def test_spans_take_the_policys_verdict_for_content() -> None:
    messages = [user("q"), assistant("abc", spans=spans((0, 1)))]
    assert marked(messages, Policy(content=Verdict.EITHER)).endswith("<assistant>⟨a⟩bc</s>⟨~⟩")


def test_outside_the_spans_no_policy_trains_anything() -> None:
    messages = [user("q"), assistant("abc", spans=spans((0, 1)))]
    policy = Policy(opening=Verdict.TRAIN, tail=Verdict.IGNORE)
    assert marked(messages, policy).endswith("~<assistant>⟦a⟧bc</s>~")


def test_weights() -> None:
    given = [{"start": 0, "end": 1, "weight": 3}, {"start": 1, "end": 2}]
    messages = [user("q"), assistant("a", weight=0.5), assistant("bcd", weight=2, spans=given), assistant("e")]
    _, judgements = judged(messages, Policy())
    trained = [
        (part.message, part.zone, part.weight, part.end - part.start)
        for part in judgements
        if part.verdict is Verdict.TRAIN
    ]
    assert trained == [
        (1, Zone.CONTENT, 0.5, 1),
        (1, Zone.STOP, 0.5, 4),
        (2, Zone.CONTENT, 3.0, 1),
        (2, Zone.CONTENT, 2.0, 1),
        (3, Zone.CONTENT, 1.0, 1),
        (3, Zone.STOP, 1.0, 4),
    ]


def test_what_nobody_weighed_weighs_one() -> None:
    _, judgements = judged([user("q"), assistant("abc", spans=spans((1, 2))), assistant("d")], Policy())
    assert {part.weight for part in judgements} == {1.0}


# Presets.


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("principle", {}),
        ("tail-ignored", {"tail": "ignore"}),
        ("tail-trained", {"tail": "train"}),
        ("opening-trained", {"opening": "train"}),
        ("scaffold-ignored", {"scaffold": "ignore"}),
        ("reasoning-ignored", {"reasoning": "ignore", "scaffold": "either"}),
        ("straddling-trained", {"straddling": "train"}),
        ("last-turn", {"turns": "last"}),
        ("last-round", {"turns": "last_round"}),
        ("axolotl", {"tail": "ignore", "straddling": "train"}),
        ("transformers", {"straddling": "train"}),
        ("llama-factory", {"tail": "train"}),
        ("torchtune", {"opening": "train", "tail": "train"}),
    ],
)
def test_a_preset_is_what_the_chapter_on_policy_says(name: str, changes: dict[str, Any]) -> None:
    assert Policy.preset(name) == Policy().changed(**changes)


def test_the_table_of_presets_is_complete() -> None:
    rows = next(
        mark for mark in test_a_preset_is_what_the_chapter_on_policy_says.pytestmark if mark.name == "parametrize"
    )
    assert [name for name, _ in rows.args[1]] == list(PRESETS)


ALIASES = {frozenset({"tail-trained", "llama-factory"}), frozenset({"straddling-trained", "transformers"})}
"""A convention may have the name of the masker that follows it besides its own."""


def test_presets_are_distinct_but_for_the_known_aliases() -> None:
    names = list(PRESETS)
    equal = {
        frozenset({left, right})
        for position, left in enumerate(names)
        for right in names[position + 1 :]
        if PRESETS[left] == PRESETS[right]
    }
    assert equal == ALIASES


def test_a_preset_can_be_changed() -> None:
    policy = Policy.preset("axolotl", roles=["gpt"], turns="last")
    assert policy == Policy(
        roles=frozenset({"assistant"}), turns=Turns.LAST, tail=Verdict.IGNORE, straddling=Verdict.TRAIN
    )
    assert PRESETS["axolotl"].turns is Turns.ALL


# Values.


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["gpt"], {"assistant"}),
        (["gpt", "human"], {"assistant", "user"}),
        (("assistant",), {"assistant"}),
        ({"model", "critic"}, {"model", "critic"}),
        (canonical_roles(["gpt"]), {"assistant"}),
    ],
    ids=["one name", "two names", "a tuple", "names of nobody", "canonical names"],
)
def test_roles_are_read_in_the_names_that_data_sets_use(given: Any, expected: set[str]) -> None:
    assert Policy(roles=given).roles == expected


def test_roles_may_come_from_an_iterator() -> None:
    assert Policy(roles=iter(["tool"])).roles == {"tool"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [("turns", "last_round", Turns.LAST_ROUND), ("stop", "none", Stops.NONE), ("tail", "train", Verdict.TRAIN)],
)
def test_a_choice_is_read_by_its_value(option: str, value: str, expected: object) -> None:
    assert getattr(Policy().changed(**{option: value}), option) is expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"turns": "lst"}, r"turns must be one of all, last, last_round, not 'lst'; did you mean 'last'\?"),
        ({"stop": "every"}, "stop must be one of turn, last, none, all, not 'every'"),
        ({"stop": True}, "stop must be one of .* not True"),
        ({"tail": "ignored"}, r"tail must be one of train, ignore, either, not 'ignored'; did you mean 'ignore'\?"),
        ({"opening": None}, "opening must be one of .* not None"),
        ({"straddling": Turns.ALL}, "straddling must be one of"),
        (
            {"roles": "assistant"},
            r"roles must be a set of role names, not the text 'assistant'; did you mean \{'assistant'\}\?",
        ),
        ({"roles": []}, "roles is empty; name at least one role"),
        ({"roles": [1]}, "roles holds 1, which is not a role name"),
        ({"roles": [""]}, "roles holds '', which is not a role name"),
        ({"roles": 3}, "roles must be a set of role names, not 3"),
        ({"generated": "model"}, "generated must be a set of role names, not the text 'model'"),
        ({"flags": "yes"}, "flags must be True or False, not 'yes'"),
        ({"flags": 1}, "flags must be True or False, not 1"),
        ({"openning": "train"}, r"a policy has no option 'openning'; did you mean 'opening'\?"),
        ({"weights": "train"}, "a policy has no option 'weights'"),
    ],
    ids=str,
)
def test_what_no_policy_can_hold_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        Policy().changed(**changes)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("axolotel", r"there is no policy preset 'axolotel'; did you mean 'axolotl'\?"),
        ("zzz", "there is no policy preset 'zzz'; known: axolotl, .*transformers"),
    ],
)
def test_an_unknown_preset_is_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        Policy.preset(name)


def test_a_policy_does_not_change() -> None:
    policy = Policy()
    with pytest.raises(FrozenInstanceError):
        policy.tail = Verdict.TRAIN  # type: ignore[misc]
    assert hash(policy) == hash(Policy())


def test_the_fields_are_those_of_the_chapter_on_policy() -> None:
    assert {option.name for option in fields(Policy)} == {
        "roles", "turns", "opening", "reasoning", "content", "tool_call", "scaffold", "stop", "tail", "straddling",
        "flags", "generated",
    }  # fmt: skip


def test_a_role_may_be_generated_by_another_name() -> None:
    """Where the prompt asks for a critic, the critic's opening is what the prompt supplies."""
    template = (
        "{% for m in messages %}<{{ m.role }}>!{{ m.content }}</s>{{ '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}<critic>{% endif %}"
    )
    messages = [user("q"), {"role": "critic", "content": "a"}]
    rendering, segmentation = divide(template, messages, tokens=EOS, generated=frozenset({"critic"}))
    policy = Policy(roles=frozenset({"critic"}), generated=frozenset({"critic"}))
    judgements = judge(segmentation, rendering, Conversation.from_messages(messages), policy)
    trained = [rendering.text[part.start : part.end] for part in judgements if part.verdict is Verdict.TRAIN]
    assert trained == ["!", "a", "</s>"]
