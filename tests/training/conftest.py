"""What the tests of the training check share: one pair, its samples, and a model that is built in no time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.training.factory import subject_of

if TYPE_CHECKING:
    from maskspec.training.examination import Examination


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests run beside each other, and small products gain nothing from a second thread."""
    try:
        import torch
    except ImportError:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def examination() -> Examination:
    """A prepared pair whose learning runs would last a few steps only."""
    from maskspec.training.devices import find_device
    from maskspec.training.examination import Examination
    from maskspec.training.sizes import SIZES

    size = replace(SIZES["small"], steps=4, lessons=16, held_out=4, looked_at=4)
    return Examination.prepare(
        subject_of().with_stops(),
        size=size,
        device=find_device("cpu"),
        architecture="llama",
        seed=0,
        progress=lambda _doing, _share: None,
    )
