r"""Reward Geometry3K answers: the whole answer, in a box, in brackets, or stated.

    >>> grade(r"By Pythagoras, [2\sqrt{221}]", r"2 \sqrt { 221 }").score
    1.0
    >>> grade("By Pythagoras, [221]", r"2 \sqrt { 221 }").score
    0.0

References are lengths, angles and areas: `28`, `2 \sqrt { 221 }`, `\frac { 5 } { 2 }`, `58.5`. Prompts for
the data set often ask for the answer in square brackets; so a bracket that ends the response states its
answer, as does a last line such as "so x = 5", when nothing else does. What is stated is compared by
`math_answer`: as a whole, never by its last number.

Needs what `math_answer` needs. Data: Lu et al. 2021, "Inter-GPS"; signature of `geometry3k_reward_fn`:
AReaL 1.0.
"""

import re
from typing import Any

from ..shared.outcome import Outcome
from . import math_answer
from .statements import WINDOW

__all__ = ["geometry3k_reward_fn", "grade"]

_FINAL_BRACKET = re.compile(r"\[([^\[\]]+)\](?:\s*(?:cm|m|units?|degrees?|°))?[\s.。*$\\)]*\Z")
_CONCLUSION = re.compile(
    r"(?:\b(?:so|thus|hence|therefore)\b|所以|因此|故)[,，\s:：]*(\S[^\n.。]{0,80}?=[^\n=]{1,80}?)[\s.。*$\\)]*\Z",
    re.IGNORECASE,
)


def grade(response: str, reference: str) -> Outcome:
    """Score 1.0 if the response's final answer equals the reference.

    Args:
        response: what the policy wrote; any string.
        reference: an answer as in the data set, such as `2 \\sqrt { 221 }`.

    Returns:
        As `math_answer.grade`.
    """
    if math_answer.find_answer(response) is None:
        end = response[-WINDOW:]
        stated = _FINAL_BRACKET.search(end) or _CONCLUSION.search(end)
        if stated and "<think>" not in response:
            response = f"\\boxed{{{stated[1]}}}"
    return math_answer.grade(response, reference)


def geometry3k_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str | float,
    **kwargs: Any,
) -> float:
    """AReaL's reward signature: one completion in, one float out.

    Args:
        prompt, prompt_ids, completion_ids: not used; AReaL passes them.
        completions: the text of one completion, in spite of the plural.
        answer: Geometry3K's column of that name.
        **kwargs: the data set's other columns, not used.

    Raises:
        Abstained: the reference is broken, or the verification failed.
    """
    reference = str(answer) if isinstance(answer, int | float) else answer
    return grade(completions, reference).require_score()
