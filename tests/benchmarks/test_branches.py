"""The instrument that counts branches: it changes no text, and counts what a hand-counted template has."""

from __future__ import annotations

import pytest

from maskspec.corpus import embedded_template
from maskspec.strategies import Generated
from tests.benchmarks.branches import FIXED, MarkedTemplate, examine, fixed_conversations

PLAIN = Generated([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


@pytest.mark.parametrize(
    ("template", "places", "reached"),
    [
        ("{% if messages %}a{% endif %}", 2, 1),
        ("{% if tools %}a{% elif messages %}b{% else %}c{% endif %}", 3, 1),
        ("{% for m in messages %}{{ m.content }}{% else %}none{% endfor %}", 2, 1),
        ("{% for m in messages %}{{ 'x' if m.role == 'user' else 'y' }}{% endfor %}", 3, 3),
        ("{{ 'x' if messages }}", 1, 1),
        ("{% macro f(m) %}{{ m }}{% endmacro %}{% macro g() %}{% endmacro %}{{ f('a') }}", 2, 1),
        ("{% if not messages %}{{ raise_exception('no') }}{% endif %}{{ messages[0].content }}", 1, 1),
        ("{{ messages[0].content if messages else raise_exception('no') }}", 1, 1),
        ("{% if add_generation_prompt %}p{% endif %}", 2, 2),
    ],
)
def test_branches_are_counted_as_by_hand(template: str, places: int, reached: int) -> None:
    marked = MarkedTemplate(template)
    assert len(marked.places) == places
    assert len(marked.reached([PLAIN], {})) == reached


def test_the_twelve_shapes_exist() -> None:
    assert len(set(FIXED)) == len(fixed_conversations()) == 12


@pytest.mark.parametrize("name", ["qwen3", "gemma", "mistral-v3", "glm", "harmony", "alpaca", "llama-3"])
def test_generated_conversations_reach_at_least_what_the_shapes_reach(name: str) -> None:
    row = examine(name, embedded_template(name).source, SPECIAL, examples=40)
    assert row.fixed <= row.generated
    assert row.share >= 75
