"""Reports put together by hand: small ones whose every number is known, and a large one for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from maskspec.conformance.cases import Case
from maskspec.conformance.report import Category, Conflict, Failure, PairResult, Report, Tally
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
    category: Category | None = None,
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
        category=category,
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
            day="2026-11-23",
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


def catalogued(plain: Report | None = None) -> Report:
    """`mixed`, or another report, with the rules of the catalogue, which a stored report is read with."""
    catalogue = load_rules()
    plain = plain or mixed()

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


REASONS = {
    Category.BUG: "the stop is searched for by its text",
    Category.POLICY: "the masker trains headers on purpose",
    Category.TEMPLATE: "the template prints nothing for it",
    Category.TOKENIZER: "the vocabulary merges across the border",
}


def two_versions() -> list[tuple[str, Report]]:
    """The runs of two versions of one masker: the older is `mixed`, in the newer all that fails is accepted.

    Checks of the newer: 10 (ROLE-1), 7 + 3 known (STOP-1), 10 noted (TOKEN-3) on the first pair, 5 (ROLE-1) and
    4 + 1 known (STOP-1) on the second: 40 in all, of which 26 passed.
    """
    bug = {"kind": Kind.UNTRAINED, "zone": "STOP", "known": REASONS[Category.BUG], "category": Category.BUG}
    here = failure(STOP_1, explanation="the stop of message 1 is not trained", cases=2, **bug)
    there = failure(STOP_1, explanation="the stop of message 1 is lost", pair="llama+words", **bug)
    header = failure(
        STOP_1,
        kind=Kind.TRAINED,
        zone="OPENING",
        explanation="the header of message 1 is trained",
        messages=(*MESSAGES, *MESSAGES),
        known=REASONS[Category.POLICY],
        category=Category.POLICY,
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
    newer = report(
        pair_result(
            "chatml+words",
            {"ROLE-1": Tally(passed=10), "STOP-1": Tally(passed=7, known=3), "TOKEN-3": Tally(noted=10)},
            failures=(here, header, note),
        ),
        pair_result(
            "llama+words", {"ROLE-1": Tally(passed=5), "STOP-1": Tally(passed=4, known=1)}, failures=(there,), cases=5
        ),
        masker="shop masks 2.0",
        failures=(replace(here, cases=3, pairs=("chatml+words", "llama+words")), header),
        seed=8,
        versions={"maskspec": "0.1.0", "transformers": "5.23.0"},
    )
    return [("old.jsonl", replace(mixed(), masker="shop masks 1.0")), ("new.jsonl", newer)]


ADVICE = """\
## shop masks 2.0

Asked as **its trainer** calls it, with `train_on_headers: true`;
a second line.

- Give `stop` a value & look at <the labels>.
- Read [its page](https://example.org/stops?a=1).

```yaml
stop: "</s>"
```
"""


def beside_each_other(*, maskers: int, rules: int, pairs: int) -> list[tuple[str, Report]]:
    """Runs of `maskers` versions, each with rules x pairs cells; of the failures, only every fifth is not accepted."""
    return [
        (f"run {number}", _accepting(large(rules=rules, templates=pairs, tokenizers=1, every=11 + number), number))
        for number in range(maskers)
    ]


def _accepting(plain: Report, number: int) -> Report:
    """The same with most of its failures accepted, for reasons of all classes."""
    classes = (Category.BUG, Category.POLICY, Category.TEMPLATE, Category.TOKENIZER, None)

    def accepted(item: Failure) -> Failure:
        category = classes[(int(item.rule.id[-1]) + number) % len(classes)]
        return item if category is None else replace(item, known=REASONS[category], category=category)

    def results() -> Iterator[PairResult]:
        for pair in plain.pairs:
            failures = tuple(map(accepted, pair.failures))
            open_ = {item.rule.id for item in failures if item.known is None}
            tallies = {
                rule: tally if rule in open_ else replace(tally, failed=0, known=tally.known + tally.failed)
                for rule, tally in pair.tallies.items()
            }
            yield replace(pair, failures=failures, tallies=tallies)

    return replace(
        plain,
        masker=f"masker-{number:02} 1.{number}.0",
        pairs=tuple(results()),
        failures=tuple(map(accepted, plain.failures)),
        versions={"maskspec": "0.1.0", "transformers": "5.23.0" if number % 3 else "4.57.6"},
    )
