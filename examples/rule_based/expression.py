r"""Read a mathematical answer, LaTeX or plain text, into a small tree; exactly, and in bounded time.

    >>> read(r"\dfrac{6}{4}") == read("1.5") == read(r"1\frac{1}{2}")
    True
    >>> read(r"3 \sqrt{2}")
    Op(name='*', args=(Fraction(3, 1), Op(name='root', args=(Fraction(2, 1), Fraction(2, 1)))))

Nothing is evaluated as code: the reader knows a fixed grammar and builds the tree (see `trees`) from
its tokens.

Conventions: units, currency, degree and percent signs are dropped, so 25\% is 25 and 90^\circ is 90.
A whole number before a fraction is a mixed number. `2.5` is exactly 5/2. `e` and `i` are constants.

**The guard.** What would cost too much is refused from the text alone, with `TooComplex`: length,
nesting, size of numbers, exponents, factorials and binomials beyond the bounds below; sums, products,
integrals and limits always.

Standard library only.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from .numerals import NORMAL, VULGAR, decimal
from .trees import (
    FUNCTIONS,
    REALS,
    Node,
    Op,
    TooComplex,
    Unreadable,
    add,
    binomial,
    divide,
    factorial,
    is_tuple,
    is_whole,
    listed,
    multiply,
    negative,
    power,
    related,
    require_scalars,
    root,
    sized,
    unique,
    united,
    without,
)  # fmt: skip

__all__ = ["read"]

MOST_CHARACTERS = 600
MOST_TOKENS = 250
DEEPEST = 16


_INVERSE = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}
_GREEK = frozenset(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho"
    " sigma tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell".split()
)
_COSTLY = frozenset(
    "sum prod int iint iiint oint lim limsup liminf bigcup bigcap partial nabla Gamma zeta".split()
)
_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "≤": "<=", "≥": ">=", "≠": "!=", "∈": "in", "≈": "~", "≡": "=",
    "lt": "<", "gt": ">", "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=",
    "geqslant": ">=", "ne": "!=", "neq": "!=", "in": "in", "approx": "~", "sim": "~", "equiv": "=",
}  # fmt: skip
_UNITS = frozenset(
    "km cm mm dm ft yd mi kg mg lb lbs oz ml hr hrs min mins sec secs mph kph kmh usd rmb cny eur gbp am pm a.m p.m sq cu deg"
    " rad hz kw kwh gb mb tb pcs cc gal yr yrs pt pts qt mol atm pa kpa meter meters metre metres centimeter centimeters"
    " centimetre centimetres millimeter millimeters kilometer kilometers kilometre kilometres inch inches foot feet yard yards"
    " mile miles unit units square cubic squared cubed degree degrees radian radians percent percentage dollar dollars cent cents"
    " pound pounds euro euros yuan second seconds minute minutes hour hours day days week weeks month months year years old"
    " gram grams kilogram kilograms liter liters litre litres gallon gallons ounce ounces way ways people person persons student"
    " students times point points number numbers integer integers solution solutions value values per of in".split()
)
_UNIT_SYMBOLS = frozenset("m s g h l n j w v".split())  # in \\text{} only
_CHINESE_UNITS = re.compile(
    "(?:平方|立方|千|毫|厘|分|公)?(?:米|克|升|里|元|角|分|度|个|只|人|名|本|张|块|条|件|次|种|天|日|周|月|年|岁|小时|分钟|秒|千米|公里|公斤|斤|吨|单位|倍数|点|页|组|位)+"
)
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_WORDS = frozenset(  # no products of letters
    "is of to in on at by as if so for per the and or are was no not but day yes all any one two six ten odd".split()
)
_NAMES = {  # plain words that LaTeX writes with a backslash
    "sqrt": "sqrt", "pi": "pi", "infinity": "infty", "inf": "infty", "oo": "infty", "theta": "theta",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "cbrt": "cbrt", "union": "cup", "U": "cup",
} | {name: name for name in (*FUNCTIONS, "log", "lg", "exp")}  # fmt: skip
_RAISED = re.compile("[⁰¹²³⁴-⁹⁻⁺ⁿ]+|[₀-₉ₙ]+")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ₀₁₂₃₄₅₆₇₈₉ₙ", "0123456789-+n0123456789n")
_CHARACTERS = NORMAL | str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/", "√": "\\sqrt ",
        "∛": "\\cbrt ", "π": "\\pi ", "∞": "\\infty ", "∪": "\\cup ", "∩": "\\cap ", "±": "\\pm ",
        "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "∅": "\\emptyset ", "ℝ": "\\mathbb{R} ",
        "°": "\\degree ", "º": "\\degree ", "⟨": "(", "⟩": ")", "≦": "≤", "≧": "≥", "，": ",", "、": ", ",
        "；": ";", "或": " or ", "和": " and ", "且": " and ",
    }
)  # fmt: skip

_TOKEN = re.compile(
    r"""
    (?P<space> \s+ | \\[,;:!>\ ()\[\]] | ~ | \\(?:q?quad|thinspace|displaystyle|textstyle|limits|left|right|middle|[bB]igg?[lr]?|m?left|m?right
        |mathstrut|strut|hspace\{[^{}]*\}|phantom\{[^{}]*\}|bf|rm|it|tiny|small|large|Large|huge)(?![A-Za-z])\.? )
  | (?P<numeral> [0-9A-F]*[A-F][0-9A-F]*(?=_\{?(?:1[1-6]|[2-3][0-9])\}?) )
  | (?P<number> (?:[0-9]+(?:(?:\{,\}|\\[,!;:]\s?|(?:\\!)?,\\!\s?|[\u2009\u202f\u00a0])[0-9]{3})+(?![0-9])|[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)
        (?:\.[0-9]+)? (?:[eE][-+]?[0-9]{1,4}(?![0-9A-Za-z.]))? | \.[0-9]+ )
  | (?P<text> \\(?:text(?:bf|it|rm|normal|sf|tt)?|math(?:rm|sf|tt)|mbox|hbox|operatorname\*?)\s*\{(?P<words>[^{}]*)\} )
  | (?P<style> \\(?:mathbf|mathit|boldsymbol|bm|vec|hat|bar|mathcal|mathbb|mathscr|boxed|fbox|ensuremath|dot|tilde|overrightarrow|widehat)(?![A-Za-z]) )
  | (?P<begin> \\begin\s*\{(?:(?P<matrix>[pbB]?matrix|smallmatrix)\}|array\}\s*(?:\{[^{}]*\})?|(?P<other>[a-zA-Z*]+)\}) )
  | (?P<end> \\end\s*\{[a-zA-Z*]+\} )
  | (?P<row> \\\\(?:\[[^\]]*\])? )
  | (?P<macro> \\(?:[A-Za-z]+|[{}|$%&\#_]) )
  | (?P<word> [A-Za-z]+ )
  | (?P<cjk> [\u3400-\u9fff]+ )
  | (?P<power> \*\* ) | (?P<relation> <=|>=|!=|==|=<|=> )
  | (?P<char> . )
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    spaced: bool  # space stands before it


def read(text: str) -> Node:
    """Read a whole answer.

    Args:
        text: LaTeX or plain text, with or without dollar signs; any string.

    Raises:
        Unreadable: it is not an expression of the grammar in the module's docstring.
        TooComplex: it is beyond one of the bounds.
    """
    if len(text) > MOST_CHARACTERS:
        raise TooComplex(f"{len(text)} characters")
    reader = _Reader(_tokens(text), plus=True)
    tree = reader.answer()
    if reader.saw_plus_minus:  # 1 \pm \sqrt{2} is two answers
        other = _Reader(_tokens(text), plus=False).answer()
        tree = listed(unique([tree, other]))
    return tree


def _script(m: re.Match[str]) -> str:
    mark = "_" if m[0][0] in "₀₁₂₃₄₅₆₇₈₉ₙ" else "^"
    return f"{mark}{{{m[0].translate(_LOWERED)}}}"


def _tokens(text: str) -> list[_Token]:
    text = text.translate(_CHARACTERS)
    if not text.isascii():
        text = _RAISED.sub(_script, text)
    tokens: list[_Token] = []
    spaced = False
    for m in _TOKEN.finditer(text):
        kind = m.lastgroup or ""
        kind = {"words": "text", "matrix": "begin", "other": "begin"}.get(kind, kind)
        if kind == "space":
            spaced = True
            continue
        value = m[0]
        if kind == "text":
            value = m["words"]
        elif kind == "begin":
            value = "matrix" if not m["other"] else m["other"]
        elif kind == "macro":
            value = value[1:]
            if value in "{}|$%&#_":
                kind = {"{": "char", "}": "char"}.get(value, "char")
                value = {"{": "\\{", "}": "\\}"}.get(value, value)
            if value in ("dfrac", "tfrac", "cfrac"):
                value = "frac"
        if kind == "char" and value == "$":
            continue
        tokens.append(_Token(kind, value, spaced))
        spaced = False
        if len(tokens) > MOST_TOKENS:
            raise TooComplex(f"more than {MOST_TOKENS} symbols")
    return tokens


# --- Grammar ---------------------------------------------------------------------------------

_CLOSING = {"(": ")", "[": "]", "\\{": "\\}", "langle": "rangle"}


class _Reader:
    """Recursive descent over the tokens; each method reads one rule of the grammar."""

    def __init__(self, tokens: list[_Token], plus: bool) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.brackets = 0  # that are open: inside, a comma never groups digits
        self.plus = plus
        self.saw_plus_minus = False

    def peek(self, ahead: int = 0) -> _Token:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else _Token("end of text", "", False)

    def next(self) -> _Token:
        token = self.peek()
        self.at = min(self.at + 1, len(self.tokens))
        return token

    def accept(self, *texts: str) -> bool:
        if self.peek().text in texts and self.peek().kind not in ("text", "word"):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise Unreadable(f"{text} is missing before {self.peek().text!r}")

    # An answer: statements separated by commas, "and", "or".

    def answer(self) -> Node:
        parts = [self.relation()]
        joined = set[str]()
        while words := self.separator():
            joined |= words
            if self.peek().kind == "end of text":
                break
            parts.append(self.relation())
        if self.peek().kind != "end of text":
            raise Unreadable(f"{self.peek().text!r} is out of place")
        return united(parts, joined) if len(parts) > 1 else parts[0]

    def separator(self) -> set[str]:
        """Accept commas, "and", "or"; return which."""
        found = set[str]()
        while True:
            token = self.peek()
            word = token.text.strip(" ,").lower()
            if token.text in (",", ";") and token.kind == "char":
                found.add(",")
            elif token.kind in ("text", "word") and word in ("and", "or"):
                found.add(word)
            elif token.kind == "macro" and token.text in ("vee", "lor", "wedge", "land"):
                found.add("or" if token.text in ("vee", "lor") else "and")
            else:
                return found
            self.at += 1

    def relation(self) -> Node:
        """One expression, or a chain of them: a = b = c, 0 < x <= 1, x in S."""
        sides = [self.union()]
        signs: list[str] = []
        while True:
            token = self.peek()
            sign = _RELATIONS.get(token.text, "") if token.kind in ("char", "macro") else ""
            if token.kind == "relation":
                sign = {"==": "=", "=<": "<=", "=>": ">="}.get(token.text, token.text)
            if not sign:
                break
            self.at += 1
            if sign == "~":  # the exact value stands before it
                self.union()
                continue
            signs.append(sign)
            sides.append(self.union())
        return related(sides, signs)

    def union(self) -> Node:
        parts = [self.sum()]
        while self.accept("cup"):
            parts.append(self.sum())
        if self.accept("setminus", "backslash") and parts == [REALS]:
            rest = self.sum()
            return without(
                list(rest.args) if isinstance(rest, Op) and rest.name == "set" else [rest]
            )
        if self.peek().text.strip() in (":", "to") and len(parts) == 1:
            return self.ratio(parts[0])
        if self.peek().text in ("cap", "setminus", "mod", "pmod", "bmod"):
            raise Unreadable(f"{self.peek().text} is not in the grammar")
        return parts[0] if len(parts) == 1 else Op("union", tuple(parts))

    def ratio(self, first: Node) -> Node:
        """3:2, 3 to 2, 1:2:3; numbers in lowest terms."""
        parts = [first]
        while self.peek().text.strip() in (":", "to"):
            self.next()
            parts.append(self.sum())
        if any(not isinstance(part, Fraction) or part <= 0 for part in parts):
            raise Unreadable("a ratio of what are no positive numbers")
        first_number = parts[0]
        return Op("ratio", tuple(divide(part, first_number) for part in parts))

    def sum(self) -> Node:
        terms: list[Node] = []
        sign = Fraction(1)
        while True:
            if self.accept("-"):
                if self.peek().text == "-":
                    raise Unreadable("two signs")
                sign = -sign
            elif self.accept("pm", "mp"):
                upper = self.tokens[self.at - 1].text == "pm"
                self.saw_plus_minus = True
                sign = sign if upper == self.plus else -sign
            elif self.accept("+"):
                pass
            else:
                term = self.product()
                terms.append(term if sign == 1 else negative(term))
                sign = Fraction(1)
                self.units()
                if self.peek().text not in ("+", "-", "pm", "mp"):
                    return add(*terms) if len(terms) > 1 else terms[0]

    def product(self) -> Node:
        begin = self.at
        factors = [self.factor()]
        while True:
            previous, ahead = self.tokens[self.at - 1], self.peek()
            alone = self.at == begin + 1  # the number before is no exponent, no subscript
            if self.accept("*", "cdot", "times", "bullet"):
                factors.append(self.signed())
            elif self.accept("/", "div"):
                if self.unit(self.peek()):
                    self.next()
                else:
                    factors.append(divide(Fraction(1), self.signed()))
            elif not self.starts_factor():
                name, point = factors[0], factors[-1]
                if len(factors) == 2 and str(name).isupper() and is_tuple(point):
                    return point  # P(1, 2)
                return multiply(*factors)
            elif ahead.kind == "number" and previous.text in (")", "}"):
                factors.append(self.factor())
            elif ahead.kind == "number":
                if not (alone and previous.kind == "number" and self.is_fraction()):
                    raise Unreadable("two numbers side by side")
                factors[-1] = add(factors[-1], self.mixed())
            elif (
                ahead.text == "frac"
                and alone
                and previous.kind == "number"
                and is_whole(factors[0])
            ):
                fraction = self.factor()
                proper = isinstance(fraction, Fraction) and 0 < fraction < 1
                combine = add if proper else multiply
                factors[-1] = combine(factors[-1], fraction)
            else:
                factors.append(self.factor())

    def signed(self) -> Node:
        if self.accept("-"):
            return negative(self.signed())
        self.accept("+")
        return self.factor()

    def is_fraction(self) -> bool:
        """True before `1/2`, behind a whole number and a space: 2 1/2."""
        top, slash, low = self.peek(), self.peek(1), self.peek(2)
        return top.spaced and slash.text == "/" and low.kind == "number"

    def mixed(self) -> Node:
        top = self.number(self.next().text)
        self.next()
        return divide(top, self.number(self.next().text))

    def starts_factor(self) -> bool:
        token = self.peek()
        if token.kind in ("number", "numeral", "style", "begin"):
            return True
        if token.kind == "text":
            return token.text.strip() in ("i", "e")
        if token.kind == "word":
            return not self.unit(token) and token.text.lower() not in ("and", "or", "union", "u")
        if token.kind == "macro":
            return (
                token.text not in _RELATIONS
                and token.text
                not in ("pm", "mp", "cup", "cap", "rangle", "rfloor", "rceil", "vee", "lor", "degree", "circ",
                        "cdot", "times", "div", "bullet", "percent", "setminus", "mod", "pmod", "bmod", "mid")
            )  # fmt: skip
        return (
            token.kind == "char"
            and token.text in ("(", "[", "{", "|", "\\{")
            and not (token.text == "|" and self.bars)
        )

    bars = 0  # of absolute values that are open
    functions = 0  # that are being read

    def angle(self, node: Node) -> Node:
        r"""An answer of 90^\circ is 90; \cos 60^\circ is the cosine of \pi/3."""
        return multiply(node, "pi", Fraction(1, 180)) if self.functions else node

    def factor(self) -> Node:
        """An atom, its subscript, factorial and exponent."""
        while self.accept("$", "#", "€", "£", "¥", "₹"):
            pass
        node = self.atom()
        while True:
            if self.accept("!"):
                node = factorial(node)
            elif self.accept("%"):
                pass
            elif self.accept("degree"):
                node = self.angle(node)
            elif self.peek().text == "'" and isinstance(node, str):
                self.next()
                node += "'"
            elif self.peek().text == "_":
                self.next()
                if isinstance(node, str):
                    node += "_" + self.subscript()
                elif isinstance(node, Fraction):
                    node = Op("base", (node, self.argument()))
                else:
                    raise Unreadable("a subscript")
            elif self.peek().text == "^" or self.peek().kind == "power":
                self.next()
                if self.degrees():
                    node = self.angle(node)
                    continue
                exponent = self.exponent()
                if isinstance(node, Op) and node.name in ("tuple", "list", "matrix", "base"):
                    raise Unreadable("a power of what is no number")
                node = power(node, exponent)
            else:
                return node

    def subscript(self) -> str:
        """The name of what stands below: 1, max, ABC."""
        if not self.accept("{"):
            return self.next().text
        name = ""
        while not self.accept("}"):
            token = self.next()
            if token.kind == "end of text" or token.text == "{":
                raise Unreadable("a subscript")
            name += token.text.strip()
        return name

    def degrees_follow(self) -> bool:
        """Accept the ^\\circ of \\cos(60)^\\circ."""
        if self.accept("degree"):
            return True
        if self.peek().text == "^":
            self.at += 1
            if self.degrees():
                return True
            self.at -= 1
        return False

    def degrees(self) -> bool:
        """Accept the rest of ^\\circ, ^{\\circ}, ^o."""
        if self.accept("circ", "degree"):
            return True
        if self.peek().text == "{" and self.peek(1).text in ("circ", "degree"):
            if self.peek(2).text == "}":
                self.at += 3
                return True
        return False

    def exponent(self) -> Node:
        if self.accept("-"):
            return negative(self.exponent())
        if self.peek().kind == "number":  # x^23 in plain text; LaTeX would raise the 2 alone
            node: Node = self.number(self.next().text)
        else:
            node = self.argument()
        if self.peek().text == "^" or self.peek().kind == "power":
            if not isinstance(node, Fraction):
                raise TooComplex("a tower of powers")
            self.next()
            return power(node, self.exponent())
        return node

    def argument(self) -> Node:
        """{...}, or one atom; after \\frac and \\sqrt, one digit."""
        if self.accept("{"):
            return self.closed("}", "{")
        return self.atom(digit=True)

    def closed(self, end: str, opened: str) -> Node:
        self.brackets += opened != "{"
        outer, self.bars = self.bars, 0
        node = self.relation()
        self.bars = outer
        self.brackets -= opened != "{"
        self.expect(end)
        return node

    def group(self) -> Node:
        """{a}, and the set {a, b} of plain text."""
        parts = [self.relation()]
        while self.accept(","):
            parts.append(self.relation())
        self.expect("}")
        return parts[0] if len(parts) == 1 else Op("set", tuple(unique(parts)))

    def number(self, text: str) -> Fraction:
        digits, _, exponent = text.lower().partition("e")
        value = decimal(re.sub(r"\\[,!;:]\s?|\{,\}|[\s,\u2009\u202f]", "", digits))
        if value is None:
            raise Unreadable(f"{text!r} is no number")
        return sized(Fraction(value) * self.ten(int(exponent or 0)))

    @staticmethod
    def ten(exponent: int) -> Fraction:
        if abs(exponent) > 1000:
            raise TooComplex("a number of more than a thousand digits")
        return Fraction(10) ** exponent

    def atom(self, digit: bool = False) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooComplex(f"nested more than {DEEPEST} deep")
        node = self._atom(digit)
        self.depth -= 1
        return node

    def _atom(self, digit: bool) -> Node:
        token = self.next()
        if token.kind == "number":
            return self.numeral(token, digit)
        if token.kind == "word":
            return self.word(token)
        if token.kind == "numeral":  # 1A2_{16}
            self.expect("_")
            return Op("base", (token.text, self.argument()))
        if token.text == "\\mathbb":
            name = self.argument()
            return Op("tuple", ("()", negative("infty"), "infty")) if name == "R" else name
        if token.kind == "style":
            return self.argument()
        if token.kind == "begin" and token.text == "matrix":
            return self.matrix()
        if token.kind == "begin" and token.text == "cases":
            return self.cases()
        if token.kind == "macro":
            return self.macro(token.text)
        if token.kind == "text" and token.text.strip() in ("i", "e", "I"):
            return token.text.strip().lower()
        if token.text == "{":
            return self.group()
        if token.text in ("(", "[", "\\{"):
            return self.bracket(token.text)
        if token.text == "|" and token.kind == "char":
            self.bars += 1
            node = self.sum()
            self.bars -= 1
            self.expect("|")
            require_scalars(node)
            return Op("abs", (node,))
        if token.kind == "char" and token.text in VULGAR:
            return VULGAR[token.text]
        raise Unreadable(f"{token.text or token.kind!r} is out of place")

    def numeral(self, token: _Token, digit: bool) -> Node:
        if digit and len(token.text) > 1:  # \frac12, \sqrt23: the first digit alone
            rest = token.text[1:]
            self.at -= 1
            self.tokens[self.at] = _Token("number", rest, False)
            return Fraction(int(token.text[0])) if token.text[0].isdigit() else self.bad(token)
        if self.brackets and re.fullmatch(r"[0-9]{1,3}(?:,[0-9]{3})+", token.text):
            first, *others = token.text.split(",")  # (100,200): two numbers
            self.at -= 1
            parts = [part for other in others for part in (("char", ","), ("number", other))]
            self.tokens[self.at : self.at + 1] = [_Token("number", first, token.spaced)] + [
                _Token(kind, text, False) for kind, text in parts
            ]
            self.at += 1
            return Fraction(int(first))
        value = self.number(token.text)
        ahead = self.peek()
        if ahead.text == "overline" or (ahead.text == "." and self.peek(1).text == "overline"):
            return self.repeating(token.text)
        if ahead.kind == "char" and ahead.text in VULGAR:
            self.next()
            return value + VULGAR[ahead.text]
        scale = _SCALES.get(ahead.text.strip().lower()) if ahead.kind in ("word", "text") else None
        if scale:
            self.next()
            return sized(value * Fraction(10) ** scale)
        return value

    def bad(self, token: _Token) -> Fraction:
        raise Unreadable(f"{token.text!r} is out of place")

    def repeating(self, digits: str) -> Node:
        r"""0.1\overline{6} is 1/6."""
        if self.accept("."):
            digits += "."
        self.expect("overline")
        self.expect("{")
        period = self.next()
        self.expect("}")
        whole, point, decimals = digits.partition(".")
        if period.kind != "number" or not period.text.isdigit() or not point:
            raise Unreadable("a bar that is not over decimals")
        nines = (10 ** len(period.text) - 1) * 10 ** len(decimals)
        return Fraction(whole + "." + (decimals or "0")) + Fraction(int(period.text), nines)

    def word(self, token: _Token) -> Node:
        name = token.text
        if name in _NAMES:
            return self.macro(_NAMES[name])
        if len(name) > 1 and (name.lower() in _UNITS | _WORDS or len(name) > 3):
            raise Unreadable(f"the word {name}")
        beside = [*self.tokens[self.at - 2 : self.at - 1], self.peek()]
        if len(name) > 2 and any(t.kind == "word" for t in beside):
            raise Unreadable(f"the word {name}")
        for prefix in ("pi", "sqrt"):
            if name.startswith(prefix) and len(name) > len(prefix):
                raise Unreadable(f"the word {name}")
        self.at -= 1  # a product of letters; the last one may carry an exponent
        self.tokens[self.at : self.at + 1] = [
            _Token("letter", letter, token.spaced and not i) for i, letter in enumerate(name)
        ]
        first = self.next().text
        node: Node = first
        if first in "fghFGHPQ" and self.peek().text == "(" and self.peek(2).text == ")":
            if self.peek(1).kind == "number":  # f(2) is no product
                node = f"{node}({self.peek(1).text})"
                self.at += 3
        while self.peek().kind == "letter":
            if self.tokens[self.at + 1 : self.at + 2] and self.peek(1).kind != "letter":
                break
            node = multiply(node, self.next().text)
        if self.peek().kind == "letter":
            node = multiply(node, self.letter())
        return node

    def letter(self) -> Node:
        """The last letter of a word, with what is attached to it: the y^2 of xy^2."""
        self.tokens[self.at] = _Token("word", self.peek().text, False)
        return self.factor()

    def macro(self, name: str) -> Node:
        if name == "frac":
            return divide(self.argument(), self.argument())
        if name in ("sqrt", "cbrt"):
            degree: Node = Fraction(2) if name == "sqrt" else Fraction(3)
            if self.accept("["):
                degree = self.closed("]", "{")
            return root(self.argument(), degree)
        if name in ("binom", "dbinom", "tbinom"):
            return binomial(self.argument(), self.argument())
        if name in FUNCTIONS or name in ("log", "lg", "exp"):
            return self.function(name)
        if name in ("lfloor", "lceil"):
            node = self.closed(name.replace("l", "r", 1), "(")
            return Op("floor" if name == "lfloor" else "ceil", (node,))
        if name in ("lvert", "vert"):
            self.bars += 1
            node = self.sum()
            self.bars -= 1
            if not self.accept("rvert", "vert"):
                raise Unreadable("a bar is missing")
            require_scalars(node)
            return Op("abs", (node,))
        if name == "langle":
            return self.bracket("langle")
        if name in ("pi", "infty"):
            return name
        if name in ("emptyset", "varnothing"):
            return "emptyset"
        if name in ("imath", "jmath"):
            return name[0]
        if name in _COSTLY and name not in _GREEK:
            raise TooComplex(f"\\{name}")
        if name in _GREEK:
            return name
        if name in ("angle", "triangle", "percent"):
            return self.factor()
        raise Unreadable(f"\\{name} is not in the grammar")

    def function(self, name: str) -> Node:
        base: Node | None = None
        exponent: Node = Fraction(1)
        while True:
            if self.accept("_"):
                base = self.argument()
            elif self.accept("^"):
                exponent = self.exponent()
            else:
                break
        if exponent == -1 and name in _INVERSE:
            name, exponent = _INVERSE[name], Fraction(1)
        self.functions += 1
        if self.accept("("):
            argument = self.closed(")", "(")
        elif self.accept("{"):
            argument = self.closed("}", "{")
        else:
            argument = self.bare_argument()
        if self.degrees_follow():
            argument = self.angle(argument)
        self.functions -= 1
        require_scalars(argument)
        if name == "exp":
            node = power("e", argument)
        elif name == "lg" or (name == "log" and base == 10):
            node = divide(Op("ln", (argument,)), Op("ln", (Fraction(10),)))
        elif name == "log":
            # Without a base it is the natural logarithm in some books, base 10 in others: unknown.
            if base is None:
                node = multiply("log", Op("ln", (argument,)))
            else:
                node = divide(Op("ln", (argument,)), Op("ln", (base,)))
        elif base is not None:
            raise Unreadable(f"a subscript of {name}")
        else:
            node = Op(name, (argument,))
        return power(node, exponent)

    def bare_argument(self) -> Node:
        r"""The 2x of \sin 2x: it ends at a sign, a bracket or another function."""
        if self.accept("-"):
            return negative(self.bare_argument())
        node = self.factor()
        while self.starts_factor() and self.peek().text not in ("(", "[", "\\{"):
            if self.peek().text in (*FUNCTIONS, "log", "lg", "exp") or self.peek().kind == "number":
                break
            node = multiply(node, self.factor())
        return node

    def bracket(self, opened: str) -> Node:
        """(a), (a, b), [a, b), {a, b}, <a, b>."""
        self.brackets += 1
        outer, self.bars = self.bars, int(opened == "\\{")
        parts: list[Node] = []
        if not self.accept(_CLOSING[opened]):
            parts.append(self.relation())
            while self.separator():
                parts.append(self.relation())
            if opened == "\\{" and self.accept("|", "mid", ":"):
                parts = [self.condition(parts)]
            closed = self.next().text
        else:
            closed = _CLOSING[opened]
        self.bars = outer
        self.brackets -= 1
        if opened == "\\{":
            if closed != "\\}":
                raise Unreadable("a set that is not closed")
            if len(parts) == 1 and isinstance(parts[0], Op) and parts[0].name == "tuple":
                return parts[0]
            return Op("set", tuple(unique(parts))) if parts else "emptyset"
        if opened == "langle":
            opened, closed = "(", ")" if closed == "rangle" else ""
        if closed not in (")", "]") or not parts:
            raise Unreadable("a bracket that is not closed")
        if len(parts) == 1:
            if opened + closed not in ("()", "[]"):
                raise Unreadable("brackets that do not match")
            return parts[0]
        if len(parts) > 2 and opened + closed not in ("()", "[]"):
            raise Unreadable("brackets that do not match")
        return Op("tuple", (opened + closed, *parts))

    def condition(self, names: list[Node]) -> Node:
        """The x > 2 of {x | x > 2}."""
        node = self.relation()
        if not (isinstance(node, Op) and node.name == "in" and [node.args[0]] == names):
            raise Unreadable("a set with a condition")
        return node.args[1]

    def cases(self) -> Node:
        r"""x = 1 \\ y = 2: as a list."""
        parts = [self.relation()]
        while self.next().kind == "row" and self.peek().kind != "end":
            parts.append(self.relation())
        self.at += self.peek().kind == "end"
        return listed(parts)

    def matrix(self) -> Node:
        rows: list[Node] = []
        row: list[Node] = []
        while True:
            row.append(self.sum())
            if self.accept("&"):
                continue
            token = self.next()
            if token.kind not in ("row", "end"):
                raise Unreadable("a matrix that is not closed")
            rows.append(Op("row", tuple(row)))
            row = []
            if token.kind == "end" or self.peek().kind == "end":
                self.at += token.kind == "row"
                break
        if len({len(r.args) for r in rows if isinstance(r, Op)}) != 1:
            raise Unreadable("a matrix with rows of different length")
        return Op("matrix", tuple(rows))

    # Units are dropped: 5 cm, 5\text{ cm}^2, 12 apples, 60 km/h, 18元.

    @staticmethod
    def unit(token: _Token) -> bool:
        words = token.text.strip(" .,~()").lower()
        if token.kind == "cjk":
            return _CHINESE_UNITS.fullmatch(token.text) is not None
        if token.kind == "text":
            if _CHINESE_UNITS.fullmatch(words):
                return True
            parts = re.split(r"[\s/·^0-9.-]+", words)
            return (
                not {"squared", "cubed", "times"} & {parts[0]}
                and all(part in _UNITS or part in _UNIT_SYMBOLS or not part for part in parts)
                and re.fullmatch(r"[0-9]*", words) is None
            )
        return token.kind == "word" and words in _UNITS - {
            "squared",
            "cubed",
            "times",
            "per",
            "of",
            "in",
        }

    def units(self) -> None:
        found = False
        while True:
            token = self.peek()
            if token.kind in ("text", "word", "cjk") and self.unit(token):
                self.next()
                found = True
            elif found and token.text == "^":
                self.at += 1
                if self.accept("{"):
                    while self.peek().kind != "end of text" and not self.accept("}"):
                        self.at += 1
                else:
                    self.at += 1
            elif (
                found and token.text in ("/", ".", "cdot") and self.peek(1).kind in ("word", "text")
            ):
                self.at += 2
            elif (
                (
                    found
                    and token.kind == "word"
                    and token.text in ("per", "of", "the", "in", "s", "h", "m")
                )
                or (token.kind == "char" and token.text in ("%", "€", "£", "¥", "$"))
                or (token.kind == "macro" and token.text in ("degree", "circ", "percent"))
            ):
                self.next()
            else:
                return
