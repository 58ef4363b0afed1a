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
from functools import lru_cache

__all__ = ["folded", "plain", "said"]

# --- Said, not thought ----------------------------------------------------------------------------

_TAG = re.compile(
    r"<\|channel>thought|<channel\|>|<(?:unused|ctrl)9[45]>|<\s?[/|｜]{0,2}[a-z_:▁\d-]{3,45}+(?:\s[^<>]{0,60})?\s?[|｜]?>"
    r"|\[/?think\]|◁/?think▷",
    re.IGNORECASE,
)
_STEMS = (
    "think", "thought", "reason", "analysis", "scratch", "rationale", "reflect", "monologue", "working_out", "deliberat", "brainstorm",
)  # fmt: skip
LONGEST = 200_000  # characters that are looked at, from the end, where there are such tags
CHUNK = 10_000
_MAY_MARK = re.compile(r"<\s?[/|｜a-zA-Z]|\[/?(?i:think)\]")
_COMMENT = re.compile(
    r"<!--.*?(?:-->|\Z)|^\[//\]:.*$", re.DOTALL | re.MULTILINE
)  # no page shows it
_END_OF_TURN = re.compile(
    r"(?:\s*(?:<\|[a-z_]{2,20}\|>|</s>|<eos>|<(?:end_of_turn|turn\|)>|<[|｜]end▁of▁sentence[|｜]>))+(?:\s*\Z|.*)",
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
    text = response
    if "assistant" in text or "<|channel|>" in text or text.startswith("analysis"):
        text = _final_channel(text)
    if "<!--" in text or "[//]" in text:
        text = _COMMENT.sub("", text)
    if not (_MAY_MARK.search(text) or "◁" in text):
        return text
    kept: list[str] = []
    start: int | None = 0
    if len(text) > LONGEST:
        start = None if _is_thinking(text[:-LONGEST]) else 0
        text = text[-LONGEST:]
    for tag in _TAG.finditer(text):
        mark = _mark(tag[0])
        if mark == "closes":
            if start is not None:  # the prompt has opened it
                kept.clear()
            start = tag.end()
        elif mark == "opens" and start is not None:
            kept.append(text[start : tag.start()])
            start = None
    if start is not None:
        kept.append(text[start:])
    text = "\n".join(part for part in kept if part)
    return text[:-200] + _END_OF_TURN.sub("", text[-200:])


def _is_thinking(text: str) -> bool:
    """Whether a text ends inside a thought; its last mark is sought from the end."""
    for end in range(len(text), 0, 50 - CHUNK):  # 50: no tag is longer
        marks = [
            mark for tag in _TAG.finditer(text, max(end - CHUNK, 0), end) if (mark := _mark(tag[0]))
        ]
        if marks:
            return marks[-1] == "opens"
    return False


@lru_cache(maxsize=256)
def _mark(tag: str) -> str:
    """Whether a tag "opens" or "closes" a thought, or is none of its marks: ""."""
    name = tag.lower().strip("<>[]◁▷|｜ ").split(" ")[0]
    if (
        name in ("unused95", "ctrl95", "channel")
        or name.startswith(("/", "end_", "end▁"))
        or name.endswith("_end")
    ):
        closes = name in ("unused95", "ctrl95", "channel") or any(stem in name for stem in _STEMS)
        return "closes" if closes else ""
    opens = name.startswith(("unused94", "ctrl94")) or any(stem in name for stem in _STEMS)
    return "opens" if opens else ""


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
_INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff"
)
_SPELLING = str.maketrans(
    "\u3000\u2212\ufe63\u2010\u2011\u2012\u2013\u2044\uffe5‘’ʼ“”İ為個萬億兩點負錯對應該於餘幾還從過間結後選項無數終",
    " ------/¥'''\"\"I为个万亿两点负错对应该于余几还从过间结后选项无数终",
)
_PLAIN = {chr(0xFF01 + i): chr(0x21 + i) for i in range(1, 94)}  # but for ！, which is no factorial
_PLAIN |= {chr(key): chr(other) for key, other in _SPELLING.items()}
_OTHER = re.compile(f"[{_INVISIBLE}{re.escape(''.join(_PLAIN))}]")
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d", "ß": "ss"}
)
_MARKS = re.compile("[\u0300-\u036f]+")


def plain(text: str) -> str:
    """Return the text in ASCII width and simplified Chinese, without what shows nothing."""
    if text.isascii() and text.replace("\n", " ").isprintable():
        return text
    return _OTHER.sub(lambda m: _PLAIN.get(m[0], ""), text)


def folded(text: str) -> str:
    """Return the text to compare: plain, in lower case, without diacritics."""
    text = plain(text).casefold()
    if text.isascii():
        return text
    text = _MARKS.sub("", unicodedata.normalize("NFD", text.translate(_LETTERS)))
    return unicodedata.normalize("NFC", text)
