"""A training report as text for a terminal, as Markdown for a pull request, and as JSON for other programs."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from maskspec.conformance.reports.files import write_whole
from maskspec.conformance.reports.plain import readable
from maskspec.training.records import Measurement, MutantResult, PairResult, Speed, TrainingReport

__all__ = ["FORMATS", "WIDTH", "as_json", "as_markdown", "as_text", "file_stem", "write_training_report"]

WIDTH = 100
"""The columns of a text report where there is no terminal."""

_SPECIAL = str.maketrans({"|": "\\|", "`": "'", "<": "&lt;", "\n": "\\n"})


def as_json(report: TrainingReport) -> str:
    """The report as JSON, as `training-report.schema.json` describes it."""
    return readable(report.as_json(), indent=2) + "\n"


def as_text(report: TrainingReport, *, width: int = WIDTH) -> str:
    """The verdict, and for every pair each rule with its numbers and each mutant with its fate."""
    lines = textwrap.wrap(f"{report.verdict}.", width)
    lines += textwrap.wrap(_how(report), width)
    for pair in report.pairs:
        lines += ["", f"{pair.pair}: {_shape(pair)}"]
        for rule, group in groupby(_ordered(pair.measurements), key=lambda each: each.rule):
            lines += _rule_lines(rule, list(group), width)
        if pair.mutants:
            lines += _mutant_lines(pair, width)
        lines += [f"  speed    {_speed(speed)}" for speed in pair.speeds]
        for note in pair.notes:
            lines += textwrap.wrap(note, width, initial_indent="  note     ", subsequent_indent=" " * 11)
    lines += ["", *textwrap.wrap(f"Versions: {_versions(report)}", width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def as_markdown(report: TrainingReport, *, pictures: Mapping[str, str] | None = None) -> str:
    """The same with every number. `pictures` are the files of the plots by the name of a pair."""
    lines = [
        f"# Training check: {_safe(report.masker)}",
        "",
        f"**{_safe(report.verdict)}.**",
        "",
        _how(report),
        "",
    ]
    if report.command:
        lines += ["```", report.command, "```", ""]
    for pair in report.pairs:
        lines += [f"## {_safe(pair.pair)}", "", f"{_shape(pair)[:1].upper()}{_shape(pair)[1:]}.", ""]
        if pictures and pair.pair in pictures:
            lines += [f"![losses by the part of a token, over steps]({pictures[pair.pair]})", ""]
        lines += _table(("rule", "measured", "value", "limit", "", "found"), map(_cells, _ordered(pair.measurements)))
        if pair.control:
            lines += ["", "The control, the reference on the same pair:", ""]
            lines += _table(("rule", "measured", "value", "limit", "", "found"), map(_cells, pair.control))
        if pair.mutants:
            lines += [
                "",
                *_table(("mutant", "what is wrong", "had to fail because", "fate"), map(_mutant_cells, pair.mutants)),
            ]
        if pair.speeds:
            columns = ("torch.compile", "row", "tokens a second", "TFLOP/s", "of the measured ceiling", "peak memory")
            lines += ["", *_table(columns, map(_speed_cells, pair.speeds))]
        lines += ["", *(f"- {_safe(note)}" for note in pair.notes), ""]
    lines += [f"Versions: {_versions(report)}.", ""]
    return "\n".join(lines)


FORMATS: Mapping[str, tuple[str, Callable[[TrainingReport], str]]] = {
    "text": ("txt", as_text),
    "markdown": ("md", as_markdown),
    "json": ("json", as_json),
}
"""By its name, the extension of each format and the function that writes it."""


def file_stem(pair: str) -> str:
    """The name of a pair as part of a file name."""
    return "".join(each if each.isalnum() or each in "-_." else "-" for each in pair).strip(".-") or "pair"


def write_training_report(report: TrainingReport, folder: Path) -> list[Path]:
    """Write the report in every format and the plots of every pair, as SVG and PNG, into a folder.

    The files are `training.json`, `training.md`, `training.txt` and `training-<pair>.svg` and `.png`.
    """
    from maskspec.training.plot import save_plot

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    pictures = {}
    for pair in report.pairs:
        if pair.curves:
            stem = folder / f"training-{file_stem(pair.pair)}"
            made = save_plot(pair, stem)
            pictures[pair.pair] = made[0].name
            paths += made
    for name, (extension, write) in FORMATS.items():
        path = folder / f"training.{extension}"
        write_whole(path, as_markdown(report, pictures=pictures) if name == "markdown" else write(report))
        paths.append(path)
    return paths


def _how(report: TrainingReport) -> str:
    return (
        f"{report.architecture}, size {report.size}, {report.dtype} on {report.device} ({report.device_name}), "
        f"seed {report.seed}, {report.seconds:.0f} s."
    )


def _shape(pair: PairResult) -> str:
    tokens = f"{pair.vocabulary:,} tokens" + (" (renumbered to those that occur)" if pair.renumbered else "")
    return f"a model of {pair.parameters:,} parameters and {tokens}, {pair.seconds:.0f} s"


def _versions(report: TrainingReport) -> str:
    return ", ".join(f"{name} {version}" for name, version in report.versions.items())


def _ordered(measurements: Sequence[Measurement]) -> list[Measurement]:
    return sorted(measurements, key=lambda each: each.rule)


def _rule_lines(rule: str, measurements: Sequence[Measurement], width: int) -> Iterator[str]:
    failed = [each for each in measurements if not each.passed]
    count = len(measurements)
    verdict = f"{len(failed)} of {count} out of limits" if failed else f"all {count} within limits"
    yield f"  {rule}  {verdict}"
    # What TRAIN-3 measures is of interest by itself; of the others, what failed.
    for each in measurements if rule == "TRAIN-3" else failed:
        mark = " " if each.passed else ">"
        yield f"  {mark} {_cut(each.what, width - 48):<{width - 48}}{_number(each.value):>12}  {each.limit:<12}"
        if each.reason is not None:
            told = f"{each.reason}" + (f": {each.detail}" if each.detail else "")
            yield from textwrap.wrap(told, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    if rule != "TRAIN-3" and not failed:
        worst = max((each for each in measurements), key=lambda each: each.value or 0.0)
        what = _cut(f"largest: {worst.what}", width - 48)
        yield f"    {what:<{width - 48}}{_number(worst.value):>12}  {worst.limit:<12}"


def _mutant_lines(pair: PairResult, width: int) -> Iterator[str]:
    told = [each for each in pair.mutants if not each.excluded]
    alive = len(pair.survivors)
    state = f"{alive} of {len(told)} mutants survive" if alive else f"all {len(told)} mutants found out"
    broken = [each for each in pair.control if not each.passed]
    control = f"the control fails {len(broken)} measurement(s)" if broken else "the control passes"
    yield f"  TRAIN-4  {state}, {control}"
    for each in pair.mutants:
        mark = ">" if each in pair.survivors else " "
        yield f"  {mark} {_cut(each.name, 40):<40}  {_cut(_fate(each), width - 46)}"


def _fate(mutant: MutantResult) -> str:
    if mutant.excluded:
        return f"left out: {mutant.excluded}"
    if mutant.found_out:
        numbers = dict.fromkeys(each.rule.removeprefix("TRAIN-") for each in mutant.failed)
        return f"found out: {mutant.expected} (TRAIN-{', '.join(numbers)})"
    if mutant.failed:
        return f"fails for another reason: {', '.join(dict.fromkeys(str(each.reason) for each in mutant.failed))}"
    return "survives"


def _mutant_cells(mutant: MutantResult) -> tuple[str, ...]:
    return _safe(mutant.name), _safe(mutant.story), _safe(mutant.expected), _safe(_fate(mutant))


def _cells(each: Measurement) -> tuple[str, ...]:
    told = f"{each.reason}: {each.detail}" if each.reason is not None and each.detail else each.detail
    if each.reason is not None and not each.detail:
        told = each.reason.value
    return (
        each.rule,
        _safe(each.what),
        _number(each.value),
        _safe(each.limit),
        "" if each.passed else "**fails**",
        _safe(told),
    )


def _speed(speed: Speed) -> str:
    compiled = "compiled" if speed.compiled else "as it is"
    if speed.excluded:
        return f"{compiled}: {speed.excluded}"
    return (
        f"{compiled}: {speed.tokens_per_second:,.0f} tokens a second in {speed.rows} packed rows of "
        f"{speed.row_length}, "
        f"{100 * speed.utilisation:.0f} % of the measured ceiling, {speed.memory / 2**20:,.0f} MiB at most"
    )


def _speed_cells(speed: Speed) -> tuple[str, ...]:
    compiled = "on" if speed.compiled else "off"
    if speed.excluded:
        return compiled, str(speed.row_length), _safe(speed.excluded), "", "", ""
    ceiling = f"{100 * speed.utilisation:.1f} % of {speed.product / 1e12:.3g} TFLOP/s"
    memory = f"{speed.memory / 2**20:,.0f} MiB"
    row = f"{speed.rows} x {speed.row_length}"
    return compiled, row, f"{speed.tokens_per_second:,.0f}", f"{speed.rate / 1e12:.3g}", ceiling, memory


def _table(head: Sequence[str], rows: Iterator[Sequence[str]] | map[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _number(value: float | None) -> str:
    if value is None or value != value or abs(value) == float("inf"):
        return "none"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.1e}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _safe(text: str) -> str:
    return text.translate(_SPECIAL)
