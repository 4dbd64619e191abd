"""What a page about a masker shows of its training check: for each pair a heading, a sentence and the plot.

Reads what `--output` wrote, so that a report can be made later, where neither torch nor matplotlib is
installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from maskspec.errors import UsageError
from maskspec.training.writers import file_stem

__all__ = ["TrainingFigure", "read_figures"]


class TrainingFigure(NamedTuple):
    """One plot: its heading, what it shows in words, and the SVG itself."""

    title: str
    caption: str
    svg: str


def read_figures(folder: Path) -> tuple[TrainingFigure, ...]:
    """The plots of a training check that was written into a folder.

    Raises:
        UsageError: the folder holds no training check, or not all of it.
    """
    path = folder / "training.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record.get("maskspec_training_report") != 1:
            raise ValueError("it is no training report of this version")
        drawn = [pair for pair in record["pairs"] if pair["curves"]]
        return tuple(_figure(record, pair, folder) for pair in drawn)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{folder} holds no complete training check ({error}); "
            f"write one with maskspec train-check --output {folder}"
        ) from error


def _figure(record: dict[str, Any], pair: dict[str, Any], folder: Path) -> TrainingFigure:
    made = [mutant for mutant in pair["mutants"] if not mutant["excluded"]]
    found = sum(mutant["found_out"] for mutant in made)
    caption = f"{record['verdict']}. " + (
        f"{found} of {len(made)} broken ways of training were found out." if made else "No broken ones were tried."
    )
    svg = (folder / f"training-{file_stem(pair['pair'])}.svg").read_text(encoding="utf-8")
    return TrainingFigure(f"What a model learns from these labels: {pair['pair']}", caption, svg)
