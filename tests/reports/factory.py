"""Reports put together by hand: small ones whose every number is known, and a large one for the page."""

from __future__ import annotations

from dataclasses import replace

from maskspec.conformance.cases import Case
from maskspec.conformance.report import Conflict, Failure, PairResult, Report, Tally
from maskspec.rules import Kind, Row, Rule, Subject, load_rules
from maskspec.rules.catalogue import Level, Status


def rule(identifier: str, *, level: Level = Level.MUST, title: str = "", sentence: str = "") -> Rule:
    """A rule of which a snapshot knows every word, whatever the catalogue says today."""
    family, _, number = identifier.partition("-")
    return Rule(
        id=identifier,
        level=level,
        family=family,
        title=title or f"The title of {identifier}",
        sentence=sentence or f"A masker {level.value} keep {identifier}.",
        chapter="06-rules.md",
        anchor=f"{family.lower()}-{number}",
        status=Status.CHECKED,
        check=f"maskspec.rules.{family.lower()}:check",
        prose_sha256="0" * 64,
    )


ROLE_1 = rule("ROLE-1", title="Messages of other roles", sentence="A masker MUST NOT train what a user wrote.")
STOP_1 = rule("STOP-1", title="The stop of a turn", sentence="A masker MUST train the stop of every selected turn.")
TOKEN_3 = rule("TOKEN-3", level=Level.SHOULD, title="Phantom tokens", sentence="A tokenizer SHOULD add no phantom.")

MESSAGES = ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"})

ROWS = (
    Row(index=0, text="<|im_start|>", zone="OPENING", message=0, expected="IGNORE", got="IGNORE"),
    Row(index=1, text="user\n", zone="OPENING", message=0, expected="IGNORE", got="IGNORE"),
    Row(index=2, text="Hi", zone="CONTENT", message=0, expected="IGNORE", got="TRAIN", wrong=True),
    Row(index=3, text="<|im_end|>", zone="STOP", message=0, expected="IGNORE", got="IGNORE"),
    Row(index=4, text="\n", zone="TAIL", message=0, expected="EITHER", got="IGNORE"),
    Row(index=5, text="<|im_start|>assistant\n", zone="OPENING", message=1, expected="IGNORE", got="IGNORE"),
    Row(index=6, text="Yo", zone="CONTENT", message=1, expected="TRAIN", got="TRAIN"),
    Row(index=7, text="<|im_end|>", zone="STOP", message=1, expected="TRAIN", got="TRAIN"),
)


def failure(
    broken: Rule = ROLE_1,
    *,
    kind: Kind = Kind.TRAINED,
    zone: str = "CONTENT",
    explanation: str = "1 token of message 0 (user) is trained",
    pair: str = "chatml+words",
    messages: tuple[dict[str, object], ...] = MESSAGES,
    rows: tuple[Row, ...] = ROWS,
    cases: int = 1,
    pairs: tuple[str, ...] | None = None,
    subject: Subject = Subject.MASKER,
    known: str | None = None,
) -> Failure:
    template, _, tokenizer = pair.partition("+")
    return Failure(
        rule=broken,
        kind=kind,
        zone=zone,
        explanation=explanation,
        masker="shop.masks:masker",
        policy="Policy()",
        pair=pair,
        template=template,
        tokenizer=tokenizer,
        case=Case(messages=list(messages)),
        rows=rows,
        cases=cases,
        pairs=(pair,) if pairs is None else pairs,
        subject=subject,
        known=known,
    )


def pair_result(
    name: str = "chatml+words",
    tallies: dict[str, Tally] | None = None,
    *,
    failures: tuple[Failure, ...] = (),
    conflicts: tuple[Conflict, ...] = (),
    excluded: str | None = None,
    cases: int = 10,
) -> PairResult:
    template, _, tokenizer = name.partition("+")
    return PairResult(
        pair=name,
        template=template,
        tokenizer=tokenizer,
        kind="embedded",
        cases=0 if excluded is not None else cases,
        tallies=tallies or {},
        failures=failures,
        conflicts=conflicts,
        excluded=excluded,
        seconds=1.5,
        adapter_seconds=0.5,
        reference_seconds=0.75,
    )


def report(*pairs: PairResult, rules: tuple[Rule, ...] = (ROLE_1, STOP_1, TOKEN_3), **more: object) -> Report:
    """A report over these pairs; `more` replaces its fields."""
    found = [item for pair in pairs for item in pair.failures]
    return replace(
        Report(
            masker="shop masks",
            policy="Policy()",
            profile="quick",
            seed=7,
            rules=rules,
            failures=tuple(item for item in found if item.subject is Subject.MASKER),
            notes=tuple(item for item in found if item.subject is Subject.TOKENIZER),
            conflicts=tuple(conflict for pair in pairs for conflict in pair.conflicts),
            pairs=pairs,
            seconds=4.0,
            versions={"maskspec": "0.1.0"},
        ),
        **more,
    )


def mixed() -> Report:
    """One of everything: two broken rules, a known failure, a stale one, a note, exclusions, a pair left out.

    Checks: 8 + 2 (ROLE-1, first pair), 9 + 1 known (STOP-1, first pair), 10 noted (TOKEN-3, first pair),
    10 (ROLE-1, second pair), 4 (STOP-1, second pair, failed): 44 in all.
    """
    user = failure(cases=2)
    stop = failure(
        STOP_1,
        kind=Kind.UNTRAINED,
        zone="STOP",
        explanation="the stop of message 1 is not trained",
        pair="zephyr+words",
        cases=4,
        rows=(Row(index=9, text="</s>", zone="STOP", message=1, expected="TRAIN", got="IGNORE", wrong=True),),
    )
    accepted = failure(
        STOP_1,
        kind=Kind.UNTRAINED,
        zone="TAIL",
        explanation="the stop of an empty turn is not trained",
        known="shop masks leave empty turns alone on purpose",
        rows=(),
    )
    note = failure(
        TOKEN_3,
        kind=Kind.DIFFERENT_IDS,
        zone="",
        explanation="the tokenizer adds a token without text",
        subject=Subject.TOKENIZER,
        rows=(),
        cases=10,
    )
    return report(
        pair_result(
            "chatml+words",
            {
                "ROLE-1": Tally(passed=8, failed=2),
                "STOP-1": Tally(passed=9, known=1),
                "TOKEN-3": Tally(noted=10),
            },
            failures=(user, accepted, note),
        ),
        pair_result(
            "zephyr+words",
            {
                "ROLE-1": Tally(passed=10),
                "STOP-1": Tally(failed=4, excluded={"the template rejects the conversation": 6}),
                "TOKEN-3": Tally(excluded={"the vocabulary has only one tokenizer here, slow or fast": 10}),
            },
            failures=(stop,),
        ),
        pair_result("gemma+words", excluded="unsupported by the masker: only ChatML"),
        stale=("ROLE-2 on chatml+words: no longer fails",),
        missing=("mistral: python -m pip install mistral-common",),
    )


def catalogued() -> Report:
    """The same with the rules of the catalogue, which a stored report is read with."""
    catalogue = load_rules()
    plain = mixed()

    def known(item: Failure) -> Failure:
        return replace(item, rule=catalogue[item.rule.id])

    return replace(
        plain,
        rules=tuple(catalogue[item.id] for item in plain.rules),
        failures=tuple(known(item) for item in plain.failures),
        notes=tuple(known(item) for item in plain.notes),
        pairs=tuple(replace(pair, failures=tuple(known(item) for item in pair.failures)) for pair in plain.pairs),
    )


def large(*, rules: int, templates: int, tokenizers: int, every: int = 17) -> Report:
    """A report of rules x templates x tokenizers cells, one in `every` of them failed."""
    made = tuple(rule(f"{'ABCDEFGHIJKLM'[number // 4]}RULE-{number % 4 + 1}") for number in range(rules))
    pairs = []
    for place in range(templates * tokenizers):
        name = f"template-{place // tokenizers:02}+tokenizer-{place % tokenizers}"
        tallies, failures = {}, []
        for number, item in enumerate(made):
            turn = (place * 7 + number * 3) % every
            if turn == 0:
                tallies[item.id] = Tally(passed=20, failed=12)
                failures.append(failure(item, pair=name, cases=12, rows=ROWS * 3))
            elif turn == 1:
                tallies[item.id] = Tally(excluded={"the template rejects the conversation": 32})
            elif turn == 2 and number % 2:
                tallies[item.id] = Tally(passed=1, known=2)
            elif turn == 3 and number % 3:
                tallies[item.id] = Tally(passed=1, noted=2)
            elif turn != 4:
                tallies[item.id] = Tally(passed=32)
        pairs.append(pair_result(name, tallies, failures=tuple(failures)))
    folded = {}
    for result in pairs:
        for item in result.failures:
            seen = folded.get(item.key)
            folded[item.key] = (
                item if seen is None else replace(seen, cases=seen.cases + 12, pairs=(*seen.pairs, result.pair))
            )
    return report(*pairs, rules=made, failures=tuple(folded.values()))
