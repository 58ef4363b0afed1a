r"""The symbols of a mathematical text: what `expression` reads, one by one, from where it stands.

    >>> scanner = Scanner(prepared(r"3\text{ km}"))
    >>> scanner.next().kind, scanner.next().text
    ('number', 'km')

The text is never changed while it is read. A run of letters is a word (km, chickens), a name (sqrt), or read
letter by letter: xy is a product.

Standard library only.
"""

import re
from typing import NamedTuple

from ..shared import numerals
from ..shared.text import plain
from .trees import FUNCTIONS, TooComplex, Unreadable
from .units import UPRIGHT, is_word

__all__ = ["NAMES", "SPACE", "Scanner", "Token", "prepared"]

MOST_TOKENS = 250

NAMES = {  # plain words that LaTeX writes with a backslash
    "sqrt": "sqrt", "pi": "pi", "infinity": "infty", "inf": "infty", "oo": "infty", "theta": "theta",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "cbrt": "cbrt", "union": "cup", "U": "cup",
} | {name: name for name in (*FUNCTIONS, "log", "lg", "exp")}  # fmt: skip
_RAISED = re.compile("[⁰¹²³⁴-⁹⁻⁺ⁿ]+|[₀-₉ₙ]+")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ₀₁₂₃₄₅₆₇₈₉ₙ", "0123456789-+n0123456789n")
_CHARACTERS = str.maketrans(
    {
        "—": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/", "√": "\\sqrt ", "负": "-",
        "∛": "\\cbrt ", "π": "\\pi ", "∞": "\\infty ", "∪": "\\cup ", "∩": "\\cap ", "±": "\\pm ",
        "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "∅": "\\emptyset ", "ℝ": "\\mathbb{R} ",
        "°": "\\degree ", "º": "\\degree ", "⟨": "(", "⟩": ")", "≦": "≤", "≧": "≥", "、": ", ", "∠": "\\angle ",
        "或": " or ", "和": " and ", "且": " and ", "与": " and ", "及": " and ",
    }
)  # fmt: skip
_TEXT = re.compile(
    r"\\(?:text(?:bf|it|rm|normal|sf|tt)?|math(?:rm|bf|sf|it|tt)|mbox|hbox|operatorname\*?)\s*\{([^{}]*)\}"
)
_EQUALS = re.compile("(?<![大小不于])等于")
_TIMES_TEN = re.compile(r"(?<=[0-9])\s*[xX]\s*(?=10\s*(?:\^|\*\*))")
_SHORT_WORD = re.compile(rf"(?<![A-Za-z{UPRIGHT}])[A-Za-z]{{1,2}}(?![A-Za-z])")

_SPACING = (
    "quad|qquad|thinspace|displaystyle|textstyle|limits|left|right|middle|[bB]igg?[lr]?|mathstrut|strut"
    r"|hspace\{[^{}]*\}|color\{[a-z]*\}|bf|rm|it|tiny|small|large|Large|huge"
)
SPACE = re.compile(
    rf"(?:\s|~|\\?\$|\\[,;:!> ()\[\]]|\\(?:{_SPACING})(?![A-Za-z])\.?|\\(?:begin|end)\{{(?:aligned|align\*?|gathered|split)\}}|&(?==))+"
)
_STYLES = (
    "underline|mathbf|mathit|boldsymbol|bm|vec|hat|bar|mathcal|mathbb|mathscr|boxed|fbox|ensuremath|dot|tilde|widehat"
    r"|overrightarrow|overline(?=\{[A-Za-z]+\})"
)
_MATRIX = r"(?P<matrix>[pbB]?matrix|smallmatrix)\}|array\}\s*(?:\{[^{}]*\})?"
_TOKEN = re.compile(
    "|".join(
        (
            r"(?P<numeral>[0-9A-F]*[A-F][0-9A-F]*(?=_\{?(?:1[1-6]|[2-3][0-9])\}?))",  # 1A2_{16}
            rf"(?P<number>{numerals.NUMBER})",
            rf"(?P<style>\\(?:{_STYLES})(?![A-Za-z]))",
            rf"(?P<begin>\\begin\s*\{{(?:{_MATRIX}|(?P<other>[a-zA-Z*]+)\}}))",
            r"(?P<end>\\end\s*\{[a-zA-Z*]+\})",
            r"(?P<row>\\\\(?:\[[^\]]*\])?)",
            r"(?P<brace>\\[{}])",
            r"(?P<macro>\\(?:[A-Za-z]+|[|%&#_]))",
            rf"(?P<word>{UPRIGHT}?[A-Za-z]+)",
            r"(?P<cjk>[\u3400-\u9fff]+)",
            r"(?P<power>\*\*)",
            r"(?P<relation><=|>=|!=|==|=<|=>)",
            r"(?P<char>.)",
        )
    ),
    re.DOTALL,
)
_WORD_BEFORE = re.compile(r"(?:\A|[^\\A-Za-z])[A-Za-z]{2,12} \Z")
_WORD_BEHIND = re.compile(r" [A-Za-z]{2}")
_DIGIT = re.compile("[0-9]")
_PLAIN_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class Token(NamedTuple):
    """A symbol: its kind and text, where it begins and ends, whether space stands before it; `match` of a number."""

    kind: str
    text: str
    start: int
    end: int
    spaced: bool
    match: re.Match[str] | None = None


def prepared(text: str) -> str:
    r"""One character for each symbol, and \text{} taken away; its short words are marked."""
    text = _EQUALS.sub("=", plain(text))
    if not text.isascii():
        text = _RAISED.sub(_script, text.translate(_CHARACTERS))
    for _ in range(2):  # \text{\textbf{C}}
        text = _TEXT.sub(_upright, text)
    return _TIMES_TEN.sub("*", text)


def _script(m: re.Match[str]) -> str:
    mark = "_" if m[0][0] in "₀₁₂₃₄₅₆₇₈₉ₙ" else "^"
    return f"{mark}{{{m[0].translate(_LOWERED)}}}"


def _upright(m: re.Match[str]) -> str:
    return f" {_SHORT_WORD.sub(_marked, m[1])} "


def _marked(word: re.Match[str]) -> str:
    return word[0] if is_word(word[0]) else UPRIGHT + word[0]


class Scanner:
    """Reads symbols from a prepared text; `at` is where the next one is sought."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: dict[tuple[int, bool], Token] = {}
        self.last = Token("start", "", 0, 0, False)
        self.brackets = 0  # that are open: inside, a comma never groups digits

    def token(self, at: int) -> Token:
        key = (at, self.brackets > 0)
        if key not in self.tokens:
            if len(self.tokens) > MOST_TOKENS:
                raise TooComplex(f"more than {MOST_TOKENS} symbols")
            self.tokens[key] = self.scan(at)
        return self.tokens[key]

    def scan(self, at: int) -> Token:
        space = SPACE.match(self.text, at)
        start = space.end() if space else at
        m = _TOKEN.match(self.text, start)
        if not m:
            return Token("end of text", "", start, start, False)
        kind, value, end = m.lastgroup or "", m[0], m.end()
        number = None
        if m["number"] is not None:
            kind, number = "number", m
            if self.brackets and "," in value and (first := _PLAIN_NUMBER.match(self.text, start)):
                value, end, number = first[0], first.end(), None  # (100,200): two numbers
        elif kind in ("matrix", "other") or m["begin"]:
            kind, value = "begin", m["other"] or "matrix"
        elif kind == "brace":
            kind = "char"
        elif kind == "macro":
            value = value[1:]
            kind = "macro" if value.isalpha() else "char"
            value = "frac" if value in ("dfrac", "tfrac", "cfrac") else value
        elif kind == "word":
            value = value.removeprefix(UPRIGHT)
            if not self.is_word(m[0], start, end):
                kind, value, end = "letter", value[0], start + 1 + (m[0][0] == UPRIGHT)
        return Token(kind, value, start, end, bool(space), number)

    def is_word(self, word: str, start: int, end: int) -> bool:
        """Whether a run of letters is a word: known, long, or short and beside another."""
        if start and self.text[start - 1].isalpha() and self.text[start - 1].isascii():
            return False  # the rest of a product
        if word in NAMES or is_word(word):
            return True
        if len(word) < 3:
            return False
        before = _WORD_BEFORE.search(self.text, max(start - 15, 0), start)
        return before is not None or _WORD_BEHIND.match(self.text, end) is not None

    def peek(self, ahead: int = 0) -> Token:
        token = self.token(self.at)
        for _ in range(ahead):
            token = self.token(token.end)
        return token

    def next(self) -> Token:
        self.last = self.token(self.at)
        self.at = self.last.end
        return self.last

    def accept(self, *texts: str) -> bool:
        if self.peek().text in texts and self.peek().kind not in ("word", "letter"):
            self.next()
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise Unreadable(f"{text} is missing before {self.peek().text!r}")

    def digit(self) -> str:
        """One digit of the number that stands here: LaTeX takes \\frac12 for 1 over 2."""
        start = self.peek().start
        if m := _DIGIT.match(self.text, start):
            self.last = Token("number", m[0], start, m.end(), False)
            self.at = m.end()
            return m[0]
        return ""
