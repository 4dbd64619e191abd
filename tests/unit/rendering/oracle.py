"""What transformers renders: the text that every rendering must be equal to."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest


def transformers_text(messages: list[dict[str, Any]], template: str, **variables: Any) -> str:
    """The text of one conversation; skips the test where transformers is not installed or too old to compare with."""
    pytest.importorskip("transformers", reason="the text to compare with is transformers' own")
    if int(version("transformers").partition(".")[0]) < 5:
        pytest.skip("transformers 4 gives templates other variables and reasoning under one name only")
    from transformers.utils.chat_template_utils import render_jinja_template

    (text,), _ = render_jinja_template([messages], chat_template=template, **variables)
    assert isinstance(text, str)
    return text
