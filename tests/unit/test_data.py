from __future__ import annotations

from pathlib import Path

import pytest

from maskspec.data import AREAS, data_path
from maskspec.errors import CorpusError


def _package(tmp_path: Path) -> Path:
    package = tmp_path / "checkout" / "reference" / "maskspec"
    package.mkdir(parents=True)
    return package


@pytest.mark.parametrize("area", AREAS)
def test_the_shipped_data_is_found(area: str) -> None:
    assert data_path(area).is_dir()


def test_a_file_inside_an_area_is_found() -> None:
    assert data_path("corpora", "tokenizers", "tiktoken", "tokenizer.json").is_file()


def test_the_wheel_comes_before_the_checkout(tmp_path: Path) -> None:
    package = _package(tmp_path)
    checkout = tmp_path / "checkout" / "spec"
    checkout.mkdir()
    assert data_path("spec", package=package) == checkout
    wheel = package / "_data" / "spec"
    wheel.mkdir(parents=True)
    assert data_path("spec", package=package) == wheel


def test_missing_data_names_both_places(tmp_path: Path) -> None:
    package = _package(tmp_path)
    with pytest.raises(CorpusError) as caught:
        data_path("corpora", package=package)
    assert str(package / "_data" / "corpora") in str(caught.value)
    assert str(tmp_path / "checkout" / "corpora") in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    package = _package(tmp_path)
    (tmp_path / "checkout" / "corpora").mkdir()
    with pytest.raises(CorpusError, match=r"corpora/absent\.toml is missing.*reinstall"):
        data_path("corpora", "absent.toml", package=package)


def test_an_unknown_area_lists_the_known_ones() -> None:
    with pytest.raises(CorpusError, match="known are spec, corpora"):
        data_path("tests")
