"""`import maskspec` stays light: it is loaded at the start of every test run that uses it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("click", "hypothesis", "mistral_common", "numpy", "pytest", "rich", "tokenizers", "torch", "transformers")


def loaded_by(statement: str) -> list[str]:
    """Return the names of all modules that a fresh interpreter holds after one statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names: list[str] = json.loads(done.stdout)
    return names


@pytest.mark.parametrize("statement", ["import maskspec", "import maskspec.errors, maskspec.tokens, maskspec.data"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    loaded = set(loaded_by(statement))
    assert "maskspec" in loaded
    assert loaded & set(HEAVY) == set()


def test_the_masker_itself_loads_nothing_heavy() -> None:
    loaded = set(loaded_by("from maskspec import Conversation, Policy, mask, render"))
    assert "maskspec.masker" in loaded, "the check must see the modules of the reference, or it checks nothing"
    assert loaded & set(HEAVY) == set()


def test_the_public_names_are_the_promised_ones() -> None:
    import maskspec

    assert {"Conversation", "Policy", "mask", "render"} <= set(maskspec.__all__)
    for name in set(maskspec.__all__) - {"__version__"}:  # a version there is only where maskspec is installed
        assert getattr(maskspec, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    import maskspec

    with pytest.raises(AttributeError, match="no_such_name"):
        maskspec.no_such_name  # noqa: B018  # the access is what is tested
