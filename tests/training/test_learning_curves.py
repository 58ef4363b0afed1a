"""The kept curves are whole, and what the page says of them holds."""

import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from benchmarks.learning_curves import RESULTS, REWARDS

Points = list[dict[str, Any]]


@pytest.fixture(scope="module")
def curves() -> dict[str, dict[int, Points]]:
    found: dict[str, dict[int, Points]] = defaultdict(dict)
    for line in Path(RESULTS).read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        assert run["command"].endswith(f"--one {run['reward']} {run['seed']}")
        assert run["seed"] not in found[run["reward"]]
        found[run["reward"]][run["seed"]] = run["points"]
    return found


def test_every_reward_has_three_seeds_to_the_end(curves: dict[str, dict[int, Points]]) -> None:
    assert set(curves) == set(REWARDS)
    for runs in curves.values():
        assert sorted(runs) == [0, 1, 2]
        assert all([p["step"] for p in run] == list(range(0, 161, 10)) for run in runs.values())


def test_the_judge_gives_the_curve_of_the_rule(curves: dict[str, dict[int, Points]]) -> None:
    for seed, points in curves["rules"].items():
        for a, b in zip(points, curves["judge"][seed], strict=True):
            assert (a["accuracy"], a["reward"], a["length"]) == (
                b["accuracy"],
                b["reward"],
                b["length"],
            )


@pytest.mark.parametrize("reward", ["rules", "judge", "critic", "combined", "deadline-abstain"])
def test_a_good_reward_teaches_each_seed(curves: dict[str, dict[int, Points]], reward: str) -> None:
    for points in curves[reward].values():
        assert points[-1]["accuracy"] > points[0]["accuracy"] + 0.3


@pytest.mark.parametrize("reward", ["naive", "critic-free", "deadline-zero"])
def test_a_bad_reward_rises_while_accuracy_falls(
    curves: dict[str, dict[int, Points]], reward: str
) -> None:
    for points in curves[reward].values():
        assert points[-1]["accuracy"] < points[0]["accuracy"] / 2
        assert points[-1]["reward"] > points[1]["reward"]


def test_what_rings_where_being_late_is_learnt(curves: dict[str, dict[int, Points]]) -> None:
    for points in curves["deadline-zero"].values():
        assert points[-1]["length"] > 35
        assert points[-1]["no_variance"] > 0.8


def test_the_naive_reward_is_hacked_within_twenty_steps(
    curves: dict[str, dict[int, Points]],
) -> None:
    assert fmean(points[2]["accuracy"] for points in curves["naive"].values()) < 0.1
    assert all(points[2]["length"] > 25 for points in curves["naive"].values())
