r"""Tier 1 of the judge: answers to open questions that need no model, found by what is allowed.

    >>> decide("What is the capital of France?", "It is **Paris**.", ["Paris"]).score
    1.0
    >>> decide("法国的首都是哪里？", "法国的首都是巴黎。", ["巴黎"]).score
    1.0
    >>> decide("What is the capital of France?", "France is the capital of Paris.", ["Paris"]) is None
    True
    >>> decide("法国的首都是哪里？", "<think>是巴黎", ["巴黎"]).reason
    <Reason.NO_ANSWER: 'no_answer'>

An answer is right by rule if it is a reference, or if it is the question's own words with a
reference where the question word was, and function words. What says nothing at all scores 0.0.
Everything else is None, which is never a verdict: ask the judge. So no list says what a denial,
a doubt or an attack looks like, and a language that is not known here is left to the judge.

A reference stands where the question word was if what leads to it (`_Reading.lead`) and what
follows (`_Reading.next`) can do so there alone, and if the other words stand in the question's
order, of which one part may be moved: "In 1969, who ..." and "... in 1969".

For longer questions in English, never for one of two words, there are two allowances: where `NEW`
words of the question are kept, one may be new, away from the reference and from the verb; where
`KEPT` are, sentences of `SENTENCE` words and more may follow that explain. Standard library only.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, dropwhile, pairwise, permutations

from ..shared.outcome import Outcome, Reason
from ..shared.text import plain, said
from .tokens import Token, key, tokens

__all__ = ["decide", "final_answer"]

LONGEST = 3000  # characters of a short answer; a longer one is for the judge
NEW, KEPT, SENTENCE = 2, 4, 8

_ANSWER = re.compile(r"<(/?)answer>", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{([^{}]*)\}|([^{}]*))\}")
_LEAD = re.compile(
    r"""[\W_]*(?:(?:so|thus|therefore|hence|因此|所以)[\s,]+)?
    (?:(?:(?:the|my)\s)?(?:(?:final|correct)\s)?answer(?:\sto\s(?:the|this|your)\squestion)?
      (?:\sis\b|\s*:) | (?:最终|正确)?答案?\s*[:是为] | (?<=[,\s]))[:\s]*""",
    re.VERBOSE | re.IGNORECASE,
)


@lru_cache(maxsize=64)  # a judge asks twice
def final_answer(response: str) -> str | None:
    r"""Return what a response finally answers, or None if there is nothing.

    Of what is said (see `shared.text.said`) it is the last closed `<answer>`, else everything. An
    `<answer>` that never closes is a response that was cut off.

        >>> final_answer("<think>Lyon?</think> So: <answer>\\boxed{Paris}</answer>")
        'Paris'
        >>> final_answer("<answer>Par") is None
        True
    """
    text, inside, opened = said(response), None, None
    for tag in _ANSWER.finditer(text):
        if not tag[1]:
            opened = tag.end()
        elif opened is not None:
            inside, opened = text[opened : tag.start()], None
    if inside is None and opened is not None:
        return None
    answer = (text if inside is None else inside).strip()
    boxed = _BOXED.fullmatch(answer)
    return (boxed[1] or boxed[2] or "" if boxed else answer).strip() or None


def decide(question: str, response: str, references: Sequence[str]) -> Outcome | None:
    """Decide by rule whether a response answers a question as one of the references does.

    Returns:
        `correct` (1.0) or `no_answer` (0.0); None where rules alone cannot tell: ask a judge.
    """
    answer = plain(final_answer(response) or "").strip()
    references = [plain(reference[:LONGEST]).strip() for reference in references]
    if not answer:
        return Outcome(0.0, Reason.NO_ANSWER, "no final answer")
    if answer in references:
        return Outcome(1.0, Reason.CORRECT, "equals a reference")
    if not any(c.isalnum() for c in answer):
        if len(answer) == 1 and tokens(answer):
            return None  # a sign may be the answer
        return Outcome(0.0, Reason.NO_ANSWER, "no letter or digit")
    if len(answer) > LONGEST:
        return None
    answer = _BOXED.sub(lambda m: m[1] or m[2] or "", answer.lstrip("? \n"))
    answer = answer.replace("**", "")
    lead = _LEAD.match(answer)
    if not (read := tokens(answer[lead.end() :] if lead else answer)):
        return Outcome(0.0, Reason.NO_ANSWER, "a lead to an answer, and none")
    asked = _asked(question[:LONGEST])
    first, *others = _sentences(read)
    ways = [(read, 0), (first, KEPT)] if others and all(map(_explains, others)) else [(read, 0)]
    for statement, least in ways:
        find = _finder(statement)
        for reference in references:
            places = (place for wanted in _spellings(reference) for place in find(wanted))
            if any(asked.words_kept(statement, *place) >= least for place in places):
                return Outcome(1.0, Reason.CORRECT, f"answers {reference[:30]!r}")
    return None


# --- Words ----------------------------------------------------------------------------------------

# Closed classes. A function word is every question's own; an idle one says nothing in a question.
_BE = frozenset("is are was were 's be been called named known titled as name 是 为 叫 即".split())
_FUNCTION = _BE | frozenset(
    "a an this that these those it its he she they his her their there who which whose has have "
    "located situated 的 了 位 这 那 它 他 她 个".split()
)
_BY = frozenset("by 由 被".split())
_FREE = _BY | frozenset("in on at of for with from during 在 于 从".split())
_PREPOSITION = _FREE | frozenset("to into through between under over near after before".split())
_AUXILIARY = frozenset("do does did can could will would may might should must".split())
_IDLE = _AUXILIARY | frozenset("we you one given many much".split())
_SMALL = _FUNCTION | _PREPOSITION | _IDLE
_NOT = frozenset(
    "not no never nor cannot isnt arent wasnt dont doesnt didnt without except 不 没 非 未 无 除".split()
)
_SPEAKER = frozenset("i me my we our us you your".split())
_NO_NOUN = frozenset("who whom when where why 什么时候 哪里 哪儿 何时 何处 谁".split())
_QUESTION = _NO_NOUN | frozenset("what which whose how 什么 哪 何 几 多少".split())
_TITLE = ("", "r", "rs", "s", "t")  # Mr. and J. end no sentence
_ENDINGS = "ing ied ies ed es s d e y".split()
_VERBS = """write wrote written, take took taken, become became, win won, sing sang sung, hold held, give gave given,
begin began begun, make made, drive drove driven, find found, know knew known, lead led, lose lost, run ran, say said,
see saw seen, speak spoke spoken, stand stood, tell told, bear bore born, break broke broken, build built, come came,
fight fought, fly flew, go went gone, leave left, meet met, rise rose, sell sold, shoot shot, sink sank sunk"""
_PAST = {form: row.split()[0] for row in _VERBS.split(",") for form in row.split()}
_DATE = re.compile("1[0-9]{3}|20[0-9]{2}|(?:month|day) .*")
_ITEM = re.compile(r",?\s+and\s+|\s*(?:[&、和与]|,\s)\s*")
_REMARK = re.compile(r"\s*\([^()]*\)\s*$")
_END = re.compile(r"[.!?]\S?\s|\n")
_PAUSE = re.compile("[,;:.、。—(]")


@lru_cache(maxsize=4096)
def _spellings(reference: str) -> tuple[str, ...]:
    """The keys of a reference: without its article or a remark in brackets; a list in any order."""
    keys: dict[str, None] = {}
    for text in (reference, _REMARK.sub("", reference)):
        read = tokens(text)
        if own := key(read[1:] if len(read) > 1 and read[0].text in ("a", "an") else read):
            long = read[-1].kind == "word" and len(own) >= 4 and own.isascii()
            keys |= dict.fromkeys(
                [own, own + "s", own + "es", own.removesuffix("s")][: 4 if long else 1]
            )
    items = [key(tokens(item)) for item in _ITEM.split(reference)] if len(reference) < 200 else []
    for *some, end in permutations(items) if len(items) in (2, 3) and all(items) else ():
        keys |= dict.fromkeys("".join(some) + last + end for last in ("", "and", "和", "与"))
    return tuple(keys)


def _finder(read: Sequence[Token]) -> Callable[[str], Iterator[tuple[int, int]]]:
    """Find keys, as (first, last + 1): they begin and end where tokens do, so no art is in Mozart."""
    text = key(read)
    edges = {e: i for i, e in enumerate(accumulate((len(key([t])) for t in read), initial=0))}

    def find(wanted: str) -> Iterator[tuple[int, int]]:
        at = text.find(wanted)
        while at >= 0:
            if at in edges and at + len(wanted) in edges:
                yield edges[at], edges[at + len(wanted)]
            at = text.find(wanted, at + 1)

    return find


@lru_cache(maxsize=1 << 16)
def _same_word(a: str, b: str) -> bool:
    """Two forms of a word, or of a long one with one slip: "colour" and "color"."""
    a, b = _PAST.get(a, a), _PAST.get(b, b)
    stems = ((w[: -len(e)] for e in _ENDINGS if w.endswith(e) and w[len(e) + 2 :]) for w in (a, b))
    a, b = (next(stem, w) for stem, w in zip(stems, (a, b), strict=True))
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    slip = b[i + 1 :] in (a[i + 1 :], a[i:]) or b[i:] == a[i + 1 :]
    return a == b or (slip and i > 0 and max(len(a), len(b)) >= 5)


def _among(token: Token, others: Sequence[Token]) -> bool:
    """Whether a word is there in some form; numbers, signs and Chinese characters have but one."""
    return any(
        token.text == t.text or (token.kind == t.kind == "word" and _same_word(token.text, t.text))
        for t in others
    )


def _content(read: Sequence[Token]) -> list[Token]:
    return [t for t in read if t.text not in _SMALL]


def _last(read: Sequence[Token]) -> Token:
    """The last token that is no article."""
    return next((t for t in reversed(read) if t.text not in ("a", "an")), Token("", "", ""))


# --- The question, and the place of its answer -----------------------------------------------------


class _Question:
    """A question, and a reading of it for each question word in it."""

    def __init__(self, text: str) -> None:
        self.read = read = [t for t in tokens(text) if t.text != "?"]
        self.find = _finder(read)
        self.denies = any(t.text in _NOT for t in read)
        self.readings: list[_Reading] = []
        for i in range(len(read)):
            if size := next((n for n in (4, 2, 1) if key(read[i : i + n]) in _QUESTION), 0):
                self.readings.append(_Reading(read[:i], key(read[i : i + size]), read[i + size :]))
        first = read[0].text if read else ""
        if first == "name":  # "Name the river ..."
            self.readings.append(_Reading([], "what", read[1:]))
        elif not self.readings and first not in _BE | _AUXILIARY:  # "... are famous for?"
            self.readings.append(_Reading(read, "what", []))

    def words_kept(self, read: Sequence[Token], first: int, last: int) -> int:
        """How many words of the question a statement of a reference keeps; -1 if it is none."""
        before, name, after = list(read[:first]), read[first:last], list(read[last:])
        numeric = name[-1].kind == "number"
        if numeric:  # the year of a date
            after = list(dropwhile(lambda t: t.text.startswith(("month ", "day ")), after))
        small = _FUNCTION | _FREE
        new = [t for t in before + after if t.text not in small and not _among(t, self.read)]
        fixed = before[-1:] + after[:1]
        fixed += [t for pair in pairwise(read) for t in pair if {x.text for x in pair} & _BE]
        words = [
            t
            for t in new
            if numeric or not _DATE.fullmatch(t.text) or (t.before == " " and t in after[:1])
        ]
        if any(t.kind != "word" or t.text in _NOT or t in fixed for t in words):
            return -1
        before, after = ([t for t in part if t not in new] for part in (before, after))
        kept = len(_content(before + after))
        if (self.denies and 0 < kept < len(_content(self.read)) - 2) or len(words) > max(
            kept - 1, 0
        ) // NEW:
            return -1
        if any(t.text in _BY and not _among(t, self.read) for t in before[:-1] + after):
            return -1  # who stands behind it would be the answer
        if not kept:
            led = {_last(before).text} & _PREPOSITION
            allowed = not led or any(led <= reading.prepositions for reading in self.readings)
            odd = [*after, *before[-1:]] if "\n" in name[0].before else after
            return 0 if allowed and not {t.text for t in odd} & {"'s", "的", "a", "an"} else -1
        if any(self.find(key(name))):
            return -1  # one of those that the question names: alone or not at all
        return kept if any(r.fits(before, name, after) for r in self.readings) else -1


_asked = lru_cache(maxsize=1024)(_Question)


class _Reading:
    """What stands around one question word, and so what may stand around the answer."""

    def __init__(self, before: list[Token], word: str, after: list[Token]) -> None:
        self.chinese, self.no_noun = not word.isascii(), word in _NO_NOUN
        self.before, self.after = _content(before), _content(after)
        self.neighbours = before[-1:], [t for t in self.after if t.kind != "number"][:1]
        noun, end = ([], 0) if self.no_noun else _noun(after, bool(before))
        self.nouns, self.closed = (noun[:1] if end is None else noun), end is not None
        self.verbs = self.after[: len(noun) + 1]  # the verb is one of them, if there is one
        self.object = bool(after[end or 0 :]) and after[end or 0].text in _AUXILIARY
        self.whose = word == "whose"
        self.owner = self.whose or any(t.text == "'s" for t in after[: len(noun) + 1])
        owners = [t for t, then in pairwise(after) if then.text == "'s"]
        self.heads = [t for t in self.after if t not in owners + noun][:1] + noun + self.before[-1:]
        self.prepositions = {t.text for t in (_last(before), *after[-1:])} & _PREPOSITION
        if self.prepositions & {"in", "on", "at"} or word in ("where", "when"):
            self.prepositions |= {"in", "on", "at"}
        self.prepositions |= {"在", "于", "从"} if self.chinese else set()

    def fits(self, before: list[Token], name: Sequence[Token], after: list[Token]) -> bool:
        """Whether a reference between the two stands where the question word was."""
        left, right = _content(before), _content(after)
        how, then = self.lead(before, name), self.next(name, after)
        if not how or not then or (self.whose and then != "owned" and how != "noun"):
            return False
        if how == "start" and not right and then in ("end", "be", "function"):
            return False  # nothing says that it is the answer
        kept = left + right
        if (self.chinese or len(kept) < 3) and (_last(before).text in _BE or then == "be"):
            if not any(_among(t, self.heads) for t in kept):
                return False  # "Tom is Bob" does not say who Tom's father is
        if how == "by" and not self.chinese:
            left = left[:-1]  # the verb, which stands in front in the question
        nouns = self.nouns if self.closed else []
        while how == "noun" and left and _among(left[-1], nouns):
            left = left[:-1]
        while then == "noun" and right and _among(right[0], nouns):
            right = right[1:]
        words = left + right[then == "class" :]
        turning = not self.object and (how in ("led", "by", "noun") or then == "be")
        for k in range(len(words) or 1) if turning else (0,):
            rest = iter(self.before + self.after)
            if all(any(_among(t, [own]) for own in rest) for t in words[k:] + words[:k]):
                return True
        return False

    def lead(self, before: list[Token], name: Sequence[Token]) -> str:
        """What leads to the reference: the first row that holds; "" for what must not."""
        lead, gap, numeric = _last(before), name[0].before, name[-1].kind == "number"
        of = _last(before[:-1]) if lead.text == "of" else lead
        passive = any(_among(t, self.verbs) for t in _content(before)[-1:])
        rows: tuple[tuple[object, str], ...] = (
            (not lead.text, "start"),
            (lead.text in _BY and (self.chinese or passive), "by"),
            (_PAUSE.search(gap) or lead.text in _BE | self.prepositions, "led"),
            (lead.text == "of" and (self.whose or _among(of, self.nouns)), "noun"),
            (lead.text in _PREPOSITION, ""),
            (lead.text in _FUNCTION, "start"),
            (self.chinese, "verb" if gap or numeric or _among(lead, self.neighbours[0]) else ""),
            (_among(lead, self.nouns), "noun"),
            (self.object or _among(lead, self.before[-1:]), "verb"),
        )
        return next((label for holds, label in rows if holds), "")

    def next(self, name: Sequence[Token], after: list[Token]) -> str:
        """What follows the reference, likewise."""
        then = after[0] if after else Token("", "", "")
        numeric = name[-1].kind == "number"
        complete = (numeric or self.no_noun) and _among(then, self.neighbours[1])
        ends = len(after) == 1 or (after and _PAUSE.search(after[1].before))
        rows: tuple[tuple[object, str], ...] = (
            (not after, "end"),
            (then.text in ("'s", "的"), "owned" if self.owner else ""),
            (_PAUSE.search(then.before), "pause"),
            (then.text in _BE, "be"),
            (then.text in _FUNCTION | _PREPOSITION, "function"),
            (self.chinese, "verb" if complete else ""),
            (ends and then.raw.islower(), "class"),  # "the queen bee"
            (_among(then, self.nouns), "noun"),
            (not self.object and _among(then, self.verbs), "verb"),
        )
        return next((label for holds, label in rows if holds), "")


def _noun(after: list[Token], inside: bool) -> tuple[list[Token], int | None]:
    """The words that name what is asked for ("which river"), and where a verb ends them.

    Inside a sentence a preposition or the end does, too. None: nothing tells them from a verb.
    """
    stops = _AUXILIARY | _BE | {"has", "have", "had"} | (_PREPOSITION - {"of"} if inside else set())
    for end, t in enumerate(after):
        if t.text in stops or t.text in (_FUNCTION | _PREPOSITION) - {"of"}:
            return _content(after[:end]), end if t.text in stops else None
    return _content(after), len(after) if inside else None


# --- What follows an answer ------------------------------------------------------------------------


def _sentences(read: list[Token]) -> list[list[Token]]:
    starts = [0]
    for i, (token, then) in enumerate(pairwise(read), 1):
        if _END.search(then.before) and then.raw[0].isupper() and token.raw[1:] not in _TITLE:
            starts.append(i)
    return [read[start:end] for start, end in pairwise([*starts, len(read)])]


def _explains(sentence: list[Token]) -> bool:
    """Long, denies nothing, has no speaker, and does not say of anything which one it is."""
    texts = [t.text if t.kind != "cjk" else "not" for t in sentence]
    is_what = [b for a, b in pairwise(sentence) if a.text in ("is", "was", "are", "were")]
    named = any(b.kind != "word" or not b.raw[0].islower() for b in is_what[:1])
    return len(texts) >= SENTENCE and not named and not (_NOT | _SPEAKER) & set(texts)
