"""The example of the package's docstring runs, on templates that are always there."""

from __future__ import annotations

import textwrap

import pytest

import maskspec.findings


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert maskspec.findings.__doc__ is not None
    paragraphs = maskspec.findings.__doc__.split("\n\n")
    code = "\n\n".join(textwrap.dedent(each) for each in paragraphs if each.startswith("    "))
    for written, instead in (('"./my-model"', '"chatml"'), ('["trl"]', '["embedded:zephyr"]'), ("jobs=2", "jobs=1")):
        assert code.count(written) == 1
        code = code.replace(written, instead)
    exec(code, {})
    said = capsys.readouterr().out
    assert "reasoning-ignored: reasoning is not printed\nthe reasoning of message 1 is not printed\n" in said
    assert "user Q\nassistant A\nrendering: " in said
    assert said.endswith("0 stop-missing []\n")
