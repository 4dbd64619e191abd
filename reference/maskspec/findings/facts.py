"""What each kind of finding says in one sentence, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from maskspec.errors import UsageError
from maskspec.findings.kinds import Family, FindingKind

__all__ = ["FACTS", "Fact", "kinds_named"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What a kind of finding is about, what it says in one sentence, and what to do."""

    family: Family
    title: str
    meaning: str
    remedy: str


def _facts(family: Family, rows: Mapping[FindingKind, tuple[str, str, str]]) -> dict[FindingKind, Fact]:
    return {kind: Fact(family, *words) for kind, words in rows.items()}


_K = FindingKind

FACTS: Mapping[FindingKind, Fact] = {
    **_facts(
        Family.RENDERING,
        {
            _K.DOES_NOT_COMPILE: (
                "does not compile",
                "The source is no Jinja that transformers' environment compiles.",
                "Mend the syntax at the line that is named.",
            ),
            _K.REFUSES_PLAIN: (
                "refuses a plain question and answer",
                "The template raises an error for one question and its answer, whatever form the content has.",
                "Use the template for what it was written for, or give it the fields that it asks for.",
            ),
            _K.LIMIT_EXCEEDED: (
                "exceeds the limits of rendering",
                "The template used more time or built longer texts than rendering may; nothing more was asked of it.",
                "Look for a loop without an end; do not run such a template outside a sandbox.",
            ),
            _K.FORBIDDEN: (
                "does what the sandbox forbids",
                "The template reaches for something that transformers' sandbox refuses.",
                "Write it without attributes and methods of Python's own objects.",
            ),
            _K.UNTRACEABLE: (
                "origins cannot be followed",
                "The template uses an operation behind which the origin of its characters is not known.",
                "Report the template; its masks cannot be computed by maskspec.",
            ),
        },
    ),
    **_facts(
        Family.HISTORY,
        {
            _K.HISTORY_REASONING: (
                "reasoning goes from the history",
                "Reasoning that a conversation's beginning is rendered with is gone once the conversation goes on.",
                "Train one sample per turn (the conversation up to there), or keep reasoning in the history.",
            ),
            _K.HISTORY_LAST_TURN: (
                "the last turn is written otherwise",
                "Template text inside a turn changes once another message follows.",
                "Print every turn alike; else train one sample per turn, since earlier turns were generated otherwise.",
            ),
            _K.HISTORY_END: (
                "the end of the text is written otherwise",
                "The text ends with something that is not there, or different, once another message follows.",
                "Print the end of a turn with the turn, not after the loop over the messages.",
            ),
            _K.HISTORY_SYSTEM: (
                "the system text moves",
                "The system text is printed at another place once the conversation goes on.",
                "Print the system text at a fixed place; else train one sample per turn.",
            ),
            _K.HISTORY_TOOLS: (
                "the tool schemas move",
                "Tool schemas are printed at another place, or not at all, once the conversation goes on.",
                "Print the schemas at a fixed place; else train one sample per turn.",
            ),
            _K.HISTORY_CONTENT: (
                "earlier messages are written otherwise",
                "Words of an earlier message are printed otherwise, elsewhere or not at all once another one follows.",
                "Print a message the same way wherever it stands; else train one sample per turn.",
            ),
            _K.DATE: (
                "the date of rendering is printed",
                "The text depends on the clock: the same conversation renders differently tomorrow.",
                "Pass a fixed date while training, the same for every sample of a run that is to be repeated.",
            ),
            _K.DEFAULT_SYSTEM: (
                "default system prompt",
                "Without a system message the template prints words of its own.",
                "Decide whether training should see them; pass an empty or an own system message where it should not.",
            ),
            _K.PREAMBLE: (
                "words of its own ahead of the messages",
                "The template prints sentences of its own ahead of the first message, system message or not.",
                "Expect them in every sample; they are context and never trained.",
            ),
        },
    ),
    **_facts(
        Family.STOP,
        {
            _K.STOP_MISSING: (
                "no stop after an answer",
                "No stop token ends an answer, so the model does not learn to stop there.",
                "Print eos_token (or the token that ends a turn) behind every answer, the last one too.",
            ),
            _K.STOP_NOT_EOS: (
                "the stop is not eos",
                "Answers end with another token than the vocabulary's eos token.",
                "Add the stop to eos_token_id of the generation config, and do not let a trainer put eos in its place.",
            ),
            _K.STOP_WRITTEN_OUT: (
                "the stop is written out",
                "Answers end with a token that the template spells itself; which token is eos is not known here.",
                "Make sure that generation stops at it: it must be eos, or stand in eos_token_id.",
            ),
            _K.STOP_BOUNDARY: (
                "the next message prints the stop",
                "What stops an answer is printed by the message after it, or after all messages.",
                "Train that token although it belongs to another message; the last answer may have none.",
            ),
            _K.STOP_VARIES: (
                "answers of one conversation end differently",
                "Not every answer of a conversation ends with the same token.",
                "Stop generation at each of them; answers without a stop do not teach the model to end.",
            ),
            _K.BLANK_AFTER_STOP: (
                "white space after the stop",
                "The template prints white space after the stop of an answer; nobody generates it.",
                "Whether it is trained makes no difference to the model's answers; frameworks differ here.",
            ),
            _K.TEXT_AFTER_STOP: (
                "text after the stop",
                "The template prints more than white space after the stop of an answer.",
                "Do not train it: generation has ended before.",
            ),
        },
    ),
    **_facts(
        Family.TAGS,
        {
            _K.TAGS_NONE: (
                "an answer without tags",
                "The template has generation tags and this answer, though printed, is outside of them.",
                "Put the answer between {% generation %} and {% endgeneration %}.",
            ),
            _K.TAGS_OPENING: (
                "the opening is tagged",
                "The tags hold what the generation prompt supplies.",
                "Open {% generation %} behind the generation prompt.",
            ),
            _K.TAGS_CONTENT: (
                "content is left out of the tags",
                "Words of an answer are outside the tags.",
                "Extend the tags over all of the answer.",
            ),
            _K.TAGS_REASONING: (
                "reasoning is left out of the tags",
                "Reasoning of an answer is outside the tags.",
                "Extend the tags over the reasoning, which the model generates too.",
            ),
            _K.TAGS_CALLS: (
                "tool calls are left out of the tags",
                "Tool calls of an answer are outside the tags.",
                "Extend the tags over the calls, which the model generates too.",
            ),
            _K.TAGS_SCAFFOLD: (
                "template text of the turn is left out of the tags",
                "Text between opening and stop that the model has to generate is outside the tags.",
                "Extend the tags over everything between the generation prompt and the stop.",
            ),
            _K.TAGS_STOP: (
                "the stop is left out of the tags",
                "The tags end before the token that stops the answer.",
                "Close the tags behind the stop; without it the model does not learn to stop.",
            ),
            _K.TAGS_TAIL: (
                "text behind the stop is tagged",
                "The tags hold text behind the stop, such as a newline. The principle leaves that open.",
                "Close the tags right behind the stop.",
            ),
            _K.TAGS_OTHERS: (
                "text of others is tagged",
                "The tags hold text of messages that the model does not generate, or of no message.",
                "Let the tags hold assistant turns and nothing else.",
            ),
        },
    ),
    **_facts(
        Family.CONTENT,
        {
            _K.CONTENT_DROPPED: (
                "content is not printed",
                "The template prints something for the message, and none of its content.",
                "Print message['content'], as text and as a list of parts.",
            ),
            _K.CONTENT_CUT: (
                "a part of the content is not printed",
                "Characters inside the content are missing from the output.",
                "Print the content as it is; a template that searches in it cuts answers that quote a marker.",
            ),
            _K.CONTENT_TRIMMED: (
                "content is trimmed",
                "White space at the edges of the content is not printed.",
                "Expect it: what the data holds at the edges is not trained. Trim the data rather than the template.",
            ),
            _K.CONTENT_ALTERED: (
                "content is changed",
                "Characters of the content are printed as other ones.",
                "Print the content as it is.",
            ),
            _K.CONTENT_ESCAPED: (
                "content is escaped",
                "Characters of the content are printed as escapes, as in JSON.",
                "Right for tool results that the format wants as JSON; elsewhere print the content as it is.",
            ),
            _K.REASONING_IGNORED: (
                "reasoning is not printed",
                "Reasoning in a field of its own is not printed, not even for the last answer.",
                "Put reasoning into the content where it is to be trained, or extend the template.",
            ),
            _K.REASONING_EARLIER: (
                "reasoning of earlier answers is not printed",
                "Only reasoning behind the last question is printed.",
                "Train one sample per turn, else reasoning of earlier turns is never trained.",
            ),
            _K.REASONING_INLINE: (
                "reasoning inside the content is cut out",
                "The template removes what stands in the content up to </think>.",
                "Train one sample per turn, or keep the reasoning; it is lost without a word.",
            ),
            _K.CALLS_DROPPED: (
                "tool calls are not printed",
                "A message with a tool call is taken, and nothing of the call is printed.",
                "Do not train tool use with this template.",
            ),
            _K.CALLS_CUT: (
                "a part of a tool call is not printed",
                "The function's name, or some argument of a tool call, is missing from the output.",
                "Print the name and all arguments, of every call.",
            ),
            _K.PARTS_DROPPED: (
                "some parts of the content are not printed",
                "Of content in several text parts some are missing from the output.",
                "Join the parts before rendering.",
            ),
            _K.PARTS_SPELLED_OUT: (
                "parts are printed as Python spells them",
                "Content in parts is printed as the list that it is.",
                "Join the parts before rendering.",
            ),
            _K.TOOLS_DROPPED: (
                "tool schemas are not printed",
                "Tool schemas are taken, and nothing of them is printed.",
                "Do not train tool use with this template, or put the schemas into the system message.",
            ),
        },
    ),
    **_facts(
        Family.ROLES,
        {
            _K.SYSTEM_REFUSED: (
                "refuses a system message",
                "The template raises an error for a conversation that begins with a system message.",
                "Put the text into the first question.",
            ),
            _K.SYSTEM_LOST: (
                "loses the system message",
                "The template takes a system message and does not print its text.",
                "Put the text into the first question.",
            ),
            _K.SYSTEM_MERGED: (
                "merges the system message into a question",
                "The system text is printed inside the turn of a question.",
                "Nothing, where the question is the first; where it is the last, the history is not stable.",
            ),
            _K.ROLE_REFUSED: (
                "refuses a role",
                "The template raises an error for messages of this role.",
                "Convert such messages before rendering.",
            ),
            _K.ORDER_REFUSED: (
                "refuses an order of messages",
                "The template raises an error for messages in this order.",
                "Join or drop messages before rendering, or leave such conversations out.",
            ),
            _K.FORM_REFUSED: (
                "refuses a form of message",
                "The template raises an error for messages of this form.",
                "Convert such messages before rendering.",
            ),
            _K.MESSAGE_LOST: (
                "loses a message",
                "The template takes the message and prints nothing for it, or not its words.",
                "Convert such messages before rendering; they are lost without a word.",
            ),
            _K.ANSWER_LOST: (
                "loses an answer",
                "The template takes an answer and prints nothing for it, as guard models' templates do.",
                "Such a template is not for training these answers.",
            ),
        },
    ),
    **_facts(
        Family.PROMPT,
        {
            _K.PROMPT_IGNORED: (
                "no generation prompt",
                "The template prints nothing more when it is asked for a generation prompt.",
                "Print the header of an answer under add_generation_prompt.",
            ),
            _K.PROMPT_ALWAYS: (
                "the generation prompt is always printed",
                "The text before an answer ends with its header although no generation prompt was asked for.",
                "Print the header under add_generation_prompt only; else a last question has it, too.",
            ),
            _K.PROMPT_DIFFERS: (
                "the generation prompt is not the header",
                "What the generation prompt adds is not what the history prints before an answer.",
                "Print both alike: the model meets a header at inference that it was not trained with.",
            ),
            _K.PROMPT_PREFILL: (
                "the generation prompt goes beyond the header",
                "The generation prompt ends with text, such as <think>, that the history does not print there.",
                "Train with that text in front of the answer, or generate without it.",
            ),
            _K.ANSWER_SCAFFOLD: (
                "text between generation prompt and answer",
                "Before an answer stands text that the generation prompt does not supply, as an empty think block.",
                "Expect it to be trained: the model has to generate it, unless the prompt is made to supply it.",
            ),
            _K.HEADER_UNCERTAIN: (
                "the header is not confirmed",
                "No generation prompt says where the header of an answer ends.",
                "Print the header of an answer under add_generation_prompt.",
            ),
            _K.NOTHING_TRAINED: (
                "nothing to train",
                "The conversation has an answer, and no character of the rendering is to be trained.",
                "Such conversations teach nothing with this template; leave them out.",
            ),
            _K.DOUBLED_BOS: (
                "the text begins with two bos tokens",
                "The template prints the beginning-of-sequence token twice.",
                "Print bos_token once.",
            ),
        },
    ),
}
"""Every kind of finding in the order of reports."""


def kinds_named(names: Iterable[str]) -> frozenset[FindingKind]:
    """The kinds that names stand for: a kind (`stop-missing`) or a family (`stop`); all kinds for no names.

    Raises UsageError for a name that is neither; the message lists what there is.
    """
    wanted = list(names)
    if not wanted:
        return frozenset(FindingKind)
    found: set[FindingKind] = set()
    for name in wanted:
        kinds = {kind for kind, fact in FACTS.items() if name in (kind.value, fact.family.value)}
        if not kinds:
            families = ", ".join(family.value for family in Family)
            kinds_ = ", ".join(kind.value for kind in FACTS)
            raise UsageError(f"there is no kind of finding {name!r}; families are {families}; kinds are {kinds_}")
        found |= kinds
    return frozenset(found)
