"""The picture of a check: what a model learns from the labels, and beside it what it learns from broken ones.

Every loss is drawn as a share of where it started, so that one look is enough: what is trained has to
fall to the bottom, and what is ignored has to stay up.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskspec.training.records import MOST_LEFT, MUST_STAY, Curve, MutantResult, PairResult
from maskspec.training.samples import Part

__all__ = ["save_plot"]

# From the palette of Okabe and Ito, which stays distinct for people who see colours differently.
_COLOURS = {Part.ANSWER: "#009E73", Part.STOP: "#0072B2", Part.USER: "#D55E00", Part.TEMPLATE: "#999999"}
_TOP = 160.0
_INK = "#333333"
_ALARM = "#B00020"


def save_plot(pair: PairResult, stem: Path) -> list[Path]:
    """Draw a pair's curves as `<stem>.svg` and `<stem>.png`; the same curves give the same files."""
    import matplotlib as library

    settings = {"svg.hashsalt": "maskspec", "font.size": 10, "axes.edgecolor": _INK, "text.color": _INK}
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("svg", "png")]
    with library.rc_context(settings):
        figure = _figure(pair)
        figure.savefig(paths[0], metadata={"Date": None})
        figure.savefig(paths[1], dpi=110, metadata={"Software": None})
    return paths


def _figure(pair: PairResult) -> Any:
    from matplotlib.figure import Figure

    mutants = [each for each in pair.mutants if each.curve is not None]
    columns = (len(mutants) + 1) // 2
    figure = Figure(figsize=(8.4 + 2.1 * columns, 5.4), layout="constrained")
    figure.suptitle(f"{pair.pair}: the loss of held-out conversations while a model learns", fontsize=12)
    left, *right = figure.subfigures(
        1, 2 if mutants else 1, width_ratios=[8.4, 2.1 * columns] if mutants else None, squeeze=False
    )[0]
    _draw_main(left.subplots(), pair.curves[0], pair.curves[1:])
    if mutants:
        right[0].suptitle("broken on purpose: has to look different", fontsize=10)
        grid = right[0].subplots(2, columns, squeeze=False)
        for number, axes in enumerate(grid.flat):
            if number < len(mutants):
                _draw_mutant(axes, mutants[number])
            else:
                axes.set_visible(False)
    return figure


def _draw_main(axes: Any, curve: Curve, others: Sequence[Curve]) -> None:
    _frame(axes, curve)
    axes.axhspan(0, 100 * MOST_LEFT, color=_COLOURS[Part.ANSWER], alpha=0.13, lw=0)
    axes.axhline(100 * MUST_STAY, color=_COLOURS[Part.USER], lw=0.8, ls=(0, (2, 3)))
    ends = []
    for part in Part:
        shares = _shares(curve, part)
        if not shares:
            continue
        ends.append((min(shares[-1], _TOP), part))
        axes.plot(curve.steps, shares, color=_COLOURS[part], lw=2.4, ls="-" if part.trained else (0, (4, 1.5)))
        for other in others:
            axes.plot(other.steps, _shares(other, part), color=_COLOURS[part], lw=0.9, alpha=0.55)
    for height, end, part in _spread(ends):
        what = "trained" if part.trained else "ignored"
        axes.annotate(
            f"{part.value} ({what})", (curve.steps[-1], end), (curve.steps[-1] * 1.02, height),
            color=_COLOURS[part], va="center", fontweight="bold", annotation_clip=False,
        )  # fmt: skip
    last = curve.steps[-1]
    axes.text(last * 0.99, 100 * MOST_LEFT - 1.5, "what is trained has to end here", ha="right", va="top", fontsize=9)
    axes.text(last * 0.99, 100 * MUST_STAY - 1.5, "what is ignored must stay above", ha="right", va="top", fontsize=9)
    axes.set_xlabel("steps")
    axes.set_ylabel("loss, in percent of its start")
    axes.set_title(_title(curve, others), fontsize=10)


def _title(curve: Curve, others: Sequence[Curve]) -> str:
    return f"labels of {curve.name}" + (f" (thin: {', '.join(each.name for each in others)})" if others else "")


def _draw_mutant(axes: Any, mutant: MutantResult) -> None:
    curve = mutant.curve
    if curve is None:
        return
    _frame(axes, curve)
    axes.axhspan(0, 100 * MOST_LEFT, color=_COLOURS[Part.ANSWER], alpha=0.13, lw=0)
    axes.axhline(100 * MUST_STAY, color=_COLOURS[Part.USER], lw=0.8, ls=(0, (2, 3)))
    for part in Part:
        axes.plot(
            curve.steps, _shares(curve, part), color=_COLOURS[part], lw=1.6, ls="-" if part.trained else (0, (4, 1.5))
        )
    fate = mutant.expected.value if mutant.found_out else "not found out"
    axes.set_title("\n".join(textwrap.wrap(mutant.name, 22)), fontsize=9, fontweight="bold")
    axes.set_xlabel("\n".join(textwrap.wrap(fate, 24)), fontsize=9, color=_ALARM)
    axes.set_xticks([0, curve.steps[-1]])
    axes.set_yticks([0, 100])
    axes.tick_params(labelsize=8)


def _frame(axes: Any, curve: Curve) -> None:
    axes.set_xlim(0, curve.steps[-1])
    axes.set_ylim(0, _TOP)
    axes.spines[["top", "right"]].set_visible(False)
    axes.axhline(100, color=_INK, lw=0.5, alpha=0.4)


def _shares(curve: Curve, part: Part) -> list[float]:
    losses = curve.losses.get(part.value, ())
    return [min(100 * loss / losses[0], _TOP) for loss in losses]


def _spread(ends: Sequence[tuple[float, Part]]) -> list[tuple[float, float, Part]]:
    """Heights for the names of lines, in order and far enough apart to be read."""
    placed: list[tuple[float, float, Part]] = []
    floor = -100.0
    for end, part in sorted(ends, key=lambda each: each[0]):
        height = max(end, floor + 6.5)
        floor = height
        placed.append((height, end, part))
    return placed
