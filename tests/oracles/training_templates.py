"""trl's 31 training templates as pairs, with the special tokens of their families and a vocabulary of characters.

No vocabulary comes with the templates. Which tokens are trained does not depend
on it, so both sides are compared on one that has a token for every special
token and every other character: a comparison of characters and of tokens at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from maskspec.corpus import Kind, Pair, trl_templates
from maskspec.tokens import Encoding, SpecialTokens

VERSION = "1.16.0"


def _tokens(bos: str | None, eos: str | None, *stops: str) -> SpecialTokens:
    special = tuple(dict.fromkeys(token for token in (bos, eos, *stops) if token is not None))
    variables = {name: value for name, value in (("bos_token", bos), ("eos_token", eos)) if value is not None}
    return SpecialTokens(bos=bos, eos=eos, added=special, special=special, stops=stops, variables=variables)


_FAMILIES: Mapping[str, SpecialTokens] = {
    "cohere": _tokens("<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"),
    "deepseek": _tokens("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "diffusion_gemma": _tokens("<bos>", "<eos>", "<turn|>"),
    "gemma": _tokens("<bos>", "<eos>", "<end_of_turn>"),
    "glm4moe": _tokens(None, "<|endoftext|>", "<|user|>", "<|observation|>"),
    "gptoss": _tokens("<|startoftext|>", "<|return|>", "<|return|>", "<|call|>", "<|end|>"),
    "idefics3": _tokens("<|begin_of_text|>", "<end_of_utterance>"),
    "lfm2": _tokens("<|startoftext|>", "<|im_end|>"),
    "llama3": _tokens("<|begin_of_text|>", "<|eot_id|>"),
    "llava_next": _tokens("<s>", "</s>"),
    "muse_glimmer": _tokens("<|begin_of_text|>", "<|eot|>", "<|eot|>", "<|eom|>"),
    "nemotron": _tokens("<s>", "<|im_end|>"),
    "phi3": _tokens("<s>", "<|endoftext|>", "<|end|>"),
    "qwen": _tokens(None, "<|im_end|>"),
    "smolvlm": _tokens("<|im_start|>", "<end_of_utterance>"),
}
"""The special tokens of the vocabularies behind the templates: beginning and end of sequence, declared stops.

Facts from the templates themselves and, where it was made for the same family, `corpora/templates/templates.toml`.
"""


def special_tokens(template: str) -> SpecialTokens:
    """The special tokens of the family that a template belongs to."""
    return next(tokens for family, tokens in _FAMILIES.items() if template.startswith(family))


SHOWN: Mapping[str, frozenset[str]] = {
    "cohere2_training": frozenset(),
    "cohere_training": frozenset(),
    "deepseek_r1_distill_training": frozenset({"opening"}),
    "deepseekv3_training": frozenset({"opening"}),
    "diffusion_gemma_training": frozenset({"tail"}),
    "gemma3_training": frozenset({"tail"}),
    "gemma_training": frozenset({"tail"}),
    "glm4moe_training": frozenset(),
    "gptoss_training": frozenset({"opening"}),
    "idefics3_training": frozenset({"tail"}),
    "lfm2_training": frozenset({"tail"}),
    "lfm2_v2_training": frozenset({"tail"}),
    "llama3_training": frozenset(),
    "llava_next_training": frozenset({"unconfirmed opening"}),
    "muse_glimmer_training": frozenset({"opening"}),
    "nemotron_3_5_lightning_training": frozenset({"tail", "prefill"}),
    "nemotron_3_nano_training": frozenset({"tail", "prefill"}),
    "nemotron_3_super_training": frozenset({"tail", "prefill"}),
    "nemotron_3_ultra_training": frozenset({"tail", "prefill"}),
    "phi3_5_training": frozenset({"tail", "end of text"}),
    "phi3_training": frozenset({"tail", "end of text"}),
    "qwen2_5_training": frozenset({"tail", "end of the opening"}),
    "qwen2_5_vl_training": frozenset({"tail"}),
    "qwen3_5_nothink_training": frozenset({"tail", "prefill"}),
    "qwen3_5_think_training": frozenset({"tail", "prefill"}),
    "qwen3_6_training": frozenset({"tail", "prefill"}),
    "qwen3_8_training": frozenset({"tail", "prefill"}),
    "qwen3_instruct_2507_training": frozenset({"tail"}),
    "qwen3_training": frozenset({"tail"}),
    "qwen3_vl_training": frozenset({"tail"}),
    "smolvlm_training": frozenset({"tail"}),
}
"""Which classes of differences each template shows; written by hand after reading the template."""


IN_PARTS = frozenset({"idefics3_training", "llava_next_training", "smolvlm_training"})
"""Templates that print content only where it is a list of parts."""


class Characters:
    """A tokenizer with one id for every special token and one for every other character."""

    name = "characters"
    raw = None

    def __init__(self, special: SpecialTokens) -> None:
        self.special_tokens = special
        self._parts = re.compile("|".join([*map(re.escape, sorted(special.added, key=len, reverse=True)), "."]), re.S)

    def encode(self, text: str) -> Encoding:
        found = list(self._parts.finditer(text))
        return Encoding([self._id(each[0]) for each in found], [each.span() for each in found])

    def _id(self, part: str) -> int:
        return ord(part) if len(part) == 1 else 0x110000 + self.special_tokens.added.index(part)

    def token(self, token_id: int) -> str:
        return chr(token_id) if token_id < 0x110000 else self.special_tokens.added[token_id - 0x110000]

    def surfaces(self, ids: Sequence[int]) -> Sequence[bytes]:
        return [self.token(each).encode("utf-8", "surrogatepass") for each in ids]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(self.token, ids))


@cache
def pairs() -> Mapping[str, Pair]:
    """The templates by name."""
    return {template.name: _pair(template) for template in trl_templates(training=True)}


def _pair(template: Any) -> Pair:
    tokenizer = Characters(special_tokens(template.name))
    return Pair(name=template.name, template=template, kind=Kind.LOCAL, load=lambda: tokenizer)
