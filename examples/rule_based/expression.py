r"""Read a mathematical answer, LaTeX or plain text, into a small tree; exactly, and in bounded time.

    >>> read(r"\dfrac{6}{4}") == read("1.5") == read(r"1\frac{1}{2} \text{ cm}")
    True
    >>> read(r"3 \sqrt{2}")
    Op(name='*', args=(Fraction(3, 1), Op(name='root', args=(Fraction(2, 1), Fraction(2, 1)))))
    >>> read("9 chickens and 10 rabbits")
    Op(name='list', args=(Fraction(9, 1), Fraction(10, 1)))

Nothing is evaluated as code: the reader knows a fixed grammar and builds the tree (see `trees`). It reads
the text where it stands, from left to right (see `scanner`), and never changes it.

Conventions: units, currency, degree and percent signs are dropped, so 25\% is 25 and 90^\circ is 90.
A whole number before a proper fraction is a mixed number. `2.5` is exactly 5/2. `e` and `i` are constants.
What stands to the left of `=` may be a name: x, f(x), P(X=2), dy/dx, or words. A condition behind an answer, as
in "4 when x = 5", is read and dropped.

**The guard.** What would cost too much is refused from the text alone, with `TooComplex`: length,
nesting, size of numbers, exponents, factorials and binomials beyond the bounds below; sums, products,
integrals and limits always.

Standard library only.
"""

import re
from fractions import Fraction

from ..shared import numerals
from ..shared.numerals import VULGAR
from .scanner import NAMES, SPACE, Scanner, Token, prepared
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
from .units import RESERVED, UPRIGHT, is_quantity, unit_end

__all__ = ["read"]

MOST_CHARACTERS = 600
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

# What may stand to the left of "=": words, f(x), P(X = 2), dy/dx, x1, \lim_{x\to 0} f.
_LABEL_WORD = rf"(?:\\(?:max|min)|{UPRIGHT}?[A-Za-z]{{2,}}|[\u4e00-\u9fff]+)"
_MORE_WORDS = rf"(?:[ ~]+(?:{UPRIGHT}?[A-Za-z]+|[\u4e00-\u9fff]+|[0-9](?=\s*=))){{0,6}}"
_ARGUMENTS = r"\((?P<inside>[^()]{1,30}|[^()]{0,9}\([^()]{1,9}\)[^()]{0,9})\)"
_D = rf"(?:{UPRIGHT}?d|\\partial)\s*(?:\^\s*\{{?\d\}}?)?\s*"
_DERIVATIVE = (
    rf"d\s*[a-z]\s*/\s*d[a-z]|[A-Za-z]'{{1,2}}"
    rf"|\\[dt]?frac\s*\{{\s*{_D}[a-z]\s*\}}\s*\{{\s*{_D}[a-z]\s*(?:\^\{{?\d\}}?)?\s*\}}"
)
_OPERATOR = (
    r"\\(?:det|gcd|binom|Pr|phi)(?![a-z])\s*(?:\{[^{}]*\}){0,2}\s*(?:\([^()]*\)|[A-Za-z](?![A-Za-z]))?"
    r"|[EP]\s*\[[^\[\]]*\]|\\mathbb\{[PE]\}\s*[(\[][^()\[\]]*[)\]]"
)
_COSTLY_LEFT = r"\\(?:lim|sum|prod|int)(?![A-Za-z])(?:\{[^{}]*\}|\\,|[^={},])*"
_IS = r"\s*(?:=|:|\b(?:is|are|was|equals)\b|(?<=[\u4e00-\u9fff])[是为])(?!=)\s*"
_LABEL = re.compile(
    rf"(?:(?P<words>{_LABEL_WORD}{_MORE_WORDS})|[A-Za-z](?:[_^]\{{?[A-Za-z0-9()-]+\}}?)?'{{0,2}}\s*{_ARGUMENTS}"
    rf"|{_DERIVATIVE}|[A-Za-z][0-9]|{_OPERATOR}|{_COSTLY_LEFT}){_IS}"
)
_COPULA = re.compile(r"(?:\bis|\bare|\bwas|\bequals|是|为)\s*\Z")
# Letters that mostly name functions and probabilities; x(x + 1) is a product.
_FUNCTION_NAMES = "fghpquvyCEFGHNPQRSTUVW"
# Behind an answer: 4 when x = 5, 4 (attained at x = 5), 4元，此时x=5.
_WHERE = r"(?:attained|obtained|reached|achieved|occurring|(?:which|and\s+it)\s+occurs|with\s+equality|取得)"
_WHEN = r"(?:when(?:ever)?|for(?:\s+(?:all|any|every|some|each))?|at|if|where|with|given|provided(?:\s+that)?|as\s+long\s+as)"
_WHEN_CHINESE = r"此时|其中|在|当(?:\s*and\s*仅当)?"  # 且 has become "and"
_CONDITION = re.compile(
    rf"[\s,，;]*(?:{_WHERE}?\s*\b{_WHEN}\b|{_WHEN_CHINESE})\s*[,，:：]?\s*(?:\b(?:integers?|real|the\s+point)\b)?\s*",
    re.IGNORECASE,
)
_TAKEN = r"(?:取得|取到|取|达到)?(?:等号(?:成立)?|最[大小]值|得)?"
_CONDITION_ENDS = re.compile(rf"\s*[时处]?{_TAKEN}")
_WHEN_BEHIND = re.compile(rf"\s*时{_TAKEN}")
# What is at its largest there: y有最大值4, f(x)取得最小值4.
_EXTREME = re.compile(
    r"[\s$]*(?:[a-z](?:\([a-z]\))?)?[\s$]*(?:的|有|取得?|取到|达到)?\s*[最极][大小](?:值|利润)\s*(?:是|为|等于|:|=)?\s*"
)
_TEMPERATURE = re.compile(r"\\degree\s*[CF]\b")
_ASIDE = re.compile(r"\s*\(([^()]*)\)")
_ASIDE_WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|[\u4e00-\u9fff]+")
_RELATED = re.compile(r"[=<>≤≥]|\\(?:leq?|geq?|in)\b")
# What begins with one of these is no remark: (or 19), (base 8), (mod 7), (reject).
_NO_REMARK_WORDS = (RESERVED | {"in", "also"}) - set(
    "that which since because so when if where attained obtained reached".split()
)
_NO_REMARK = re.compile(
    rf"\s*(?:(?:{'|'.join(sorted(_NO_REMARK_WORDS))})\b|[或不错吗多也可猜舍增估]|.{{0,9}}进制)"
)


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
    text = prepared(text)
    reader = _Reader(text, plus=True)
    tree = reader.answer()
    if reader.saw_plus_minus:  # 1 \pm \sqrt{2} is two answers
        tree = listed(unique([tree, _Reader(text, plus=False).answer()]))
    return tree


# --- Grammar ---------------------------------------------------------------------------------

_CLOSING = {"(": ")", "[": "]", "\\{": "\\}", "langle": "rangle"}
_NO_FACTOR = frozenset(
    "pm mp cup cap rangle rfloor rceil vee lor wedge land degree circ cdot times div bullet percent"
    " setminus mod pmod bmod mid rvert to Rightarrow rightarrow implies iff neg lnot forall exists & % _".split()
)


class _Reader(Scanner):
    """Recursive descent over the text; each method reads one rule of the grammar."""

    def __init__(self, text: str, plus: bool) -> None:
        super().__init__(text)
        self.depth = 0
        self.bars = 0  # of absolute values that are open
        self.functions = 0  # that are being read
        self.plus = plus
        self.saw_plus_minus = False

    # An answer: statements separated by commas, "and", "or"; then a condition.

    def answer(self) -> Node:
        if self.condition(leading=True) or self.when_behind():  # 当x=5时，最大值为4
            self.separator()
        if extreme := _EXTREME.match(self.text, self.spaced()):
            self.at = extreme.end()
        parts = [self.relation()]
        joined = set[str]()
        while True:
            self.aside()
            if self.condition():
                break
            words = self.separator()
            if not words or (words == {","} and self.peek().kind == "end of text"):
                break
            joined |= words
            parts.append(self.relation())
            if behind := _WHEN_BEHIND.match(self.text, self.spaced()):  # 4，x=5时取到
                self.at = behind.end()
                parts.pop()
        if self.peek().kind != "end of text":
            raise Unreadable(f"{self.peek().text!r} is out of place")
        return united(parts, joined) if len(parts) > 1 else parts[0]

    def separator(self) -> set[str]:
        """Accept commas, "and", "or"; return which."""
        found = set[str]()
        while True:
            token = self.peek()
            word = token.text.lower()
            if token.text in (",", ";") and token.kind == "char":
                found.add(",")
            elif token.kind == "word" and word in ("and", "or"):
                found.add(word)
            elif token.kind == "macro" and word in ("vee", "lor", "wedge", "land"):
                found.add("or" if word in ("vee", "lor") else "and")
            else:
                return found
            self.next()

    def spaced(self) -> int:
        """Where the space ends that stands here."""
        space = SPACE.match(self.text, self.at)
        return space.end() if space else self.at

    def aside(self) -> bool:
        """Accept a remark in brackets, as in 7 (approximately), 72个(48+24)."""
        m = _ASIDE.match(self.text, self.spaced())
        if not m or _NO_REMARK.match(m[1].lower()):
            return False
        self.at = unit_end(self.text, m.end())
        return True

    def when_behind(self) -> bool:
        """Accept x=5时 before an answer."""
        behind = _WHEN_BEHIND.search(self.text, self.at, self.at + 60)
        if not behind or set(before := self.text[self.at : behind.start()]) & set(",;当"):
            return False
        node = self.value_of(before)
        if not (isinstance(node, Op) and node.name in ("=", "in")):
            return False
        self.at = behind.end()
        return True

    def condition(self, leading: bool = False) -> bool:
        """Accept what says when the answer holds; True if there was one."""
        m = _CONDITION.match(self.text, self.spaced())
        if not m:
            return False
        self.at = m.end()
        while True:
            node = self.relation()
            if not (isinstance(node, Op) and node.name in ("=", "!=", "<", "<=", "in", "tuple")):
                raise Unreadable("a condition that is no relation")
            ends = _CONDITION_ENDS.match(self.text, self.at)
            self.at = ends.end() if ends else self.at
            if leading or not self.separator():
                return True

    def relation(self) -> Node:
        """One expression, or a chain of them: a = b = c, 0 < x <= 1, x in S."""
        if label := self.label():
            node = self.relation()
            if isinstance(node, Op) and node.name == "=":  # P(X=1) = x/4 = 1/4
                node = node.args[1]
            return Op("=", (label, node))
        sides = [self.union()]
        signs: list[str] = []
        while True:
            token = self.peek()
            sign = _RELATIONS.get(token.text, "") if token.kind in ("char", "macro") else ""
            if token.kind == "word" and token.text == "equals":
                sign = "="
            if token.kind == "relation":
                sign = {"==": "=", "=<": "<="}.get(token.text, token.text)
            if not sign:
                break
            self.next()
            if sign == "~" and not isinstance(sides[-1], str):  # the exact value stands before it
                self.union()
                continue
            sign = sign.replace("~", "=")
            signs.append(sign)
            sides.append(self.union())
        return related(sides, signs)

    def label(self) -> str:
        """Accept a name and its "=", where the name is no expression; "" if there is none."""
        m = _LABEL.match(self.text, self.spaced())
        if not m:
            return ""
        name = _COPULA.sub("", re.sub(rf"[\s~{UPRIGHT}]+", " ", m[0])).strip(" =:")
        if m["words"] and not is_quantity(name.removeprefix("\\")):
            return ""
        if m["inside"] and (name[0] not in _FUNCTION_NAMES or name[0] in m["inside"]):
            return ""
        self.at = m.end()
        return name

    def union(self) -> Node:
        parts = [self.sum()]
        while self.accept("cup") or (self.peek().text in ("U", "union") and parts[0] != "U"):
            if self.last.text != "cup":
                self.next()
            parts.append(self.sum())
        if self.accept("setminus", "backslash") and parts == [REALS]:
            rest = self.sum()
            return without(
                list(rest.args) if isinstance(rest, Op) and rest.name == "set" else [rest]
            )
        if self.peek().text in (":", "to") and len(parts) == 1:
            return self.ratio(parts[0])
        return parts[0] if len(parts) == 1 else Op("union", tuple(parts))

    def ratio(self, first: Node) -> Node:
        """3:2, 3 to 2, 1:2:3; numbers in lowest terms."""
        parts = [first]
        while self.peek().text in (":", "to"):
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
                if self.peek().text in ("-", "+"):
                    raise Unreadable("two signs")
                sign = -sign
            elif self.accept("pm", "mp"):
                self.saw_plus_minus = True
                sign = sign if (self.last.text == "pm") == self.plus else -sign
            elif self.accept("+"):
                pass
            else:
                term = self.product()
                terms.append(term if sign == 1 else negative(term))
                sign = Fraction(1)
                self.at = self.unit_end()
                if self.peek().text not in ("+", "-", "pm", "mp"):
                    return add(*terms) if len(terms) > 1 else terms[0]

    def product(self) -> Node:
        begin = self.peek().end
        factors = [self.factor()]
        while True:
            previous, ahead = self.last, self.peek()
            alone = self.at == begin  # the number before is no exponent, no subscript
            if self.accept("*", "cdot", "times", "bullet"):
                factors.append(self.signed())
            elif self.unit_end() == self.at and self.accept("/", "div"):
                factors.append(divide(Fraction(1), self.signed()))
            elif alone and ahead.text == "又":
                self.next()
                factors[-1] = add(factors[-1], self.product())
            elif self.unit_end() > self.at or not self.starts_factor():
                name, point = factors[0], factors[-1]
                if len(factors) == 2 and str(name).isupper() and is_tuple(point):
                    return point  # P(1, 2)
                return multiply(*factors)
            elif ahead.kind == "number" and ahead.text in VULGAR and alone:
                factors[-1] = add(factors[-1], self.factor())
            elif ahead.kind == "number" and previous.text in (")", "}"):
                factors.append(self.factor())
            elif ahead.kind == "number":
                if not (alone and previous.kind == "number" and self.is_fraction()):
                    raise Unreadable("two numbers side by side")
                factors[-1] = self.mixed(factors[-1])
            elif ahead.text == "frac" and alone and is_whole(factors[0]):
                fraction = self.factor()
                proper = isinstance(fraction, Fraction) and 0 < fraction < 1
                combine = add if proper else multiply
                factors[-1] = combine(factors[-1], fraction)
            else:
                if ahead.spaced and previous.kind == "number" and self.peek(1).text == "=":
                    raise Unreadable("two assignments side by side")
                factors.append(self.factor())

    def unit_end(self) -> int:
        return unit_end(self.text, self.at, nouns=self.last.kind != "letter")

    def signed(self) -> Node:
        if self.accept("-"):
            return negative(self.signed())
        self.accept("+")
        return self.factor()

    def is_fraction(self) -> bool:
        """True before `1/2`, behind a whole number and a space: 2 1/2."""
        top, slash, low = self.peek(), self.peek(1), self.peek(2)
        return top.spaced and slash.text == "/" and low.kind == "number"

    def mixed(self, whole: Node) -> Node:
        top = self.number(self.next())
        self.next()
        fraction = divide(top, self.number(self.next()))
        if not (is_whole(whole) and isinstance(fraction, Fraction) and fraction < 1):
            raise Unreadable("a mixed number whose fraction is not below one")
        return add(whole, fraction)

    def starts_factor(self) -> bool:
        token = self.peek()
        if token.kind in ("number", "numeral", "style", "begin", "letter"):
            return True
        if token.kind == "word":
            return token.text in NAMES and token.text not in ("U", "union")
        if token.kind == "macro":
            return token.text not in _RELATIONS and token.text not in _NO_FACTOR
        if token.text == "(" and self.is_remark(token):
            return False
        return token.text in ("(", "[", "{", "\\{") or (token.text == "|" and not self.bars)

    def is_remark(self, token: Token) -> bool:
        """True before brackets with words or a relation in them, or with the value that they follow."""
        m = _ASIDE.match(self.text, token.start)
        if not m or _NO_REMARK.match(m[1].lower()):
            return False
        if _RELATED.search(m[1]):  # 4 (x = 5)
            return True
        words = _ASIDE_WORD.findall(m[1])
        symbols = any(word in NAMES or (len(word) == 1 and word.isascii()) for word in words)
        if symbols or "\\" in m[1] or self.last.kind != "number":
            return False
        chinese = not (self.last.text + m[1]).isascii()
        number = numerals.read_number(m[1].strip())
        if words and number is None:  # 72 (nine jars)
            return True
        same = self.number(self.last) == (self.value_of(m[1]) if number is None else number)
        if chinese and not same:  # 七十二(71)
            raise Unreadable("two numbers for one")
        return same and (token.spaced or chinese)  # 18 (9 * 2); but 3(3) is a product

    @staticmethod
    def value_of(text: str) -> Node | None:
        try:
            return _Reader(text, plus=True).answer()
        except ValueError:
            return None

    def angle(self, node: Node) -> Node:
        r"""An answer of 90^\circ is 90; \cos 60^\circ is the cosine of \pi/3."""
        return multiply(node, "pi", Fraction(1, 180)) if self.functions else node

    def factor(self) -> Node:
        """An atom, its subscript, factorial and exponent."""
        while self.accept("#", "€", "£", "¥", "₹"):
            pass
        node = self.atom()
        while True:
            if self.accept("!"):
                node = factorial(node)
            elif self.accept("%"):
                pass
            elif self.peek().text == "degree" and not self.is_temperature():
                self.next()
                node = self.angle(node)
            elif self.peek().text == "'" and isinstance(node, str):
                self.next()
                node += "'"
            elif self.accept("_"):
                if isinstance(node, str):
                    node += "_" + self.subscript()
                elif isinstance(node, Fraction):
                    node = Op("base", (node, self.argument()))
                else:
                    raise Unreadable("a subscript")
            elif self.peek().text == "^" or self.peek().kind == "power":
                if self.degrees_follow():
                    node = self.angle(node)
                    continue
                self.next()
                exponent = self.exponent()
                if isinstance(node, Op) and node.name in ("tuple", "list", "matrix", "base"):
                    raise Unreadable("a power of what is no number")
                node = power(node, exponent)
            else:
                return node

    def is_temperature(self) -> bool:
        return _TEMPERATURE.match(self.text, self.peek().start) is not None

    def subscript(self) -> str:
        """The name of what stands below: 1, max, ABC."""
        if not self.accept("{"):
            return self.digit() or self.next().text
        name = ""
        while not self.accept("}"):
            token = self.next()
            if token.kind == "end of text" or token.text == "{":
                raise Unreadable("a subscript")
            name += token.text
        return name

    def degrees_follow(self) -> bool:
        """Accept ^\\circ, ^{\\circ}, ^o, \\degree."""
        if self.accept("degree"):
            return True
        if self.peek().text != "^":
            return False
        ahead = 2 if self.peek(1).text == "{" else 1
        if self.peek(ahead).text not in ("circ", "degree"):
            return False
        if ahead == 2 and self.peek(3).text != "}":
            return False
        for _ in range(2 * ahead):
            self.next()
        return True

    def exponent(self) -> Node:
        if self.accept("-"):
            return negative(self.exponent())
        if self.peek().kind == "number":  # x^23 in plain text; LaTeX would raise the 2 alone
            node: Node = self.number(self.next())
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
        if digit := self.digit():
            return Fraction(int(digit))
        return self.atom()

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

    def number(self, token: Token) -> Fraction:
        text = token.text
        number = numerals.value(token.match) if token.match else numerals.read_number(text)
        if number is None:
            if len(text) > numerals.MOST_DIGITS or re.search("[eE]", text):
                raise TooComplex("a number of more than a thousand digits")
            raise Unreadable(f"{text!r} is no number")
        return sized(number)

    def atom(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooComplex(f"nested more than {DEEPEST} deep")
        node = self._atom()
        self.depth -= 1
        return node

    def _atom(self) -> Node:
        token = self.next()
        if token.kind == "number":
            value = self.number(token)
            repeats = "overline" in (self.peek().text, self.peek(1).text)
            return self.repeating(token.text) if repeats else value
        if token.kind == "letter":
            return self.letter(token.text)
        if token.kind == "word" and token.text in NAMES:
            return self.macro(NAMES[token.text])
        if token.kind == "word" and len(token.text) == 1:
            return token.text
        if token.kind == "numeral":  # 1A2_{16}
            self.expect("_")
            return Op("base", (token.text, self.argument()))
        if token.text == "\\mathbb":
            name = self.argument()
            return REALS if name == "R" else name
        if token.kind == "style":
            return self.argument()
        if token.kind == "begin" and token.text == "matrix":
            return self.matrix()
        if token.kind == "begin" and token.text == "cases":
            return self.cases()
        if token.kind == "macro":
            return self.macro(token.text)
        if token.text == "{":
            return self.group()
        if token.text in ("(", "[", "\\{"):
            return self.bracket(token.text)
        if token.text == "|":
            self.bars += 1
            node = self.sum()
            self.bars -= 1
            self.expect("|")
            require_scalars(node)
            return Op("abs", (node,))
        raise Unreadable(f"{token.text or token.kind!r} is out of place")

    def letter(self, name: str) -> Node:
        """A symbol; f(2) is no product."""
        if name in "fghFGHPQ" and self.peek().text == "(" and self.peek(2).text == ")":
            if self.peek(1).kind == "number":
                name = f"{name}({self.peek(1).text})"
                for _ in range(3):
                    self.next()
        return name

    def repeating(self, digits: str) -> Node:
        r"""0.1\overline{6} is 1/6."""
        if self.accept("."):
            digits += "."
        self.expect("overline")
        self.expect("{")
        period = self.next()
        self.expect("}")
        whole, point, decimals = digits.partition(".")
        if not (whole + decimals).isdecimal() or not digits.isascii():
            raise Unreadable("a bar behind what are no plain digits")
        if period.kind != "number" or not period.text.isdigit() or not point:
            raise Unreadable("a bar that is not over decimals")
        nines = (10 ** len(period.text) - 1) * 10 ** len(decimals)
        return Fraction(whole + "." + (decimals or "0")) + Fraction(int(period.text), nines)

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
                parts = [self.members(parts)]
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

    def members(self, names: list[Node]) -> Node:
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
        if self.peek().kind == "end":
            self.next()
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
                if token.kind == "row":
                    self.next()
                break
        if len({len(r.args) for r in rows if isinstance(r, Op)}) != 1:
            raise Unreadable("a matrix with rows of different length")
        return Op("matrix", tuple(rows))
