"""The judge without a server: the order of the tiers, canaries, and the four laws."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.generative.base_judge import BaseJudge, Item, Reply
from examples.generative.canaries import (
    ATTACKS,
    DECOYS,
    CanaryFailure,
    make_canaries,
    make_decoys,
)
from examples.shared.outcome import Abstained, Outcome, Reason

QUESTION = "Which river flows through Vienna?"
OPEN = "The one that Strauss wrote his waltz about"  # only a model can tell

Scripted = Callable[..., Any]


def grade(judge: BaseJudge, response: str, reference: Any = "Danube") -> Outcome:
    return asyncio.run(judge.grade(QUESTION, response, reference))


def items(count: int) -> list[Item]:
    return [Item(f"What is the code of item {n}?", OPEN, f"code-{n:03}") for n in range(count)]


def honest(user: str) -> bool:
    """A judge that gets every canary right: correct where the answer is the reference."""
    lines = user.splitlines()
    response = next(line for line in lines if line.startswith("Response: "))
    return lines.count(response.removeprefix("Response: ")) == 1


# --- Law 1: the policy's doing scores, the machinery's abstains ---------------------------------


@pytest.mark.parametrize(
    "response", ["", " \n", "...", ":", "答案是", "<answer></answer>", "<think>Danube"]
)
def test_no_answer_scores_zero_unasked(scripted: Scripted, response: str) -> None:
    judge = scripted(lambda _: True)
    assert grade(judge, response) == Outcome(0.0, Reason.NO_ANSWER, grade(judge, response).detail)
    assert judge.asked == []


def test_without_rules_every_answer_is_asked(scripted: Scripted) -> None:
    with_rules = scripted(lambda _: False)
    assert grade(with_rules, "The Danube.").score == 1.0
    assert with_rules.asked == []
    without = scripted(lambda _: False, rules=False)
    assert grade(without, "The Danube.") == Outcome(0.0, Reason.WRONG, "judge")
    assert grade(without, "").reason is Reason.NO_ANSWER


def test_an_answer_over_the_budget_scores_zero_unasked(scripted: Scripted) -> None:
    judge = scripted(lambda _: True, max_characters=100)
    outcome = grade(judge, f"<answer>{'x' * 101}</answer>")
    assert outcome == Outcome(0.0, Reason.TOO_COMPLEX, "the answer has 101 characters, over 100")
    assert judge.asked == []
    assert grade(judge, f"<think>{'x ' * 500}</think>{OPEN}").score == 1.0  # thinking is free


@pytest.mark.parametrize("reference", ["", " ", [], ["", "\n"]])
def test_an_empty_reference_abstains(scripted: Scripted, reference: Any) -> None:
    judge = scripted(lambda _: True)
    assert grade(judge, OPEN, reference).reason is Reason.BAD_REFERENCE
    assert grade(judge, "", reference).reason is Reason.BAD_REFERENCE
    assert judge.asked == []


def test_a_reference_over_the_budget_abstains(scripted: Scripted) -> None:
    judge = scripted(lambda _: True, max_characters=100)
    assert grade(judge, OPEN, "x" * 101).reason is Reason.BAD_REFERENCE


def test_what_the_model_cannot_say_abstains(scripted: Scripted) -> None:
    def fail(_: str) -> bool:
        raise Abstained(Outcome(None, Reason.JUDGE_UNREACHABLE, "gone"))

    assert grade(scripted(fail), OPEN) == Outcome(None, Reason.JUDGE_UNREACHABLE, "gone")


def test_a_verdict_below_min_confidence_abstains(scripted: Scripted) -> None:
    judge = scripted(lambda _: Reply(True, 0.7), min_confidence=0.8)
    assert grade(judge, OPEN) == Outcome(None, Reason.JUDGE_UNSURE, "below 0.80, confidence 0.70")
    judge = scripted(lambda _: Reply(True, 0.8), min_confidence=0.8)
    assert grade(judge, OPEN).score == 1.0


@pytest.mark.parametrize(
    "arguments",
    [(None, "a", "b"), ("a", None, "b"), ("a", "b", None), ("a", "b", [1]), ("a", "b", 3)],
)
def test_what_is_no_text_is_a_type_error(scripted: Scripted, arguments: tuple[Any, ...]) -> None:
    judge = scripted(lambda _: True)
    with pytest.raises(TypeError, match="must be a string"):
        asyncio.run(judge.grade(*arguments))
    with pytest.raises(TypeError, match="must be a string"):
        asyncio.run(judge.grade_batch([*items(3), Item(*arguments)]))
    assert judge.asked == []


# --- Law 2: a score is a function of its inputs ----------------------------------------------------


def test_the_same_in_any_company(scripted: Scripted) -> None:
    batch = [Item(QUESTION, f"{OPEN}, number {n}", "Danube") for n in range(20)]

    def judge() -> Any:
        return scripted(lambda user: "7" in user or "2" in user)

    whole = asyncio.run(judge().grade_batch(batch, canaries=0))
    backwards = asyncio.run(judge().grade_batch(batch[::-1], canaries=0))
    alone = [asyncio.run(judge().grade(*item)) for item in batch]
    assert whole == backwards[::-1] == alone


def test_canaries_are_always_the_same() -> None:
    pairs = [(item.question, [str(item.reference)]) for item in items(10)]
    assert make_canaries(pairs, 3) == make_canaries(pairs, 3)


# --- Law 3: no abstention is silent ------------------------------------------------------------------


def test_every_response_is_counted_by_reason(scripted: Scripted) -> None:
    def verdict(user: str) -> bool:
        if "lost" in user:
            raise Abstained(Outcome(None, Reason.JUDGE_UNREACHABLE))
        return "waltz" in user

    judge = scripted(verdict)
    responses = [OPEN, "The Danube", "...", "The river that was lost", "The river of the kings"]
    asyncio.run(judge.grade_batch([Item(QUESTION, r, "Danube") for r in responses], canaries=0))
    assert judge.counts == {
        Reason.CORRECT: 2,
        Reason.NO_ANSWER: 1,
        Reason.JUDGE_UNREACHABLE: 1,
        Reason.WRONG: 1,
    }


# --- Law 4: text is data (how it goes into the prompt is tested in test_prompts.py) -----------------


@given(st.text(max_size=200), st.text(min_size=1, max_size=50), st.text(max_size=200))
def test_no_text_breaks_the_judge(question: str, reference: str, response: str) -> None:
    class Never(BaseJudge):
        async def _ask(self, messages: list[dict[str, str]]) -> Reply:
            return Reply(False)

    outcome = asyncio.run(Never().grade(question, response, reference))
    assert outcome.score in (0.0, 1.0) or outcome.reason is Reason.BAD_REFERENCE


# --- Decoys ------------------------------------------------------------------------------------------


def test_what_is_accepted_against_any_reference_abstains(scripted: Scripted) -> None:
    judge = scripted(lambda _: True, decoys=1)
    outcome = grade(judge, OPEN)
    assert outcome.reason is Reason.JUDGE_UNSURE
    assert "also accepted where the reference is" in outcome.detail
    assert len(judge.asked) == 2


@pytest.mark.parametrize("decoys", [0, 1, 3])
def test_a_judge_that_compares_passes_its_decoys(scripted: Scripted, decoys: int) -> None:
    judge = scripted(lambda user: '"Danube"' in user, decoys=decoys)
    assert grade(judge, OPEN) == Outcome(1.0, Reason.CORRECT, "judge")
    assert len(judge.asked) == 1 + decoys
    assert len(set(judge.asked)) == len(judge.asked)


def test_what_is_rejected_needs_no_decoy(scripted: Scripted) -> None:
    judge = scripted(lambda _: False, decoys=3)
    assert grade(judge, OPEN).score == 0.0
    assert len(judge.asked) == 1


def test_a_decoy_that_is_not_judged_abstains(scripted: Scripted) -> None:
    def lost(user: str) -> bool:
        if '"Danube"' in user:
            return True
        raise Abstained(Outcome(None, Reason.JUDGE_UNREACHABLE, "gone"))

    assert grade(scripted(lost, decoys=1), OPEN).reason is Reason.JUDGE_UNREACHABLE


@given(st.text(max_size=40), st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_decoys_are_wrong_and_always_the_same(question: str, answer: str, reference: str) -> None:
    decoys = make_decoys(question, answer, [reference], 3)
    assert decoys == make_decoys(question, answer, [reference], 3)
    assert len(set(decoys)) == len(decoys)
    for decoy in decoys:
        assert decoy.casefold() not in f"{question} {answer} {reference}".casefold()


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("Oslo", "name"),
        ("1969", "number"),
        ("曹雪芹", "chinese name"),
        ("1949年", "chinese number"),
    ],
)
def test_decoys_are_of_the_kind_of_the_reference(reference: str, kind: str) -> None:
    assert set(make_decoys("q", "a", [reference], 6)) <= set(DECOYS[kind])


# --- Canaries ----------------------------------------------------------------------------------------


def test_an_honest_judge_passes_its_canaries(scripted: Scripted) -> None:
    outcomes = asyncio.run(scripted(honest).grade_batch(items(12)))
    assert [outcome.score for outcome in outcomes] == [0.0] * 12


@pytest.mark.parametrize(
    ("verdict", "kinds"),
    [(lambda _: True, {"attack", "swapped"}), (lambda _: False, {"right"})],
    ids=["yes-sayer", "no-sayer"],
)
def test_a_judge_that_says_one_thing_is_found_out(
    scripted: Scripted, verdict: Callable[[str], bool], kinds: set[str]
) -> None:
    with pytest.raises(CanaryFailure) as caught:
        asyncio.run(scripted(verdict).grade_batch(items(12)))
    assert {canary.kind for canary in caught.value.failed} == kinds
    assert caught.value.sent == 9


def test_the_threshold_is_the_share_that_is_still_accepted(scripted: Scripted) -> None:
    def fooled_once(user: str) -> bool:
        return honest(user) or '"Thought process:"' in user

    batch = items(12)
    asyncio.run(scripted(fooled_once).grade_batch(batch, max_canary_failures=1 / 9))
    with pytest.raises(CanaryFailure, match="1 of 9 canaries"):
        asyncio.run(scripted(fooled_once).grade_batch(batch, max_canary_failures=0.1))


def test_canaries_skip_the_rules_and_the_counts(scripted: Scripted) -> None:
    judge = scripted(honest)
    asyncio.run(judge.grade_batch([Item(QUESTION, "The Danube", "Danube")] * 5, canaries=2))
    assert len(judge.asked) == 4  # two right, two attacks; the items share their reference
    assert judge.counts == {Reason.CORRECT: 5}


@pytest.mark.parametrize(("count", "each"), list(itertools.product([0, 1, 2, 7, 50], [0, 1, 3, 9])))
def test_as_many_canaries_as_asked_for(count: int, each: int) -> None:
    canaries = make_canaries([(i.question, [str(i.reference)]) for i in items(count)], each)
    wanted = min(count, each)
    kinds = [canary.kind for canary in canaries]
    assert kinds.count("right") == kinds.count("attack") == wanted
    assert kinds.count("swapped") == (wanted if count > 1 else 0)
    for canary in canaries:
        assert (canary.answer in canary.references) == (canary.kind == "right")
        assert (canary.answer in ATTACKS) == (canary.kind == "attack")


def test_a_swapped_reference_is_never_also_right() -> None:
    pairs = [("q1", ["Vienna"]), ("q2", ["vienna, Austria"]), ("q3", ["Graz"])]
    swapped = [c for c in make_canaries(pairs, 3) if c.kind == "swapped"]
    assert {(c.question, c.answer) for c in swapped} == {
        ("q1", "Graz"),
        ("q2", "Graz"),
        ("q3", "Vienna"),
    }


def test_an_empty_batch(scripted: Scripted) -> None:
    assert asyncio.run(scripted(honest).grade_batch([])) == []


def test_progress_is_shown(scripted: Scripted, capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(scripted(honest).grade_batch(items(4), progress=True))
    assert "13/13" in capfd.readouterr().err
