"""What maskspec needs to know about tinytune: its name, its policy, and how to ask it."""

from __future__ import annotations

import tinytune

from maskspec import Labelled, Policy, Request


class WithoutHeaders:
    name = "tinytune without headers"
    policy = Policy(flags=False)
    build = staticmethod(tinytune.build_without_headers)

    def mask(self, request: Request) -> Labelled:
        messages, tokenizer, template = request.messages, request.tokenizer, request.template
        ids, labels = self.build(messages, tokenizer, template, request.tools, request.template_kwargs)
        return Labelled(ids, labels)


class WithHeaders(WithoutHeaders):
    name = "tinytune with headers"
    build = staticmethod(tinytune.build_with_headers)
