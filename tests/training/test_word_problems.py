"""The word problems: their answers, their balance, and what a demonstration gives away."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.rule_based.gsm8k import grade
from examples.shared.outcome import Reason
from examples.training.word_problems import (
    OPERATIONS,
    Problem,
    calculate,
    demonstrate,
    make_problems,
)

CLUES = {
    "+": r"finds \d more|puts in \d more|together\?|sold in all",
    "-": r"lost \d|took out \d|How many more|still missing",
    "*": r"times as many|boxes with \d|every day|rows of",
}
"""What a reader of the question goes by; written apart from the module's templates."""

SEEDS = st.integers(0, 2**32)
PROBLEMS = make_problems(1500, seed=0)


def solve(question: str) -> int:
    """Answer from the text alone."""
    first, second = map(int, re.findall(r"\d+", question))
    (operation,) = [o for o, clue in CLUES.items() if re.search(clue, question)]
    return int(eval(f"{first} {operation} {second}"))


def test_the_answer_is_what_the_text_asks_for() -> None:
    for problem in PROBLEMS:
        assert problem.answer == f"#### {solve(problem.question)}"
        assert (
            grade(f"The answer is {solve(problem.question)}.", problem.answer).reason
            is Reason.CORRECT
        )


def test_a_problem_is_small_and_its_answer_is_positive() -> None:
    for problem in PROBLEMS:
        assert 2 <= problem.b < problem.a <= 9
        assert re.findall(r"\d+", problem.question) == [str(problem.a), str(problem.b)]
        assert int(problem.answer.removeprefix("#### ")) > 0
        assert "{" not in problem.question


def test_nobody_counts_with_themselves() -> None:
    for problem in PROBLEMS:
        people = re.findall(r"([A-Z][a-z]+) has \d", problem.question)
        assert len(people) == len(set(people))


def test_the_operations_do_not_share_an_answer() -> None:
    """So that a right answer shows the right operation."""
    for problem in PROBLEMS:
        values = {calculate(problem.a, o, problem.b) for o in OPERATIONS}
        assert len(values) == 3


@given(st.integers(0, 40), SEEDS)
def test_each_operation_comes_as_often_as_the_others(size: int, seed: int) -> None:
    problems = make_problems(size, seed)
    counts = Counter(problem.operation for problem in problems)
    assert len(problems) == size
    assert max(counts.values(), default=0) - min(counts[o] for o in OPERATIONS) <= 1


@given(SEEDS)
def test_the_same_seed_gives_the_same_problems(seed: int) -> None:
    assert make_problems(10, seed) == make_problems(10, seed)
    assert make_problems(10, seed) != make_problems(10, seed + 1)


def test_the_problems_do_not_depend_on_the_global_random_state() -> None:
    random.seed(1)
    first = make_problems(10, seed=0)
    random.seed(2)
    assert make_problems(10, seed=0) == first


def test_no_problem_comes_twice() -> None:
    assert len({problem.question for problem in PROBLEMS}) == len(PROBLEMS)


@given(SEEDS)
def test_unseen_problems_are_unlike_those_that_were_seen(seed: int) -> None:
    seen = make_problems(60, seed)
    unseen = make_problems(60, seed, unlike=seen)
    assert not {p.question for p in seen} & {p.question for p in unseen}


def test_the_order_does_not_give_the_operation_away() -> None:
    turns = [problem.operation for problem in PROBLEMS[:300]]
    assert sum(a == b for a, b in zip(turns, turns[3:], strict=False)) < 200


@pytest.mark.parametrize(
    ("operation", "value"), [("+", 12), ("-", 6), ("*", 27)], ids=["plus", "minus", "times"]
)
def test_calculations(operation: str, value: int) -> None:
    assert calculate(9, operation, 3) == value
    assert Problem("?", 9, 3, operation).answer == f"#### {value}"


@given(st.sampled_from(PROBLEMS), SEEDS, st.sampled_from([0.0, 0.5, 1.0]))
def test_a_demonstration_calculates_correctly_and_answers_with_a_value_that_it_tried(
    problem: Problem, seed: int, lists: float
) -> None:
    *lines, last = demonstrate(problem, random.Random(seed), lists).splitlines()
    values = []
    for line in lines:
        left, value = line.split(" = ")
        assert int(value) == eval(left)
        values.append(int(value))
    assert len(set(lines)) == len(lines)
    assert len(lines) in {0.0: (1,), 0.5: (1, 2, 3), 1.0: (2, 3)}[lists]
    assert last.startswith("#### ")
    assert int(last.removeprefix("#### ")) in values


def test_demonstrations_are_graded_and_one_in_three_is_right() -> None:
    rng = random.Random(0)
    reasons = Counter(grade(demonstrate(p, rng), p.answer).reason for p in PROBLEMS)
    assert set(reasons) == {Reason.CORRECT, Reason.WRONG}
    assert reasons[Reason.CORRECT] / len(PROBLEMS) == pytest.approx(1 / 3, abs=0.04)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_is_favoured_by_the_demonstrations(operation: str) -> None:
    rng = random.Random(1)
    asked = [problem for problem in PROBLEMS if problem.operation == operation]
    right = sum(grade(demonstrate(p, rng), p.answer).score == 1.0 for p in asked)
    assert right / len(asked) == pytest.approx(1 / 3, abs=0.08)


def test_a_demonstration_is_determined_by_its_generator() -> None:
    problem = PROBLEMS[0]
    made = [demonstrate(problem, random.Random(7)) for _ in range(2)]
    assert made[0] == made[1]
    assert len({demonstrate(problem, random.Random(seed)) for seed in range(30)}) > 3


def test_more_problems_than_can_be_made_are_an_error() -> None:
    with pytest.raises(ValueError, match="at most 100,000"):
        make_problems(100_001, seed=0)
