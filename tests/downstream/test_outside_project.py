"""A project that has nothing of maskspec but what is installed: what its own tests and its shell say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

PROJECT = Path(__file__).with_name("project")
PAIRS = ("chatml+bytelevel-gpt2", "chatml+tiktoken")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the outside project, away from this checkout."""
    copy = tmp_path / "project"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    return copy


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment in the project, with nothing but what is installed and no terminal."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTEST_ADDOPTS"}}
    program = Path(sys.executable).with_name(command[0])
    return subprocess.run(
        [str(program), *command[1:]],
        cwd=project,
        env={**kept, "COLUMNS": "200", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def own_pytest(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(project, "pytest", "-p", "no:cacheprovider", "-rA", *arguments)


def outcomes(output: str) -> dict[str, list[str]]:
    """The short ids of the tests, by outcome, as pytest's last lines name them."""
    found: dict[str, list[str]] = {}
    for outcome, name in re.findall(r"^(PASSED|FAILED|XFAIL|ERROR) \S+::\w+\[(\S+)\]", output, flags=re.MULTILINE):
        found.setdefault(outcome, []).append(name)
    return {outcome: sorted(names) for outcome, names in found.items()}


def test_maskspec_comes_from_the_environment_and_not_from_the_checkout(project: Path) -> None:
    done = run(project, "python", "-c", "import maskspec; print(maskspec.__file__)")
    place = Path(done.stdout.strip())
    assert done.returncode == 0, done.stderr
    assert PROJECT.parents[2] not in place.parents or "site-packages" in place.parts


def test_the_right_masker_passes(project: Path) -> None:
    done = own_pytest(project, "-n", "2", "-k", "without_headers")
    assert done.returncode == 0, done.stdout
    found = outcomes(done.stdout)
    assert found.keys() == {"PASSED"}
    asked = {f"{rule}-{pair}" for rule in ("OPEN-1", "STOP-1", "ROLE-1", "INJECT-1") for pair in PAIRS}
    assert asked <= set(found["PASSED"])
    assert "the masker has no `with_policy` method" in done.stdout
    assert "tinytune without headers: conforms in every one of" in done.stdout


def test_the_wrong_masker_fails_as_documented(project: Path) -> None:
    done = own_pytest(project, "-n", "2", "-k", "with_headers", "--maskspec-report", "out")
    assert done.returncode == 1, done.stdout
    assert outcomes(done.stdout)["FAILED"] == sorted(f"OPEN-1-{pair}" for pair in PAIRS)
    assert "A token that spells what the generation prompt supplies MUST NOT be trained." in done.stdout
    assert re.search(r"> +\d+ +'<\|im_start\|>' +OPENING +IGNORE +TRAIN", done.stdout)
    assert "tinytune with headers: breaks 1 rule(s): OPEN-1" in done.stdout
    assert "Traceback" not in done.stdout
    assert (project / "out" / "report.html").is_file()
    assert json.loads((project / "out" / "open-1-trained-opening.json").read_text())["masker"] == "adapters:WithHeaders"


def test_both_processes_collect_what_one_does(project: Path) -> None:
    listed = own_pytest(project, "--collect-only", "-q").stdout.splitlines()
    tests = [line for line in listed if "::" in line]
    assert tests[0] == f"test_masks.py::test_without_headers[RENDER-1-{PAIRS[0]}]"
    assert len(tests) == len(set(tests)) == 4 * sum(PAIRS[0] in line and "without" in line for line in tests)


def test_the_shell_says_the_same_and_its_replay_line_works(project: Path) -> None:
    done = run(project, "maskspec", "check", "adapters:WithHeaders", "--pair", PAIRS[1], "--no-color")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "OPEN-1 MUST" in done.stdout
    identifier = re.search(r"maskspec replay (ms1\.\S+)", done.stdout)
    assert identifier is not None
    again = run(project, "maskspec", "replay", identifier[1])
    assert again.returncode == 1, again.stdout + again.stderr
    assert again.stdout.endswith(f"adapters:WithHeaders: OPEN-1 on {PAIRS[1]} still fails\n")
    other = run(project, "maskspec", "replay", identifier[1], "--masker", "adapters:WithoutHeaders")
    assert other.returncode == 0, other.stdout + other.stderr
    assert other.stdout.endswith("no longer fails\n")


def test_a_known_failure_makes_it_green_until_it_is_repaired(project: Path) -> None:
    write = ["--maskspec-write-known-failures", "known-failures.toml", "--maskspec-reason", "until tinytune 1.0"]
    assert own_pytest(project, "test_accepted.py", *write).returncode == 1
    accepted = own_pytest(project, "test_accepted.py")
    assert accepted.returncode == 0, accepted.stdout
    assert outcomes(accepted.stdout)["XFAIL"] == [f"OPEN-1-{PAIRS[0]}"]
    assert "known-failure-open-1-trained-opening" in outcomes(accepted.stdout)["PASSED"]
    assert "until tinytune 1.0" in accepted.stdout

    masking = project / "tinytune" / "masking.py"
    text = masking.read_text(encoding="utf-8")
    masking.write_text(text.replace("start if headers else start + header", "start + header"), encoding="utf-8")
    repaired = own_pytest(project, "test_accepted.py")
    assert repaired.returncode == 1, repaired.stdout
    assert outcomes(repaired.stdout)["FAILED"] == ["known-failure-open-1-trained-opening"]
    assert "open-1-trained-opening: fixed, remove it" in repaired.stdout
