"""The command, run as a reader runs it, with a tiny policy: what it leaves, and how it goes on."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import datasets
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForCausalLM, AutoTokenizer

from examples.rule_based import gsm8k
from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training import train_gsm8k_grpo
from examples.training.small_policy import teach_format
from examples.training.train_gsm8k_grpo import (
    Point,
    Row,
    Settings,
    load_grade,
    main,
    plot,
    small_data,
    train,
)
from examples.training.word_problems import make_problems

TINY = Settings(
    steps=4,
    prompts=2,
    generations=4,
    longest_response=6,
    measure_every=1,
    save_every=2,
    learning_rate=1e-2,
)
ROWS, UNSEEN = small_data(train_size=12, unseen_size=4)
calls = 0


def spelling(response: str) -> Outcome:
    """A reward that differs between any two responses, and depends on nothing else."""
    return Outcome(sum(map(ord, response)) % 101 / 100, Reason.SCORED)


async def spelling_async(response: str) -> Outcome:
    await asyncio.sleep(0)
    return spelling(response)


def is_interrupted(response: str) -> Outcome:
    """Breaks in the fourth step: there is a checkpoint of the second, and a measurement of the third."""
    global calls
    calls += 1
    if calls > 3 * TINY.prompts * TINY.generations:
        raise KeyboardInterrupt
    return spelling(response)


def sometimes(response: str) -> Outcome:
    outcome = spelling(response)
    return Outcome(None, Reason.JUDGE_UNREACHABLE) if sum(map(ord, response)) % 2 else outcome


def is_broken(response: str) -> Outcome:
    raise ZeroDivisionError("a bug")


def is_the_first(question: str, response: str) -> Outcome:
    return Outcome(float(question == UNSEEN[0]["question"]), Reason.SCORED)


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept outside of the test's folder, nor in the environment."""
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    teach_format(folder, make_problems(12, seed=0), steps=3)
    return folder


@pytest.fixture(scope="module")
def run(
    policy: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, list[Point]]]:
    """A whole run; the tests only look at it."""
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENSORBOARD_LOGGING_DIR", "")
        yield out, train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, out, TINY)


def curve(out: Path) -> list[Point]:
    lines = (out / "curve.jsonl").read_text(encoding="utf-8").splitlines()
    return [Point(**json.loads(line)) for line in lines]


def folder_of(tmp_path: Path, **columns: Any) -> Path:
    """Make a folder of train.jsonl and test.jsonl, whose rows have these columns."""
    folder = tmp_path / "data"
    folder.mkdir()
    for split, rows in (("train", ROWS), ("test", UNSEEN)):
        made = [{n: row[n] if v is ... else v for n, v in columns.items()} for row in rows]
        text = "".join(json.dumps(row) + "\n" for row in made)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder


def options(settings: Settings = TINY) -> list[str]:
    return [
        text
        for name in Settings.__dataclass_fields__
        for text in (f"--{name.replace('_', '-')}", str(getattr(settings, name)))
    ]


# --- A run ---------------------------------------------------------------------------------------


def test_a_line_of_the_curve_is_a_measurement(run: tuple[Path, list[Point]]) -> None:
    out, points = run
    assert curve(out) == points
    assert [point.step for point in points] == [0, 1, 2, 3, 4]
    first, *later = points
    assert (first.reward, first.abstained, first.no_variance) == (None, None, None)
    for point in later:
        assert point.reward is not None
        assert 0 < point.reward < 1
        assert point.abstained == 0.0
        assert point.no_variance in (0.0, 0.5, 1.0)
    assert all(0 <= point.accuracy <= 1 and 1 <= point.length <= 6 for point in points)


def test_the_first_point_is_the_policy_as_it_was(
    policy: Path, run: tuple[Path, list[Point]]
) -> None:
    model = AutoModelForCausalLM.from_pretrained(policy)
    tokenizer = AutoTokenizer.from_pretrained(policy)
    prompt = tokenizer.apply_chat_template(
        UNSEEN[0]["prompt"], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    made = model.generate(**prompt, do_sample=False, max_new_tokens=6)
    text = tokenizer.decode(made[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    assert run[1][0].response == text


def test_the_policy_that_was_trained_is_saved(policy: Path, run: tuple[Path, list[Point]]) -> None:
    before = AutoModelForCausalLM.from_pretrained(policy).state_dict()
    after = AutoModelForCausalLM.from_pretrained(run[0] / "policy").state_dict()
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert AutoTokenizer.from_pretrained(run[0] / "policy").chat_template


def test_the_checkpoints_are_kept(run: tuple[Path, list[Point]]) -> None:
    names = sorted(path.name for path in run[0].glob("checkpoint-*"))
    assert names == ["checkpoint-2", "checkpoint-4"]


def test_tensorboard_has_what_trl_logs(run: tuple[Path, list[Point]]) -> None:
    out, points = run
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    rewards = events.Scalars("train/reward")
    assert [event.step for event in rewards] == [1, 2, 3, 4]
    assert [event.value for event in rewards] == pytest.approx(
        [point.reward for point in points[1:]], abs=1e-4
    )
    assert "train/abstained/spelling" in events.Tags()["scalars"]


def test_the_reward_of_a_point_is_the_mean_since_the_point_before(
    policy: Path, run: tuple[Path, list[Point]], tmp_path: Path
) -> None:
    points = train(
        policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path, replace(TINY, measure_every=2)
    )
    every = [point.reward or 0.0 for point in run[1]]
    assert [point.step for point in points] == [0, 2, 4]
    assert [point.reward for point in points[1:]] == pytest.approx(
        [(every[1] + every[2]) / 2, (every[3] + every[4]) / 2], abs=2e-4
    )
    assert [point.accuracy for point in points] == [point.accuracy for point in run[1][::2]]


def test_an_async_grader_gives_the_same_curve(
    policy: Path, run: tuple[Path, list[Point]], tmp_path: Path
) -> None:
    assert train(policy, ROWS, UNSEEN, spelling_async, gsm8k.grade, tmp_path, TINY) == run[1]


def test_the_seed_is_that_of_the_sampling(
    policy: Path, run: tuple[Path, list[Point]], tmp_path: Path
) -> None:
    one = replace(TINY, steps=1)
    other = replace(one, seed=1)
    same = train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path / "a", one)
    assert same == run[1][:2]
    assert train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path / "b", other) != same


def test_abstentions_are_counted_and_left_out_of_the_mean(policy: Path, tmp_path: Path) -> None:
    points = train(policy, ROWS, UNSEEN, sometimes, gsm8k.grade, tmp_path, replace(TINY, steps=2))
    for point in points[1:]:
        assert point.abstained is not None
        assert 0 < point.abstained < 1
        assert point.reward is not None  # those that are left are even
        assert point.reward > 0


def test_the_settings_reach_trl(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def stops(**options: Any) -> None:
        made.append(options["args"])
        raise InterruptedError

    monkeypatch.setattr(train_gsm8k_grpo, "GRPOTrainer", stops)
    settings = Settings(30, 6, 5, 3e-5, 0.5, 7, 11, 22, 17)
    with pytest.raises(InterruptedError):
        train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path, settings)
    args = made[0]
    assert (args.max_steps, args.per_device_train_batch_size, args.num_generations) == (30, 30, 5)
    assert (args.learning_rate, args.beta, args.max_completion_length) == (3e-5, 0.5, 7)
    assert (args.save_steps, args.save_total_limit, args.seed) == (22, 2, 17)
    assert args.lr_scheduler_type == "constant"


def test_the_curve_shows_the_measure_not_the_reward(policy: Path, tmp_path: Path) -> None:
    settings = replace(TINY, steps=1)
    points = train(policy, ROWS, UNSEEN, spelling, is_the_first, tmp_path, settings)
    assert [point.accuracy for point in points] == [0.25, 0.25]


# --- Interrupted -------------------------------------------------------------------------------


def test_a_longer_run_goes_on_where_a_shorter_one_ended(
    policy: Path, run: tuple[Path, list[Point]], tmp_path: Path
) -> None:
    short = replace(TINY, steps=2)
    graded: list[str] = []

    def counts(response: str) -> Outcome:
        graded.append(response)
        return spelling(response)

    train(policy, ROWS, UNSEEN, counts, gsm8k.grade, tmp_path, short)
    assert train(policy, ROWS, UNSEEN, counts, gsm8k.grade, tmp_path, TINY) == run[1]
    assert len(graded) == TINY.steps * TINY.prompts * TINY.generations  # and not from the start
    assert curve(tmp_path) == run[1]


def test_an_interrupted_run_goes_on_from_its_checkpoint_and_no_point_comes_twice(
    policy: Path, run: tuple[Path, list[Point]], tmp_path: Path
) -> None:
    global calls
    calls = 0
    with pytest.raises(KeyboardInterrupt):
        train(policy, ROWS, UNSEEN, is_interrupted, gsm8k.grade, tmp_path, TINY)
    assert [point.step for point in curve(tmp_path)] == [0, 1, 2, 3]
    assert train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path, TINY) == run[1]
    assert curve(tmp_path) == run[1]


def test_a_run_without_a_checkpoint_starts_again(
    policy: Path, run: tuple[Path, list[Point]], tmp_path: Path
) -> None:
    (tmp_path / "curve.jsonl").write_text(json.dumps({"step": 7, "accuracy": 1.0, "length": 1.0}))
    train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path, replace(TINY, steps=1))
    assert curve(tmp_path) == run[1][:2]


# --- What does not fit -------------------------------------------------------------------------


def test_a_grader_that_raises_stops_the_run(policy: Path, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"):
        train(policy, ROWS, UNSEEN, is_broken, gsm8k.grade, tmp_path, TINY)


def without(rows: list[Row], column: str) -> list[Row]:
    return [*rows[:1], {name: value for name, value in rows[1].items() if name != column}]


@pytest.mark.parametrize(
    ("rows", "unseen", "error", "message"),
    [
        (without(ROWS, "answer"), UNSEEN, LookupError, "row 1: no column 'answer'"),
        (ROWS, without(UNSEEN, "answer"), LookupError, "row 1: no column 'answer'"),
        ([{**ROWS[0], "answer": 72}], UNSEEN, TypeError, "row 0: column 'answer' holds int"),
        ([{**ROWS[0], "completions": ""}], UNSEEN, ValueError, "row 0: .*'completions'"),
        ([], UNSEEN, LookupError, "no rows"),
        (ROWS, [], LookupError, "no rows"),
    ],
)
def test_rows_that_do_not_fit_are_found_before_a_policy_is_loaded_or_a_file_written(
    rows: list[Row], unseen: list[Row], error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "curve.jsonl").write_text("kept")
    with pytest.raises(error, match=message):
        train(tmp_path / "no policy", rows, unseen, gsm8k.grade, gsm8k.grade, tmp_path, TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["curve.jsonl"]
    assert (tmp_path / "curve.jsonl").read_text() == "kept"


@pytest.mark.parametrize("which", ["grade", "measure"])
def test_a_grader_that_does_not_fit_is_found_before_a_policy_is_loaded(
    which: str, tmp_path: Path
) -> None:
    graders: dict[str, Any] = {"grade": spelling, "measure": spelling, which: lambda text: text}
    with pytest.raises(TypeError, match="a parameter named response"):
        train("no policy", ROWS, UNSEEN, out=tmp_path, settings=TINY, **graders)


# --- The command -------------------------------------------------------------------------------


def test_the_command_trains_a_policy_and_data_of_ones_own(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder_of(tmp_path, question=..., answer=..., more="x")
    out = tmp_path / "out"
    points = main(
        [
            *("--out", str(out), "--model", str(policy), "--data", str(data), "--unseen", "3"),
            *("--grade", f"{__name__}:spelling_async", "--measure", f"{__name__}:spelling"),
            *options(replace(TINY, steps=2)),
        ]
    )
    assert [point.step for point in points] == [0, 1, 2]
    assert curve(out) == points
    svg = ElementTree.parse(out / "curve.svg").getroot()
    assert svg.tag.endswith("svg")
    assert (out / "policy" / "model.safetensors").exists()
    assert list((out / "tensorboard").rglob("events.out.tfevents.*"))
    assert str(out / "curve.jsonl") in capsys.readouterr().out


def test_without_a_model_the_small_policy_is_taught_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[Path] = []

    def teaches(folder: Path, problems: Any, seed: int) -> None:
        taught.append(folder)
        teach_format(folder, problems, seed=seed, steps=2)

    monkeypatch.setattr(train_gsm8k_grpo, "teach_format", teaches)
    arguments = ["--out", str(tmp_path), "--unseen", "8", *options(replace(TINY, steps=1))]
    assert [point.step for point in main(arguments)] == [0, 1]
    arguments += ["--steps", "3"]
    assert [point.step for point in main(arguments)] == [0, 1, 2, 3]
    assert taught == [tmp_path / "taught"]


@pytest.fixture
def trained_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the command asks of `train`."""
    asked: dict[str, Any] = {}

    def watches(*values: Any) -> list[Point]:
        names = ("policy", "rows", "unseen", "grade", "measure", "out", "settings")
        asked.update(zip(names, values, strict=True))
        return [Point(0, 0.25, 6.0), Point(1, 0.5, 6.0, 0.1, 0.0, 0.0)]

    monkeypatch.setattr(train_gsm8k_grpo, "train", watches)
    monkeypatch.setattr(train_gsm8k_grpo, "teach_format", lambda *args, **kwargs: None)
    return asked


def test_the_defaults_are_those_of_the_settings_and_graders_of_the_book(
    trained_with: dict[str, Any], tmp_path: Path
) -> None:
    main(["--out", str(tmp_path)])
    assert trained_with["settings"] == Settings()
    assert trained_with["grade"] is trained_with["measure"] is gsm8k.grade
    assert (len(trained_with["rows"]), len(trained_with["unseen"])) == (2000, 200)
    assert trained_with["policy"] == tmp_path / "taught"


def test_every_setting_is_an_option(trained_with: dict[str, Any], tmp_path: Path) -> None:
    settings = Settings(1, 3, 5, 1e-6, 0.5, 7, 11, 22, 17)
    main(["--out", str(tmp_path), *options(settings)])
    assert trained_with["settings"] == settings


def test_rows_of_a_folder_tell_the_policy_how_to_answer(
    trained_with: dict[str, Any], tmp_path: Path
) -> None:
    data = folder_of(tmp_path, question=..., answer=...)
    main(["--out", str(tmp_path), "--model", "mine", "--data", str(data), "--unseen", "3"])
    assert trained_with["policy"] == "mine"
    row, question = trained_with["rows"][0], ROWS[0]["question"]
    assert (row["question"], row["answer"]) == (question, ROWS[0]["answer"])
    assert row["prompt"] == [{"role": "user", "content": question + train_gsm8k_grpo.INSTRUCTION}]
    assert len(trained_with["unseen"]) == 3 < len(UNSEEN)


def test_answers_that_are_no_strings_stop_the_command_before_the_policy_is_loaded(
    tmp_path: Path,
) -> None:
    data = folder_of(tmp_path, question=..., answer=72)
    with pytest.raises(TypeError, match="row 0: column 'answer' holds int 72"):
        main(["--out", str(tmp_path / "out"), "--model", "no policy", "--data", str(data)])


def test_a_folder_without_the_column_stops_the_command_and_names_it(tmp_path: Path) -> None:
    data = folder_of(tmp_path, question=..., solution="72")
    (tmp_path / "out").mkdir()
    with pytest.raises(LookupError, match="answer"):
        main(["--out", str(tmp_path / "out"), "--model", "no policy", "--data", str(data)])
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("examples.rule_based.gsm8k.grade", ValueError, "is not of the form module:function"),
        ("", ValueError, "is not of the form module:function"),
        ("examples.rule_based.gsm8k:no", ValueError, "gsm8k:no.*has no attribute 'no'"),
        ("examples.rule_based.gsm8k:", ValueError, "has no attribute ''"),
        ("examples.rule_based.no:grade", ModuleNotFoundError, "examples.rule_based.no"),
        ("no:grade", ModuleNotFoundError, "No module named 'no'"),
        (":grade", ValueError, "Empty module name"),
    ],
)
@pytest.mark.parametrize("option", ["--grade", "--measure"])
def test_the_name_of_a_grader_is_read_before_anything_is_made(
    option: str, name: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        main(["--out", str(tmp_path / "out"), option, name])
    assert not (tmp_path / "out").exists()


def test_a_grader_may_be_an_attribute_of_an_object() -> None:
    assert load_grade("examples.rule_based.gsm8k:grade") is gsm8k.grade
    assert load_grade("examples.shared.outcome:Reason.CORRECT.capitalize")() == "Correct"  # type: ignore[call-arg, comparison-overlap]


@pytest.mark.parametrize("arguments", [[], ["--out", "x", "--steps", "many"], ["--nothing"]])
def test_wrong_options_end_the_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m examples.training.train_gsm8k_grpo" in capsys.readouterr().err


def test_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for name in Settings.__dataclass_fields__:
        assert f"--{name.replace('_', '-')} " in shown


# --- The data and the drawing --------------------------------------------------------------------


def test_the_small_data_is_gradable_and_unseen_is_unseen() -> None:
    rows, unseen = small_data(train_size=60, unseen_size=30)
    assert (len(rows), len(unseen)) == (60, 30)
    assert not {row["question"] for row in rows} & {row["question"] for row in unseen}
    for row in rows + unseen:
        assert row["prompt"] == [{"role": "user", "content": row["question"]}]
        assert gsm8k.grade(row["answer"], row["answer"]).reason is Reason.CORRECT


@pytest.mark.parametrize(
    "points",
    [
        [Point(0, 0.3, 6.0)],
        [Point(0, 0.3, 6.0), Point(10, 0.5, 6.0)],
        [Point(0, 0.3, 6.0), Point(10, 0.5, 6.0, 0.4, 0.0, 0.0), Point(20, 0.6, 6.0)],
    ],
    ids=["one point", "no reward", "a reward in the middle"],
)
def test_a_curve_without_some_rewards_is_drawn(points: list[Point], tmp_path: Path) -> None:
    plot(points, tmp_path / "curve.svg")
    assert "accuracy, unseen" in (tmp_path / "curve.svg").read_text(encoding="utf-8")


# --- What must not go unnoticed ----------------------------------------------------------------


def down(response: str) -> Outcome:
    return Outcome(None, Reason.JUDGE_UNREACHABLE)


async def later(response: str) -> Outcome:
    return Outcome(1.0, Reason.SCORED)


def test_a_run_in_which_all_abstain_goes_on(policy: Path, tmp_path: Path) -> None:
    points = train(policy, ROWS, UNSEEN, down, gsm8k.grade, tmp_path, replace(TINY, steps=1))
    assert (points[1].reward, points[1].abstained) == (None, 1.0)


def test_a_run_that_has_ended_is_not_trained_further(policy: Path, tmp_path: Path) -> None:
    settings = replace(TINY, steps=2)
    points = train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path, settings)
    weights = (tmp_path / "policy" / "model.safetensors").read_bytes()
    assert train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path, settings) == points
    assert (tmp_path / "policy" / "model.safetensors").read_bytes() == weights


def test_where_the_curve_is_lost_it_begins_at_the_checkpoint(policy: Path, tmp_path: Path) -> None:
    train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path, replace(TINY, steps=2))
    (tmp_path / "curve.jsonl").unlink()
    points = train(policy, ROWS, UNSEEN, spelling, gsm8k.grade, tmp_path, TINY)
    assert points[0].step == 2


def test_a_measure_that_abstains_is_no_accuracy(policy: Path, tmp_path: Path) -> None:
    with pytest.raises(Abstained):
        train(policy, ROWS, UNSEEN, spelling, down, tmp_path, TINY)


def test_a_measure_that_is_async_is_refused(policy: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="later is async"):
        train(policy, ROWS, UNSEEN, spelling, later, tmp_path, TINY)


@pytest.mark.parametrize("wrong", [{"measure_every": 0}, {"steps": 0}, {"save_every": 15}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


def test_a_file_without_the_column_is_named(tmp_path: Path) -> None:
    data = folder_of(tmp_path, question=..., solution="72")
    with pytest.raises(LookupError, match="row 0: no column 'answer'"):
        main(["--out", str(tmp_path / "out"), "--model", "none", "--data", str(data)])


def test_data_without_a_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--data", "mine"])
    assert "--data is for --model" in capsys.readouterr().err


def test_a_grader_that_does_not_fit_is_found_before_the_teaching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(train_gsm8k_grpo, "teach_format")
    with pytest.raises((TypeError, ValueError)):
        main(["--out", str(tmp_path), "--grade", "math:sqrt"])


def test_a_plot_without_rewards_is_drawn(tmp_path: Path) -> None:
    plot([Point(0, 0.3, 6.0)], tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").stat().st_size > 0
