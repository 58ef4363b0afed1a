"""Small arithmetic word problems, written for the book: a GSM8K that a tiny policy can learn.

    >>> problems = make_problems(2, seed=0)
    >>> problems[0].question
    'Jun has 9 stamps and Hana has 5. How many more stamps does Jun have?'
    >>> problems[0].answer
    '#### 4'
    >>> print(demonstrate(problems[0], random.Random(1)))
    9 - 5 = 4
    9 + 5 = 14
    #### 14

One step each: two numbers from 2 to 9, to be added, subtracted or multiplied. The questions tell which; a
demonstration does not. It shows the format, GSM8K's own (Cobbe et al. 2021, arXiv:2110.14168), and how to
calculate, with an operation drawn at random, and in some cases several of them one below the other. So
a policy that was taught by demonstrations alone answers one problem in three, and what it lacks is
what a reward can teach: which calculation the question asks for.

Standard library only.
"""

import random
from dataclasses import dataclass

__all__ = ["OPERATIONS", "Problem", "demonstrate", "make_problems"]

OPERATIONS = ("+", "-", "*")

_NAMES = "Ada Ben Chen Dina Emil Fei Gus Hana Ivan Jun Kofi Lena Mia Noor Omar Pia".split()
_THINGS = "apples books cards coins eggs keys pens pears shells stamps stones toys".split()
_QUESTIONS = {
    "+": (
        "{name} has {a} {things} and finds {b} more. How many {things} does {name} have now?",
        "There are {a} {things} in a box. {name} puts in {b} more. How many are in the box now?",
        "{name} has {a} {things} and {other} has {b}. How many {things} do they have together?",
        "In the morning {name} sold {a} {things}, later {b}. How many {things} were sold in all?",
    ),
    "-": (
        "{name} had {a} {things} and lost {b}. How many {things} are left?",
        "There were {a} {things} in a box. {name} took out {b}. How many are in the box now?",
        "{name} has {a} {things} and {other} has {b}. How many more {things} does {name} have?",
        "{name} wants {a} {things} and has {b}. How many {things} are still missing?",
    ),
    "*": (
        "{name} has {a} {things}. {other} has {b} times as many. How many {things} does {other} have?",
        "There are {a} boxes with {b} {things} each. How many {things} does {name} have in them?",
        "{name} buys {a} {things} every day. How many {things} does {name} buy in {b} days?",
        "{name} lays {a} rows of {b} {things}. How many {things} are there in all?",
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A question, the two numbers in it, the operation it asks for, and the answer as GSM8K has it."""

    question: str
    a: int
    b: int
    operation: str

    @property
    def answer(self) -> str:
        return f"#### {calculate(self.a, self.operation, self.b)}"


def calculate(a: int, operation: str, b: int) -> int:
    """Return the value of one calculation."""
    return {"+": a + b, "-": a - b, "*": a * b}[operation]


def make_problems(size: int, seed: int, unlike: tuple[Problem, ...] = ()) -> tuple[Problem, ...]:
    """Return different problems, each operation as often as the others.

    Args:
        size: how many.
        seed: the same seed gives the same problems.
        unlike: problems whose questions must not come again: the training set, for a test set.

    Raises:
        ValueError: more than 100,000 in all; there are not many more.
    """
    if size + len(unlike) > 100_000:
        raise ValueError(f"{size + len(unlike):,} problems; at most 100,000 can be made")
    rng = random.Random(seed)
    seen = {problem.question for problem in unlike}
    problems: list[Problem] = []
    while len(problems) < size:
        operation = OPERATIONS[len(problems) % len(OPERATIONS)]
        b, a = sorted(rng.sample(range(2, 10), 2))
        name, other = rng.sample(_NAMES, 2)
        question = rng.choice(_QUESTIONS[operation]).format(
            name=name, other=other, things=rng.choice(_THINGS), a=a, b=b
        )
        if question not in seen:
            seen.add(question)
            problems.append(Problem(question, a, b, operation))
    rng.shuffle(problems)
    return tuple(problems)


def demonstrate(problem: Problem, rng: random.Random, lists: float = 0.2) -> str:
    """Return a response in GSM8K's format whose operation is drawn at random.

    Args:
        lists: the share of demonstrations that try two or three operations before they answer.
    """
    tries = rng.choice((2, 3)) if rng.random() < lists else 1
    tried = rng.sample(OPERATIONS, tries)
    lines = [f"{problem.a} {o} {problem.b} = {calculate(problem.a, o, problem.b)}" for o in tried]
    answer = calculate(problem.a, rng.choice(tried), problem.b)
    return "\n".join([*lines, f"#### {answer}"])
