"""The training check as a whole: one pair after the other, the rules in order, then the mutants.

`check_training` is what the command calls, and what a test of another project can call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from maskspec.errors import UsageError
from maskspec.training.problems import reporting_memory, require_libraries
from maskspec.training.records import PairResult, TrainingReport
from maskspec.training.sizes import SIZES, Size
from maskspec.training.subject import Subject

if TYPE_CHECKING:
    from maskspec.training.devices import Device

__all__ = ["Tick", "check_training"]

Tick = Callable[[str, str, float], None]
"""Told the pair, what is being done, and the share of the pair's work that is done (0 to 1)."""

_PACKAGES = ("maskspec", "torch", "transformers", "accelerate", "trl", "tokenizers")


def check_training(
    subjects: Sequence[Subject],
    *,
    device: str = "cpu",
    dtype: str | None = None,
    size: str | Size = "small",
    architecture: str = "llama",
    trainers: Sequence[str] | None = None,
    compiled: bool | None = None,
    seed: int = 0,
    mutants: bool = True,
    command: str = "",
    progress: Tick = lambda _pair, _doing, _share: None,
) -> TrainingReport:
    """Check what models learn from the labels of a masker, on one or more pairs of template and tokenizer.

    `size` is a name of `SIZES`, or a size of one's own. `trainers` are names of `TRAINERS`; None takes all that are
    installed. `compiled` is whether the speed is measured with `torch.compile` too; None does so on a GPU.
    Without `mutants` the check does not show that it can fail (TRAIN-4 is left out).

    Raises:
        UsageError: an option has no such value, or the device is not there.
        TrainingError: the check could not be carried out; the message names the remedy.
        MissingPackageError: torch or transformers is not installed.
    """
    require_libraries("torch", "transformers")

    from maskspec.training.devices import find_device

    if not subjects:
        raise UsageError("there is no pair to check on; name one with --pair, or --template and --tokenizer")
    if isinstance(size, str):
        if size not in SIZES:
            raise UsageError(f"there is no size {size!r}; known are {', '.join(SIZES)}")
        size = SIZES[size]
    place = find_device(device, dtype)
    options = _Options(
        size=size,
        device=place,
        architecture=architecture,
        trainers=_known_trainers(trainers),
        strict=trainers is not None,
        compiled=place.kind == "cuda" if compiled is None else compiled,
        seed=seed,
        mutants=mutants,
    )
    begun = time.perf_counter()
    pairs = []
    for subject in subjects:
        with reporting_memory(place.kind, f"the size {size.name!r} on {subject.name!r}"):
            pairs.append(_check_pair(subject.with_stops(), options, progress))
    return TrainingReport(
        masker=subjects[0].masker.name,
        device=place.kind,
        device_name=place.name,
        dtype=place.dtype,
        size=size.name,
        architecture=architecture,
        seed=seed,
        pairs=tuple(pairs),
        versions=_versions(),
        command=command,
        seconds=time.perf_counter() - begun,
    )


@dataclass(frozen=True, slots=True)
class _Options:
    """How every pair is checked."""

    size: Size
    device: Device
    architecture: str
    trainers: tuple[str, ...]
    strict: bool
    compiled: bool
    seed: int
    mutants: bool


def _check_pair(subject: Subject, options: _Options, progress: Tick) -> PairResult:
    from maskspec.training.devices import repeatable
    from maskspec.training.examination import Examination

    begun = time.perf_counter()
    with repeatable(options.device, options.seed):
        examination = Examination.prepare(
            subject,
            size=options.size,
            device=options.device,
            architecture=options.architecture,
            seed=options.seed,
            progress=lambda doing, share: progress(subject.name, doing, share),
        )
        examination.rules(options.trainers, required=options.strict)
        if options.mutants:
            examination.mutants()
        examination.speed(compiled=options.compiled)
    return replace(examination.result(), seconds=time.perf_counter() - begun)


def _known_trainers(names: Sequence[str] | None) -> tuple[str, ...]:
    from maskspec.suggestions import suggestion
    from maskspec.training.trainers import TRAINERS

    for name in names or ():
        if name not in TRAINERS:
            hint = suggestion(name, TRAINERS, otherwise=f"known are {', '.join(TRAINERS)}")
            raise UsageError(f"there is no trainer {name!r}{hint}")
    return tuple(dict.fromkeys(names)) if names else TRAINERS


def _versions() -> dict[str, str]:
    import platform

    found: dict[str, Any] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
