"""What the tests of the training check say where its libraries are not installed."""

from __future__ import annotations

REASON = 'the training check needs the extra train: python -m pip install "maskspec[suite,train]"'
