"""INJECT: text that looks like markup, or like another turn, is text.

Each check asks twice. A finding is raised only when the same masker is right about a
conversation that lacks nothing but the misleading text; otherwise the markers are not
what misleads it, and the rules of the other families say what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from maskspec.rules.markers import marker_pattern, message_texts, with_texts
from maskspec.rules.overlay import Judged
from maskspec.rules.registry import rule
from maskspec.rules.related import ask
from maskspec.rules.trial import Trial
from maskspec.rules.violations import Excluded, Finding
from maskspec.segmentation import Zone

__all__ = ["identical_turns_labelled_in_place", "markers_in_answers_trained", "markers_of_others_untrained"]


@rule("INJECT-1")
def markers_of_others_untrained(trial: Trial) -> Finding | None:
    """Text of an unselected message is not trained where it holds markers and would not be without them."""
    pattern = marker_pattern(trial)
    marked = {
        index: _plainly(pattern.sub)
        for index, message in enumerate(trial.conversation)
        if index not in trial.selected and any(map(pattern.search, message_texts(message)))
    }
    if not marked:
        raise Excluded("no unselected message holds text that looks like markup")
    wrong = _trained_sources(trial, marked)
    if not wrong:
        return None
    again = ask(trial, with_texts(trial.conversation, marked))
    unselected = [index for index in range(len(trial.conversation)) if index not in trial.selected]
    if _trained_sources(again, unselected):
        raise Excluded("text of unselected messages is trained without any markers, too (ROLE-1)")
    return trial.finding(
        wrong, f"text of {_named(marked)} is trained for the markers in it; plain words in their place are not"
    )


def _plainly(substitute: Callable[[str, str], str]) -> Callable[[str], str]:
    return lambda text: substitute("words", text)


def _trained_sources(trial: Trial, messages: Iterable[int]) -> list[Judged]:
    chosen = frozenset(messages)
    return trial.disagreements(lambda item: item.trained and not chosen.isdisjoint(trial.source_messages(item)))


@rule("INJECT-2")
def markers_in_answers_trained(trial: Trial) -> Finding | None:
    """Content of a selected message is trained to its end where it holds markers, as it is without them."""
    pattern = marker_pattern(trial)
    whole = [
        index
        for index in sorted(trial.selected - trial.spanned)
        if trial.role_selected(index) and trial.conversation[index].text
    ]
    marked = {index: _plainly(pattern.sub) for index in whole if pattern.search(trial.conversation[index].text)}
    if not marked:
        raise Excluded("no selected message has content that looks like markup")
    wrong = _lost_content(trial, marked)
    if not wrong:
        return None
    if _lost_content(ask(trial, with_texts(trial.conversation, marked)), whole):
        raise Excluded("content of selected messages is lost without any markers, too (SPAN-1)")
    return trial.finding(
        wrong, f"content of {_named(marked)} is lost for the markers in it; with plain words in their place none is"
    )


def _lost_content(trial: Trial, messages: Iterable[int]) -> list[Judged]:
    chosen = frozenset(messages)
    return trial.disagreements(lambda item: not item.trained and item.zone is Zone.CONTENT and item.message in chosen)


@rule("INJECT-3")
def identical_turns_labelled_in_place(trial: Trial) -> Finding | None:
    """A turn whose content occurs in another turn as well is labelled as it is when the other turn says something else.

    The other turns are changed and the turn itself is not, so that whatever else is
    peculiar about its text stays as it was.
    """
    likenesses = _likenesses(trial)
    if not likenesses:
        raise Excluded("no content of a selected turn occurs in another turn as well")
    confused = {index: _wrong_at(trial, index) for index in likenesses}
    confused = {index: items for index, items in confused.items() if items}
    if not confused:
        return None
    for index, items in list(confused.items())[:_MOST_ASKED]:
        other = with_texts(trial.conversation, {twin: _without(trial, index) for twin in likenesses[index]})
        if not {item.trained for item in items} & {item.trained for item in _wrong_at(ask(trial, other), index)}:
            return trial.finding(
                items,
                f"message {index} is not labelled by its own place: {_named(likenesses[index])} with the same text "
                "changes its labels",
            )
    raise Excluded("the turns in question are labelled wrongly when no other turn has their text, too")


_MOST_ASKED = 2
"""How many of the wrongly labelled turns are asked about again."""

_OTHER_WORDS = ("indigo quartz", "velvet thumb", "1234567", "кит")


def _likenesses(trial: Trial) -> dict[int, list[int]]:
    """For each turn the other turns whose content holds its content or is part of it, one of the two being selected."""
    texts = {index: message.text.strip() for index, message in enumerate(trial.conversation) if message.text.strip()}
    found: dict[int, list[int]] = {}
    for index, text in texts.items():
        twins = [
            other
            for other, its in texts.items()
            if other != index and (text in its or its in text) and trial.selected & {index, other}
        ]
        if twins:
            found[index] = twins
    return found


def _wrong_at(trial: Trial, index: int) -> list[Judged]:
    return trial.disagreements(lambda item: item.message == index or index in trial.source_messages(item))


def _without(trial: Trial, index: int) -> Callable[[str], str]:
    """Changes a text so that it and the content of message `index` have nothing to do with each other."""
    content = trial.conversation[index].text.strip()
    words = next((item for item in _OTHER_WORDS if content not in item and item not in content), None)
    if words is None:
        raise Excluded("no other text is unlike the turn in question")
    return lambda text: text.replace(content, words) if content in text else words


def _named(messages: Iterable[int]) -> str:
    indices = sorted(messages)
    return f"message{'s' if len(indices) > 1 else ''} {', '.join(map(str, indices))}"
