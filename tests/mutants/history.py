"""The historical bugs that the catalogue answers to: where each was reported, and what went wrong.

A citation says nothing about a project's present state. Bugs without a thread were
met in so many places that no single one deserves the blame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["HISTORY", "Bug"]


@dataclass(frozen=True, slots=True)
class Bug:
    """One bug: threads as `repository#number`, the defect in a sentence, and the families of rules that it breaks."""

    threads: tuple[str, ...]
    defect: str
    families: tuple[str, ...]


HISTORY: Mapping[int, Bug] = {
    1: Bug(
        ("axolotl#2089",),
        "Content tokenised alone is searched in the conversation's ids; in context it tokenises differently, or the search starts past it: `(-1,-1)` from some turn on.",
        ("SPAN", "STOP", "ROLE"),
    ),
    2: Bug(
        ("axolotl#2123",),
        "Truncation inside the render shifts the mask; role `gpt` not mapped, so everything is ignored.",
        ("TRUNC", "SELECT", "TOTAL"),
    ),
    3: Bug(("axolotl#2287",), "Last EOS missing from the labels.", ("STOP",)),
    4: Bug(("axolotl#1916",), "Last turn and its EOT untrained (phi-3.5).", ("STOP", "SPAN")),
    5: Bug(
        ("axolotl#3088", "axolotl#3098"),
        "Prefix length computed from a render in which the empty think block appears only on the last turn: user tokens trained.",
        ("ROLE",),
    ),
    6: Bug(("axolotl#1761",), "Only the last assistant turn trained although all were selected.", ("SPAN", "SELECT")),
    7: Bug(("axolotl#2710",), "Bundled template lacks EOS.", ("STOP",)),
    8: Bug(("axolotl#2364",), "EOT differs from EOS; only one terminator supported.", ("STOP",)),
    9: Bug(
        ("axolotl#3114",),
        "Template hides earlier reasoning; boundaries found for text that is not rendered.",
        ("SPAN", "ROLE"),
    ),
    10: Bug(
        ("trl#598", "trl#622"),
        "Response template tokenises differently in context and is never found: all ignored.",
        ("TOTAL", "SPAN"),
    ),
    11: Bug(
        ("trl#976", "transformers#23530"), "Pad == eos, so the collator masks the real EOS.", ("STOP-5", "COLLATE")
    ),
    12: Bug(("trl#1191",), "Response template contains the pad token, which is already -100.", ("TOTAL",)),
    13: Bug(("trl#1623", "trl#3091"), "EOS never appended.", ("STOP",)),
    14: Bug(("trl#3728",), "Packing drops the mask: everything trained.", ("COLLATE", "ROLE")),
    15: Bug(("trl#3781",), "One loss path ignores the assistant mask.", ("TRAIN", "ROLE")),
    16: Bug(
        ("trl#3927", "trl#6025"), "Truncation leaves no labels at all, loss 0 and gradients NaN.", ("TOTAL", "TRUNC")
    ),
    17: Bug(("trl#5988", "trl#6044"), "Stop token belongs to the next message (GLM) and is not trained.", ("STOP-2",)),
    18: Bug(("trl#1400", "trl#1114", "OpenRLHF#393"), "BOS doubled.", ("RENDER-2",)),
    19: Bug(
        ("trl#980",),
        "Marker not matched in context; a second call behaves differently from the first.",
        ("RENDER-4", "TOTAL"),
    ),
    20: Bug(
        ("transformers#34494", "transformers#34531"),
        "Batch length used instead of the row's length: a truncated turn is masked out entirely.",
        ("TRUNC", "META-3"),
    ),
    21: Bug(
        ("transformers#47325",),
        "Whether there is an end token is tested by truthiness: index 0 or None marks the rest of the sequence as assistant.",
        ("ROLE", "TRUNC"),
    ),
    22: Bug(
        ("transformers#34172",),
        "A template without generation tags gives an all-zero mask without an error.",
        ("TOTAL",),
    ),
    23: Bug(("transformers#33091",), "Character offsets wrong for one vocabulary.", ("SPAN",)),
    24: Bug(
        ("LLaMA-Factory#10827",),
        "Training only the last turn still trains the stops of the earlier ones.",
        ("STOP-3", "SELECT"),
    ),
    25: Bug(("LLaMA-Factory#5474",), "Terminator placed first in the labels.", ("LABEL", "ROLE")),
    26: Bug(("LLaMA-Factory#2516",), "One family's template misses EOS.", ("STOP",)),
    27: Bug(("unsloth#1262", "unsloth#1290"), "A one-token marker loses its core in the search: all -100.", ("TOTAL",)),
    28: Bug(
        ("unsloth-zoo#14",),
        "A fix for one family breaks another.",
        ("OPEN", "SPAN"),
    ),
    29: Bug(
        ("unsloth-zoo#1270",),
        "A span runs to the next *user* marker: tool output and the next sample's system prompt are trained.",
        ("ROLE", "COLLATE"),
    ),
    30: Bug(("unsloth-zoo#1279",), "Collator silently replaced, padding-free batches lost.", ("COLLATE",)),
    31: Bug(
        ("torchtune#2792", "torchtune#2967"),
        "Setting a maximum length masks the final EOS even when nothing is cut.",
        ("TRUNC-3", "STOP"),
    ),
    32: Bug(("torchtune#949",), "EOS always masked while EOT is kept.", ("STOP",)),
    # The thread is about the stops of all turns but the last, so STOP stands here beside what the list names.
    33: Bug(
        ("ms-swift#4732",), "Terminator in the middle of a turn classified as context.", ("SPAN", "INJECT-2", "STOP")
    ),
    34: Bug(("ms-swift#9263",), "Per-message flag ignored on tool-call messages.", ("SELECT-1",)),
    35: Bug(("ms-swift#3036",), "Per-token weights have another length than the ids.", ("LABEL-1",)),
    36: Bug(("verl#3287",), "Mask slice off by one.", ("LABEL-2", "SPAN")),
    37: Bug(
        ("verl#5362",),
        "The fix for 36 shifts single-turn samples: EOS lost, last prompt token trained.",
        ("STOP", "ROLE", "OPEN"),
    ),
    38: Bug(
        ("verl#3477", "verl#7807"),
        "Turns rendered in isolation and concatenated: ids differ from the full render, empty think blocks appear.",
        ("RENDER-1",),
    ),
    39: Bug(("verl#7378",), "A system message rendered alone raises.", ("TOTAL-1",)),
    40: Bug(("OpenRLHF#973",), "First answer token's loss is lost.", ("SPAN", "TRAIN")),
    41: Bug(
        ("OpenRLHF#1227",),
        "Prefix render differs (history drops reasoning), the span drifts into the next user turn.",
        ("ROLE",),
    ),
    42: Bug(
        ("open-instruct#1800",),
        "EOS only on the final turn, so the prefix test rejects every multi-turn sample.",
        ("TOTAL-1",),
    ),
    43: Bug(("prime-rl#2492",), "Role header trained.", ("OPEN",)),
    44: Bug(("prime-rl#2470",), "Multi-turn samples silently dropped.", ("TOTAL-3",)),
    45: Bug(
        ("prime-rl#1103",),
        "A leading newline merges with the header's and breaks the incremental mask.",
        ("SPAN", "INJECT", "RENDER", "TOTAL"),
    ),
    46: Bug(
        ("renderers#66",), "Closing marker untrained; sample degenerates into dozens of parallel calls.", ("STOP",)
    ),
    47: Bug(
        ("tinker-cookbook#932",), "Earlier turns train the `<think>` prefill but not the terminator.", ("OPEN", "STOP")
    ),
    48: Bug(("slime#514", "slime#1742"), "Wrong terminator for one family, wrong mask type for another.", ("STOP",)),
    49: Bug(("FastChat#2494",), "First token of the second round masked.", ("SPAN",)),
    50: Bug(
        ("FastChat#214",),
        "Separator is two tokens in context and one alone: every span off by one more.",
        ("SPAN", "ROLE"),
    ),
    51: Bug(("FastChat#2996",), "Trailing separator ignored.", ("STOP",)),
    52: Bug(
        ("mlx-lm#584",), "Header trained because the prefix was rendered without the generation prompt.", ("OPEN",)
    ),
    53: Bug(("AReaL#1427",), "A token merges across the prompt/answer join.", ("SPAN",)),
    54: Bug(("VeOmni#873",), "Header trained; the fix then merges newlines.", ("OPEN",)),
    55: Bug(
        ("NeMo Automodel#3739",),
        "Masking the generation prompt zeroes real content that looks like it.",
        ("SPAN", "INJECT"),
    ),
    56: Bug(("alpaca-lora#306",), "An appended EOS lengthens the prompt: the first answer token is masked.", ("SPAN",)),
    57: Bug(("vllm#54539",), "The mask is cut on the wrong side under left truncation.", ("TRUNC-2",)),
    58: Bug(("torchtune#949",), "Loss weight 0 messages still contribute through their stop.", ("STOP-3", "SELECT")),
    59: Bug((), "Labels shifted once by the masker and again by the model.", ("LABEL-2", "TRAIN")),
    60: Bug((), "String search matches an identical earlier turn.", ("INJECT-3",)),
    61: Bug((), "User text that contains the response marker is trained.", ("INJECT-1",)),
    62: Bug((), "The masker edits the caller's messages in place.", ("RENDER-4",)),
    63: Bug(
        (),
        "Slow and fast tokenizer disagree (legacy prefix space), mask computed on one and applied to the other.",
        ("TOKEN", "SPAN", "STOP"),
    ),
}
"""By the number under which mutants refer to it."""
