"""What is checked: a masker, with the template and tokenizer that it is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from maskspec.conformance.protocol import Labelled, Request
from maskspec.errors import MaskspecError
from maskspec.rendering import render
from maskspec.tokens import Tokenizer
from maskspec.training.problems import TrainingError

__all__ = ["Subject"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A masker with a template and a tokenizer.

    `template` is Jinja source and `name` what reports call the pair. `stops` are the ids of the tokens that end
    a turn, found by `with_stops`.
    """

    masker: Any
    name: str
    template: str
    tokenizer: Tokenizer
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    stops: tuple[int, ...] = ()

    def with_stops(self) -> Subject:
        """The same with the ids of its stop tokens.

        Raises:
            TrainingError: the tokenizer has none, so no model could be asked to stop.
        """
        special = self.tokenizer.special_tokens
        declared = special.stops or ((special.eos,) if special.eos else ())
        ids = [tuple(self.tokenizer.encode(token).ids) for token in declared]
        single = tuple(dict.fromkeys(each[0] for each in ids if len(each) == 1))
        if not single:
            what = f"; {', '.join(map(repr, declared))} is more than one token" if declared else ""
            raise TrainingError(
                f"the tokenizer of {self.name!r} has no stop token{what}; generation could never end: "
                "name the token that ends a turn with --stop-token, or set the tokenizer's eos_token"
            )
        return replace(self, stops=single)

    def with_masker(self, masker: Any) -> Subject:
        """The same pair with another masker."""
        return replace(self, masker=masker)

    def labelled(self, messages: Sequence[Mapping[str, Any]]) -> Labelled:
        """What the masker answers for a conversation.

        Raises:
            TrainingError: the masker raised an exception, or returned no answer.
        """
        request = Request(
            messages=[dict(message) for message in messages],
            template=self.template,
            tokenizer=self.tokenizer.raw,
            policy=self.masker.policy,
            template_kwargs=dict(self.template_kwargs),
            special_tokens=self.tokenizer.special_tokens.variables,
            stops=self.tokenizer.special_tokens.stops,
            pair=self.name,
        )
        try:
            answer = self.masker.mask(request)
        except MaskspecError:
            raise
        except Exception as error:
            raise TrainingError(
                f"{self.masker.name} gives no mask for a plain conversation on {self.name!r}: "
                f"{type(error).__name__}: {error}; run `maskspec check` on it first"
            ) from error
        if not isinstance(answer, Labelled):
            raise TrainingError(f"{self.masker.name} answered {type(answer).__name__}; `mask` returns a Labelled")
        return answer

    def prompt(self, messages: Sequence[Mapping[str, Any]], *, generation_prompt: bool = True) -> str:
        """The text that a model is given to answer."""
        return render(
            [dict(message) for message in messages],
            template=self.template,
            template_kwargs=self.template_kwargs,
            special_tokens=self.tokenizer.special_tokens.variables,
            add_generation_prompt=generation_prompt,
        ).text
