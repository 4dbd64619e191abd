"""What the suite itself costs: beside the time in the adapter, and with several processes or pytest workers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from maskspec.conformance import check_masker
from maskspec.conformance.harness import check_pair
from maskspec.conformance.loading import load_masker
from maskspec.conformance.pairs import find_pair
from maskspec.rules import select_rules
from tests.benchmarks.measure import Row

__all__ = ["everything", "overhead", "processes", "separate", "workers"]

NAMES = (
    "chatml.generation+bytelevel-gpt2",
    "qwen3.generation+tiktoken",
    "llama-3.generation+sentencepiece-bpe",
    "zephyr.generation+bytelevel-qwen",
)
MORE = tuple(
    f"{template}+{tokenizer}"
    for template in ("chatml", "zephyr", "llama-3", "qwen3")
    for tokenizer in ("bytelevel-gpt2", "tiktoken", "sentencepiece-bpe", "bytelevel-qwen")
)


def overhead() -> Iterator[Row]:
    """Divide the suite's own time by the adapter's, at profile default; the reference's answers are in neither.

    transformers' masker renders and encodes and does nothing else, so nothing right is much
    faster; it has no further ability, so little is asked of it. The reference has them all.
    """
    rules = select_rules(None)
    for path in ("transformers", "reference"):
        masker = load_masker(path)
        for name in NAMES:
            check_pair(masker, find_pair(name), rules=rules, profile="quick", seed=1)  # loads and compiles
        results = [check_pair(masker, find_pair(name), rules=rules, profile="default", seed=0) for name in NAMES]
        adapter = sum(result.adapter_seconds for result in results)
        reference = sum(result.reference_seconds for result in results)
        own = sum(result.seconds for result in results) - adapter - reference
        cases = sum(result.cases for result in results)
        detail = f"{own / cases * 1e3:.1f} ms / {adapter / cases * 1e3:.1f} ms a conversation, {cases} conversations"
        yield Row(f"own time of the suite / time in the adapter `{path}`", own / adapter, "", 0.5, detail)


def processes() -> Iterator[Row]:
    """Compare one process with two over sixteen pairs; starting them is part of it."""
    masker, pairs = load_masker("reference"), [find_pair(name) for name in MORE]
    for pair in pairs:
        pair.tokenizer  # noqa: B018  (loaded once, so that one process has no more to load)
    seconds = {}
    for jobs in (1, 2):
        started = time.perf_counter()
        check_masker(masker, pairs=pairs, profile="default", jobs=jobs, masker_path="reference")
        seconds[jobs] = time.perf_counter() - started
    detail = f"{seconds[2]:.1f} s / {seconds[1]:.1f} s, {len(pairs)} pairs; the aim is 1.7 times as fast"
    yield Row("`--jobs 2` / `--jobs 1`, profile default", seconds[2] / seconds[1], "", 1 / 1.7, detail)


def separate() -> Iterator[Row]:
    """Compare two checks that share nothing, side by side, with one after the other: no sharing can do better here."""
    command = [sys.executable, "-m", "maskspec", "check", "reference", "--profile", "default", "--jobs", "1"]
    commands = [[*command, *(part for name in half for part in ("--pair", name))] for half in (MORE[::2], MORE[1::2])]
    paths = os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)
    seconds = {}
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPATH": paths, "XDG_CACHE_HOME": cache}
        for beside in (False, True):
            started = time.perf_counter()
            running = []
            for one in commands:
                running.append(subprocess.Popen(one, env=environment, stdout=subprocess.DEVNULL, cwd=cache))
                if not beside:
                    running[-1].wait()
            if any(process.wait() for process in running):
                raise RuntimeError("maskspec check reference found something, or failed")
            seconds[beside] = time.perf_counter() - started
    detail = f"{seconds[True]:.1f} s / {seconds[False]:.1f} s, eight pairs each; what the machine itself admits"
    yield Row("two separate checks side by side / in turn", seconds[True] / seconds[False], "", None, detail)


_TEST = """
from maskspec import conformance
from maskspec.adapters.reference import ReferenceMasker

@conformance(ReferenceMasker(), profile="default", pairs={pairs!r})
def test_loss_mask(check):
    check()
"""


def workers() -> Iterator[Row]:
    """Compare pytest with and without two workers on sixteen pairs, where starting them is a tenth of the time."""
    yield _workers("16 pairs", list(MORE))


def everything() -> Iterator[Row]:
    """The same over every pair of a default run: a quarter of an hour, so only on request."""
    yield _workers("every pair", None)


def _workers(what: str, pairs: list[str] | None) -> Row:
    """Run the decorated test of an outside project, the two workers first: what the system caches helps the other."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_masker.py").write_text(_TEST.format(pairs=pairs), encoding="utf-8")
        paths = os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)
        plugin = [] if any(entry_points(group="pytest11", name="maskspec")) else ["-p", "maskspec.pytest_plugin"]
        for count in ("2", "0"):
            command = [sys.executable, "-m", "pytest", "-q", "-n", count, "-p", "no:cacheprovider", *plugin]
            started = time.perf_counter()
            done = subprocess.run(
                command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
            )
            seconds[count] = time.perf_counter() - started
            if done.returncode != 0:
                raise RuntimeError(f"pytest -n {count} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    detail = f"{seconds['2']:.1f} s / {seconds['0']:.1f} s; the aim is 1.7 times as fast"
    return Row(f"pytest `-n 2` / `-n 0`, profile default, {what}", seconds["2"] / seconds["0"], "", 1 / 1.7, detail)
