r"""Find the reference that an answer commits to: named in its sentence as the answer, and alone.

    >>> from .normalise import words
    >>> asked = words("What is the capital of France?")
    >>> def commits(answer: str) -> bool:
    ...     return committed(words(answer), [words("Paris")], asked) is not None
    >>> commits("The capital of France is Paris, on the Seine.")
    True
    >>> [commits(a) for a in ("It is not Paris.", "Paris or Lyon.", "The Treaty of Paris.")]
    [False, False, False]

That an answer contains a reference is not enough: "not Paris", "Paris or Lyon", "New Paris". How an
answer is read:

1. The sentences that count are what is stated as the answer ("the answer is ..."); if nothing is,
   the conclusion; if there is none, the first sentence. Each must name the reference.
2. A sentence names it if no check objects: it is denied or doubted, part of a longer word, name or
   number, one of several, or beside a rival, or the sentence is about something else than the
   question.
3. Words that the question says too never count against it.

Every check would rather object to a right answer, which the judge will see, than pass a wrong one.
The words that decide are in the tables at the top of each part; extend them for your policy's
habits.

Standard library only.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import NamedTuple

from .no_answer import OPENER_WORDS, claims_to_be_right
from .normalise import LEAD, Token, Words

__all__ = ["committed"]

MOST_TOKENS = 60  # of a sentence that commits


def committed(read: Words, references: Sequence[Words], asked: Words) -> Words | None:
    """Return the first reference that an answer commits to, or None.

    Args:
        read: the tokens of the answer.
        references: the tokens of right answers.
        asked: the tokens of the question.
    """
    if not read.tokens or claims_to_be_right(read):
        return None
    spans = _spans_that_count(read)
    return next((r for r in references if spans and _commits(read, spans, r, asked)), None)


# --- The sentences that count ---------------------------------------------------------------------

_STATEMENT = re.compile(
    r"""
      \b(?:final|correct|short|the|my)\s(?:answer)(?:\s(?:to|for)\s[^\n.:?!]{1,90})?
        (?:\s(?:is|was)\b|\s?\*{0,2}[:=])
    | ^[\W_]{0,6}answer[*_ ]{0,4}: | 答案[^\n。，,:不非未没]{0,6}(?:是|为|:)""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_CONCLUSION = re.compile(
    r"""
      \W*(?:so|therefore|thus|hence|in[ ]conclusion|in[ ]summary|to[ ]summarize|overall|finally)\b
    | \W*(?:因此|所以|综上|总之|由此)""",
    re.VERBOSE | re.IGNORECASE,
)
_ABBREVIATION = frozenset(
    "mr mrs ms dr st mt sr jr no vs prof gen capt lt col sgt rev hon inc ltd co corp ft ca c "
    "jan feb mar apr jun jul aug sep sept oct nov dec".split()
)


class _Span(NamedTuple):
    first: int
    last: int  # one past the end


def _sentences(read: Words) -> list[_Span]:
    """Where sentences begin and end, in tokens."""
    bounds = [0]
    for i in range(1, len(read.tokens)):
        gap = read.gap(i)
        if "\n" in gap.strip(" ") or any(c in gap for c in "。！？!?"):
            bounds.append(i)
        elif "." in gap and gap[-1:] in " \"'([*" and len(gap) > 1:
            before, after = read.tokens[i - 1], read.tokens[i]
            initial = len(before.raw) == 1 and before.raw.isupper()
            if not initial and before.text not in _ABBREVIATION and not after.raw[0].islower():
                bounds.append(i)
    bounds.append(len(read.tokens))
    return [_Span(a, b) for a, b in pairwise(bounds)]


def _spans_that_count(read: Words) -> list[_Span]:
    """What is stated as the answer, concluded, or said first; empty if a statement is cut off."""
    sentences = _sentences(read)
    spans = []
    for m in _STATEMENT.finditer(read.text):
        span = next((s for s in sentences if read.tokens[s.last - 1].start >= m.end()), None)
        if span is None:
            return []
        first = next(i for i in range(*span) if read.tokens[i].start >= m.end())
        spans.append(_Span(first, span.last))
    if spans:
        return spans
    last = sentences[-1]
    if len(sentences) > 1 and _CONCLUSION.match(read.text, read.tokens[last.first - 1].end):
        return [last]
    return sentences[:1]


def _commits(read: Words, spans: list[_Span], reference: Words, asked: Words) -> bool:
    """True if every sentence that counts names the reference as what it answers."""
    if reference.key in ("yes", "no"):
        return _says(read, reference.key, asked)
    places = read.find(reference)
    if not places or read.text.lstrip()[0] in "[{" or _is_too_common(reference):
        return False
    return all(
        any(
            span.first <= i
            and j <= span.last
            and _is_named(_Place(read, span, i, j, reference, asked))
            for i, j in places
        )
        for span in spans
    )


def _says(read: Words, word: str, asked: Words) -> bool:
    """True if an answer begins with "yes" or with "no", and keeps to it."""
    others = {"yes": {"no", *_DENIAL}, "no": {"yes", "idea", "one", "wait", "actually"}}[word]
    return (
        read.tokens[0].text == word
        and (others | _CONTRAST).isdisjoint(t.text for t in read.tokens)
        and _DENIAL.isdisjoint(t.text for t in asked.tokens)  # of "Is it not?", yes means no
    )


def _is_too_common(reference: Words) -> bool:
    """True if a reference says too little to be recognised inside a sentence."""
    if len(reference.tokens) > 1:
        return all(t.text in _FUNCTION for t in reference.tokens)
    (token,) = reference.tokens
    return token.kind != "number" and (
        token.kind == "cjk"
        or len(token.text) < 2
        or any(token.text in table for table in (_FUNCTION, _DOUBT, OPENER_WORDS))
    )


# --- A reference in a sentence, and the words around it -------------------------------------------

_BE = frozenset("is was are were".split())
_COPULA = _BE | frozenset(
    "be been being s re called named known titled entitled became becomes remains "
    "as by in at on from to of for with".split()
)
# Words that carry no content of their own.
_FUNCTION = frozenset(
    "a an it he she they his her its their them him this that these those there "
    "who whom whose which what when where why how "
    "is are was were be been being am s re became becomes has have had having do does did "
    "will would can plays played wins won wrote made called named known titled entitled "
    "in on at of to for from by with as into onto upon off up out about over under near through "
    "throughout against among between after before during since until while "
    "and so also then thus because both all".split()
)
_TITLES = frozenset(
    "mr mrs ms miss dr sir dame st lord lady king queen prince princess emperor empress pope count "
    "duke duchess earl baron president vice prime minister chancellor senator governor judge "
    "justice chief general admiral captain colonel major sergeant bishop archbishop cardinal "
    "professor actor actress singer author writer director".split()
)
_NO_NAMES = _TITLES | _FUNCTION | OPENER_WORDS
_COUNTRIES = frozenset(
    "usa us uk england scotland wales ireland france germany italy spain portugal netherlands "
    "belgium switzerland austria poland greece turkey russia ukraine sweden norway denmark finland "
    "india china japan australia canada brazil argentina mexico egypt israel".split()
)
_DEMONYMS = frozenset(
    "french dutch greek german welsh swiss czech danish thai european american".split()
)
_ENDINGS = frozenset("s es d ed ing er ers ly n".split())


class _Place(NamedTuple):
    """The reference found in an answer: its tokens `i` to `j`, inside a sentence that counts."""

    read: Words
    span: _Span
    i: int
    j: int  # one past the end
    reference: Words
    asked: Words

    @property
    def before(self) -> list[Token]:
        return self.read.tokens[self.span.first : self.i]

    @property
    def found(self) -> list[Token]:
        return self.read.tokens[self.i : self.j]

    @property
    def behind(self) -> list[Token]:
        return self.read.tokens[self.j : self.span.last]

    @property
    def left(self) -> Token | None:
        """The token right before, if only a space is between."""
        apart = self.read.gap(self.i).strip(" \"'*_")
        return None if apart or self.i == self.span.first else self.read.tokens[self.i - 1]

    @property
    def right(self) -> Token | None:
        apart = self.read.gap(self.j).strip(" \"'*_")
        return None if apart or self.j == self.span.last else self.read.tokens[self.j]

    @property
    def is_number(self) -> bool:
        return self.found[0].kind == "number"

    def knows(self, token: Token) -> bool:
        """True if the question says this word too, in any form."""
        if token.kind == "cjk":
            return token.text in self.asked.text
        return any(_is_form(token.text, t.text) for t in self.asked.tokens)

    def is_new_name(self, token: Token) -> bool:
        return _is_proper(token) and not self.knows(token)


def _is_form(a: str, b: str) -> bool:
    """True for forms of one word, roughly: end, ended; operate, operating."""
    if a == b or (len(a) > 4 and a[:5] == b[:5]):
        return True
    short, long = sorted((a, b), key=len)
    return len(short) > 2 and long.startswith(short) and long[len(short) :] in _ENDINGS


def _is_proper(token: Token) -> bool:
    return token.kind == "word" and token.raw[0].isupper()


def _is_demonym(token: Token) -> bool:
    return token.text in _DEMONYMS or (
        len(token.text) > 5 and token.text.endswith(("ish", "ese", "ian", "ean", "ican"))
    )


def _has_content(token: Token) -> bool:
    if token.kind == "number":
        return token.text.endswith(("st", "nd", "rd", "th"))
    if token.kind != "word" or token.text in _FUNCTION or token.text in OPENER_WORDS:
        return False
    if token.text in _TITLES and _is_proper(token):
        return False
    return token.text not in _COUNTRIES and not _is_demonym(token)


# --- Checks: said for certain ---------------------------------------------------------------------

# In the sentence that counts, unless the question says them too: denials, contrasts, hedges.
_DENIAL = frozenset("not no never neither nor none cannot t without".split())  # t of "isn't"
_CONTRAST = frozenset("but however although though whereas yet unlike rather instead".split())
# These matter only before a number, and numbers have their own check.
_VAGUE = frozenset(
    "about around roughly approximately almost nearly over under between "
    "least most more less fewer".split()
)
_DOUBT = (
    _DENIAL
    | _CONTRAST
    | _VAGUE
    | frozenset(
        "hardly scarcely barely opposite anything nothing except besides excluding despite "
        "while opposed contrary versus vs than "
        "doubt unless if whether or either could might may maybe perhaps possibly probably likely "
        "unlikely potentially presumably supposedly allegedly apparently arguably guess assume "
        "unsure uncertain unclear unknown "
        "wrong incorrect incorrectly false falsely mistake mistaken mistakenly misconception myth "
        "many some people thought think thinks believed believe said claimed claim rumored "
        "actually others etc 2nd "
        "formerly previously originally initially used until now "
        "lost loses defeated beaten surpassing surpassed overtook overtaken "
        "succeeded succeeding preceded preceding followed replaced replacing".split()
    )
)
_CHINESE_DOUBT = re.compile(
    r"""
    不|并非|而非|非[是常]?(?=[^洲])|没|未|无|除|或|可能|也许|大概|大约|应该|似乎|好像|还是|猜|但|却|而
    |虽|尽管|其实|实际|有人|很多人|许多人|人们|以为|认为|误|错|传说|据说|曾|原|前身|后来|比|如果|假如|若|吗|\?""",
    re.VERBOSE,
)
# Anywhere in the answer.
_SECOND_THOUGHTS = re.compile(
    r"""
      \b(?:wait|actually|correction|however|alternatively|incorrect|wrong
        |(?:a|my)\smistake|(?:am|was)\smistaken|scratch\sthat|on\ssecond\sthought|i\smean
        |sorry|apologi[sz]e|disregard|instead|rather
        |another\s(?:possible|possibility|answer|option|candidate)
        |other\s(?:possible|possibilities|answers|options|candidates)
        |not\s(?:sure|certain)|(?:it|answer)\s(?:could|might|may)\s(?:also\s)?be
        |(?:that|this)(?:'s|\sis|\swas)(?:\snot|n't)|(?:is|was)\sfalse|don't\sknow|unsure|no,
        |\band\sso\son\b|\bhad\s(?:it|he|she|they)\sbeen\b
        |(?:answer|option|candidate|guess|choice|possibility)\s?\#?\d)
    | 不对|等等|等一下|更正|纠正|错了|有误|其实|实际上|然而|但是?|不过|抱歉|也可能|或者|要么|不确定|另一种""",
    re.VERBOSE | re.IGNORECASE,
)


def _is_certain(p: _Place) -> bool:
    """No denial, hedge or contrast in the sentence, no second thoughts anywhere."""
    if p.span.last - p.span.first > MOST_TOKENS or "?" in p.read.gap(p.span.last):
        return False
    if p.asked.find(p.reference):
        return False  # only repeats the question
    text = p.read.text
    start, end = p.found[0].start, p.found[-1].end
    if _SECOND_THOUGHTS.search(text[:start]) or _SECOND_THOUGHTS.search(text[end:]):
        return False
    asked = {t.text for t in p.asked.tokens}
    around = [*p.before, *p.behind]
    for k, token in enumerate(around):
        if token.text not in _DOUBT or (token.text in _VAGUE and not p.is_number):
            continue
        near = 0 < len(p.before) - k <= 3
        if token.text not in asked or near or token.text in _CONTRAST:
            return False
        if token.text in _DENIAL:  # must deny what the question denies
            denied = next((t for t in around[k + 1 :] if _has_content(t)), None)
            if not denied or not p.knows(denied):
                return False
    if text.isascii():
        return True
    first, last = p.read.tokens[p.span.first].start, p.read.tokens[p.span.last - 1].end
    parts = text[first:start], text[end:last] + p.read.gap(p.span.last)[:1]
    return all(m[0] in p.asked.text for part in parts for m in _CHINESE_DOUBT.finditer(part))


# --- Checks: the whole of a word, a name, a number ------------------------------------------------

_GLUE = re.compile(r"[^\s\"(\[*,;，。、；：（《「“!！]+")
_AFTER_NAME = frozenset(
    "jr sr fc cf afc inc ltd llc plc corp corporation company co "
    "city county river state states usa uk us".split()
)
_MEASURE = frozenset(
    "percent km cm mm m metre metres ft feet foot inch inches mile miles yard yards "
    "kg g lb lbs pound pounds ton tons tonne tonnes dollars euros cents degree degrees "
    "seconds minute minutes hour hours day days week weeks month months year years "
    "decade decades century centuries st nd rd th times x".split()
)


def _is_whole(p: _Place) -> bool:
    """Not a part of a compound, a possessive, an address: Paris-based, Tokyo's, paris.com."""
    before, behind = p.read.gap(p.i), p.read.gap(p.j)
    for gap, inside in ((before, p.i > p.span.first), (behind, p.j < p.span.last)):
        if inside and _GLUE.fullmatch(gap) and gap.strip("*_\"'"):
            return False
    if len(p.reference.key) <= 2 and p.found[0].kind == "word":
        return p.found[0].raw == p.reference.tokens[0].raw  # US is not us
    if p.j < p.span.last and behind == "'" and p.read.tokens[p.j].text == "s":
        return False
    return not (behind.startswith("' ") and "'" not in before)  # the Beatles' drummer


def _is_whole_name(p: _Place) -> bool:
    """Not a part of a longer name or term, as far as the words around can tell."""
    return _begins_name(p) and _ends_name(p)


def _begins_name(p: _Place) -> bool:
    left = p.left
    if not left:
        return True
    proper = _is_proper(p.found[0])
    if left.kind == "word" and not p.knows(left) and left.text not in _FUNCTION:
        if _is_proper(left):
            if left.text not in _TITLES and not (_is_demonym(left) and len(p.found) > 1):
                return False
        elif not proper and p.found[0].kind == "word":
            return False
    if left.kind == "number" and not p.is_number and not p.knows(left):
        return False
    if left.text == "of" and proper and len(p.before) > 1:
        head = p.before[-2]  # University, of "University of Paris"
        return not p.is_new_name(head) or head.text in _TITLES
    return True


def _ends_name(p: _Place) -> bool:
    right = p.right
    if not right:
        return True
    proper = _is_proper(p.found[0])
    if right.kind == "number" and p.found[-1].kind != "number" and not p.knows(right):
        return False
    if right.kind == "word" and not p.knows(right) and right.text not in _FUNCTION:
        if _is_proper(right):
            return right.text in _AFTER_NAME
        if p.is_number:
            return True  # a unit: see _is_the_number
        first_word = p.i == p.span.first and len(p.found) == 1  # its capital tells nothing
        if (first_word or not proper) and not right.text.endswith("ed"):
            return False
    if right.text == "of" and proper and len(p.behind) > 1:
        whose = p.behind[1]
        return p.knows(whose) or not (_is_proper(whose) or whose.kind == "number")
    return True


def _is_the_number(p: _Place) -> bool:
    """A number: the only one that the question does not give, and not one of another unit."""
    if not p.is_number:
        return True
    first, start, end = p.found[0], p.found[0].start, p.found[-1].end

    def is_inside(token: Token) -> bool:  # another part of one date
        return start <= token.start and token.end <= end

    for token in [*p.before, *p.behind]:
        if token.kind == "number" and token.text != first.text:
            if not is_inside(token) and not p.knows(token):
                return False
    right = p.right
    if len(p.found) > 1 or not right or is_inside(right):
        return True
    if right.text in _MEASURE and not p.knows(right):
        old = len(p.behind) > 1 and p.behind[1].text in ("old", "of")  # 30 years old, of age
        return old and any(t.text in ("old", "age") for t in p.asked.tokens)
    return first.text != "1" or p.knows(right)  # "one" is mostly no number


# --- Checks: no second candidate ------------------------------------------------------------------

_JOINS = frozenset("and or nor plus alongside 和 与 及 跟 同 或".split())
_SUBORDINATES = frozenset("which who whom whose where that because after before when since".split())
_PLACES = frozenset(
    "where city cities town village state county capital place port venue airport river mt "
    "island located location region province".split()
)
_GOES_ON = frozenset("or maybe perhaps possibly 2nd".split())
_CANDIDATE_HAS_NONE = _FUNCTION - {"a", "an", "s"}
_YEAR_OR_DATE = re.compile(r"-?[12]\d{3}|month.*|day.*")


def _is_alone(p: _Place) -> bool:
    """Not one of several that are joined."""
    edges = [k for k in (p.i, p.j) if p.span.first < k < p.span.last]
    if any(set(p.read.gap(k)) & set("/|、+~→>=") for k in edges):
        return False
    if any(t.text in _JOINS and p.is_new_name(after) for t, after in pairwise(p.behind)):
        return False
    ahead = [t.text for t in p.behind[:2]]
    if ahead == ["as", "well"]:
        return False
    if ahead[:1] == ["also"] and ahead[1:] not in (["known"], ["called"]):
        return False
    return all(t.text not in _JOINS for t in p.before[-1:] + p.behind[:1])


def _has_no_rival_before(p: _Place) -> bool:
    """No other name that could be the answer comes first."""
    tokens, gap = p.read.tokens, p.read.gap(p.i)
    if p.before and all(t.kind == "number" and not p.knows(t) for t in p.before):
        return False
    if not _is_predicate(p):
        for name in _runs(p.span.first, p.i, lambda k: not _goes_on_as_name(p.read, k)):
            run = tokens[name.first : name.last]
            if _is_proper(run[0]) and not _is_harmless(p, run):
                return False
    if any(t.text in _SUBORDINATES for t in p.before):
        last = next(t for t in reversed(p.before) if t.text not in ("a", "an"))
        if last.text not in _COPULA and last.text not in _TITLES and not p.knows(last):
            return False
    if "(" in gap and p.before:
        return False
    if set(gap) & set(":→>=|") and not any(p.knows(t) or t.text in _NO_NAMES for t in p.before):
        return False
    if p.before and "," in gap:
        k = p.i - 1
        while k > p.span.first and not set(p.read.gap(k)) & set(",;:("):
            k -= 1
        return any(t.text in _FUNCTION or p.knows(t) for t in tokens[k : p.i])
    return True


def _has_no_rival_behind(p: _Place) -> bool:
    """No second candidate in the rest of the sentence: in a list, in brackets, in a clause."""
    tokens = p.read.tokens
    for part in _runs(p.j, p.span.last, lambda k: _begins_part(p.read, k)):
        segment = tokens[part.first : part.last]
        apart = part.first > p.j or p.right is None
        if apart and not _is_country(p, part):
            if _is_candidate(p, segment) or _is_clause(p, part):
                return False
        if len(segment) > 4:
            break
    return sum(map(p.is_new_name, p.behind)) <= 8


def _has_no_rival_later(p: _Place) -> bool:
    """No second candidate in a sentence of its own, and no list that goes on."""
    for span in _sentences(p.read):
        if span.first < p.span.last:
            continue
        tokens = p.read.tokens[span.first : span.last]
        gap = p.read.gap(span.first)
        if "\n" in gap and (re.search(r"[-*•·]\s*$", gap) or tokens[0].kind == "number"):
            return False
        if _is_candidate(p, tokens) or tokens[0].text in _GOES_ON:
            return False
        if lead := LEAD.match(p.read.text, tokens[0].start, tokens[-1].end):
            rest = [t for t in tokens if t.start >= lead.end()]
            if _is_candidate(p, rest) or (0 < len(rest) <= 4 and _is_proper(rest[0])):
                return False
    return True


def _runs(first: int, last: int, begins: Callable[[int], bool]) -> Iterator[_Span]:
    """Cut the tokens from `first` to `last` where a new run begins."""
    start = first
    for k in range(first + 1, last + 1):
        if k == last or begins(k):
            yield _Span(start, k)
            start = k


def _goes_on_as_name(read: Words, k: int) -> bool:
    return _is_proper(read.tokens[k]) and not read.gap(k).strip()


def _begins_part(read: Words, k: int) -> bool:
    return bool(set(read.gap(k)) & set(",;:()[]|")) or " - " in read.gap(k)


def _is_predicate(p: _Place) -> bool:
    """True for "... is X.": the sentence ends with what its subject is said to be."""
    before = p.before[:-1] if p.before and p.before[-1].text in ("a", "an") else p.before
    if len(before) < 2 or before[-1].text not in _BE or not p.left:
        return False
    if p.j < p.span.last and not set(p.read.gap(p.j)) & set(",(;"):
        return False
    subject = before[:-1]
    return any(p.knows(t) and t.text not in _FUNCTION for t in subject) and all(
        p.knows(t) for t in subject if t.text in _BE or t.text == "and"
    )


def _is_harmless(p: _Place, name: list[Token]) -> bool:
    """True for a name that is no rival: of the question, a title, a nationality."""
    if all(t.text in _NO_NAMES or _is_demonym(t) for t in name):
        return True
    asked = [t.text for t in p.asked.tokens if len(t.text) > 4]
    return any(
        p.knows(t) or (len(t.text) > 4 and get_close_matches(t.text, asked, 1, 0.8)) for t in name
    )


def _is_country(p: _Place, part: _Span) -> bool:
    """True for ", India" behind Mumbai, where a place is asked for."""
    return (
        "," in p.read.gap(part.first)
        and all(t.text in _COUNTRIES for t in p.read.tokens[part.first : part.last])
        and p.found[0].text not in _COUNTRIES
        and any(t.text in _PLACES for t in p.asked.tokens)
    )


def _is_clause(p: _Place, part: _Span) -> bool:
    """True for ", the fact is Lyon": a clause of its own that names something."""
    segment = p.read.tokens[part.first : part.last]
    first, last = segment[0], segment[-1]
    if ";" in p.read.gap(part.first) and len(segment) < 6:
        return p.is_new_name(last)
    if all(t.text not in _BE for t in segment):
        return False
    if p.is_new_name(first):
        return first.text not in _NO_NAMES
    if first.text in _BE or first.text in _SUBORDINATES or p.knows(last):
        return False
    return _is_proper(last) or last.kind == "number"


def _is_candidate(p: _Place, segment: list[Token]) -> bool:
    """True if a few words could be another answer: no verb or preposition, not the reference."""
    if not segment or len(segment) > 5:
        return False
    if segment[0].text in _JOINS:
        return True
    if any(t.text in _CANDIDATE_HAS_NONE for t in segment) or all(map(p.knows, segment)):
        return False
    if (
        not p.is_number
        and p.read.text[segment[0].start - 1 : segment[0].start] == "("
        and all(_YEAR_OR_DATE.fullmatch(t.text) for t in segment)
    ):
        return False  # when they lived
    initials = "".join(t.text[0] for t in p.found)
    said = [t.text for t in segment]
    if "".join(said) == initials:  # of a Chinese name, whose tokens are characters, the whole
        return False
    # One Chinese character in common makes no name the same, but 李白，字太白 gives his other one.
    shared = {t.text for t in p.found if t.kind != "cjk" or said[0] in "字号"}
    if not shared.isdisjoint(said):
        return False
    return segment[0].kind != "cjk" or all(t.text not in "是在为于的了有由" for t in segment)


# --- Checks: Chinese, and the question ------------------------------------------------------------

_LOOSE = " \t-"  # between Chinese characters these say no more than nothing would
_CHINESE_BEFORE = frozenset("是为叫由于在即乃的到以被名称位自从")
_CHINESE_AFTER = frozenset("是在于为也就位所和的")
_NEUTRAL = _CHINESE_BEFORE | _CHINESE_AFTER | frozenset("答案正确最终这那个它他她此该因")
_INSTITUTION = frozenset("学院校店寺塔桥路街区站馆行司队社报")
_ROLE = frozenset("人家者帝王师员星手长市省国县山河江湖岛洲将侠官君后妃友子城")


def _is_whole_chinese(p: _Place) -> bool:
    """Chinese has no spaces: the characters around must be known to be no part of the name."""
    return p.read.text.isascii() or (_begins_chinese(p) and _ends_chinese(p))


def _begins_chinese(p: _Place) -> bool:
    before = p.before
    for k in range(
        p.i, p.span.first, -1
    ):  # only its clause; what comes before must be the question
        if set(p.read.gap(k)) & set(",，;；:："):
            if not all(_is_old(p, t) for t in p.read.tokens[p.span.first : k]):
                return False
            before = p.read.tokens[k : p.i]
            break
    copula = max((k for k, t in enumerate(before) if t.text in "是为叫即"), default=-1)
    gap = p.read.gap(p.i)
    if before and not (gap.strip(_LOOSE) or (gap and p.found[0].kind != "cjk")):
        left, pair = before[-1], "".join(t.raw for t in before[-2:])
        if left.kind == "cjk" and left.text not in _CHINESE_BEFORE and pair not in p.asked.text:
            if copula < 0 or left.text not in _ROLE:
                return False
    subject = before if copula < 0 else before[:copula]
    return sum(not _is_old(p, t) for t in subject) <= (1 if copula < 0 else 2)


def _ends_chinese(p: _Place) -> bool:
    behind = p.behind
    if not behind or behind[0].kind != "cjk":
        return True
    gap = p.read.gap(p.j)
    if gap.strip(_LOOSE) or (gap and p.found[-1].kind != "cjk"):
        return True
    if behind[0].text in "市省县州国" and p.found[-1].kind == "cjk":  # 巴黎市 is 巴黎
        suffix, *behind = behind
        if not behind or behind[0].start > suffix.end:
            return True
    right, pair = behind[0], "".join(t.raw for t in behind[:2])
    if right.text == "的":
        return all(p.knows(t) or t.text == "的" for t in behind)
    if set(pair) & _INSTITUTION:
        return False  # 北京, of 北京大学
    if right.text in _CHINESE_AFTER or pair in p.asked.text:
        return True
    return len(pair) == 1 and p.knows(right)


def _is_old(p: _Place, token: Token) -> bool:
    return token.kind != "cjk" or token.text in _NEUTRAL or p.knows(token)


def _restates(p: _Place) -> bool:
    """True if the words around the reference are those of the question, as far as it matters.

    "The opposite of Paris", "I doubt that it is Paris" and "Paris was eliminated" are words that
    the question does not say.
    """
    lead = p.i  # David, of "David Hockney", restates nothing
    while (
        lead > p.span.first and _is_proper(p.read.tokens[lead - 1]) and not p.read.gap(lead).strip()
    ):
        lead -= 1
    before = [t for t in p.read.tokens[p.span.first : lead] if _has_content(t)]
    if 2 * sum(map(p.knows, before)) < len(before):
        return False
    behind = [t for t in p.behind if _has_content(t)]
    return bool(before or not behind or any(map(p.knows, behind)))


_CHECKS = (
    _is_certain,
    _is_whole,
    _is_alone,
    _is_whole_name,
    _has_no_rival_before,
    _has_no_rival_behind,
    _has_no_rival_later,
    _is_whole_chinese,
    _is_the_number,
    _restates,
)


def _is_named(p: _Place) -> bool:
    """True if the sentence names the reference there, and nothing else, as the answer."""
    return all(check(p) for check in _CHECKS)
