r"""Text as a policy writes it: one width and one spelling, and what it says without what it thinks.

    >>> said("<think>It could be 17.</think>The answer is 18.<|im_end|>")
    'The answer is 18.'
    >>> said("<think>It could be 17. Or is it")
    ''
    >>> plain("答案為１８．５") == "答案为18.5"
    True
    >>> folded("Café Ångström") == "cafe angstrom"
    True

Standard library only. Source of the marks of thought: chat templates of the models that use them.
"""

import re
import unicodedata
from collections import deque

__all__ = ["folded", "plain", "said"]

# --- Said, not thought ----------------------------------------------------------------------------

_THINKING = (
    r"[a-z_:]{0,20}?"
    r"(?:think|thought|reason|analysis|scratch_?pad|rationale|reflect|monologue|working_out)"
    r"[a-z_]{0,20}"
)
_TAG = rf"(?=[a-z_:]{{4,45}}+\|?>) {_THINKING} \|?>"
_MARK = re.compile(
    rf"""<(?: (?P<close> (?:/|\|?(?=end_)) {_TAG} | (?:unused|ctrl)95> | channel\|> )
            | \|? {_TAG} | (?:unused|ctrl)94>(?:thought)? | \|channel>thought )
    | \[(?: (?P<close_bracket> /think\] ) | think\] ) | ◁(?: (?P<close_arrow> /think▷ ) | think▷ )""",
    re.VERBOSE | re.IGNORECASE,
)
_MAY_MARK = re.compile(r"<[/|a-zA-Z]")
MOST_MARKS = 1000  # that are looked at, from the end
_END_OF_TURN = re.compile(
    r"(?:\s*(?:<\|[a-z_]{2,20}\|>|</s>|<eos>|<(?:end_of_turn|turn\|)>|<[|｜]end▁of▁sentence[|｜]>))+\s*\Z",
    re.IGNORECASE,
)
# Harmony, the format of gpt-oss: channels named analysis, commentary and final.
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]{0,40}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>")
_CHANNEL_ENDS = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
# What is left of it when a decoder drops special tokens: "analysisWe need 18.assistantfinalIt is 18."
_NO_FINAL = re.compile(r"analysis(?=[A-Z\u4e00-\u9fff])|[\s\S]*assistant(?:analysis|commentary)")


def said(response: str) -> str:
    """Return what a response says: without its thought, in whatever markup, closed or not.

    A tag is a mark of thought if its name says so: `<think>`, `<scratchpad>`,
    `<|begin_of_thought|>`. What was never closed is thought to the end; what was never opened,
    from the beginning. Of harmony's channels the last final one is said. Special tokens that
    end a turn are dropped.
    """
    text = _final_channel(response)
    if not (_MAY_MARK.search(text) or "THINK]" in text or "◁" in text):
        return text
    kept: list[str] = []
    start: int | None = 0
    for mark in deque(_MARK.finditer(text), MOST_MARKS):
        if mark.lastgroup:  # closes
            if start is not None:  # the prompt has opened it
                kept.clear()
            start = mark.end()
        elif start is not None:
            kept.append(text[start : mark.start()])
            start = None
    if start is not None:
        kept.append(text[start:])
    text = "\n".join(kept)
    return text[:-200] + _END_OF_TURN.sub("", text[-200:])


def _final_channel(text: str) -> str:
    if "<|channel|>" in text:
        finals = deque(_FINAL.finditer(text), 1)
        if not finals:
            return ""
        start = finals[0].end()
        end = _CHANNEL_ENDS.search(text, start)
        return text[start : end.start() if end else None]
    if "assistantfinal" in text:
        return text.rpartition("assistantfinal")[2]
    return "" if _NO_FINAL.match(text) else text


# --- One spelling ---------------------------------------------------------------------------------

# Controls, joiners, fillers, marks of direction, variation selectors, tags, lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]+"
)
_PLAIN = {0xFF01 + i: 0x21 + i for i in range(94)} | str.maketrans(
    "\u3000\u2212\ufe63\u2010\u2011\u2012\u2013\u2044\uffe5‘’ʼ“”為個萬億兩點負錯對應該於餘幾還從過間結後選項無數",
    " ------/¥'''\"\"为个万亿两点负错对应该于余几还从过间结后选项无数",
)
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d", "ß": "ss"}
)
_MARKS = re.compile("[\u0300-\u036f]+")


def plain(text: str) -> str:
    """Return the text in ASCII width and simplified Chinese, without what shows nothing."""
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub("", text).translate(_PLAIN)


def folded(text: str) -> str:
    """Return the text to compare: plain, in lower case, without diacritics."""
    text = plain(text).casefold()
    if text.isascii():
        return text
    text = _MARKS.sub("", unicodedata.normalize("NFD", text.translate(_LETTERS)))
    return unicodedata.normalize("NFC", text)
