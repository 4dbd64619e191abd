"""TOKEN: what the tokenizers do by themselves is noted as theirs, what a masker makes of them is found as its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance.examination import Examiner
from maskspec.conformance.protocol import Labelled, Request
from maskspec.corpus import Kind, MissingPair, real_pairs
from maskspec.corpus._libraries import transformers_major
from maskspec.masker import IGNORE_INDEX, mask
from maskspec.policy import Policy
from maskspec.rules import Finding, Subject, select_rules
from maskspec.rules import Kind as Wrong
from maskspec.segmentation import Zone
from maskspec.tokenizers import wrap
from tests.rules.asking import conversation, findings, outcomes, pair

FAST = "mistral-v3+sentencepiece-bpe"
TOKEN_RULES = ("TOKEN-1", "TOKEN-2", "TOKEN-3")
HI = conversation("Hi", "Yo")


def reference(request: Request) -> Any:
    return mask(
        request.messages,
        template=request.template,
        tokenizer=wrap(request.tokenizer, stops=request.stops),
        tools=request.tools,
        template_kwargs=request.template_kwargs,
        allow_empty=True,
    )


def is_fast(request: Request) -> bool:
    return bool(getattr(request.tokenizer, "is_fast", False))


@dataclass
class Masking:
    """The reference, and what one of two ways through a masker makes of its answer."""

    name: str = "masking"
    policy: Policy = field(default_factory=Policy)

    def mask(self, request: Request) -> Labelled:
        answer = reference(request)
        if is_fast(request):
            return Labelled(*self.with_offsets(request, answer))
        return Labelled(*self.without_offsets(request, answer))

    def with_offsets(self, request: Request, answer: Any) -> tuple[Any, Any]:  # noqa: ARG002  (this way is right)
        return answer.input_ids, answer.labels

    def without_offsets(self, request: Request, answer: Any) -> tuple[Any, Any]:
        return Masking.with_offsets(self, request, answer)


class SearchingWithoutOffsets(Masking):
    """axolotl#2089: without offsets, each answer is encoded alone and searched, and found only where it is spelled so."""

    def without_offsets(self, request: Request, answer: Any) -> tuple[Any, Any]:
        ids = list(answer.input_ids)
        labels = [IGNORE_INDEX] * len(ids)
        for message in request.messages:
            if message["role"] != "assistant" or not isinstance(message["content"], str):
                continue
            wanted = request.tokenizer.encode(message["content"], add_special_tokens=False)
            for start in range(len(ids) - len(wanted) + 1):
                if wanted and ids[start : start + len(wanted)] == list(wanted):
                    labels[start : start + len(wanted) + 1] = ids[start : start + len(wanted) + 1]
                    break
        return ids, labels


class OffsetsOffByOne(Masking):
    """transformers#33091: offsets that are wrong by one, on the way that uses them."""

    def with_offsets(self, request: Request, answer: Any) -> tuple[Any, Any]:  # noqa: ARG002  (the offsets are wrong)
        labels = [IGNORE_INDEX, *answer.labels[:-1]]
        return answer.input_ids, [
            IGNORE_INDEX if label == IGNORE_INDEX else answer.input_ids[k] for k, label in enumerate(labels)
        ]


class TurnByTurnWithoutOffsets(Masking):
    """Without offsets, the text is encoded character by character of the answers: other ids for the same text."""

    def without_offsets(self, request: Request, answer: Any) -> tuple[Any, Any]:
        tokenizer = wrap(request.tokenizer, stops=request.stops)
        vocabulary = {tokenizer.token(k): k for k in range(len(request.tokenizer))}
        ids: list[int] = []
        labels: list[int] = []
        for token, label in zip(answer.tokens, answer.labels, strict=True):
            pieces = [vocabulary.get(letter) for letter in tokenizer.token(token.id)]
            if token.zone is not Zone.CONTENT or None in pieces:
                pieces = [token.id]
            ids += pieces  # type: ignore[arg-type]  # no piece is None here
            labels += [IGNORE_INDEX if label == IGNORE_INDEX else piece for piece in pieces]  # type: ignore[misc]
        return ids, labels


class PhantomsAdded(Masking):
    """Encodes as a legacy tokenizer does: a lone U+2581 behind every closing instruction marker."""

    def with_offsets(self, request: Request, answer: Any) -> tuple[Any, Any]:
        blank = request.tokenizer.convert_tokens_to_ids("▁")
        ids: list[int] = []
        labels: list[int] = []
        for token, label in zip(answer.tokens, answer.labels, strict=True):
            ids.append(token.id)
            labels.append(label)
            if token.text == "[/INST]":
                ids.append(blank)
                labels.append(IGNORE_INDEX)
        return ids, labels


def subjects(found: dict[str, Finding]) -> dict[str, Subject]:
    return {rule: finding.subject for rule, finding in found.items()}


def test_the_fast_and_the_slow_own_tokenizer_agree() -> None:
    for name in (FAST, f"{FAST}:slow", "gemma+sentencepiece-unigram", "chatml+tiktoken:slow", "chatml+tiktoken:plain"):
        assert findings(ReferenceMasker(), name, TOKEN_RULES, [HI]) == {}
        for rule in TOKEN_RULES:
            assert outcomes(ReferenceMasker(), name, rule, [HI]) == {"passed"}, (name, rule)


@pytest.mark.parametrize("rule", ["TOKEN-1", "TOKEN-2"])
def test_a_vocabulary_with_one_tokenizer_is_excluded(rule: str) -> None:
    alone = replace(pair(FAST), kind=Kind.LOCAL)
    result = Examiner(ReferenceMasker(), alone, select_rules([rule])).examine(HI)
    assert result.excluded == {rule: "the vocabulary has only one tokenizer here, slow or fast"}


def test_a_tokenizer_that_this_transformers_lacks_is_excluded_with_that_reason() -> None:
    (outcome,) = outcomes(ReferenceMasker(), "chatml+bytelevel-gpt2", "TOKEN-1", [HI])
    assert outcome == "passed" if transformers_major() < 5 else "no slow class for bytelevel-gpt2" in outcome


@pytest.mark.parametrize("masker", [SearchingWithoutOffsets(), OffsetsOffByOne()], ids=lambda item: type(item).__name__)
def test_labels_that_depend_on_the_tokenizer_are_found(masker: Masking) -> None:
    found = findings(masker, FAST, TOKEN_RULES)
    assert subjects(found) == {"TOKEN-2": Subject.MASKER}


def test_the_other_way_through_the_masker_shows_in_the_table() -> None:
    """The right way is asked about; the answer `Yo` is not found on the other, because a space precedes it."""
    masker = SearchingWithoutOffsets()
    assert findings(masker, FAST, ["SPAN", "STOP"], [HI]) == {}
    finding = findings(masker, FAST, ["TOKEN-2"], [conversation("Hi", "\nYo")])["TOKEN-2"]
    assert finding.kind is Wrong.UNTRAINED
    assert finding.zone == "CONTENT"
    wrong = [row for row in finding.rows if row.wrong]
    assert wrong
    assert {(row.expected, row.got) for row in wrong} == {("TRAIN", "IGNORE")}
    assert "</s>" in [row.text for row in wrong]


def test_ids_that_depend_on_the_tokenizer_are_the_maskers() -> None:
    found = findings(TurnByTurnWithoutOffsets(), FAST, TOKEN_RULES)
    assert subjects(found) == {"TOKEN-1": Subject.MASKER}
    assert found["TOKEN-1"].kind is Wrong.DIFFERENT_IDS
    assert any(row.wrong for row in found["TOKEN-1"].rows)
    reasons = outcomes(TurnByTurnWithoutOffsets(), FAST, "TOKEN-2")
    assert "the masker's ids differ between the two tokenizers (TOKEN-1)" in reasons


def test_a_phantom_that_only_the_masker_has_is_the_maskers() -> None:
    found = findings(PhantomsAdded(), FAST, ["TOKEN-3"])
    assert subjects(found) == {"TOKEN-3": Subject.MASKER}
    (row,) = [row for row in findings(PhantomsAdded(), FAST, ["TOKEN-3"], [HI])["TOKEN-3"].rows if row.wrong]
    assert row.text == "▁"
    assert "the canonical encoding has no such token there" in found["TOKEN-3"].explanation


def test_a_phantom_of_the_tokenizer_is_a_note() -> None:
    """The example of the specification: the legacy tokenizer puts a lone U+2581 behind an added token."""
    asked = [conversation("你好", "你好!")]
    found = findings(ReferenceMasker(), "mistral-v7-tekken+sentencepiece-bpe-legacy:slow", TOKEN_RULES, asked)
    assert subjects(found)["TOKEN-3"] is Subject.TOKENIZER
    assert "the tokenizer puts them there by itself" in found["TOKEN-3"].explanation


@pytest.mark.skipif(transformers_major() < 5, reason="the two tokenizers of this vocabulary agree in transformers 4")
def test_ids_that_the_tokenizers_themselves_disagree_about_are_a_note() -> None:
    """Markers as plain text: the two disagree about the first `<`, with and without a prefix space."""
    found = findings(ReferenceMasker(), "qwen3+sentencepiece-unigram:plain", ["TOKEN-1"], [HI])
    assert subjects(found) == {"TOKEN-1": Subject.TOKENIZER}
    assert next(row.index for row in found["TOKEN-1"].rows if row.wrong) == 0


def test_labels_that_may_be_either_never_count() -> None:
    class TailTrained(Masking):
        def without_offsets(self, request: Request, answer: Any) -> tuple[Any, Any]:  # noqa: ARG002  (right, too)
            pairs = zip(answer.tokens, answer.labels, strict=True)
            tail = (Zone.TAIL, 1)
            return answer.input_ids, [
                token.id if (token.zone, token.message) == tail else label for token, label in pairs
            ]

    masker = TailTrained()
    fast, slow = pair("chatml+sentencepiece-bpe"), pair("chatml+sentencepiece-bpe:slow")
    labels = []
    for each in (fast, slow):
        examiner = Examiner(masker, each, [])
        labels.append(masker.mask(examiner.request(examiner.conversation(HI), masker.policy)).labels)
    assert labels[0] != labels[1]
    assert outcomes(masker, fast.name, "TOKEN-2", [HI]) == {"passed"}


def test_a_masker_that_adds_one_phantom_to_the_tokenizers_own_is_found() -> None:
    class OneMore(Masking):
        def without_offsets(self, request: Request, answer: Any) -> tuple[Any, Any]:
            blank = request.tokenizer.convert_tokens_to_ids("▁")
            place = next(k for k, token in enumerate(answer.tokens) if token.text == "[INST]")
            ids, labels = list(answer.input_ids), list(answer.labels)
            return [*ids[:place], blank, *ids[place:]], [*labels[:place], IGNORE_INDEX, *labels[place:]]

    name = "mistral-v7-tekken+sentencepiece-bpe-legacy:slow"
    found = findings(OneMore(), name, ["TOKEN-3"], [conversation("你好", "你好!")])
    assert subjects(found) == {"TOKEN-3": Subject.MASKER}
    assert found["TOKEN-3"].explanation.startswith("1 token(s)")


def _missing(name: str) -> MissingPair | None:
    return next((item for item in real_pairs().missing if item.name == name), None)


@pytest.mark.corpus
@pytest.mark.skipif(_missing("mistral-v3") is not None, reason="needs the Mistral v3 vocabulary of mistral-common")
def test_the_stray_token_of_the_seed_bug_is_found_without_being_told_where() -> None:
    """Mistral v3 through its slow legacy tokenizer: id 29473, which the vocabulary spells `▁` (axolotl#2089).

    Nothing below names the id, the marker or the place before the finding does.
    """
    found = findings(ReferenceMasker(), "mistral-v3:slow:legacy", TOKEN_RULES)
    finding = found["TOKEN-3"]
    # The fast tokenizer of transformers 4 has the legacy prefix, too; that of 5 has not.
    differs = {"TOKEN-1": Subject.TOKENIZER} if transformers_major() >= 5 else {}
    assert subjects(found) == {**differs, "TOKEN-3": Subject.TOKENIZER}
    assert "29473 ('▁')" in finding.explanation
    assert {row.text for row in finding.rows if row.wrong} == {"▁"}
    vocabulary = pair("mistral-v3:slow:legacy").tokenizer
    assert vocabulary.token(29473) == "▁"
    first = findings(ReferenceMasker(), "mistral-v3:slow:legacy", ["TOKEN-3"], [conversation("Hi", "Yo")])["TOKEN-3"]
    # 1, 3, 29473, 16127, 4, 29473, 1395, …: the ids that transformers 4.57 and 5.23 give.
    assert [row.index for row in first.rows if row.wrong] == [2, 5]


@pytest.mark.corpus
@pytest.mark.skipif(_missing("mistral-v3") is not None, reason="needs the Mistral v3 vocabulary of mistral-common")
def test_the_other_tokenizers_of_the_vocabulary_have_no_stray_token() -> None:
    for name in ("mistral-v3", "mistral-v3:slow"):
        assert outcomes(ReferenceMasker(), name, "TOKEN-3", [HI]) == {"passed"}
