"""What a training check measured: every number with its limit, every mutant with its fate, and the curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "MOST_LEFT",
    "MUST_STAY",
    "Curve",
    "Measurement",
    "MutantResult",
    "PairResult",
    "Reason",
    "Speed",
    "TrainingReport",
]


MOST_LEFT = 0.10
"""The share of its start that the loss on trained tokens may still have."""

MUST_STAY = 0.80
"""The share of its start that the loss on the user's text must still have."""


class Reason(StrEnum):
    """Why a measurement fails, so that a mutant can be required to fail for the right one."""

    NOTHING_TRAINED = "nothing is trained"
    """Every label is ignored; the loss is not a number, or 0."""
    LOSS = "the loss is not that of the tokens to train"
    """The model's loss is not the mean cross-entropy over the tokens that the specification trains."""
    PADDING = "padding changes the loss"
    """The samples of a padded batch do not have the loss that they have alone."""
    LEAK = "samples in one row see each other"
    """The samples of a packed row do not have the loss that they have alone."""
    ACCUMULATION = "micro-batches are not weighed by their tokens"
    """Accumulated steps do not have the loss and gradient of one step."""
    GRADIENT_AT_IGNORED = "an ignored token has a gradient"
    """The prediction of a token that carries no loss is changed by training."""
    NO_GRADIENT_AT_TRAINED = "a trained token has no gradient"
    """The prediction of a token that carries loss is not changed by training."""
    NOT_LEARNT = "the answers are not learnt"
    """The loss on trained tokens did not fall far enough."""
    USER_LEARNT = "the user's text is learnt"
    """The loss on the user's random words fell."""
    WRONG_ANSWER = "the answer is wrong"
    """The trained model answers something else than it was taught."""
    WRITES_OPENING = "the answer begins with the opening"
    """The trained model writes what its prompt should have held."""
    DOES_NOT_STOP = "the model does not stop"
    """The trained model goes on behind the answer."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number of one rule beside its limit.

    `value` is None where nothing could be computed, and `limit` is written out (`<= 1e-06`). `reason` is None
    where the measurement passed. `detail` says what was found, in words.
    """

    rule: str
    what: str
    value: float | None
    limit: str
    reason: Reason | None
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the number is within its limit."""
        return self.reason is None

    def as_json(self) -> dict[str, Any]:
        """The measurement as plain data."""
        return {
            "rule": self.rule,
            "what": self.what,
            "value": self.value if self.value is not None and math.isfinite(self.value) else None,
            "limit": self.limit,
            "passed": self.passed,
            "reason": None if self.reason is None else self.reason.value,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Curve:
    """The losses of held-out conversations while a model learns: for each part of a token, one a step looked at."""

    name: str
    steps: tuple[int, ...]
    losses: Mapping[str, tuple[float, ...]]

    def as_json(self) -> dict[str, Any]:
        """The curve as plain data."""
        return {
            "name": self.name,
            "steps": list(self.steps),
            "losses": {part: [round(loss, 5) for loss in losses] for part, losses in self.losses.items()},
        }


@dataclass(frozen=True, slots=True)
class MutantResult:
    """A broken way of training: the reason it had to fail for, those that it entails, and what was found.

    `excluded` says why it could not be made with this template; it is empty otherwise.
    """

    name: str
    story: str
    expected: Reason
    entails: frozenset[Reason] = frozenset()
    measurements: tuple[Measurement, ...] = ()
    excluded: str = ""
    curve: Curve | None = None

    @property
    def failed(self) -> tuple[Measurement, ...]:
        """The measurements that found it out."""
        return tuple(each for each in self.measurements if not each.passed)

    @property
    def found_out(self) -> bool:
        """Whether it failed for the reason it had to fail for, and for none that has nothing to do with it."""
        reasons = {each.reason for each in self.failed}
        return self.expected in reasons and reasons <= {self.expected, *self.entails}

    def as_json(self) -> dict[str, Any]:
        """The mutant as plain data."""
        return {
            "name": self.name,
            "story": self.story,
            "expected": self.expected.value,
            "found_out": self.found_out,
            "excluded": self.excluded,
            "failed": [each.as_json() for each in self.failed],
            "curve": None if self.curve is None else self.curve.as_json(),
        }


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast training steps are on packed rows, beside what the device can do at best.

    `product` is the best measured rate of a square matrix product in the same precision, in operations a second,
    as is `rate`, that of the model's own products. `memory` is in bytes, `loss` the first step's; `excluded` says why
    there are no numbers.
    """

    compiled: bool
    row_length: int
    rows: int
    tokens_per_second: float = 0.0
    rate: float = 0.0
    product: float = 0.0
    memory: int = 0
    loss: float = 0.0
    excluded: str = ""

    @property
    def utilisation(self) -> float:
        """The share of the measured ceiling that a step reaches."""
        return self.rate / self.product if self.product else 0.0

    def as_json(self) -> dict[str, Any]:
        """The speed as plain data."""
        return {
            "compiled": self.compiled,
            "row_length": self.row_length,
            "rows": self.rows,
            "tokens_per_second": round(self.tokens_per_second, 1),
            "model_operations_per_second": round(self.rate),
            "product_operations_per_second": round(self.product),
            "utilisation": round(self.utilisation, 4),
            "peak_memory_bytes": self.memory,
            "excluded": self.excluded,
        }


@dataclass(frozen=True, slots=True)
class PairResult:
    """Everything measured on one pair of template and tokenizer.

    `control` is empty where the masker under check is the reference, whose own measurements are the control.
    """

    pair: str
    vocabulary: int
    renumbered: bool
    parameters: int
    measurements: tuple[Measurement, ...]
    control: tuple[Measurement, ...] = ()
    mutants: tuple[MutantResult, ...] = ()
    curves: tuple[Curve, ...] = ()
    speeds: tuple[Speed, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def broken(self) -> tuple[str, ...]:
        """The rules that the masker breaks on this pair; TRAIN-4 is never among them, since it is about the check."""
        return tuple(dict.fromkeys(each.rule for each in self.measurements if not each.passed))

    @property
    def survivors(self) -> tuple[MutantResult, ...]:
        """The mutants that the check did not find out for the right reason."""
        return tuple(each for each in self.mutants if not each.excluded and not each.found_out)

    @property
    def sound(self) -> bool:
        """Whether the check kept TRAIN-4: every mutant is found out and the control passes."""
        return not self.survivors and all(each.passed for each in self.control)

    def as_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            "pair": self.pair,
            "vocabulary": self.vocabulary,
            "renumbered": self.renumbered,
            "parameters": self.parameters,
            "seconds": round(self.seconds, 1),
            "broken": list(self.broken),
            "sound": self.sound,
            "measurements": [each.as_json() for each in self.measurements],
            "control": [each.as_json() for each in self.control],
            "mutants": [each.as_json() for each in self.mutants],
            "curves": [each.as_json() for each in self.curves],
            "speeds": [each.as_json() for each in self.speeds],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """A whole training check: how it was run, and what it found on every pair."""

    masker: str
    device: str
    device_name: str
    dtype: str
    size: str
    architecture: str
    seed: int
    pairs: Sequence[PairResult]
    versions: Mapping[str, str]
    command: str = ""
    seconds: float = field(default=0.0)

    @property
    def broken(self) -> tuple[str, ...]:
        """The rules that the masker breaks on any pair."""
        return tuple(sorted({rule for pair in self.pairs for rule in pair.broken}))

    @property
    def sound(self) -> bool:
        """Whether the check itself kept TRAIN-4 on every pair."""
        return all(pair.sound for pair in self.pairs)

    @property
    def verdict(self) -> str:
        """The outcome in one sentence."""
        if self.broken:
            return f"{self.masker}: the labels break {', '.join(self.broken)}"
        if not self.sound:
            return f"{self.masker}: the check cannot be trusted here, TRAIN-4 is broken"
        return f"{self.masker}: a model trained on the labels learns to answer and to stop, and nothing else"

    @property
    def exit_code(self) -> int:
        """0 where every rule is kept, 1 where the masker breaks one, 3 where the check itself is not sound."""
        return 1 if self.broken else 0 if self.sound else 3

    def as_json(self) -> dict[str, Any]:
        """The report as plain data, as `training-report.schema.json` describes it."""
        return {
            "maskspec_training_report": 1,
            "masker": self.masker,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "device": self.device,
            "device_name": self.device_name,
            "dtype": self.dtype,
            "size": self.size,
            "architecture": self.architecture,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "command": self.command,
            "versions": dict(self.versions),
            "pairs": [pair.as_json() for pair in self.pairs],
        }
