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
order, of which one part may be moved: "In 1969, who ..." and "... in 1969". Two allowances are for
longer questions in English: for every `NEW` words that are kept one may be new, and for every two a
name, away from the reference and from the verb; and where `KEPT` are, sentences may follow that
explain. Standard library only.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, chain, dropwhile, pairwise, permutations

from ..shared.outcome import Outcome, Reason
from ..shared.text import plain, said
from .tokens import Token, key, tokens

__all__ = ["decide", "final_answer"]

LONGEST = 3000  # characters of a short answer; a longer one is for the judge
NEW, KEPT, SENTENCE = 5, 4, 6

_ANSWER = re.compile(r"<(/?)answer>", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{([^{}]*)\}|([^{}]*))\}")
_SAYS = re.compile(r"[^\W_]")
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
    text = said(response)
    parts = _ANSWER.split(text)  # every second one is "" or "/", of a tag
    tags = zip(parts[1::2], parts[2::2], parts[3::2], strict=False)
    closed = [inside for opens, inside, closes in tags if closes and not opens]
    if not closed and "" in parts[1::2]:
        return None
    answer = (closed[-1] if closed else text).strip()
    boxed = _BOXED.fullmatch(answer)
    return (boxed[1] or boxed[2] or "" if boxed else answer).strip() or None


def decide(question: str, response: str, references: Sequence[str]) -> Outcome | None:
    """Decide by rule whether a response answers a question as one of the references does.

    Returns:
        `correct` (1.0) or `no_answer` (0.0); None where rules alone cannot tell: ask a judge.
    """
    answer = final_answer(response) or ""
    if len(answer) > LONGEST and _SAYS.search(answer):
        return None
    answer = plain(answer[:LONGEST]).strip()
    references = [plain(reference[:LONGEST]).strip() for reference in references]
    if answer and answer in references:
        return Outcome(1.0, Reason.CORRECT, "equals a reference")
    if len(answer) == 1 and not answer.isalnum() and tokens(answer):
        return None  # a sign may be the answer
    answer = _BOXED.sub(lambda m: m[1] or m[2] or "", answer.lstrip("? \n"))
    answer = answer.replace("**", "")
    lead = _LEAD.match(answer)
    read = tokens(answer[lead.end() :] if lead else answer)
    if not any(_SAYS.search(token.text) for token in read):
        return Outcome(0.0, Reason.NO_ANSWER, "no letter or digit that answers")
    asked = _asked(question[:LONGEST])
    first, *others = _sentences(read)
    explained = bool(others) and all(_explains(sentence, asked) for sentence in others)
    ways = [(read, 0), (first, KEPT)] if explained else [(read, 0)]
    for statement, least in ways:
        text = key(statement)
        for reference in references:
            found = (_places(statement, text, wanted) for wanted in _spellings(reference))
            if any(asked.words_kept(statement, *place) >= least for place in chain(*found)):
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
_IDLE = frozenset("we you one given many much".split()) | _AUXILIARY
_SMALL = _FUNCTION | _PREPOSITION | _IDLE
_NOT = frozenset(
    "not no never nor without except isnt wasnt doesnt didnt 不 没 非 未 无 除".split()
)
_SPEAKER = frozenset("i me my we our us you your".split())
_NO_NOUN = frozenset("who whom when where why 什么时候 哪里 哪儿 何时 何处 谁".split())
_QUESTION = _NO_NOUN | frozenset("what which how 什么 哪 何 几 多少".split())
_TITLE = ("", "r", "rs", "s", "t")  # Mr. and J. end no sentence
_ENDINGS = "ing ied ies ed es s d e y".split()
_VERBS = (
    "write wrote written,take took taken,become became,win won,sing sang sung,hold held,give gave given,begin began begun,"
    "make made,drive drove driven,find found,know knew known,lead led,lose lost,run ran,say said,see saw seen,speak spoke spoken,"
    "stand stood,tell told,bear bore born,break broke broken,build built,come came,fight fought,go went,leave left,meet met,shoot shot"
)
_PAST = {form: row.split()[0] for row in _VERBS.split(",") for form in row.split()}
_DATE = re.compile("1[0-9]{3}|20[0-9]{2}|(?:month|day) .*")
_ITEM = re.compile(r",?\s+and\s+|\s*(?:[&、和与]|,\s)\s*")
_REMARK = re.compile(r"\s*\([^()]*\)\s*$")
_END = re.compile(r"[.!?]\S?\s|\n")
_PAUSE = re.compile("[,;:.、。—(]")


@lru_cache(maxsize=4096)
def _spellings(reference: str) -> tuple[str, ...]:
    """The keys of a reference: without its article or a remark in brackets; a list in any order."""
    both = [tokens(reference), tokens(_REMARK.sub("", reference))]
    keys = [key(read[len(read) > 1 and read[0].text in ("a", "an") :]) for read in both]
    keys += [k + "s" for k in keys if k.isalpha() and k.isascii() and len(k) > 3]  # elephants
    items = [key(tokens(item)) for item in _ITEM.split(reference)] if len(reference) < 200 else []
    for *some, end in permutations(items) if len(items) in (2, 3) and all(items) else ():
        keys += ["".join(some) + last + end for last in ("", "and", "和", "与")]
    return tuple(dict.fromkeys(filter(None, keys)))


def _places(read: Sequence[Token], text: str, wanted: str) -> list[tuple[int, int]]:
    """Where a key is, as (first, last + 1), in the key of tokens; no art is in Mozart."""
    if wanted not in text:
        return []
    ends = {end: i for i, end in enumerate(accumulate((len(key([t])) for t in read), initial=0))}
    at = [m.start() for m in re.finditer(re.escape(wanted), text)]
    return [(ends[a], ends[a + len(wanted)]) for a in at[:3] if {a, a + len(wanted)} <= ends.keys()]


@lru_cache(maxsize=1 << 14)
def _stem(word: str) -> str:
    word = _PAST.get(word, word)
    return next(
        (word[: -len(e)] for e in _ENDINGS if word.endswith(e) and word[len(e) + 2 :]), word
    )


def _same_word(a: str, b: str) -> bool:
    """Two forms of a word, or of a long one with one slip: "colour" and "color"."""
    a, b = _stem(a), _stem(b)
    if a == b or a[0] != b[0] or max(len(a), len(b)) < 5:
        return a == b
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return b[i + 1 :] in (a[i + 1 :], a[i:]) or b[i:] == a[i + 1 :]


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
        self.text = key(read)
        self.denies = any(t.text in _NOT for t in read)
        self.readings: list[_Reading] = []
        for i in range(len(read)):
            if size := next((n for n in (4, 2, 1) if key(read[i : i + n]) in _QUESTION), 0):
                self.readings.append(_Reading(read[:i], key(read[i : i + size]), read[i + size :]))
        if key(read[:1]) == "name":  # "Name the river ..."
            self.readings.append(_Reading([], "what", read[1:]))
        elif not self.readings and key(read[:1]) not in _BE | _AUXILIARY | {"whose"}:
            self.readings.append(_Reading(read, "what", []))  # "... are famous for?"

    def words_kept(self, read: Sequence[Token], first: int, last: int) -> int:
        """How many words of the question a statement of a reference keeps; -1 if it is none."""
        before, name, after = list(read[:first]), read[first:last], list(read[last:])
        numeric = name[-1].kind == "number"
        if numeric:  # the year of a date
            after = list(dropwhile(lambda t: t.text.startswith(("month ", "day ")), after))
        new = [t for t in before + after if t.text not in _FUNCTION | _FREE]
        new = [t for t in new if not _among(t, self.read)]
        spaced = [t for t in after[:1] if t.before == " "]
        odd = [t for t in new if numeric or not _DATE.fullmatch(t.text) or t in spaced]
        cased = any(t.raw.islower() for t in read)  # else capitals tell no name
        plain_ones = [t for t in odd if t.raw[0].islower() or t is read[0] or not cased]
        fixed = before[-1:] + after[:1]
        fixed += [t for pair in pairwise(read) for t in pair if {x.text for x in pair} & _BE]
        before, after = ([t for t in part if t not in new] for part in (before, after))
        kept = len(_content(before + after))
        by = [t for t in before[:-1] + after if t.text in _BY]
        refused = (
            any(t.kind != "word" or t.text in _NOT or t in fixed for t in odd),
            len(odd) > max(kept - 1, 0) // 2,
            len(plain_ones) > max(kept - 1, 0) // NEW,
            self.denies and 0 < kept < len(_content(self.read)) - 2,
            not all(_among(t, self.read) for t in by),  # who stands behind it would be the answer
            kept and _places(self.read, self.text, key(name)),  # named by the question: alone only
        )
        if any(refused):
            return -1
        if not kept:
            led = {_last(before).text} & _PREPOSITION
            leads = not led or any(led <= reading.prepositions for reading in self.readings)
            ends = [*after, *before[-1:]] if "\n" in name[0].before else after
            return 0 if leads and not {t.text for t in ends} & {"'s", "的", "a", "an"} else -1
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
        owners = [a for a, b in pairwise(after) if b.text == "'s"]
        owned = [b for a, b in pairwise(after) if a.text == "'s"]
        self.owner = any(t in noun for t in owners)
        heads = [t for t in self.after if t not in owners + noun][: self.closed]
        self.heads = heads + owned[: self.closed] + noun + self.before[-1:]
        self.prepositions = {t.text for t in (_last(before), *after[-1:])} & _PREPOSITION
        if self.prepositions & {"in", "on", "at"} or word in ("where", "when"):
            self.prepositions |= {"in", "on", "at"}
        self.prepositions |= {"在", "于", "从"} if self.chinese else set()

    def fits(self, before: list[Token], name: Sequence[Token], after: list[Token]) -> bool:
        """Whether a reference between the two stands where the question word was."""
        left, right = _content(before), _content(after)
        how, then = self.lead(before, name), self.next(name, after)
        if not how or not then or (how == "start" and not right and then != "pause"):
            return False
        kept = left + right
        if (self.chinese or len(kept) < 4) and (_last(before).text in _BE or then == "be"):
            if not any(_among(t, self.heads) for t in kept):
                return False  # "Tom is Bob" does not say who Tom's father is
        if how == "by" and not self.chinese:
            left = left[:-1]  # the verb, which stands in front in the question
        nouns = self.nouns if self.closed else []
        while how == "noun" and left and _among(left[-1], nouns):
            left = left[:-1]
        while then == "noun" and right and _among(right[0], nouns):
            right = right[1:]
        words, own = left + right[then == "class" :], self.before + self.after
        if len(words) > len(own):
            return False
        turning = not self.object and (
            how in ("led", "by", "noun") or (then == "be" and not self.prepositions)
        )
        for k in range(len(words) or 1) if turning else (0,):
            rest = iter(own)
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
            (lead.text == "of" and _among(of, self.nouns), "noun"),
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
        ends = len(after) == 1 or (after and _PAUSE.search(after[1].before))
        numeric = name[-1].kind == "number"
        complete = (numeric or self.no_noun) and _among(then, self.neighbours[1])
        rows: tuple[tuple[object, str], ...] = (
            (not after, "end"),
            (then.text in ("'s", "的"), "owned" if self.owner else ""),
            (_PAUSE.search(then.before), "pause"),
            (then.text in _BE, "be"),
            (then.text in _PREPOSITION, "" if self.chinese else "function"),
            (then.text in _FUNCTION, "function"),
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
        begins = then.raw[0].isupper() or "T" in then.before  # ". The "
        if _END.search(then.before) and begins and token.raw[1:] not in _TITLE:
            starts.append(i)
    return [read[start:end] for start, end in pairwise([*starts, len(read)])]


def _explains(sentence: list[Token], asked: _Question) -> bool:
    """Long, denies nothing, has no speaker, says of nothing which one it is, and answers nothing."""
    texts = [t.text if t.kind != "cjk" else "not" for t in sentence]
    is_what = [b for a, b in pairwise(sentence) if a.text in _BE - {"'s", "as", "name"}]
    named = any(b.kind != "word" or not b.raw[0].islower() for b in is_what)
    words = _content(asked.read)
    again = 4 * sum(_among(t, sentence) for t in words) > 3 * len(words)
    long = len(texts) >= SENTENCE and texts[0] not in ("this", "that")
    return long and not (named or again or (_NOT | _SPEAKER) & set(texts))
