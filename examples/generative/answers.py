r"""Tier 1 of the judge: what rules alone decide about a short answer to an open question.

    >>> decide("What is the capital of France?", "It is **Paris**.", ["Paris"]).score
    1.0
    >>> decide("法国的首都是哪里？", "答案是", ["巴黎"]).reason
    <Reason.NO_ANSWER: 'no_answer'>
    >>> decide("What is the capital of France?", "Many say Paris; it is Lyon.", ["Paris"]) is None
    True

In this order:

1. `final_answer` takes the answer out of the response.
2. An answer that equals a reference is right, whatever it looks like.
3. An answer that answers nothing scores 0.0: empty, an opener, a copy of the question, a refusal,
   alternatives without a choice, or text that speaks to the judge. See `no_answer`.
4. An answer that contains a reference is right if it commits to it. See `commitment`.
5. Everything else is `None`: ask the judge model. None is never a verdict.

Rules 3 and 4 would rather ask than be wrong, so a wrong answer is not scored here at all: that two
names differ does not mean that they name different things.

Texts are read as data: compared, never interpreted. Only windows of fixed size are searched, so
a megabyte of anything is decided in milliseconds.

Standard library only.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations

from ..shared.outcome import Outcome, Reason
from .commitment import committed
from .no_answer import why_no_answer
from .normalise import Words, core, words

__all__ = ["decide", "final_answer"]

LONGEST = 3000  # characters of a short answer; a longer one is for the judge

_TAG = re.compile(r"<(/?)(think|answer)>", re.IGNORECASE | re.ASCII)
# Left by a decoder that keeps special tokens, so not text that speaks to the judge.
_END_OF_TURN = tuple(
    "<|im_end|> <|endoftext|> <|eot_id|> <|end_of_text|> <|end|> <|eom_id|> "
    "<end_of_turn> </s> <eos>".split()
)


def final_answer(response: str) -> str | None:
    """Return what a response finally answers, or None if there is nothing.

    It is the text of the last closed `<answer>...</answer>`, in any case; without one, what follows
    the last `</think>`, or the whole response. What stands inside a thought does not count. A
    `<think>` or `<answer>` that never closes is a response that was cut off: None.
    """
    answer: tuple[int, int] | None = None
    thought = opened = None  # where the open tag ends
    kept: tuple[int, int] | None = None  # the answer before the current thought
    rest = 0
    for m in _TAG.finditer(response):
        closing, name = bool(m[1]), m[2].lower()
        if name == "think":
            if not closing:
                thought, kept, opened = m.end(), answer, None
            else:
                rest = m.end()
                if thought is not None:
                    answer = kept
                thought = opened = None
        elif not closing:
            opened = m.end()
        elif opened is not None:
            answer, opened = (opened, m.start()), None
    if thought is not None:
        answer = kept  # one in a thought that never ended is a candidate
    if answer:
        text = response[slice(*answer)]
    elif thought is not None or opened is not None:
        return None
    else:
        text = response[rest:]
    return text.strip() or None


def decide(question: str, response: str, references: Sequence[str]) -> Outcome | None:
    """Decide by rule whether a response answers a question as a reference does.

    Args:
        question: what was asked.
        response: what the policy wrote; any string.
        references: right answers; any one will do.

    Returns:
        `correct` (1.0) or `no_answer` (0.0); None where rules alone cannot tell: ask a judge.
    """
    answer = final_answer(response)
    if answer is None:
        return Outcome(0.0, Reason.NO_ANSWER, "no final answer")
    for _ in range(4):  # a decoder leaves one or two; a policy could leave a megabyte of them
        if answer.endswith(_END_OF_TURN):
            answer = answer[: answer.rindex("<")].rstrip()
    read = words(answer) if len(answer) <= LONGEST else None
    known = [order for r in references if len(r) <= LONGEST for order in _orders(r) if order.key]
    if read and (equal := _equal(read, known)):
        return equal
    asked = words(question[:LONGEST])
    why = why_no_answer(answer, read, asked, known, references)
    if why is not None:
        return Outcome(0.0, Reason.NO_ANSWER, why)
    if read and (named := committed(read, known, asked)):
        return _right("commits to", named)
    return None


def _right(how: str, reference: Words) -> Outcome:
    text = reference.text if len(reference.text) <= 60 else reference.text[:57] + "..."
    return Outcome(1.0, Reason.CORRECT, f"{how} {text!r}")


# --- Equality -------------------------------------------------------------------------------------

_SEPARATOR = re.compile(
    r"\s*(?:,\s*(?:and\b)?|;|\n|\band\b|&|、|和|与|及)[\s\-*•]*(?:\d{1,2}[.)](?=\s))?",
    re.IGNORECASE,
)


def _equal(read: Words, references: Sequence[Words]) -> Outcome | None:
    """Recognise an answer that is a reference, or lists the items of one in any order."""
    rest = core(read)
    keys = {read.key, rest.key, _without_article(read), _without_article(rest)}
    items = _items(read) or _items(rest)
    for reference in references:
        if reference.key in keys or _without_article(reference) in keys:
            return _right("equals", reference)
        if items and items == _items(reference):
            return _right("lists", reference)
    return None


def _without_article(read: Words) -> str:
    """The key without "a" or "an"; "the" is in no key."""
    if len(read.tokens) > 1 and read.tokens[0].text in ("a", "an"):
        gap = read.gap(1)
        if gap.isspace() and "\n" not in gap:
            return Words(read.text, read.tokens[1:]).key
    return read.key


def _items(read: Words) -> frozenset[str]:
    """The items of a list, in no order; empty if there are not two, or they are all numbers."""
    text = re.sub(r"\A\s*(?:[-*•]|\d{1,2}[.)])\s", "", read.text)
    items = [item for item in map(words, _SEPARATOR.split(text)) if item.key]
    if len(items) < 2 or all(t.kind == "number" for item in items for t in item.tokens):
        return frozenset()
    return frozenset(map(_without_article, items))


@lru_cache(maxsize=4096)
def _orders(text: str) -> tuple[Words, ...]:
    """A reference; if it is a list of two or three, in every order."""
    reference = words(text)
    items = [item for item in re.split(r",?\s+and\s+|,\s|\s*[&、和与]\s*", reference.text) if item]
    if len(items) not in (2, 3) or not _items(reference) or len(text) > 200:
        return (reference,)
    cjk = reference.tokens[0].kind == "cjk"
    joined = [
        ("、".join(order[:-1]) + "和" if cjk else " ".join(order[:-1]) + " and ") + order[-1]
        for order in permutations(items)
    ]
    return (reference, *map(words, joined))
