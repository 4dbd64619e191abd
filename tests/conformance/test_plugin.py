"""`@conformance` under pytest: which tests there are, how each of them ends, and what a run leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance import KnownFailures, Labelled, Request, conformance
from maskspec.conformance.decorator import ATTRIBUTE, Suite
from maskspec.conformance.items import Asking, checks
from maskspec.conformance.pairs import default_pairs, twin_name
from maskspec.conformance.reports import read_jsonl
from maskspec.errors import UsageError
from maskspec.policy import Policy
from maskspec.rules import checked_rules

pytest_plugins = ["pytester"]

PAIR, OTHER = "chatml+bytelevel-gpt2", "zephyr+bytelevel-gpt2"

# An entry point loads the plugin where maskspec is installed; in a bare checkout it has to be named.
PLUGIN = (
    []
    if any(entry.name == "maskspec" for entry in entry_points(group="pytest11"))
    else ["-p", "maskspec.pytest_plugin"]
)

MASKERS = """
import os
import signal

from maskspec import Labelled, Policy, Unsupported
from maskspec.adapters.reference import ReferenceMasker

class Right:
    name = "right"
    policy = Policy(flags=False)

    def mask(self, request):
        return ReferenceMasker(policy=self.policy).mask(request)


class Wrong(Right):
    name = "wrong"

    def mask(self, request):
        answer = super().mask(request)
        labels = list(answer.labels)
        first = next((index for index, label in enumerate(labels) if label != -100), 0)
        if first:
            labels[first - 1] = answer.input_ids[first - 1]
        return Labelled(answer.input_ids, labels)


class Counting(Right):
    name = "counting"

    def __init__(self):
        self.calls = 0

    def mask(self, request):
        self.calls += 1
        answer = super().mask(request)
        labels = list(answer.labels)
        if self.calls % 2:
            labels[-2] = -100
        return Labelled(answer.input_ids, labels)


class Unable(Right):
    name = "unable"

    def mask(self, request):
        raise Unsupported("only on Sundays")


class Unwired(Right):
    name = "unwired"

    def mask(self, request):
        raise FileNotFoundError("vocabulary.txt")


class Unmade(Right):
    def __init__(self):
        raise OSError("no licence key")


class Mortal(Wrong):
    name = "mortal"

    def mask(self, request):
        if request.pair == "zephyr+bytelevel-gpt2":
            if os.environ["END"] == "interrupt":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGKILL)
        return super().mask(request)


def make():
    return Right()
"""


def project(
    pytester: pytest.Pytester, masker: str = "Right()", options: str = "", *, rules: str = "['STOP-1', 'OPEN-1']"
) -> None:
    """An outside project with one decorated function."""
    pytester.makepyfile(
        maskers=MASKERS,
        test_masks=f"""
        import maskers
        from maskspec import conformance

        @conformance(maskers.{masker}, pairs=["{PAIR}", "{OTHER}"], rules={rules}{options})
        def test_loss_mask(check):
            check()
        """,
    )


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*PLUGIN, "-p", "no:cacheprovider", *arguments)


def run_apart(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*PLUGIN, "-p", "no:cacheprovider", *arguments)


def ids(result: pytest.RunResult) -> list[str]:
    return [line.partition("[")[2].removesuffix("]") for line in result.outlines if "::test_loss_mask[" in line]


# Which tests there are.


def test_there_is_one_test_for_each_rule_and_pair_with_a_static_id(pytester: pytest.Pytester) -> None:
    project(pytester)
    found = ids(run(pytester, "--collect-only", "-q"))
    assert found == [f"OPEN-1-{PAIR}", f"STOP-1-{PAIR}", f"OPEN-1-{OTHER}", f"STOP-1-{OTHER}"]


def test_by_default_every_rule_is_asked_on_every_pair_and_no_tokenizer_is_loaded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        maskers=MASKERS,
        conftest="""
        import sys

        def pytest_sessionfinish():
            heavy = {"transformers", "tokenizers", "sentencepiece", "tiktoken"} & set(sys.modules)
            print("loaded:", sorted(heavy))
        """,
        test_masks="""
        import maskers
        from maskspec import conformance

        @conformance(maskers.make)
        def test_loss_mask(check):
            check()
        """,
    )
    result = run_apart(pytester, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*loaded: []*"])
    everything, _ = default_pairs()
    names = {pair.name for pair in everything}
    # A template with generation tags prints the text of the one without, and is asked only in its place.
    pairs = [pair.name for pair in everything if twin_name(pair) not in names]
    assert ids(result) == [f"{rule.id}-{pair}" for pair in pairs for rule in checked_rules()]
    assert len(set(ids(result))) == len(ids(result)) > 3000


def test_workers_collect_the_same_tests_and_share_what_they_find(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    project(pytester)
    pytester.makepyfile(
        conftest="""
        def pytest_collection_finish(session):
            for item in session.items:
                group = item.get_closest_marker("xdist_group").args[0]
                assert item.get_closest_marker("maskspec") is not None
                assert item.name.endswith(f"-{group}]")
        """
    )
    result = run_apart(pytester, "-n", "2")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["right (test_masks.py::test_loss_mask): profile quick, seed 0", "*on 2 pair(s)*"])


def test_it_works_without_xdist_and_with_strict_markers(pytester: pytest.Pytester) -> None:
    project(pytester)
    run(pytester, "-p", "no:xdist", "--strict-markers").assert_outcomes(passed=4)


def test_a_method_can_be_decorated_and_other_fixtures_be_used(pytester: pytest.Pytester) -> None:
    project(pytester)
    pytester.makepyfile(
        test_masks=f"""
        import maskers
        from maskspec import conformance

        class TestMasks:
            @conformance(maskers.Right, pairs="{PAIR}", rules=["OPEN"])
            def test_loss_mask(self, tmp_path, check):
                assert tmp_path.is_dir()
                check()
        """
    )
    result = run(pytester, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"test_masks.py::TestMasks::test_loss_mask?OPEN-1-{PAIR}? PASSED*"])


def test_a_pattern_picks_pairs(pytester: pytest.Pytester) -> None:
    project(pytester)
    pytester.makepyfile(
        test_masks="""
        import maskers
        from maskspec import conformance

        @conformance(maskers.Right, pairs=["zephyr+*gpt2", "vicuna.generation+tiktoken"], rules=["OPEN"])
        def test_loss_mask(check):
            check()
        """
    )
    assert ids(run(pytester, "--collect-only", "-q")) == [
        "OPEN-1-zephyr+bytelevel-gpt2",
        "OPEN-1-vicuna.generation+tiktoken",
    ]


# How a test ends.


def test_a_right_masker_passes_and_what_it_cannot_be_asked_is_skipped_with_the_reason(
    pytester: pytest.Pytester,
) -> None:
    project(pytester, rules="['OPEN-1', 'STOP-4']")
    result = run(pytester, "-rs")
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED *the masker has no `with_policy` method* conversations)*"])
    assert result.ret == 0


def test_a_wrong_masker_fails_by_rule_and_pair_with_all_that_is_needed(pytester: pytest.Pytester) -> None:
    project(pytester, "Wrong()")
    result = run(pytester)
    result.assert_outcomes(passed=2, failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = result.stdout.str()
    shown = text.partition(f"_ test_loss_mask[OPEN-1-{PAIR}] _")[2].partition("\n_____")[0].splitlines()
    assert shown[1] == "OPEN-1 MUST  The opening"
    assert "A token that spells what the generation prompt supplies MUST NOT be trained." in text
    assert "(spec/06-rules.md#open-1)" in text
    assert any(line.startswith("    >") and line.split()[-3:] == ["OPENING", "IGNORE", "TRAIN"] for line in shown)
    assert any(line.strip().startswith("maskspec replay ms1.") for line in shown)
    assert len(shown) <= 27
    assert "Traceback" not in text
    result.stdout.fnmatch_lines(
        [
            "wrong (test_masks.py::test_loss_mask): profile quick, seed 0",
            "  broken:",
            "    OPEN-1 trained in OPENING, * conversation(s) on 2 pair(s)",
            "      maskspec replay ms1.*",
            "  wrong: breaks 1 rule(s): OPEN-1",
        ]
    )


def test_the_printed_line_replays(pytester: pytest.Pytester) -> None:
    project(pytester, "Wrong()")
    line = next(line for line in run(pytester, "-k", PAIR).outlines if line.strip().startswith("maskspec replay"))
    done = subprocess.run(
        [sys.executable, "-m", *line.split()], cwd=pytester.path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == f"maskers:Wrong: OPEN-1 on {PAIR} still fails"


def test_two_adapters_in_one_session_are_told_apart(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        maskers=MASKERS,
        test_masks=f"""
        import maskers
        from maskspec import conformance

        @conformance(maskers.Right(), pairs=["{PAIR}"], rules=["OPEN"])
        def test_right(check):
            check()

        @conformance(maskers.Wrong(), pairs=["{PAIR}"], rules=["OPEN"])
        def test_wrong(check):
            check()
        """,
    )
    result = run(pytester, "--maskspec-report", "out")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["  right: conforms in every one of * checks*", "  wrong: breaks 1 rule(s): OPEN-1"])
    reports = {path.parent.name: read_jsonl(path) for path in pytester.path.glob("out/*/report.jsonl")}
    assert {name: int(report.exit_code) for name, report in reports.items()} == {
        "test_masks-test_right": 0,
        "test_masks-test_wrong": 1,
    }


def test_an_adapter_with_state_is_found_out(pytester: pytest.Pytester) -> None:
    project(pytester, "Counting()", rules="['RENDER-4']")
    result = run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["RENDER-4 MUST *"])


@pytest.mark.parametrize(
    ("masker", "problem"),
    [
        ("Unwired()", "ADAPTER * FileNotFoundError on every plain conversation: vocabulary.txt"),
        ("Unmade", "ADAPTER  OSError: no licence key"),
    ],
)
def test_a_problem_of_the_adapter_is_named_once_in_full(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, masker: str, problem: str
) -> None:
    monkeypatch.delenv("CI", raising=False)  # where it is set, pytest repeats every failure in full at the end
    project(pytester, masker)
    result = run(pytester)
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines([problem, "  problems of the adapter:"])
    assert result.stdout.str().count("this says nothing about the masker behind the adapter") == 2
    assert "incomplete, the adapter failed" in result.stdout.str()


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "two workers"])
def test_a_run_that_checked_nothing_is_not_green(pytester: pytest.Pytester, workers: list[str]) -> None:
    if workers:
        pytest.importorskip("xdist")
    project(pytester, "Unable()")
    result = run_apart(pytester, *workers)
    result.assert_outcomes(skipped=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR  test_masks.py::test_loss_mask: no check could be run*"])


def test_a_function_that_never_calls_its_check_is_not_green(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        maskers=MASKERS,
        test_masks=f"""
        import maskers
        from maskspec import conformance

        @conformance(maskers.Right(), pairs=["{PAIR}"], rules=["OPEN"])
        def test_loss_mask(check):
            pass
        """,
    )
    result = run(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR  test_masks.py::test_loss_mask: no check could be run*"])


def test_only_the_rules_that_are_left_are_asked(pytester: pytest.Pytester) -> None:
    project(pytester, "Wrong()", rules="None")
    result = run(pytester, "-k", f"STOP-1-{PAIR}")
    result.assert_outcomes(passed=1, deselected=len(checked_rules()) * 2 - 1)
    result.stdout.fnmatch_lines(["*checks of 1 rules on 1 pair(s)*"])


# Known failures.


def test_known_failures_are_written_accepted_and_strict(pytester: pytest.Pytester) -> None:
    project(pytester, "Wrong()", ", known_failures='known.toml'")
    assert run(pytester).ret == pytest.ExitCode.INTERRUPTED, "the file is missing"

    write = ["--maskspec-write-known-failures", "known.toml", "--maskspec-reason", "until 2.0"]
    first = run(pytester, *write)
    first.assert_outcomes(passed=2, failed=2)
    first.stdout.fnmatch_lines(["1 known failure(s) added to *known.toml", "  open-1-trained-opening"])
    (entry,) = KnownFailures.read(pytester.path / "known.toml").entries
    assert (entry.reason, entry.pairs) == ("until 2.0", (PAIR, OTHER))

    accepted = run(pytester, "-rx")
    accepted.assert_outcomes(passed=3, xfailed=2)
    assert accepted.ret == 0
    accepted.stdout.fnmatch_lines(["XFAIL *known failure: until 2.0*"])
    assert "known-failure-open-1-trained-opening" in ids(run(pytester, "--collect-only", "-q"))
    run(pytester, "--runxfail").assert_outcomes(passed=3, failed=2)

    pytester.makepyfile(
        maskers=MASKERS.replace("labels[first - 1] = answer", "labels[first] = answer").replace(
            "input_ids[first - 1]", "input_ids[first]"
        )
    )
    repaired = run_apart(pytester)
    repaired.assert_outcomes(passed=4, failed=1)
    repaired.stdout.fnmatch_lines(
        [f"open-1-trained-opening: fixed, remove it: OPEN-1 no longer fails on its conversation and {PAIR}"]
    )


def test_a_known_failure_of_one_pair_still_fails_on_another(pytester: pytest.Pytester) -> None:
    project(pytester, "Wrong()", ", known_failures='known.toml'")
    options = ["--maskspec-write-known-failures", "known.toml", "--maskspec-reason", "until 2.0"]
    run(pytester, "-k", PAIR, *options)
    run(pytester).assert_outcomes(passed=3, xfailed=1, failed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--maskspec-write-known-failures", "x.toml"], "needs --maskspec-reason TEXT"),
        (["-o", "maskspec_profile=fast"], "maskspec_profile must be one of quick, default, deep, not 'fast'"),
        (["-o", "maskspec_seed=one"], "maskspec_seed must be a whole number, not 'one'"),
    ],
)
def test_wrong_options_end_the_run_before_it_begins(
    pytester: pytest.Pytester, arguments: list[str], message: str
) -> None:
    project(pytester)
    result = run(pytester, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str() + result.stdout.str()


# Profiles, seeds and the host.


@pytest.mark.parametrize(
    ("decorated", "arguments", "expected"),
    [
        ("", [], "profile quick, seed 0"),
        ("", ["-o", "maskspec_profile=default", "-o", "maskspec_seed=5"], "profile default, seed 5"),
        (", profile='quick', seed=7", ["-o", "maskspec_profile=deep"], "profile quick, seed 7"),
        (", profile='deep', seed=7", ["--maskspec-profile", "quick", "--maskspec-seed", "0"], "profile quick, seed 0"),
    ],
)
def test_the_command_line_comes_before_the_decorator_and_that_before_the_configuration(
    pytester: pytest.Pytester, decorated: str, arguments: list[str], expected: str
) -> None:
    project(pytester, "Right()", decorated, rules="['LABEL-1']")
    result = run(pytester, "-k", PAIR, *arguments)
    result.stdout.fnmatch_lines([f"right (test_masks.py::test_loss_mask): {expected}"])


def test_the_hosts_hypothesis_settings_stay_what_they_are(pytester: pytest.Pytester) -> None:
    project(pytester)
    pytester.makepyfile(
        conftest="""
        from hypothesis import settings

        settings.register_profile("host", max_examples=7, deadline=123)
        settings.load_profile("host")
        """,
        test_zzz="""
        from hypothesis import given, settings, strategies

        def test_settings():
            assert (settings().max_examples, settings().deadline.microseconds) == (7, 123000)

        @given(strategies.integers())
        def test_property(number):
            assert number == number
        """,
    )
    run_apart(pytester).assert_outcomes(passed=6)


def test_other_tests_see_nothing_of_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def check():
            return 3

        def test_own_fixture(check):
            assert check == 3
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1)
    assert "maskspec" not in result.stdout.str().partition("collected")[2]


def test_the_plugin_imports_nothing_heavy() -> None:
    program = (
        "import pytest, sys\nbefore = set(sys.modules)\nimport maskspec.pytest_plugin\n"
        "print(sorted(name for name in set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.strip("[]\n").replace("'", "").split(", "))
    assert {name for name in loaded if name.partition(".")[0] != "maskspec"} <= set(sys.stdlib_module_names)
    assert {name for name in loaded if name.startswith("maskspec")} == {"maskspec", "maskspec.pytest_plugin"}


# What a run leaves behind.


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "two workers"])
def test_reports_hold_what_all_processes_found(pytester: pytest.Pytester, workers: list[str]) -> None:
    if workers:
        pytest.importorskip("xdist")
    project(pytester, "Wrong()")
    stale = pytester.path / "out" / "results" / "old.json"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")
    result = run_apart(pytester, "--maskspec-report", "out", *workers)
    result.stdout.fnmatch_lines(["reports: *out"])
    report = read_jsonl(pytester.path / "out" / "report.jsonl")
    assert [pair.pair for pair in report.pairs] == [PAIR, OTHER]
    assert report.unfinished == ()
    assert [failure.rule.id for failure in report.broken] == ["OPEN-1"]
    assert report.broken[0].pairs == (PAIR, OTHER)
    assert {path.suffix for path in (pytester.path / "out").iterdir()} >= {".html", ".xml", ".md", ".txt", ".jsonl"}
    assert (pytester.path / "out" / "open-1-trained-opening.json").is_file()
    assert not stale.exists()


def test_junit_files_name_rule_and_pair(pytester: pytest.Pytester) -> None:
    project(pytester, rules="['OPEN-1']")
    run(pytester, "--junitxml", "junit.xml")
    text = (pytester.path / "junit.xml").read_text(encoding="utf-8")
    assert '<property name="maskspec_rule" value="OPEN-1"' in text
    assert f'<property name="maskspec_pair" value="{PAIR}"' in text


def test_no_folder_is_left_without_a_report(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    project(pytester)
    run_apart(pytester, "-p", "no:tmpdir").assert_outcomes(passed=4)
    assert [path.name for path in temporary.iterdir() if path.name.startswith("maskspec")] == []


@pytest.mark.parametrize("end", ["interrupt", "kill"])
def test_an_interrupted_run_keeps_what_it_found(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setenv("END", end)
    project(pytester, "Mortal()")
    result = run_apart(pytester, "--maskspec-report", "out")
    assert result.ret == (pytest.ExitCode.INTERRUPTED if end == "interrupt" else -9)
    (stored,) = (pytester.path / "out" / "results").glob("*.json")
    assert json.loads(stored.read_text())["result"]["pair"] == PAIR
    counterexample = json.loads((pytester.path / "out" / "open-1-trained-opening.json").read_text())
    assert counterexample["pair"] == PAIR
    if end == "interrupt":
        report = read_jsonl(pytester.path / "out" / "report.jsonl")
        assert report.unfinished == (OTHER,)
        assert int(report.exit_code) == 3


# What is refused.


def test_a_wrong_use_of_the_decorator_is_refused_at_once() -> None:
    def without_argument() -> None: ...

    def with_argument(check: object) -> None: ...

    with pytest.raises(UsageError, match="is no masker: a masker has `name`, `policy` and `mask"):
        conformance("mylib")
    with pytest.raises(UsageError, match="unknown profile 'fast'"):
        conformance(ReferenceMasker(), profile="fast")
    with pytest.raises(UsageError, match="no rule or family 'STPO'; did you mean 'STOP'"):
        conformance(ReferenceMasker(), rules=["STPO"])
    with pytest.raises(UsageError, match="time limit must be a positive number"):
        conformance(ReferenceMasker(), time_limit=0)
    with pytest.raises(UsageError, match="no pair is wanted"):
        conformance(ReferenceMasker(), pairs=[])
    with pytest.raises(UsageError, match=r"without_argument\(\) must take the argument 'check'"):
        conformance(ReferenceMasker())(without_argument)
    conformance(ReferenceMasker())(with_argument)
    with pytest.raises(UsageError, match=r"with_argument\(\) is decorated with @conformance twice"):
        conformance(ReferenceMasker())(with_argument)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("pairs=['no-such-pair']", "unknown pair 'no-such-pair'"),
        ("pairs=['nothing*']", "no pair fits the pattern 'nothing*'"),
        ("known_failures='none.toml'", "there is no file *none.toml of known failures"),
    ],
)
def test_what_is_not_there_is_an_error_of_collection(pytester: pytest.Pytester, options: str, message: str) -> None:
    pytester.makepyfile(
        maskers=MASKERS,
        test_masks=f"""
        import maskers
        from maskspec import conformance

        @conformance(maskers.Right, {options})
        def test_loss_mask(check):
            check()
        """,
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{message}*"])


def test_the_package_itself_is_the_decorator_whatever_was_imported_before() -> None:
    for imports in (
        "from maskspec import conformance",
        "import maskspec.conformance\nfrom maskspec import conformance",
    ):
        program = (
            f"{imports}\nfrom maskspec.adapters.reference import masker\n"
            "def test(check): ...\nprint(conformance(masker)(test) is test, conformance.check_masker.__name__)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout == "True check_masker\n"


# Sharing.


class Listening:
    """Counts the conversations that it is asked about."""

    name = "listening"
    policy = Policy(flags=False)

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def mask(self, request: Request) -> Labelled:
        self.asked[request.pair] += 1
        return ReferenceMasker(policy=self.policy).mask(request)


def test_a_pair_is_asked_by_the_first_process_that_comes_to_it(tmp_path: Path) -> None:
    masker = Listening()

    @conformance(masker, pairs=[PAIR], rules=["OPEN", "STOP-1"])
    def test_masks(check: object) -> None: ...

    suite: Suite = getattr(test_masks, ATTRIBUTE)
    first, second = Asking(folder=tmp_path), Asking(folder=tmp_path)
    for _, _, check in checks(suite, "test_masks", first):
        check()
    before = masker.asked[PAIR]
    assert before > 20
    for _, _, check in checks(suite, "test_masks", second):
        check()
    assert masker.asked[PAIR] == before
    assert [name for name, _ in second.properties] == [f"maskspec_{name}" for name in ("rule", "pair", "checks")] * 2


def test_a_process_that_needs_a_pair_of_another_asks_about_the_next_one_meanwhile(tmp_path: Path) -> None:
    begun: list[threading.Thread] = []
    ahead = threading.Event()

    class Waiting(Listening):
        """Starts a second process, so to speak, in the middle of the first pair."""

        def mask(self, request: Request) -> Labelled:
            if request.pair == OTHER:
                ahead.set()
            elif not begun:
                begun.append(threading.Thread(target=ask, args=[second]))
                begun[0].start()
                assert ahead.wait(timeout=60)
            return super().mask(request)

    masker = Waiting()

    @conformance(masker, pairs=[PAIR, OTHER], rules=["STOP-1"], time_limit=100)
    def test_masks(check: object) -> None: ...

    suite: Suite = getattr(test_masks, ATTRIBUTE)
    first, second = Asking(folder=tmp_path), Asking(folder=tmp_path)

    def ask(asking: Asking) -> None:
        for _, _, check in checks(suite, "test_masks", asking):
            check()

    ask(first)
    begun[0].join(timeout=60)
    together = dict(masker.asked)
    alone = Asking(folder=tmp_path / "alone")
    ask(alone)
    assert {pair: masker.asked[pair] - asked for pair, asked in together.items()} == together
    noted = [[value for name, value in asking.properties if name == "maskspec_checks"] for asking in (first, second)]
    assert noted[0] == noted[1] == [value for name, value in alone.properties if name == "maskspec_checks"]
    assert not list(tmp_path.glob("*.lock"))
