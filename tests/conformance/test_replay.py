"""Counterexamples as ids, files and entries: they say the same everywhere, and are refused when they are damaged."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.adapters.reference import masker as reference_masker
from maskspec.cli import command
from maskspec.conformance.cases import Case
from maskspec.conformance.counterexamples import Counterexample, masker_path, replay_command
from maskspec.conformance.protocol import Labelled, Request, Unsupported
from maskspec.conformance.replaying import Outcome, replay
from maskspec.conformance.report import Failure
from maskspec.corpus import embedded_pair
from maskspec.errors import UsageError
from maskspec.policy import Policy
from maskspec.rules import Kind, load_rules

PAIR = "chatml+bytelevel-gpt2"
MESSAGES = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]

# Stored when ids got their format: one that stands in somebody's bug report must stay readable.
STORED_IN_THE_PAST = "ms1.saHEgiMq96CnfYwUjSWl5VbmZCbpJaYkFgDNtPKt9IVIjCa7gU52kJQGTHLIwUznZIeonYxrAQ"


class Base:
    """The reference, for maskers with something wrong with them."""

    name = "base"
    policy = Policy(flags=False)

    def mask(self, request: Request) -> Labelled:
        return ReferenceMasker(policy=self.policy).mask(request)


class TrainsOpening(Base):
    def mask(self, request: Request) -> Labelled:
        answer = super().mask(request)
        labels = list(answer.labels)
        first = next(index for index, label in enumerate(labels) if label != -100)
        labels[first - 1] = answer.input_ids[first - 1]
        return Labelled(answer.input_ids, labels)


class Shifts(Base):
    def mask(self, request: Request) -> Labelled:
        answer = super().mask(request)
        return Labelled(answer.input_ids, [*answer.labels[1:], -100])


class ReturnsTheRequest(Base):
    def mask(self, request: Request) -> Labelled:
        return request  # type: ignore[return-value]  # what is wrong with it


class Refuses(Base):
    def mask(self, request: Request) -> Labelled:
        raise Unsupported(f"nothing is masked on {request.pair}")


class NeedsArguments(Base):
    def __init__(self, path: str) -> None:
        self.path = path


instance = NeedsArguments("somewhere")


def counterexample(**changes: object) -> Counterexample:
    found = Counterexample(
        rule=load_rules()["OPEN-1"],
        kind=Kind.TRAINED,
        zone="OPENING",
        masker=f"{__name__}:TrainsOpening",
        policy=repr(Policy(flags=False)),
        pair=PAIR,
        case=Case(messages=MESSAGES),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


# Ids.

TEXTS = st.text(alphabet=st.characters(exclude_categories=()), max_size=12)  # lone surrogates too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
CASES = st.builds(
    Case,
    messages=st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=4),
    tools=st.none() | st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=2),
    template_kwargs=st.dictionaries(TEXTS, VALUES, max_size=2),
    number=st.integers(min_value=0, max_value=5000),
)


@settings(deadline=None, max_examples=100)
@given(case=CASES)
def test_an_id_gives_back_exactly_what_it_was_made_from(case: Case) -> None:
    stored = counterexample(case=case)
    read = Counterexample.parse(stored.identifier)
    assert read == stored
    # Templates print tool schemas in the order of their keys.
    assert json.dumps(read.as_json()) == json.dumps(stored.as_json())
    assert stored.identifier.isascii()
    assert not set(stored.identifier) & set(" '\"\\$`!&|;<>()")


def test_an_id_is_short_and_survives_a_line_break() -> None:
    identifier = counterexample().identifier
    assert len(identifier) < 120
    assert Counterexample.parse(f"  {identifier[:50]}\n    {identifier[50:]}\n") == counterexample()


def test_an_id_of_the_past_is_still_read() -> None:
    read = Counterexample.parse(STORED_IN_THE_PAST)
    assert read.rule.id == "OPEN-1"
    assert read.kind is Kind.TRAINED
    assert read.zone == "OPENING"
    assert read.masker == "mylib.adapter:MyMasker"
    assert read.pair == PAIR
    assert read.case == Case(messages=MESSAGES, number=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.removeprefix("ms1."), "is no counterexample id: ids begin with 'ms1.'"),
        (lambda text: text[:-6], "is damaged"),
        (lambda text: text[:20] + ("A" if text[20] != "A" else "B") + text[21:], "the checksum does not fit"),
        (lambda text: text + "=!", "is damaged"),
        (lambda text: "ms2." + text.removeprefix("ms1."), "is no counterexample id"),
    ],
    ids=["no prefix", "cut", "changed", "foreign characters", "later format"],
)
def test_a_damaged_id_is_refused(change: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Counterexample.parse(change(counterexample().identifier))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"maskspec_counterexample": 1}, "maskspec_counterexample is 1 and this version reads 2"),
        ({"rule": "OPEN-99"}, "there is no rule 'OPEN-99'"),
        ({"kind": "odd"}, "kind is 'odd'; known are trained"),
        ({"zone": None}, "'zone' must be text"),
        ({"messages": {}}, "'messages' must be a list of objects"),
        ({"messages": ["a"]}, "'messages' must be a list of objects"),
        ({"tools": "none"}, "'tools' must be a list of objects"),
        ({"number": True}, "'number' must be a whole number"),
        ({"template_kwargs": []}, "'template_kwargs' must be an object"),
    ],
)
def test_a_wrong_record_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Counterexample.from_json({**counterexample().as_json(), **changes}, where="here")
    with pytest.raises(UsageError, match="here: a counterexample is a JSON object"):
        Counterexample.from_json([], where="here")


def failure(**changes: object) -> Failure:
    found = replay(counterexample(), TrainsOpening()).failure
    assert found is not None
    return replace(found, **changes)  # type: ignore[arg-type]


def test_the_record_of_a_failure_is_a_counterexample(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(failure().as_json()), encoding="utf-8")
    assert Counterexample.read(path) == Counterexample.of(failure())
    path.write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match=r"one\.json is no JSON"):
        Counterexample.read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        Counterexample.read(tmp_path / "none.json")


def test_the_command_names_the_id_or_the_file_of_a_long_one() -> None:
    file = Path("reports/open 1.json")
    assert replay_command(failure()) == f"maskspec replay {Counterexample.of(failure()).identifier}"
    assert replay_command(failure(), file) == replay_command(failure())
    long = failure(case=Case(messages=[{"role": "user", "content": "".join(map(chr, range(100, 2000)))}]))
    assert replay_command(long, file) == "maskspec replay 'reports/open 1.json'"
    assert replay_command(long).startswith("maskspec replay ms1.")
    assert replay_command(failure(masker="")).endswith(" --masker package.module:object")


def test_the_path_of_a_masker_leads_to_it() -> None:
    assert masker_path(reference_masker) == "maskspec.adapters.reference:masker"
    assert masker_path(TrainsOpening) == f"{__name__}:TrainsOpening"
    assert masker_path(TrainsOpening()) == f"{__name__}:TrainsOpening"
    assert masker_path(instance) == f"{__name__}:instance"
    assert masker_path(NeedsArguments("elsewhere")) == ""
    assert masker_path(counterexample) == f"{__name__}:counterexample"

    class Local(Base):
        pass

    assert masker_path(Local()) == ""
    other = NeedsArguments("elsewhere")
    assert masker_path(other, namespace={"mine": other}, module="test_masks") == "test_masks:mine"


# Replaying.


def test_a_failure_that_is_still_there_fails_in_the_same_way() -> None:
    result = replay(counterexample(), TrainsOpening())
    assert result.outcome is Outcome.STILL_FAILS
    assert result.exit_code == 1
    assert result.failure is not None
    assert result.failure.case == counterexample().case
    assert [row.text for row in result.failure.rows if row.wrong] == ["\n"]


@pytest.mark.parametrize(
    ("masker", "outcome", "code", "sentence"),
    [
        (ReferenceMasker(), Outcome.NO_LONGER_FAILS, 0, f"OPEN-1 on {PAIR} no longer fails"),
        (ReturnsTheRequest(), Outcome.CRASHED, 3, "mask() returned Request"),
        (Refuses(), Outcome.NOT_ASKED, 2, f"nothing is masked on {PAIR}"),
    ],
    ids=["right", "no answer", "unsupported"],
)
def test_every_other_end_of_a_replay(masker: Base, outcome: Outcome, code: int, sentence: str) -> None:
    result = replay(counterexample(), masker)
    assert result.outcome is outcome
    assert result.exit_code == code
    assert sentence in result.sentence


def test_a_failure_of_another_kind_is_told_apart() -> None:
    stored = counterexample(rule=load_rules()["LABEL-2"], kind=Kind.LENGTH, zone="")
    result = replay(stored, Shifts())
    assert result.outcome is Outcome.FAILS_DIFFERENTLY
    assert result.exit_code == 1
    assert result.sentence == f"LABEL-2 on {PAIR} fails differently: was length, is different labels"


def test_another_pair_takes_the_place_of_the_stored_one() -> None:
    stored = counterexample(pair="my-own-pair")
    assert "unknown pair 'my-own-pair'" in replay(stored, TrainsOpening()).sentence
    result = replay(stored, TrainsOpening(), pair=embedded_pair("zephyr+bytelevel-gpt2"))
    assert result.outcome is Outcome.STILL_FAILS
    assert result.sentence == "OPEN-1 on zephyr+bytelevel-gpt2 still fails"


# The command.

ADAPTER = """
from maskspec import Labelled, Policy
from maskspec.adapters.reference import ReferenceMasker


class Wrong:
    name = "wrong"
    policy = Policy(flags=False)

    def mask(self, request):
        answer = ReferenceMasker(policy=self.policy).mask(request)
        labels = list(answer.labels)
        first = next(index for index, label in enumerate(labels) if label != -100)
        labels[first - 1] = answer.input_ids[first - 1]
        return Labelled(answer.input_ids, labels)


def make():
    return Wrong()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "outside.py").write_text(ADAPTER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "outside", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["replay", *arguments])


STORED = counterexample(masker="outside:Wrong")


def test_the_command_shows_the_failure_and_ends_with_one(folder: Path) -> None:
    done = run(STORED.identifier)
    assert done.exit_code == 1, done.output
    lines = done.output.splitlines()
    assert lines[0] == "OPEN-1 MUST  The opening"
    assert load_rules()["OPEN-1"].sentence in " ".join(line.strip() for line in lines)
    assert "(spec/06-rules.md#open-1)" in done.output
    assert '    {"role": "assistant", "content": "b"}' in lines
    (wrong,) = (line.split() for line in lines if line.lstrip().startswith(">"))
    assert wrong[2:] == ["'\\n'", "OPENING", "IGNORE", "TRAIN"]
    assert lines[-1] == f"outside:Wrong: OPEN-1 on {PAIR} still fails"
    assert "transformers" in lines[-2]
    assert "jinja2" in lines[-2]
    assert "maskspec replay" not in done.output


def test_the_command_takes_another_masker_and_says_that_it_is_right(folder: Path) -> None:
    done = run(STORED.identifier, "--masker", "reference")
    assert done.exit_code == 0, done.output
    assert done.output.endswith(f"reference: OPEN-1 on {PAIR} no longer fails\n")
    assert "the declared policy has changed: flags was False, is True" in done.output
    assert run(STORED.identifier, "--masker", "outside:make").exit_code == 1


@pytest.mark.parametrize(
    ("options", "pair"),
    [
        (["--pair", "zephyr+tiktoken"], "zephyr+tiktoken"),
        (["--tokenizer", "bytelevel-qwen"], "chatml+bytelevel-qwen"),
        (["--template", "zephyr", "--tokenizer", "tiktoken"], "zephyr+tiktoken"),
        (["--template", "own.jinja"], f"own + {PAIR}"),
        (["--template", "own.jinja", "--tokenizer", "bytelevel-gpt2"], "own + bytelevel-gpt2"),
    ],
)
def test_the_command_takes_other_templates_and_tokenizers(folder: Path, options: list[str], pair: str) -> None:
    own = "{% for m in messages %}[{{ m.role }}]{{ m.content }}[end]{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    (folder / "own.jinja").write_text(own, encoding="utf-8")
    done = run(STORED.identifier, *options)
    assert done.exit_code == 1, done.output
    assert done.output.splitlines()[-1].endswith(f"OPEN-1 on {pair} still fails")


def test_the_command_writes_json(folder: Path) -> None:
    done = run(STORED.identifier, "--format", "json")
    record = json.loads(done.output)
    assert record["outcome"] == "still fails"
    assert record["exit_code"] == done.exit_code == 1
    assert record["found"]["messages"] == MESSAGES
    assert Counterexample.from_json(record["stored"], where="output") == STORED


def test_the_command_reads_files_and_entries(folder: Path) -> None:
    record = json.dumps(STORED.as_json())
    (folder / "one.json").write_text(record, encoding="utf-8")
    (folder / "known.toml").write_text(
        f"[[OPEN-1]]\nreason = 'x'\ncase = '''{record}'''\n[[OPEN-1]]\nreason = 'y'\ncase = '{STORED.identifier}'\n",
        encoding="utf-8",
    )
    assert run("one.json").exit_code == 1
    assert run("known.toml#open-1-trained-opening").exit_code == 1
    assert run("known.toml#open-1-trained-opening-2").exit_code == 1
    assert (
        "name one entry: known.toml#open-1-trained-opening, known.toml#open-1-trained-opening-2"
        in run("known.toml").output
    )
    assert "known.toml has no entry 'stop-1'" in run("known.toml#stop-1").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ms1.AAAA"], "is damaged"),
        (["nothing"], "neither a counterexample id"),
        (["nothing.json"], "nothing.json cannot be read"),
        (["nothing.toml#x"], "there is no file nothing.toml"),
        ([counterexample(masker="").identifier], "name it with --masker"),
        ([STORED.identifier, "--masker", "nowhere:x"], "there is no module 'nowhere'"),
        ([STORED.identifier, "--pair", PAIR, "--template", "zephyr"], "leave out --template and --tokenizer"),
        ([counterexample(masker="outside:Wrong", pair="mine").identifier], "cannot be asked: unknown pair 'mine'"),
    ],
)
def test_wrong_use_ends_with_two_and_says_why(folder: Path, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.split())


def test_a_hang_is_cut(folder: Path) -> None:
    (folder / "sleeper.py").write_text(
        "import time\nfrom maskspec import Policy\n\n\nclass Sleeps:\n    name = 'sleeps'\n    policy = Policy()\n\n"
        "    def mask(self, request):\n        time.sleep(60)\n",
        encoding="utf-8",
    )
    done = run(counterexample(masker="sleeper:Sleeps").identifier, "--time-limit", "0.2")
    assert done.exit_code == 3, done.output
    assert "did not return within 0.2 s" in done.output


def test_a_replay_needs_no_hypothesis(folder: Path) -> None:
    program = (
        "import sys\nsys.modules['hypothesis'] = None\n"
        "from maskspec.cli import command\n"
        f"command.main(['replay', {STORED.identifier!r}], standalone_mode=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 1, done.stderr
    assert "still fails" in done.stdout
