"""Sampling: a seed decides everything, in any process, and the host program notices nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings

from maskspec.shapes import traits
from maskspec.strategies.sampling import sample_traits
from tests.unit.planted_bugs import TEMPLATE

SAMPLING = """
import hashlib, json
BEFORE
from maskspec.shapes import traits
from maskspec.strategies.sampling import sample_traits
generated = sample_traits(traits(TEMPLATE), flags=True, examples=200, seed=5)
data = [[each.messages, each.tools, each.template_kwargs] for each in generated]
print(len(generated), hashlib.sha256(json.dumps(data).encode()).hexdigest())
"""

OTHERS = "import local_constants, decimal, email, unittest, random; random.seed(9)"
LOCAL = "NUMBER = 123456789\nTEXT = 'a constant of a local module'\nBYTES = b'\\x07\\x09\\x0b'\nSMALL = [3, 5, 7, 11]\n"
"""Hypothesis's own backend draws constants like these once the module is loaded."""


def run(folder: Path, program: str, **environment: str) -> str:
    """What a program prints in a process of its own, in a folder of its own."""
    paths = [str(folder), *(path for path in sys.path if path)]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_seed_gives_the_same_in_every_process(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (there / "local_constants.py").write_text(LOCAL, encoding="utf-8")
    first = run(here, SAMPLING.replace("TEMPLATE", repr(TEMPLATE)).replace("BEFORE", ""), PYTHONHASHSEED="1")
    second = run(
        there,
        SAMPLING.replace("TEMPLATE", repr(TEMPLATE)).replace("BEFORE", OTHERS),
        PYTHONHASHSEED="2",
        CI="true",
    )
    assert first == second
    assert first.startswith("200 ")
    assert not (here / ".hypothesis").exists()
    assert not (there / ".hypothesis").exists()


def test_another_seed_gives_others() -> None:
    found = traits(TEMPLATE)
    first = sample_traits(found, flags=False, examples=20, seed=5)
    assert first == sample_traits(found, flags=False, examples=20, seed=5)
    assert first != sample_traits(found, flags=False, examples=20, seed=6)
    assert first == sample_traits(found, flags=False, examples=40, seed=5)[:20]


@pytest.mark.parametrize("examples", [1, 7, 300])
def test_there_are_as_many_as_asked_for(examples: int) -> None:
    assert len(sample_traits(traits("{{ messages[0].content }}"), flags=False, examples=examples, seed=0)) == examples


def test_the_profile_of_the_host_neither_matters_nor_changes() -> None:
    found = traits(TEMPLATE)
    before = sample_traits(found, flags=False, examples=10, seed=3)
    profile = settings.get_current_profile_name()
    settings.register_profile("hosts_own", max_examples=1, deadline=1, derandomize=True)
    settings.load_profile("hosts_own")
    try:
        assert sample_traits(found, flags=False, examples=10, seed=3) == before
        assert settings().max_examples == 1
        assert settings().deadline == timedelta(milliseconds=1)
        assert settings().backend == "hypothesis"
    finally:
        settings.load_profile(profile)
