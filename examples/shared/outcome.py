"""The contract every grader returns: a score, or an abstention that says why.

`Outcome` is what a grader measured. `score` is a finite float, or `None` when nothing was
measured. `reason` is a `Reason`: a closed list in which each member says who is to blame, and so
whether it scores or abstains. What the policy did scores; what the machinery did abstains. An
`Outcome` that mixes the two cannot be built.

    >>> Outcome(1.0, Reason.CORRECT)
    Outcome(score=1.0, reason=<Reason.CORRECT: 'correct'>, detail='')
    >>> Outcome(0.0, Reason.JUDGE_UNREACHABLE)
    Traceback (most recent call last):
    ValueError: judge_unreachable abstains: score must be None, not 0.0

Standard library only.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from numbers import Real
from typing import Self

__all__ = ["Abstained", "Outcome", "Reason"]


class Reason(StrEnum):
    """Why an outcome is what it is.

    `blame` is "policy", which scores, or "machinery", which `abstains`. The string value is the stable name: log it, count it, put it on a dashboard.
    """

    blame: str
    meaning: str
    abstains: bool

    def __new__(cls, value: str, blame: str, meaning: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.blame = blame
        member.meaning = meaning
        member.abstains = blame == "machinery"
        return member

    # What the policy wrote: scores.
    CORRECT = "correct", "policy", "the answer equals the reference"
    WRONG = "wrong", "policy", "the answer differs from the reference"
    NO_ANSWER = "no_answer", "policy", "the response commits to no single answer"
    TOO_COMPLEX = "too_complex", "policy", "the response would cost too much to verify"
    SCORED = "scored", "policy", "a graded score, such as a reward model's"

    # What the machinery did: abstains.
    BAD_REFERENCE = "bad_reference", "machinery", "the reference cannot be read"
    TIMED_OUT = "timed_out", "machinery", "the grader passed its deadline"
    WORKER_DIED = "worker_died", "machinery", "the process that graded was killed or crashed"
    BAD_SCORE = "bad_score", "machinery", "the reward model returned NaN or infinity"
    JUDGE_UNREACHABLE = "judge_unreachable", "machinery", "the judge did not answer"
    JUDGE_UNPARSEABLE = "judge_unparseable", "machinery", "the judge's reply holds no verdict"
    JUDGE_UNSURE = "judge_unsure", "machinery", "the judge is not sure enough of its verdict"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One measurement of one response.

    Args:
        score: the reward, a finite number kept as a `float`; `None` means abstained. A
            grader that compares with a reference scores in [0.0, 1.0]; a reward model's
            score is an unbounded logit.
        reason: why; it decides whether a score may be there at all.
        detail: one short line for a log: what was compared, or what broke.

    Raises:
        TypeError: `score` is neither a real number nor None (a tensor: call `.item()`),
            or `reason` is no `Reason`.
        ValueError: the score is not finite, a reason that abstains comes with a score, or
            one that scores comes without.
    """

    score: float | None
    reason: Reason
    detail: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.reason, Reason):
            raise TypeError(f"reason must be a Reason, not {self.reason!r}")
        if self.reason.abstains:
            if self.score is not None:
                raise ValueError(f"{self.reason} abstains: score must be None, not {self.score!r}")
            return
        if self.score is None:
            raise ValueError(
                f"{self.reason} is the policy's doing: score must be a number, not None"
            )
        if type(self.score) is not float:  # some frameworks refuse an int or a NumPy scalar
            if not isinstance(self.score, Real):
                raise TypeError(f"score must be a real number, not {type(self.score).__name__}")
            object.__setattr__(self, "score", float(self.score))
        if not math.isfinite(self.score):
            raise ValueError(f"score must be finite, not {self.score!r}")

    def require_score(self) -> float:
        """Return the score, or raise `Abstained`."""
        if self.score is None:
            raise Abstained(self)
        return self.score


class Abstained(Exception):
    """No score was measured; `outcome` says why. The framework decides what becomes of it."""

    def __init__(self, outcome: Outcome) -> None:
        if outcome.score is not None:
            raise ValueError(f"not an abstention: {outcome!r}")
        super().__init__(outcome)
        self.outcome = outcome

    def __str__(self) -> str:
        reason, detail = self.outcome.reason, self.outcome.detail
        return f"{reason}: {detail}" if detail else f"{reason}: {reason.meaning}"
