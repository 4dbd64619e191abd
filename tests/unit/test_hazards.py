"""Each hazard once, with a template written to provoke it, and the same template put right, which has none."""

from __future__ import annotations

from typing import Any

import pytest

from maskspec import HazardKind, Mask, Policy, mask
from maskspec.hazards import Hazard
from tests.unit.divisions import CHATML, assistant, call, user
from tests.unit.plain_tokenizer import PlainTokenizer

PROMPT = "{% if add_generation_prompt %}<assistant>{% endif %}"
PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}" + PROMPT
HELLO = [user("Hi"), assistant("Yo")]


def masked(template: str, messages: Any = HELLO, *added: str, **options: Any) -> Mask:
    merged = options.pop("merged", ())
    unknown = options.pop("unknown", "")
    special = {name: options.pop(name) for name in ("bos", "unk", "stops", "variables") if name in options}
    tokenizer = PlainTokenizer("</s>", *added, merged=merged, unknown=unknown, eos="</s>", **special)
    return mask(messages, template=template, tokenizer=tokenizer, **{"allow_empty": True, **options})


def kinds(result: Mask) -> list[HazardKind]:
    return [hazard.kind for hazard in result.hazards]


def only(result: Mask) -> Hazard:
    (hazard,) = result.hazards
    return hazard


def test_a_clean_mask_has_none() -> None:
    assert masked(PLAIN).hazards == ()


def test_straddling() -> None:
    result = masked(PLAIN, [user("Hi"), assistant("> Yo")], merged=[">>"])
    hazard = only(result)
    assert (hazard.kind, hazard.message) == (HazardKind.STRADDLING, 1)
    assert hazard.token is not None
    assert result.tokens[hazard.token].text == ">>"
    assert "'>>'" in hazard.detail
    assert kinds(masked(PLAIN, [user("Hi"), assistant("> Yo")])) == []


def test_a_straddling_token_is_reported_whatever_the_policy_does_with_it() -> None:
    for straddling in ("train", "ignore", "either"):
        result = masked(
            PLAIN, [user("Hi"), assistant("> Yo")], merged=[">>"], policy=Policy().changed(straddling=straddling)
        )
        assert kinds(result) == [HazardKind.STRADDLING]


class Stuttering(PlainTokenizer):
    """Puts a token without text after every end of a turn, as legacy SentencePiece does with a lone `▁`."""

    def encode(self, text: str) -> Any:
        encoding = super().encode(text)
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        for token_id, (start, end) in zip(encoding.ids, encoding.offsets or (), strict=True):
            ids.append(token_id)
            offsets.append((start, end))
            if text[start:end] == "</s>":
                ids.append(self.id_of("▁"))
                offsets.append((end, end))
        return type(encoding)(ids, offsets)


def test_phantom() -> None:
    result = mask(HELLO, template=PLAIN, tokenizer=Stuttering("</s>", eos="</s>"))
    assert kinds(result) == [HazardKind.PHANTOM, HazardKind.PHANTOM]
    first, _last = result.hazards
    assert first.token is not None
    assert result.tokens[first.token].text == ""
    assert result.tokens[first.token].reason == "spells no character of the text"
    assert [hazard.message for hazard in result.hazards] == [1, 1]
    assert "'▁'" in first.detail
    assert result.labels[first.token] == -100
    assert result.trained_text == "Yo</s>"


def test_doubled_bos() -> None:
    template = "{{ bos_token }}" + PLAIN
    hazard = only(masked("<s>" + template, HELLO, "<s>", bos="<s>", variables={"bos_token": "<s>"}))
    assert (hazard.kind, hazard.token) == (HazardKind.DOUBLED_BOS, 0)
    assert hazard.detail == "the text begins with '<s>' twice"
    assert kinds(masked(template, HELLO, "<s>", bos="<s>", variables={"bos_token": "<s>"})) == []


def test_no_stop() -> None:
    template = PLAIN.replace("</s>", "{% if m.role == 'user' %}</s>{% endif %}")
    messages = [user("Hi"), assistant("Yo"), user("A"), assistant("B")]
    assert [(hazard.kind, hazard.message) for hazard in masked(template, messages).hazards] == [
        (HazardKind.NO_STOP, 1),
        (HazardKind.NO_STOP, 3),
    ]
    assert {hazard.detail for hazard in masked(template, messages).hazards} == {
        "no stop token ends this turn; declare one or mend the template"
    }


def test_a_second_beginning_of_sequence_may_stand_behind_white_space_and_nothing_else() -> None:
    options: dict[str, Any] = {"bos": "<s>", "variables": {"bos_token": "<s>"}}
    assert kinds(masked("<s>\n {{ bos_token }}" + PLAIN, HELLO, "<s>", **options)) == [HazardKind.DOUBLED_BOS]
    assert kinds(masked("<s>.{{ bos_token }}" + PLAIN, HELLO, "<s>", **options)) == []
    assert kinds(masked(".<s>{{ bos_token }}" + PLAIN, HELLO, "<s>", **options)) == []


def test_no_stop_concerns_selected_messages_alone() -> None:
    template = PLAIN.replace("</s>", "{% if m.role == 'assistant' %}</s>{% endif %}")
    assert kinds(masked(template)) == []
    assert kinds(masked(template, policy=Policy(roles=frozenset({"user"})))) == [HazardKind.NO_STOP]


def test_boundary_stop() -> None:
    template = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    messages = [user("Hi"), assistant("Yo"), user("A")]
    hazard = only(masked(template, messages, "<|user|>", "<|assistant|>", stops=("<|user|>",)))
    assert (hazard.kind, hazard.message) == (HazardKind.BOUNDARY_STOP, 1)
    assert hazard.detail == "the stop of this turn is printed after its own text"


def test_unconfirmed_opening() -> None:
    hazard = only(masked(PLAIN.removesuffix(PROMPT)))
    assert (hazard.kind, hazard.message) == (HazardKind.UNCONFIRMED_OPENING, 1)
    assert hazard.detail == "no generation prompt confirms the opening '<assistant>'"


THINKING = PLAIN.replace(
    "{{ m.content }}", "{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }}){% endif %}{{ m.content }}"
)


def test_reasoning_dropped() -> None:
    messages = [
        user("Hi"),
        assistant("Yo", reasoning_content="Hm."),
        user("A"),
        assistant("B", reasoning_content="Oh."),
    ]
    hazard = only(masked(THINKING, messages))
    assert (hazard.kind, hazard.message) == (HazardKind.REASONING_DROPPED, 1)
    assert "'Hm.'" in hazard.detail
    assert kinds(masked(THINKING, messages[2:])) == []


def test_reasoning_dropped_from_the_content() -> None:
    template = PLAIN.replace("{{ m.content }}", "{{ m.content.split('</think>')[-1] | trim }}")
    hazard = only(masked(template, [user("Hi"), assistant("<think>Hm.</think>\n\nYo")]))
    assert (hazard.kind, hazard.message) == (HazardKind.REASONING_DROPPED, 1)
    assert "Hm." in hazard.detail


def test_content_dropped() -> None:
    template = PLAIN.replace("{{ m.content }}", "{{ m.content[:3] }}")
    hazard = only(masked(template, [user("Hi"), assistant("Yes, of course.")]))
    assert (hazard.kind, hazard.message) == (HazardKind.CONTENT_DROPPED, 1)
    assert hazard.detail == "the template drops 12 of 15 characters of the content, from ', of course.'"
    assert kinds(masked(template, [user("A long question."), assistant("Yes")])) == []


def test_of_what_is_dropped_thirty_characters_are_shown() -> None:
    template = PLAIN.replace("{{ m.content }}", "{{ m.content[:1] }}")
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"
    hazard = only(masked(template, [user("H"), assistant(letters)]))
    assert hazard.detail == f"the template drops 35 of 36 characters of the content, from '{letters[1:31]}'"


def test_the_name_of_a_field_is_none_of_its_characters() -> None:
    template = PLAIN.replace(
        "{{ m.content }}", "{% if m.role == 'user' %}{{ m.content }}{% else %}{{ m.keys() | join(',') }}{% endif %}"
    )
    hazard = only(masked(template, [user("Hi"), assistant("Yes, of course.")]))
    assert (hazard.kind, hazard.message) == (HazardKind.CONTENT_DROPPED, 1)
    assert hazard.detail == "the template drops 15 of 15 characters of the content, from 'Yes, of course.'"


def test_content_that_is_dropped_in_two_places() -> None:
    """Between the printed places and behind them, without the white space at the edges of a gap."""
    template = PLAIN.replace("{{ m.content }}", "{{ m.content[6:8] }}{{ m.content[:2] }}{{ m.content[1:3] }}")
    hazard = only(masked(template, [user("ab"), assistant("abc d efg h ")]))
    # printed: 0 to 3 and 6 to 8; between them " d ", behind them "g h "
    assert hazard.detail == "the template drops 4 of 12 characters of the content, from 'dg h'"


def test_trimmed_white_space_is_not_dropped_content() -> None:
    template = PLAIN.replace("{{ m.content }}", "{{ m.content | trim }}")
    assert kinds(masked(template, [user("Hi"), assistant("  Yes.\n\n")])) == []


@pytest.mark.parametrize(
    "change",
    ["upper", "lower", "tojson", "indent(2)", "replace('\\n', ' ')"],
)
def test_rewritten_content_is_not_dropped(change: str) -> None:
    template = PLAIN.replace("{{ m.content }}", "{{ m.content | " + change + " }}")
    assert kinds(masked(template, [user("Hi"), assistant("Yes, please.\nNow.")])) == []


@pytest.mark.parametrize(
    ("change", "content"), [("upper", "\N{LATIN SMALL LIGATURE FI}n"), ("striptags", "<b>Yes</b>, please.")]
)
def test_content_rewritten_without_a_trace_counts_as_printed(change: str, content: str) -> None:
    """Which of its characters were printed is not known, only that something of it was."""
    template = PLAIN.replace("{{ m.content }}", "{{ m.content | " + change + " }}")
    assert kinds(masked(template, [user("Hi"), assistant(content)])) == []


@pytest.mark.parametrize(
    ("cut", "content"),
    [("split('</think>')[-1]", "Hm.</think>Yo"), ("split('<think>')[0]", "Yo<think>Hm.")],
    ids=["end tag", "begin tag"],
)
def test_one_think_tag_in_the_content_is_enough_for_reasoning(cut: str, content: str) -> None:
    template = PLAIN.replace("{{ m.content }}", "{{ m.content." + cut + " }}")
    assert kinds(masked(template, [user("Hi"), assistant(content)])) == [HazardKind.REASONING_DROPPED]


def test_not_rendered() -> None:
    template = PLAIN.replace("{% for m in messages %}", "{% for m in messages %}{% if not m.skip %}").replace(
        "{% endfor %}", "{% endif %}{% endfor %}"
    )
    hazard = only(masked(template, [user("Hi"), assistant("Yo", skip=True), user("A"), assistant("B")]))
    assert (hazard.kind, hazard.message) == (HazardKind.NOT_RENDERED, 1)
    assert hazard.detail == "the template prints nothing for this message"


def test_messages_behind_one_that_is_not_rendered_have_their_hazards() -> None:
    template = "{% for m in messages %}{% if not m.skip %}<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}" + PROMPT
    result = masked(template, [user("Hi"), assistant("Yo", skip=True), user("A"), assistant("B")])
    assert [(hazard.kind, hazard.message) for hazard in result.hazards] == [
        (HazardKind.NOT_RENDERED, 1),
        (HazardKind.NO_STOP, 3),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        assistant([{"type": "text", "text": "Yo"}, {"type": "text", "text": "!"}]),
        assistant(None, tool_calls=[call("f", {})]),
    ],
    ids=["in parts", "none"],
)
def test_content_that_is_no_text_is_not_dropped(answer: dict[str, Any]) -> None:
    """Of content in parts a template may print what it likes: an image is not printed either."""
    template = PLAIN.replace(
        "{{ m.content }}",
        "{% if m.content is string %}{{ m.content }}{% elif m.content %}{{ m.content[0].text }}{% endif %}"
        "{% for t in m.tool_calls or [] %}{{ t.function.name }}{% endfor %}",
    )
    assert kinds(masked(template, [user("Hi"), answer])) == []


def test_unknown_token() -> None:
    messages = [user("β"), assistant("Yes β."), user("<unk>"), assistant("<unk>")]
    result = masked(PLAIN, messages, "<unk>", unk="<unk>", unknown="β")
    hazard = only(result)
    assert (hazard.kind, hazard.message) == (HazardKind.UNKNOWN_TOKEN, 1)
    assert hazard.token is not None
    assert result.tokens[hazard.token].text == "β"
    assert "'β'" in hazard.detail


TAGGED = (
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>"
    "{% endgeneration %}{% else %}{{ m.content }}</s>{% endif %}{{ '\\n' }}{% endfor %}" + PROMPT
)


def test_generation_tags_that_agree() -> None:
    assert kinds(masked(TAGGED, [*HELLO, user("A"), assistant("B")])) == []
    with_tail = TAGGED.replace("{% endgeneration %}", "{{ '\\n' }}{% endgeneration %}")
    assert kinds(masked(with_tail)) == []


@pytest.mark.parametrize(
    ("old", "new", "said", "shown"),
    [
        ("</s>{% endgeneration %}", "{% endgeneration %}</s>", "do not cover", "'</s>'"),
        ("{% generation %}{{ m.content }}", "{{ m.content }}{% generation %}", "do not cover", "'Yo'"),
        (
            "<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}",
            "{% if m.role == 'user' %}<user>{% endif %}{% if m.role == 'assistant' %}{% generation %}<assistant>",
            "cover the opening",
            "'<assistant>'",
        ),
        (
            "{{ m.content }}</s>{% endgen",
            "{{ m.content[:1] }}{% endgeneration %}{{ m.content[1:] }}{% generation %}</s>{% endgen",
            "only part",
            "'Yo'",
        ),
    ],
    ids=["stop left out", "content left out", "opening inside", "half of the content"],
)
def test_generation_tags_disagree(old: str, new: str, said: str, shown: str) -> None:
    assert old in TAGGED
    template = TAGGED.replace(old, new)
    hazard = only(masked(template))
    assert (hazard.kind, hazard.message) == (HazardKind.GENERATION_TAGS_DISAGREE, 1)
    assert said in hazard.detail
    assert shown in hazard.detail


@pytest.mark.parametrize(
    ("content", "shown"),
    [("a" * 30, "'" + "a" * 30 + "'"), ("a" * 30 + "b", "'" + "a" * 30 + "…'")],
    ids=["thirty characters", "one more"],
)
def test_what_generation_tags_leave_out_is_shown_up_to_thirty_characters(content: str, shown: str) -> None:
    template = TAGGED.replace("{% generation %}{{ m.content }}", "{{ m.content }}{% generation %}")
    assert only(masked(template, [user("Hi"), assistant(content)])).detail == (
        f"the template's generation tags do not cover the content text {shown}, which the principle trains"
    )


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("{% generation %}<assistant>{{ m.content }}</s>", "cover the opening text '<assistant>'"),
        ("<assi{% generation %}stant>{{ m.content }}</s>", "cover only part of the opening text '<assistant>'"),
    ],
)
def test_what_generation_tags_cover_though_the_principle_ignores_it(inside: str, said: str) -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}" + inside + "{% endgeneration %}"
        "{% else %}<user>{{ m.content }}</s>{% endif %}{% endfor %}" + PROMPT
    )
    assert only(masked(template)).detail == f"the template's generation tags {said}, which the principle ignores"


def test_generation_tags_that_are_wrong_in_a_later_turn_alone() -> None:
    template = TAGGED.replace(
        "{% generation %}{{ m.content }}</s>{% endgeneration %}",
        "{% if loop.last %}{{ m.content }}{% generation %}</s>{% endgeneration %}"
        "{% else %}{% generation %}{{ m.content }}</s>{% endgeneration %}{% endif %}",
    )
    hazard = only(masked(template, [*HELLO, user("A"), assistant("B")]))
    assert (hazard.kind, hazard.message) == (HazardKind.GENERATION_TAGS_DISAGREE, 3)
    assert "which the principle trains" in hazard.detail


def test_generation_tags_that_are_wrong_twice_in_a_turn_are_reported_once() -> None:
    template = TAGGED.replace(
        "{{ m.content }}</s>{% endgeneration %}", "{{ m.content[:1] }}{% endgeneration %}{{ m.content[1:] }}</s>"
    )
    assert only(masked(template)).message == 1


def test_generation_tags_of_a_template_that_calls_the_assistant_model() -> None:
    messages = [user("Hi"), {"role": "model", "content": "Yo"}]
    policy = Policy(roles=frozenset({"model"}), generated=frozenset({"model"}))
    assert kinds(masked(TAGGED.replace("assistant", "model"), messages, policy=policy)) == []


def test_generation_tags_around_nothing_cover_nothing() -> None:
    """An empty block inside the content, between two that cover it."""
    covered = "{% generation %}{{ m.content[:1] }}{% endgeneration %}{% generation %}{% endgeneration %}"
    template = TAGGED.replace("{% generation %}{{ m.content }}", covered + "{% generation %}{{ m.content[1:] }}")
    assert kinds(masked(template)) == []


def test_generation_tags_around_somebody_else() -> None:
    template = TAGGED.replace(
        "{% else %}{{ m.content }}</s>", "{% else %}{% generation %}{{ m.content }}{% endgeneration %}</s>"
    )
    hazard = only(masked(template))
    assert (hazard.kind, hazard.message) == (HazardKind.GENERATION_TAGS_DISAGREE, 0)


def test_generation_tags_around_text_of_nobody() -> None:
    hazard = only(masked("{% generation %}Hello!{% endgeneration %}" + TAGGED))
    assert (hazard.kind, hazard.message) == (HazardKind.GENERATION_TAGS_DISAGREE, None)


@pytest.mark.parametrize(
    "policy",
    [
        Policy.preset("opening-trained"),
        Policy(roles=frozenset({"user"})),
        Policy.preset("last-turn"),
        Policy.preset("reasoning-ignored"),
        Policy(stop="none"),  # type: ignore[arg-type]
    ],
    ids=["opening trained", "the user", "last turn", "reasoning ignored", "no stop"],
)
def test_tags_that_agree_with_the_principle_agree_under_every_policy(policy: Policy) -> None:
    """The tags are held against the principle, not against what somebody decided to train."""
    result = masked(TAGGED, [*HELLO, user("A"), assistant("B")], policy=policy)
    assert HazardKind.GENERATION_TAGS_DISAGREE not in kinds(result)


def test_tags_that_agree_with_the_principle_agree_where_a_message_is_flagged() -> None:
    result = masked(TAGGED, [user("Hi"), assistant("Yo", train=False), user("A"), assistant("B")])
    assert kinds(result) == []


def test_nothing_trained() -> None:
    hazard = only(masked(PLAIN, [user("Hi"), user("Yo")]))
    assert (hazard.kind, hazard.message, hazard.token) == (HazardKind.NOTHING_TRAINED, None, None)
    assert "the policy trains assistant and the conversation has user" in hazard.detail
    assert kinds(masked(PLAIN)) == []


def test_every_kind_has_a_test() -> None:
    assert {kind.name for kind in HazardKind} == {
        "STRADDLING", "PHANTOM", "DOUBLED_BOS", "NO_STOP", "BOUNDARY_STOP", "UNCONFIRMED_OPENING",
        "GENERATION_TAGS_DISAGREE", "REASONING_DROPPED", "CONTENT_DROPPED", "NOT_RENDERED", "UNKNOWN_TOKEN",
        "NOTHING_TRAINED",
    }  # fmt: skip


def test_hazards_never_change_the_mask() -> None:
    template = CHATML.replace("{{ m.content }}", "{% generation %}{{ m.content }}{% endgeneration %}")
    tokenizer = PlainTokenizer("<|im_start|>", "<|im_end|>", eos="<|im_end|>")
    with_hazards, without = (mask(HELLO, template=source, tokenizer=tokenizer) for source in (template, CHATML))
    assert HazardKind.GENERATION_TAGS_DISAGREE in kinds(with_hazards)
    assert (with_hazards.labels, without.hazards) == (without.labels, ())
