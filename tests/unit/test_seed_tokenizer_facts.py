"""The tokenizer facts behind the bug that maskspec starts from, written down by hand.

With the Mistral v3 vocabulary, the slow tokenizer in its legacy mode puts a
stray `▁` (id 29473) after every control token; the fast one does not. Maskers
that searched for turns with ids made by one of them lost turns made by the other.
"""

from __future__ import annotations

import pytest

from maskspec.alignment import align
from maskspec.tokenizers import wrap
from tests.unit.vocabularies import mistral_fast, mistral_slow, transformers_major

TEXT = "<s>[INST] Hi[/INST] Yo</s>"
STRAY = 29473
#                  <s> [INST]  ▁     ▁Hi  [/INST]  ▁      ▁Y     o    </s>
WITH_STRAY = [1, 3, STRAY, 16127, 4, STRAY, 1395, 29477, 2]
WITHOUT_STRAY = [1, 3, 16127, 4, 1395, 29477, 2]


def test_slow_legacy_adds_a_stray_token_after_every_control_token() -> None:
    assert list(wrap(mistral_slow("v3", True)).encode(TEXT).ids) == WITH_STRAY


def test_slow_without_legacy_adds_none() -> None:
    assert list(wrap(mistral_slow("v3", False)).encode(TEXT).ids) == WITHOUT_STRAY


def test_fast_without_legacy_adds_none() -> None:
    assert list(wrap(mistral_fast("v3", False)).encode(TEXT).ids) == WITHOUT_STRAY


def test_fast_legacy_adds_it_in_transformers_4_and_not_in_5() -> None:
    expected = WITH_STRAY if transformers_major() == 4 else WITHOUT_STRAY
    assert list(wrap(mistral_fast("v3", True)).encode(TEXT).ids) == expected


@pytest.mark.parametrize("load", [lambda: mistral_slow("v3", True), lambda: mistral_fast("v3", True)])
def test_the_stray_token_spells_the_space_it_adds(load) -> None:
    tokenizer = wrap(load())
    assert tokenizer.token(STRAY) == "▁"
    assert list(tokenizer.surfaces([STRAY, 16127])) == [b" ", b" Hi"]


def test_alignment_makes_the_stray_token_of_the_slow_tokenizer_a_phantom() -> None:
    tokenizer = wrap(mistral_slow("v3", True))
    alignment = align(TEXT, tokenizer.encode(TEXT), tokenizer)
    assert alignment.phantoms == (2, 5)
    # <s> [INST] ▁ ▁Hi [/INST] ▁ ▁Y o </s>
    assert list(alignment.starts) == [0, 3, 9, 9, 12, 19, 19, 21, 22]
    assert list(alignment.ends) == [3, 9, 9, 12, 19, 19, 21, 22, 26]


def test_alignment_makes_the_stray_token_of_the_fast_tokenizer_a_phantom_too() -> None:
    tokenizer = wrap(mistral_fast("v3", True))
    alignment = align(TEXT, tokenizer.encode(TEXT), tokenizer)
    assert alignment.phantoms == ((2, 5) if transformers_major() == 4 else ())


@pytest.mark.parametrize("legacy", [True, False])
def test_every_other_token_has_the_same_characters_slow_and_fast(legacy: bool) -> None:
    slow, fast = wrap(mistral_slow("v3", legacy)), wrap(mistral_fast("v3", False))
    spoken = []
    for tokenizer in (slow, fast):
        encoding = tokenizer.encode(TEXT)
        alignment = align(TEXT, encoding, tokenizer)
        ranges = zip(encoding.ids, alignment.starts, alignment.ends, strict=True)
        spoken.append([(token_id, start, end) for token_id, start, end in ranges if start < end])
    assert spoken[0] == spoken[1]
