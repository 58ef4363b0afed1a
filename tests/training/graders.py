"""Graders for the tests of the adapters: right if equal, and an abstention on demand."""

import asyncio

from examples.shared.outcome import Outcome, Reason


def grade(response: str, reference: str) -> Outcome:
    """Abstains for the reference "broken" and for the response "lost"."""
    if reference == "broken":
        return Outcome(None, Reason.BAD_REFERENCE, "no number in it")
    if response == "lost":
        return Outcome(None, Reason.JUDGE_UNREACHABLE)
    right = response == reference
    return Outcome(float(right), Reason.CORRECT if right else Reason.WRONG)


async def grade_async(response: str, reference: str) -> Outcome:
    await asyncio.sleep(0)
    return grade(response, reference)


async def grade_with_question(question: str, response: str, reference: str) -> Outcome:
    """Right if the response is the question and the reference."""
    await asyncio.sleep(0)
    return grade(response, f"{question} {reference}")


def asks(question: str, response: str) -> Outcome:
    return Outcome(float(question == "8 * 9?"), Reason.SCORED)
