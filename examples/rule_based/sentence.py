r"""The result that a sentence states: "In 3 days she makes 18 dollars", 一共买了18个苹果.

    >>> result("In 3 days she makes 18 dollars a day because 9 * 2 = 18")
    '18 dollars a day'
    >>> result("买3件一共要付288元")
    '288元'
    >>> [result(text) for text in ("Tom has 3 and Ann has 18", "she does not make 18", "可能有18个")]
    ['', '', '']

It is the one number right behind a verb, or the only number there is. What stands before it are words that
change nothing, and numbers of its circumstances, behind a preposition.

Standard library only.
"""

import re

from .units import RESERVED

__all__ = ["result"]


def _any(words: str) -> str:
    return "|".join(words.split())


_BECAUSE = re.compile(r"\s*,?\s*(?:\b(?:because|since)\b|因为|由于)", re.IGNORECASE)
_NUMBER = (
    r"[-+]?\s*\\?[$¥€£]*\s*(?:[0-9]|\\[dt]?frac)"
    r"|[一二两三四五六七八九十百千万亿][一二三四五六七八九十百千万亿零点]*[^\s样起些定般直]"
)
_ABOUT = r"(?:(?:exactly|only|currently|now|about|approximately|a\s+total\s+of|约|大约)\s*)?"
_ENGLISH = _any(
    r"is are was were be equals? has have had makes? made earns? earned pays? paid costs? needs? gets? got gives? spends?"
    r" spent saves? saved sells? sold takes? took runs? ran eats? ate reads? buys? bought receives? received travels?"
    r" traveled totals? weighs? uses? used contains? leaves? left lasts? requires? produces?"
)
_CHINESE = r"[是为有共计得了出剩余付差找回行卖赚花用即要距需坐装多少]|得到|今年|经过"
_VERB = re.compile(rf"(?:\b(?:{_ENGLISH})\s+|{_CHINESE})\s*{_ABOUT}(?={_NUMBER})", re.IGNORECASE)
_FIGURE = re.compile(r"-?\$?[0-9][0-9,]*(?:\.[0-9]+)?")
_PHRASE = re.compile(r"\s+(?:on|for|in|at|from|with|to|after|during)\b\D*\Z")  # of $18 on eggs

# Where one of these stands before the number, it is not the result.
_CHANGES = RESERVED - frozenset(
    "is are was were be that which since because so to by out up and".split()
) | frozenset(
    "over nearly almost beyond exceed exceeds exceeding less more fewer greater like negative twice double might may could"
    " think guess believe suppose assume nobody neither hardly barely scarcely fails fail impossible doubt".split()
)
_PREPOSITIONS = frozenset("of to in by on at for from with after per over".split())
_CIRCUMSTANCES = _PREPOSITIONS | frozenset("all each every both the these those".split())
_TOTALS = frozenset("total sum profit cost amount average loss gain number".split())
_WORDS = re.compile(r"[A-Za-z0-9\s,.'’$%-]*")
# In Chinese a description ends with 的, and says nothing about the result: 没有参加的同学有18人.
_DESCRIPTION = re.compile(
    r".*的|\A不?能,|除[^,]{1,8}外|[0-9一二三四五六七八九十]+(?:月份?|年级|折后?)|.*(?:一共|总共|所以)"
)
_CHANGES_CHINESE = re.compile(
    r"[不没无未非若半倍除猜错或至最0-9]|如果|假[如设若]|即使|[可只]能|也许|似乎|好像|估计|恐怕|大概率"
)


def result(text: str) -> str:
    """Return what a sentence says from its result on; "" if it states none.

    Args:
        text: a sentence, plain, without its full stop.
    """
    if because := _BECAUSE.search(text):
        text = text[: because.start()]
    places = [(m.start(), m.end()) for m in _VERB.finditer(text)]
    if len(places) == 1:
        before, rest = text[: places[0][0]], text[places[0][1] :]
        changed = _changes_english(before) if text.isascii() else _changes_chinese(before)
        return "" if changed else _PHRASE.sub("", rest)
    figures = [m.start() for m in _FIGURE.finditer(text)] if text.isascii() and not places else []
    if len(figures) != 1 or _changes_english(text[: figures[0]]) or text[: figures[0]][-1:] != " ":
        return ""
    words = text[: figures[0]].lower().replace(",", " ").split()
    if len(words) < 3 or (
        words[-1] in _PREPOSITIONS and not (words[-1] == "of" and words[-2] in _TOTALS)
    ):
        return ""  # June 20 is no result
    return _PHRASE.sub("", text[figures[0] :])


def _changes_english(before: str) -> bool:
    """Whether what stands before a number makes it something else than the result."""
    words = before.lower().replace(",", " ").split()
    if not _WORDS.fullmatch(before) or any(
        word in _CHANGES or word.endswith("n't") for word in words
    ):
        return True
    return any(
        word[0] in "$0123456789" and words[i - 1 : i] and words[i - 1] not in _CIRCUMSTANCES
        for i, word in enumerate(words)
    ) or (words[:1] != [] and words[0][0] in "$0123456789")


def _changes_chinese(before: str) -> bool:
    return _CHANGES_CHINESE.search(_DESCRIPTION.sub("", before)) is not None
