"""Where frameworks differ: how the assistant's tokens are found in the text of the template.

Both functions render the conversation up to each turn and label what the turn adds. A turn
begins with a header, which the generation prompt supplies when the model is served.
`build_without_headers` leaves it out. `build_with_headers` trains it, which is the mistake.
"""

from __future__ import annotations

IGNORE = -100


def build_without_headers(messages, tokenizer, template, tools=None, variables=None):
    """Label what the model has to generate."""
    return _build(messages, tokenizer, template, tools, variables or {}, headers=False)


def build_with_headers(messages, tokenizer, template, tools=None, variables=None):
    """Label everything that a turn adds."""
    return _build(messages, tokenizer, template, tools, variables or {}, headers=True)


def _build(messages, tokenizer, template, tools, variables, *, headers):
    def render(some, prompt=False):
        options = {"chat_template": template, "tools": tools, "add_generation_prompt": prompt, **variables}
        return tokenizer.apply_chat_template(some, tokenize=False, **options)

    text = render(messages)
    header = len(render(messages, prompt=True)) - len(text)
    trained = []
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            start = len(render(messages[:index])) if index else 0
            trained.append((start if headers else start + header, len(render(messages[: index + 1]))))
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    labels = [
        identifier if any(start <= first and last <= end for start, end in trained) else IGNORE
        for identifier, (first, last) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    ]
    return encoded["input_ids"], labels
