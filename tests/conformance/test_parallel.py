"""Several processes: the same report as one, and nothing lost when one of them ends or hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.conformance import ExitCode, Progress, Report, check_masker, parallel, timelimit
from maskspec.corpus import embedded_pair
from maskspec.errors import UsageError
from maskspec.policy import Policy
from tests.conformance.maskers import PATH, Deaf, Dies, Right, WithOpenings
from tests.conformance.test_journal import timeless

NAMES = (
    "chatml+bytelevel-gpt2",
    "zephyr+bytelevel-gpt2",
    "chatml.generation+bytelevel-gpt2",
    "qwen3+sentencepiece-bpe-legacy",
)
PAIRS = [embedded_pair(name) for name in NAMES]


def check(masker: Any, *, jobs: int, **options: Any) -> Report:
    return check_masker(masker, **{"pairs": PAIRS, "profile": "quick", "jobs": jobs, **options})


def test_the_report_does_not_depend_on_the_number_of_processes() -> None:
    told: list[Progress] = []
    one, two = check(WithOpenings(), jobs=1), check(WithOpenings(), jobs=2, progress=told.append)
    assert timeless(one) == timeless(two)
    assert {failure.rule.id for failure in one.failures} >= {"STOP-1", "OPEN-1"}
    assert one.notes  # the legacy tokenizer has tokens without text
    assert [pair.pair for pair in two.pairs] == list(NAMES)
    assert {state.pair for state in told if not state.shrinking} >= set(NAMES) - {NAMES[2]}
    assert (told[-1].done, told[-1].total) == (4, 4)


def test_a_masker_without_a_path_has_one_process() -> None:
    class Local(Right):
        pass

    with pytest.raises(UsageError, match=r"several processes need a masker that each can load by its path"):
        check(Local(), jobs=2)


def test_a_path_that_leads_to_another_masker_is_refused() -> None:
    with pytest.raises(UsageError, match=r"leads another process to the masker 'right'"):
        check(Right(name="configured"), jobs=2, masker_path=f"{PATH}:Right")
    with pytest.raises(UsageError, match=r"leads another process to the masker 'right'"):
        check(Right(policy=Policy()), jobs=2, masker_path=f"{PATH}:Right")


def test_a_path_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no module 'no_such_module'"):
        check(Right(), jobs=2, masker_path="no_such_module:masker")


def test_a_pair_that_has_no_name_elsewhere_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(UsageError, match="another process cannot load the pair 'mine'"):
        check(Right(), jobs=2, pairs=[PAIRS[0], replace(PAIRS[1], name="mine")])


def test_a_process_that_ends_costs_its_pair_alone() -> None:
    report = check(Dies(), jobs=2, rules=["LABEL"])
    (conflict,) = report.conflicts
    assert conflict.problem == "the adapter ended its process (exit code 7)"
    assert conflict.pair.startswith("chatml")
    assert conflict.case is not None
    assert len(conflict.case.messages) >= 5
    excluded = {pair.pair: pair.excluded for pair in report.pairs}
    assert excluded[NAMES[0]] == "the process that asked the adapter ended"
    assert excluded[NAMES[1]] is None
    assert excluded[NAMES[3]] is not None  # Qwen's format uses ChatML's markers
    assert report.exit_code is ExitCode.CRASHED


def test_a_hang_that_nothing_inside_can_cut_is_ended_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelimit, "GRACE", 0.5)
    monkeypatch.setattr(parallel, "GRACE", 0.5)
    report = check(Deaf(), jobs=2, rules=["LABEL"], pairs=PAIRS[:2], time_limit=0.5)
    (conflict,) = report.conflicts
    assert conflict.problem == "mask() did not return within 0.5 s, and its process had to be ended 0.5 s later"
    assert conflict.pair == NAMES[0]
    assert report.pairs[1].excluded is None


_SCRIPT = """
from maskspec.conformance import check_masker
from maskspec.conformance.pairs import find_pair
from tests.conformance.maskers import Right

pairs = [find_pair(name) for name in ("chatml+bytelevel-gpt2", "zephyr+bytelevel-gpt2")]
print(check_masker(Right(), pairs=pairs, rules=["LABEL-1"], profile="quick", jobs=2).verdict)
"""


def test_a_script_without_a_guarded_main_is_told_how_to_have_several(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    source = os.pathsep.join([str(repository), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    assert "call check_masker() below `if __name__ == '__main__':`" in done.stderr


def test_the_command_ends_a_check_that_hangs_for_good(tmp_path: Path, repository: Path) -> None:
    # In one process nothing can cut this; a thread notices and ends it with the documented code.
    program = "from maskspec.conformance import timelimit; timelimit.GRACE = 0.5; from maskspec.cli import main; main()"
    arguments = ["check", f"{PATH}:Stubborn", "--pair", NAMES[0], "--rules", "LABEL", "--time-limit", "0.5"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=repository,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert f"the adapter hangs in a call that cannot be cut, on {NAMES[0]}: {{" in done.stderr
    assert "--resume" in done.stderr
    assert list((tmp_path / "maskspec" / "campaigns").glob("*.jsonl"))
