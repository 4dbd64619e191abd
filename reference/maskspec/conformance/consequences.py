"""What a broken rule does to a model: one plain sentence per rule, for the end of a report.

A rule's own sentence says what a mask must look like. Whoever reads a report
wants to know what happens to the training that used such a mask.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CONSEQUENCES"]

CONSEQUENCES: Mapping[str, str] = {
    "RENDER-1": "The model is trained on other tokens than it is given when it is served.",
    "RENDER-2": "Training and serving disagree about the first token, so every position is off by one.",
    "RENDER-3": "Text is lost or changed on its way into tokens: the model is not trained on your data.",
    "RENDER-4": "Two runs over the same data can differ, or your data is changed while it is masked.",
    "LABEL-1": "Labels and tokens cannot be paired: the trainer stops, or cuts the longer of the two.",
    "LABEL-2": "The loss asks for the wrong tokens: trainers shift the labels themselves, so these are shifted twice.",
    "LABEL-3": "Tokens that should be ignored carry loss, because cross-entropy skips -100 and nothing else.",
    "ROLE-1": "The model learns to write the messages of other roles, such as the user's.",
    "ROLE-2": "The model learns to write template text that it never has to generate, such as a default system prompt.",
    "ROLE-3": "Choosing a role does not keep the others out: some tokens are trained whichever role is chosen.",
    "SPAN-1": "Part of what the model has to write carries no loss, so it is not learnt.",
    "SPAN-2": "Reasoning is trained where the declared policy leaves it out, or left out where the policy trains it.",
    "SPAN-3": "Tool calls are learnt in part, or against the declared policy; half-learnt calls come out malformed.",
    "SPAN-4": "Think tags, the brackets of a tool call and the like, which only the model can write, are not learnt.",
    "SPAN-5": "Whole turns are lost in silence: they cost compute and teach nothing.",
    "OPEN-1": "The model learns to write what the generation prompt already supplies, and may repeat it when served.",
    "STOP-1": "The model does not learn to stop: after its answer it runs on to the length limit.",
    "STOP-2": "The model does not learn to stop with templates that print the stop of a turn in the next message.",
    "STOP-3": "The model learns to write the ends of messages that are not its own.",
    "STOP-4": "The option for stops does not do what it says, so the model learns to stop too often or not at all.",
    "STOP-5": "Where one token is padding and stop, both are masked, so the model does not learn to stop.",
    "SELECT-1": "Messages that the data flags are trained, or left out, against their flags.",
    "SELECT-2": "Other turns are trained than the declared ones, the last turn or the last round.",
    "SELECT-3": "What is trained inside a message is not the spans that the data marks.",
    "INJECT-1": "A marker in a message decides what is trained: transcripts that users paste are learnt as answers.",
    "INJECT-2": "Answers that talk about markup are learnt up to the first marker in them, and no further.",
    "INJECT-3": "Turns that repeat or quote each other are mixed up: some are lost, and others may be trained instead.",
    "META-1": "What is learnt from a turn depends on what is said after it.",
    "META-2": "What is learnt from an answer depends on the words of the question, not only on the answer.",
    "META-3": "What is learnt from a conversation depends on which others happen to share its batch.",
    "TOTAL-1": "Valid conversations stop the run, or have to be left out of the data.",
    "TOTAL-2": "Broken data is trained on in silence, or nobody can tell which message is broken.",
    "TOTAL-3": "The whole sample teaches nothing, or teaches the model to write everything, and nothing says so.",
    "TRUNC-1": "Long samples, cut at the end, carry other labels than the same tokens in whole samples.",
    "TRUNC-2": "Long samples, cut at the start, carry other labels than the same tokens in whole samples.",
    "TRUNC-3": "Setting a maximum length alone changes what is trained, in samples that are not even cut.",
    "COLLATE-1": "Padding is learnt or looked at, or real tokens are taken for padding and lost.",
    "COLLATE-2": "Samples that share a row look into each other, or lose labels that they have alone.",
    "TOKEN-1": "A model trained with one of the two tokenizers meets other ids when it is served with the other.",
    "TOKEN-2": "What is trained depends on which of two equal tokenizers was loaded.",
    "TOKEN-3": "The model is trained on a token without text, which another tokenizer does not give it.",
}
"""By the id of the rule; every rule that is checked has one."""
