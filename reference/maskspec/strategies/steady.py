"""A source of randomness for Hypothesis that depends on the seed and on nothing else.

Hypothesis mixes constants into what it draws that it finds in the modules a program has
loaded, so the same seed gives other values in another process; and it writes what it
found below the working directory. This backend draws plainly. Registering backends is a
documented interface (`AVAILABLE_PROVIDERS`); the class that is extended here is not, so
where it is gone Hypothesis's own backend serves.
"""

from __future__ import annotations

from typing import Any

__all__ = ["BACKEND"]

try:
    from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
except ImportError:  # pragma: no cover  (no such version is known)
    BACKEND = "hypothesis"
else:
    BACKEND = "maskspec"

    class SteadyProvider(HypothesisProvider):
        """Draws bounded integers evenly and short bytes more often than long ones; no constants, no files."""

        def draw_integer(self, min_value: int | None = None, max_value: int | None = None, **more: Any) -> int:
            if min_value is None or max_value is None or more.get("weights") is not None:
                return super().draw_integer(min_value, max_value, **more)
            assert self._random is not None
            return self._random.randint(min_value, max_value)

        def draw_bytes(self, min_size: int = 0, max_size: int = 64) -> bytes:
            assert self._random is not None
            first, second = self._random.randint(min_size, max_size), self._random.randint(min_size, max_size)
            return self._random.randbytes(min(first, second))

        def _maybe_draw_constant(self, *_: Any, **__: Any) -> None:
            return None

    AVAILABLE_PROVIDERS[BACKEND] = SteadyProvider
