"""Files of known failures: what they accept, what is wrong with them, and when an entry has to go."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance import check_masker
from maskspec.conformance.cases import Case
from maskspec.conformance.counterexamples import Counterexample
from maskspec.conformance.harness import check_pair
from maskspec.conformance.known import Category, KnownFailures
from maskspec.conformance.protocol import Labelled, Request
from maskspec.conformance.report import Failure
from maskspec.corpus import embedded_pair
from maskspec.errors import UsageError
from maskspec.policy import Policy
from maskspec.rules import Kind, load_rules, select_rules

PAIR = "chatml+bytelevel-gpt2"
CASE = {
    "maskspec_counterexample": 2,
    "rule": "OPEN-1",
    "kind": "trained",
    "zone": "OPENING",
    "masker": "mylib.adapter:MyMasker",
    "policy": "Policy()",
    "pair": PAIR,
    "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
}


class TrainsOpening:
    name = "trains the opening"
    policy = Policy(flags=False)

    def mask(self, request: Request) -> Labelled:
        answer = ReferenceMasker(policy=self.policy).mask(request)
        labels = list(answer.labels)
        first = next(index for index, label in enumerate(labels) if label != -100)
        labels[first - 1] = answer.input_ids[first - 1]
        return Labelled(answer.input_ids, labels)


def written(folder: Path, text: str) -> Path:
    path = folder / "known.toml"
    path.write_text(text, encoding="utf-8")
    return path


def entry(case: object = CASE, *, rule: str = "OPEN-1", **keys: object) -> str:
    values = {"reason": "until the next version", **keys, "case": json.dumps(case)}
    return f"[[{rule}]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def failure(**changes: object) -> Failure:
    found = Failure(
        rule=load_rules()["OPEN-1"],
        kind=Kind.TRAINED,
        zone="OPENING",
        explanation="the opening must not be trained",
        masker="mylib.adapter:MyMasker",
        policy="Policy()",
        pair=PAIR,
        template="chatml",
        tokenizer="bytelevel-gpt2",
        case=Case(messages=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]),
        rows=(),
        cases=1,
        pairs=(PAIR,),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


# What is accepted.


def test_a_failure_is_accepted_everywhere_unless_pairs_are_named(tmp_path: Path) -> None:
    known = KnownFailures.read(written(tmp_path, entry()))
    assert known.reason(rule="OPEN-1", kind=Kind.TRAINED, zone="OPENING", pair=PAIR) == "until the next version"
    assert known.reason(rule="OPEN-1", kind="trained", zone="OPENING", pair="any other") == "until the next version"


@pytest.mark.parametrize(
    ("pairs", "accepted", "refused"),
    [
        ([PAIR], [PAIR], ["chatml+tiktoken", "zephyr+bytelevel-gpt2", f"{PAIR}:slow"]),
        (["chatml+*"], [PAIR, "chatml+tiktoken"], ["zephyr+bytelevel-gpt2", "chatml.generation+tiktoken"]),
        (["zephyr+*", "*:slow"], ["zephyr+tiktoken", "qwen3:slow"], [PAIR]),
    ],
)
def test_pairs_are_names_or_patterns(tmp_path: Path, pairs: list[str], accepted: list[str], refused: list[str]) -> None:
    known = KnownFailures.read(written(tmp_path, entry(pairs=pairs)))
    for pair in accepted:
        assert known.reason(rule="OPEN-1", kind=Kind.TRAINED, zone="OPENING", pair=pair)
    for pair in refused:
        assert known.reason(rule="OPEN-1", kind=Kind.TRAINED, zone="OPENING", pair=pair) is None


@pytest.mark.parametrize(
    ("rule", "kind", "zone"),
    [("STOP-1", "trained", "OPENING"), ("OPEN-1", "untrained", "OPENING"), ("OPEN-1", "trained", "CONTENT")],
)
def test_another_rule_kind_or_zone_is_not_accepted(tmp_path: Path, rule: str, kind: str, zone: str) -> None:
    known = KnownFailures.read(written(tmp_path, entry()))
    assert known.reason(rule=rule, kind=kind, zone=zone, pair=PAIR) is None


def test_an_entry_says_more_to_its_readers(tmp_path: Path) -> None:
    text = entry(kind="trained", zone="OPENING", versions="mylib 1.2", **{"class": "bug"}) + entry(
        **{"class": "policy"}
    )
    first, second = KnownFailures.read(written(tmp_path, text)).entries
    assert (first.category, first.versions) == (Category.BUG, "mylib 1.2")
    assert second.category is Category.POLICY
    assert [first.identifier, second.identifier] == ["open-1-trained-opening", "open-1-trained-opening-2"]
    assert first.counterexample.case == Case(messages=CASE["messages"])  # type: ignore[arg-type]


def test_a_case_may_be_an_id(tmp_path: Path) -> None:
    identifier = Counterexample.from_json(CASE, where="here").identifier
    text = f'[[OPEN-1]]\nreason = "x"\ncase = "{identifier}"\n'
    (found,) = KnownFailures.read(written(tmp_path, text)).entries
    assert found.counterexample == Counterexample.from_json(CASE, where="here")


def test_an_empty_file_accepts_nothing(tmp_path: Path) -> None:
    assert KnownFailures.read(written(tmp_path, "# none\n")).entries == ()


# What is refused.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[OPEN-1]\n", "known.toml is not valid TOML"),
        (entry(rule="OPNE-1"), "there is no rule 'OPNE-1'; did you mean 'OPEN-1'"),
        (entry(rule="open-1"), "there is no rule 'open-1'; did you mean 'OPEN-1'?"),
        ("version = 1\n", "there is no rule 'version'"),
        ("[OPEN-1]\nreason = 'x'\n", "write its entries as [[OPEN-1]], with two brackets"),
        ("[[OPEN-1]]\ncase = 'x'\n", "[[OPEN-1]] number 1: missing key 'reason'; say why the failure is accepted"),
        (entry(reason="  "), "'reason' must be text and not empty"),
        (entry(reason=3), "'reason' must be text and not empty"),
        ("[[OPEN-1]]\nreason = 'x'\n", "missing key 'case'; copy the counterexample's JSON or its id from a report"),
        (entry(paris=["x"]), "unknown key 'paris'; did you mean 'pairs'?"),
        (entry(colour="red"), "unknown key 'colour'; known are reason, case"),
        (entry(pairs=[]), "'pairs' must be a list of names or patterns"),
        (entry(pairs="chatml+*"), "'pairs' must be a list of names or patterns"),
        (entry(**{"class": "feature"}), "'class' is 'feature'; known are bug, policy, template, tokenizer"),
        (entry(versions=1.2), "'versions' must be text, not 1.2"),
        (entry() + entry(kind="untrained"), "[[OPEN-1]] number 2: 'kind' is 'untrained', but its case shows 'trained'"),
        (entry(zone="STOP"), "'zone' is 'STOP', but its case shows 'OPENING'"),
        (entry(rule="STOP-1"), "its case shows OPEN-1; move it to [[OPEN-1]]"),
        ("[[OPEN-1]]\nreason = 'x'\ncase = '{\"a\": '\n", "number 1, case is damaged"),
        ("[[OPEN-1]]\nreason = 'x'\ncase = 'ms1.AAAAAAAA'\n", "number 1, case: the counterexample id 'ms1.AAAAAAAA'"),
        (entry({**CASE, "maskspec_counterexample": 9}), "case: maskspec_counterexample is 9"),
        (entry({**CASE, "messages": 1}), "case: 'messages' must be a list of objects"),
    ],
)
def test_a_wrong_file_is_refused_by_table_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        KnownFailures.read(written(tmp_path, text))
    assert message in str(caught.value)
    assert "known.toml" in str(caught.value)


def test_a_missing_file_is_refused_with_the_way_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--maskspec-write-known-failures"):
        KnownFailures.read(tmp_path / "known.toml")


# Strictness.


def test_an_entry_stays_while_its_conversation_fails(tmp_path: Path) -> None:
    assert KnownFailures.read(written(tmp_path, entry())).stale(TrainsOpening()) == ()


def test_an_entry_has_to_go_once_its_conversation_is_right(tmp_path: Path) -> None:
    (sentence,) = KnownFailures.read(written(tmp_path, entry())).stale(ReferenceMasker())
    assert sentence == (
        "open-1-trained-opening: fixed, remove it: OPEN-1 no longer fails on its conversation and chatml+bytelevel-gpt2"
    )


def test_an_entry_has_to_be_renewed_when_its_conversation_fails_otherwise(tmp_path: Path) -> None:
    text = entry({**CASE, "zone": "CONTENT"})
    (sentence,) = KnownFailures.read(written(tmp_path, text)).stale(TrainsOpening())
    assert sentence.startswith("open-1-trained-content: out of date, store it anew: OPEN-1 on chatml+bytelevel-gpt2")


def test_nothing_is_said_about_what_cannot_be_asked_here(tmp_path: Path) -> None:
    text = entry({**CASE, "pair": "nowhere+nothing"})
    assert KnownFailures.read(written(tmp_path, text)).stale(ReferenceMasker()) == ()
    own = replace(embedded_pair(PAIR), name="nowhere+nothing")
    assert len(KnownFailures.read(written(tmp_path, text)).stale(ReferenceMasker(), pairs=[own])) == 1


# Writing.


def test_new_failures_are_added_and_nothing_else_is_touched(tmp_path: Path) -> None:
    before = "# our own words\n\n" + entry(pairs=[PAIR], reason="old") + "# the end"
    path = written(tmp_path, before)
    stop = failure(rule=load_rules()["STOP-1"], kind=Kind.UNTRAINED, zone="STOP", pairs=(PAIR, "zephyr+tiktoken"))
    added = KnownFailures.append(path, [failure(), stop], reason=" not yet ")
    assert added == ("stop-1-untrained-stop",)
    assert path.read_text(encoding="utf-8").startswith(before + "\n")
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    assert document["STOP-1"][0]["reason"] == "not yet"
    assert document["STOP-1"][0]["pairs"] == [PAIR, "zephyr+tiktoken"]
    assert len(document["OPEN-1"]) == 1
    assert KnownFailures.append(path, [failure(), stop], reason="again") == ()


def test_only_the_pairs_that_are_not_yet_accepted_are_added(tmp_path: Path) -> None:
    path = written(tmp_path, entry(pairs=["chatml+*"]))
    wider = failure(pairs=(PAIR, *(f"zephyr+tokenizer-{number}" for number in range(9))))
    assert KnownFailures.append(path, [wider], reason="x") == ("open-1-trained-opening-2",)
    second = KnownFailures.read(path).entries[1]
    assert second.pairs == tuple(f"zephyr+tokenizer-{number}" for number in range(9))


def test_a_new_file_is_made_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "known.toml"
    assert KnownFailures.append(path, [], reason="x") == ()
    assert not path.exists()
    assert KnownFailures.append(path, [failure()], reason="x") == ("open-1-trained-opening",)
    assert path.read_text(encoding="utf-8").startswith("# Failures that are accepted for now.")


def test_a_reason_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="accepted for a reason"):
        KnownFailures.append(tmp_path / "known.toml", [failure()], reason=" ")
    assert not (tmp_path / "known.toml").exists()


def test_a_wrong_file_is_not_added_to(tmp_path: Path) -> None:
    path = written(tmp_path, entry(colour="red"))
    with pytest.raises(UsageError, match="unknown key"):
        KnownFailures.append(path, [failure()], reason="x")
    assert path.read_text(encoding="utf-8") == entry(colour="red")


TEXTS = st.text(alphabet=st.characters(exclude_categories=()), max_size=10) | st.sampled_from(["'''", "\x7f", "\u202e"])


@settings(deadline=None, max_examples=60)
@given(text=TEXTS, tool=TEXTS, reason=TEXTS.map(lambda text: "since " + text.encode(errors="replace").decode()))
def test_whatever_a_conversation_holds_is_stored_and_read_again(
    tmp_path_factory: pytest.TempPathFactory, text: str, tool: str, reason: str
) -> None:
    path = tmp_path_factory.mktemp("known") / "known.toml"
    case = Case(
        messages=[{"role": "user", "content": text, "z": None, "a": text}],
        tools=[{"function": {"name": tool, "description": ""}}],
        number=7,
    )
    KnownFailures.append(path, [failure(case=case)], reason=reason)
    (found,) = KnownFailures.read(path).entries
    assert json.dumps(found.counterexample.case.as_json()) == json.dumps(case.as_json())
    assert found.reason == reason.strip()
    # Nothing in a file that is reviewed is invisible or changes the direction of the text.
    assert all(line.isprintable() for line in path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("whole_run", [True, False], ids=["check_masker", "check_pair"])
def test_a_known_failure_is_not_made_smaller_once_more(tmp_path: Path, whole_run: bool) -> None:
    asked: list[int] = []

    class Counted(TrainsOpening):
        def mask(self, request: Request) -> Labelled:
            asked[-1] += 1
            return super().mask(request)

    def smallest(stored: list[dict[str, str]]) -> list[object]:
        asked.append(0)
        known = KnownFailures.read(written(tmp_path, entry({**CASE, "messages": stored}) if stored else ""))
        pair = embedded_pair(PAIR)
        failures = (
            check_masker(Counted(), pairs=[pair], rules=["OPEN-1"], profile="quick", known=known).failures
            if whole_run
            else check_pair(
                Counted(), pair, rules=select_rules(["OPEN-1"]), profile="quick", seed=0, known=known
            ).failures
        )
        (found,) = failures
        assert (found.known is not None) is bool(stored)
        return list(found.messages)

    answer = [{"role": "assistant", "content": "a"}]
    assert smallest([]) == smallest(answer) == smallest([{"role": "user", "content": "a"}]) == answer
    searched, stored, shows_nothing = asked
    assert stored < searched  # though a whole run asks it once more, to see whether the failure is still there
    assert shows_nothing > searched
