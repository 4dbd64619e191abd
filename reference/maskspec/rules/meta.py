"""META: what must not change when something else does: later turns, the text of others, the rest of a batch."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from maskspec.conversation import Conversation
from maskspec.masker import Mask
from maskspec.policy import Stops, Turns, Verdict
from maskspec.rules.markers import message_texts, with_texts
from maskspec.rules.overlay import Judged
from maskspec.rules.registry import rule
from maskspec.rules.related import ask
from maskspec.rules.trial import Answer, Trial
from maskspec.rules.violations import Excluded, Finding, Kind

__all__ = ["appended_turns_change_nothing_before", "batch_equals_one_by_one", "replaced_context_changes_no_answer"]


@rule("META-1", every=3)
def appended_turns_change_nothing_before(trial: Trial) -> Finding | None:
    """Tokens that a conversation shares with its own beginning are labelled alike in both.

    The beginning is a different one from trial to trial. Compared are the tokens that
    stand at the same place in both texts, where the reference expects the same of them.
    """
    if trial.policy.turns is not Turns.ALL or trial.policy.stop is Stops.LAST:
        raise Excluded("the declared policy lets later turns decide about earlier ones")
    whole = trial.judged
    begun = _begun(trial)
    if not trial.wrong and not begun.wrong:
        return None
    before = {(item.start, item.end, item.id): item for item in begun.judged}
    pairs = ((item, before.get((item.start, item.end, item.id))) for item in whole)
    return _contradiction(
        trial,
        begun,
        pairs,
        f"tokens of the first {len(begun.conversation)} message(s) are labelled otherwise when more messages follow",
    )


def _begun(trial: Trial) -> Trial:
    """The trial with a beginning of the conversation that is printed as in the whole; two of them are tried."""
    for beginning in _beginnings(trial)[:2]:
        begun = ask(trial, beginning)
        if trial.expected.text.startswith(begun.expected.text):
            return begun
    raise Excluded("the template prints the beginning of the conversation otherwise when more follows")


def _beginnings(trial: Trial) -> list[Conversation]:
    """The first few messages, a selected one among them: first as many as the number of the trial says."""
    lengths = [n for n in range(1, len(trial.conversation)) if not trial.selected.isdisjoint(range(n))]
    if not lengths:
        raise Excluded("no message follows the first selected one")
    first = trial.number % len(lengths)
    return [trial.conversation.replace(messages=trial.conversation[:n]) for n in lengths[first:] + lengths[:first]]


def _contradiction(
    trial: Trial, other: Trial, pairs: Iterable[tuple[Judged, Judged | None]], explanation: str
) -> Finding | None:
    """A finding about tokens of two trials of which the same is expected and which are not labelled alike.

    One of each two is wrong, so where neither trial has a wrong token there is nothing to
    compare. The table shows the conversation in which they are.
    """
    differing = [
        (item, twin)
        for item, twin in pairs
        if twin is not None
        and item.verdict is twin.verdict
        and item.verdict is not Verdict.EITHER
        and item.trained is not twin.trained
    ]
    if not differing:
        return None
    wrong = [item for item, _ in differing if item.wrong]
    if wrong:
        return trial.finding(wrong, explanation)
    return other.finding([twin for _, twin in differing if twin.wrong], f"{explanation}; shown is the other answer")


@rule("META-2", every=3)
def replaced_context_changes_no_answer(trial: Trial) -> Finding | None:
    """The trained text of a selected message stays the same when others say something else.

    Compared are the characters of every selected message whose zones read the same in
    both renderings, as far as the tokens that hold them hold nothing else.
    """
    context = {
        index: _otherwise(index)
        for index, message in enumerate(trial.conversation)
        if index not in trial.selected and any(text.strip() for text in message_texts(message))
    }
    if not context or not trial.selected:
        raise Excluded("the conversation has no unselected text beside a selected message")
    changed = ask(trial, with_texts(trial.conversation, context))
    alike = {
        index
        for index in trial.selected
        if _zones(trial.expected, index) and _zones(trial.expected, index) == _zones(changed.expected, index)
    }
    if not alike:
        raise Excluded("the template prints the selected messages otherwise beside other context")
    if not trial.wrong and not changed.wrong:
        return None
    here, there = _by_place(trial), _by_place(changed)
    pairs = ((item, there.get(place)) for place, item in here.items() if place[0] in alike)
    return _contradiction(
        trial, changed, pairs, "what is trained of selected messages changes with the text of unselected ones"
    )


def _otherwise(index: int) -> Callable[[str], str]:
    """Another text of another length, a different one for each message."""
    words = ("Well, that is another matter, and a longer one as well.", "So?")
    return lambda text: f"{words[len(text) > len(words[0]) // 2]} {index}" if text.strip() else text


def _zones(expected: Mask, index: int) -> list[tuple[object, ...]]:
    return [
        (part.zone, part.verdict, expected.text[part.start : part.end])
        for part in expected.judgements
        if part.message == index
    ]


def _by_place(trial: Trial) -> dict[tuple[int, int], Judged]:
    """The judged token at every character of a message, by message and place in the message's own zones.

    Tokens that hold anything besides one message's zones are left out.
    """
    parts = [part for part in trial.expected.judgements if part.start < part.end]
    lengths: dict[int | None, int] = {}
    shifts: list[int] = []  # from a place in the text to the place in the zones of the part's message
    for part in parts:
        first = lengths.get(part.message, 0)
        shifts.append(first - part.start)
        lengths[part.message] = first + part.end - part.start
    starts = [part.start for part in parts]
    found: dict[tuple[int, int], Judged] = {}
    for item in trial.judged:
        held = range(max(0, bisect_right(starts, item.start) - 1), bisect_left(starts, item.end))
        if item.message is None or any(parts[number].message != item.message for number in held):
            continue
        for number in held:
            part, shift = parts[number], shifts[number]
            for position in range(max(item.start, part.start), min(item.end, part.end)):
                found[item.message, position + shift] = item
    return found


@rule("META-3", every=3)
def batch_equals_one_by_one(trial: Trial) -> Finding | None:
    """Every conversation of a batch gets the ids and labels that it gets alone, whatever else is in the batch.

    The batches are the conversation by itself, and the conversation among shorter and
    longer ones, in an order that changes from trial to trial; a masker that truncates is
    asked for the last batch a second time, under a limit that cuts the conversation.
    """
    batch = trial.abilities.batch
    if batch is None:
        raise Excluded("the masker has no `mask_batch` method")
    alone = [replace(trial, outcome=trial.answer), *_neighbours(trial)]
    first = trial.number % len(alone)
    mixed = alone[first:] + alone[:first]
    for trials in ([trial], mixed):
        answers = batch([item.conversation for item in trials], None)
        if isinstance(answers, BaseException):
            problem = (
                f"the masker raised {type(answers).__name__} on a batch of {len(trials)} that it answers one by one"
            )
            return Finding(kind=Kind.RAISED, explanation=problem, zone="")
        if len(answers) != len(trials):
            problem = f"a batch of {len(trials)} conversation(s) gave {len(answers)} answer(s)"
            return Finding(kind=Kind.LENGTH, explanation=problem, zone="")
        for position, (item, answer) in enumerate(zip(trials, answers, strict=True)):
            finding = _differing(item, answer, f"conversation {position + 1} of a batch of {len(trials)}")
            if finding is not None:
                return finding
    return _cut_in_a_batch(trial, mixed, -first % len(alone))


def _cut_in_a_batch(trial: Trial, trials: Sequence[Trial], place: int) -> Finding | None:
    """The conversation at a place of a batch, cut there and cut alone; what is wrong with both is for the TRUNC rules.

    A masker may refuse the batch for the sake of the other conversations, of which the cut may leave nothing to train.
    """
    batch, truncate = trial.abilities.batch, trial.abilities.truncate
    if batch is None or truncate is None:
        return None
    sides = sorted(trial.abilities.truncation)
    limit = ((2 * len(trial.answer.input_ids) + 2) // 3, sides[trial.number % len(sides)])
    try:
        alone = truncate(*limit)
        answers = batch([item.conversation for item in trials], limit)
    except Excluded:
        return None
    if isinstance(alone, BaseException) or isinstance(answers, BaseException) or len(answers) != len(trials):
        return None
    found = answers[place]
    if (found.input_ids, found.labels) == (alone.input_ids, alone.labels):
        return None
    where = f"conversation {place + 1} of a batch of {len(trials)}, cut to {limit[0]} tokens on the {limit[1]},"
    if found.input_ids != alone.input_ids:
        explanation = f"{where} has other ids than cut alone ({len(found.input_ids)}, alone {len(alone.input_ids)})"
        return Finding(kind=Kind.DIFFERENT_IDS, explanation=explanation, zone="")
    return Finding(kind=Kind.DIFFERENT_LABELS, explanation=f"{where} has other labels than cut alone", zone="")


def _neighbours(trial: Trial) -> list[Trial]:
    """A shorter and a longer conversation, as far as template and masker take them."""
    found = []
    for build in (_beginnings, _lengthened):
        try:
            found.append(ask(trial, build(trial)[0]))
        except Excluded:
            continue
    return found


def _lengthened(trial: Trial) -> list[Conversation]:
    return [with_texts(trial.conversation, {0: lambda text: text + " and then some more" * 12})]


def _differing(alone: Trial, answer: Answer, where: str) -> Finding | None:
    if answer.input_ids != alone.answer.input_ids:
        explanation = f"{where} has other ids than alone ({len(answer.input_ids)}, alone {len(alone.answer.input_ids)})"
        return Finding(kind=Kind.DIFFERENT_IDS, explanation=explanation, zone="")
    if answer.labels == alone.answer.labels:
        return None
    explanation = f"{where} has other labels than alone"
    try:
        batched = replace(alone, outcome=answer)
        finding = _contradiction(batched, alone, zip(batched.judged, alone.judged, strict=True), explanation)
    except Excluded:
        finding = None
    return finding or Finding(kind=Kind.DIFFERENT_LABELS, explanation=explanation, zone="")
