"""Critics on human preference pairs, and the speed of scoring, each side by side in one run.

    python -m benchmarks.critic --pairs hh_harmless_pairs.jsonl.gz
    python -m benchmarks.critic --pairs hh_harmless_pairs.jsonl.gz --recipe tuned --recipe frozen
    python -m benchmarks.critic --pairs hh_harmless_pairs.jsonl.gz --speed
    python -m benchmarks.critic --memory

Quality: five folds, split by the first question of the dialogue; each pair is scored by a critic that
saw none of its fold. Pairs that `read_pairs` leaves out are counted. The calibration error is given as trained and after one
temperature, which for each fold is fitted on the other folds' held-out margins. Everything but the fold's training pairs is
the same for all rows.

Speed: the conversations of the pairs, in an order that is random and fixed; every way scores the same model. Tokens
are those of the conversations, without padding. Best of `--rounds`; compare only within a run.

Memory: conversations of a million characters; the growth of the process while they are scored.
"""

import argparse
import copy
import logging
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers
from sentence_transformers import CrossEncoder

from examples.critic_like.alignment_critic import Critic, batches_by_length, pad_right
from examples.critic_like.bases import minilm
from examples.critic_like.conversations import encode
from examples.critic_like.measure import expected_calibration_error, fit_temperature, measure
from examples.critic_like.pairs import Pair, read_pairs, split_by_group
from examples.critic_like.train_critic import Settings, fit, load_base

Margins = list[float]
Recipe = Callable[[list[Pair], list[Pair]], Margins]

READ = Settings(max_length=160, last_messages=2)  # the last question and the response
HEAD_ONLY = replace(READ, epochs=0, head_penalty=0.007)
TUNED = replace(
    READ,
    keep_layers=3,
    mean_pooling=True,
    head_penalty=0.003,
    freeze_layers=1,
    learning_rate=3e-5,
    head_learning_rate=1e-4,
    epochs=1,
)


def shorter(training: list[Pair], test: list[Pair]) -> Margins:
    return [float(len(pair.rejected) - len(pair.chosen)) for pair in test]


def tf_idf(training: list[Pair], test: list[Pair]) -> Margins:
    """Bag of words: Bradley-Terry, which is logistic regression on differences of features."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    words.fit([text for pair in training for text in (pair.chosen, pair.rejected)])

    def differences(pairs: list[Pair]):  # type: ignore[no-untyped-def]
        chosen = words.transform([pair.chosen for pair in pairs])
        return chosen - words.transform([pair.rejected for pair in pairs])

    signs = [1 if index % 2 else -1 for index in range(len(training))]
    features = differences(training).multiply([[sign] for sign in signs])
    model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=1000).fit(features, signs)
    margins: Margins = (differences(test) @ model.coef_[0]).tolist()
    return margins


def trained(settings: Settings) -> Recipe:
    def train_and_score(training: list[Pair], test: list[Pair]) -> Margins:
        model, tokenizer = load_base(minilm(), settings)
        fit(model, tokenizer, training, settings)
        critic = Critic(model, tokenizer, settings.max_length)
        scores = critic.score([one for pair in test for one in pair.conversations()])
        return [c - r for c, r in zip(scores[::2], scores[1::2], strict=True)]

    return train_and_score


RECIPES: dict[str, tuple[str, Recipe]] = {
    "shorter": ("the shorter response wins", shorter),
    "tf-idf": ("TF-IDF of words and pairs of words, logistic", tf_idf),
    "frozen": ("MiniLM as it is, [CLS], head alone", trained(HEAD_ONLY)),
    "frozen-mean": (
        "lowest 3 layers as they are, mean, head alone",
        trained(replace(HEAD_ONLY, head_penalty=0.003, keep_layers=3, mean_pooling=True)),
    ),
    "usual": (
        "all layers trained, [CLS], head from nothing",
        trained(replace(READ, learning_rate=5e-5, epochs=1)),
    ),
    "tuned": ("lowest 3 layers, mean, head first, 2 layers trained", trained(TUNED)),
    "tuned-3": (
        "as tuned, 3 epochs at a rate of 1e-4",
        trained(replace(TUNED, epochs=3, learning_rate=1e-4)),
    ),
    "four-layers": (
        "as tuned, with the lowest 4 layers",
        trained(replace(TUNED, keep_layers=4, freeze_layers=2, head_penalty=0.007)),
    ),
    "all-messages": (
        "as tuned, reading all messages",
        trained(replace(TUNED, last_messages=0)),
    ),
    "no-centring": (
        "as tuned, without centring",
        trained(replace(TUNED, center=0.0)),
    ),
}


def quality(pairs: list[Pair], names: Sequence[str], keep: Path | None) -> None:
    folds = split_by_group(pairs, [0.2] * 4, seed=0)
    print(
        f"\n{'recipe':58} accuracy  95% interval    ECE  calibrated  chosen longer / shorter  seconds"
    )
    for name in names:
        description, recipe = RECIPES[name]
        start = time.perf_counter()
        margins_of_fold = [
            recipe([pair for other in folds if other is not fold for pair in other], fold)
            for fold in folds
        ]
        seconds = time.perf_counter() - start
        margins = [margin for fold in margins_of_fold for margin in fold]
        calibrated = []
        for own in margins_of_fold:
            others = [margin for fold in margins_of_fold if fold is not own for margin in fold]
            temperature = fit_temperature(others)
            calibrated += [margin / temperature for margin in own]
        order = [pair for fold in folds for pair in fold]
        if keep:
            rows = zip(order, margins, calibrated, strict=True)
            lines = [f"{len(p.chosen) - len(p.rejected)},{m:.4f},{c:.4f}" for p, m, c in rows]
            keep.write_text("\n".join(["longer_by,margin,calibrated", *lines, ""]), "utf-8")
        report = measure(
            margins,
            [0.0] * len(margins),
            [len(pair.chosen) for pair in order],
            [len(pair.rejected) for pair in order],
        )
        low, high = report.interval
        print(
            f"{description:58} {report.accuracy:8.1%}  {low:.1%}-{high:.1%}  {report.calibration_error:5.3f}"
            f"  {expected_calibration_error(calibrated):10.3f}"
            f"  {report.when_longer[0]:13.1%} / {report.when_shorter[0]:7.1%}  {seconds:7.0f}",
            flush=True,
        )


def speed(pairs: list[Pair], rounds: int, batch_size: int = 32) -> None:
    settings = Settings(max_length=512)
    model, tokenizer = load_base(minilm(), settings)
    critic = Critic(model, tokenizer, settings.max_length)
    conversations = [one for pair in pairs for one in pair.conversations()]
    random.Random(0).shuffle(conversations)
    ids, _ = encode(tokenizer, conversations, settings.max_length)
    batches = batches_by_length([len(i) for i in ids], critic.batch_tokens)
    print(
        f"\n{len(ids)} conversations, padding in the batches of Critic.score: "
        f"{_padding(ids, list(batches)):.1%}"
    )
    conversations, ids = conversations[:512], ids[:512]
    texts = [
        str(tokenizer.apply_chat_template([dict(m) for m in c], tokenize=False))
        for c in conversations
    ]
    # The peers add [CLS] and [SEP] themselves, and truncate on the left, as the critic does.
    texts = [text.removeprefix("[CLS]").removesuffix("[SEP]") for text in texts]
    tokenizer.truncation_side = "left"
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        plain = copy.deepcopy(tokenizer)
        plain.chat_template = None  # it would ask for roles of its own
        plain.save_pretrained(folder)
        # Its pairs are two texts: what comes before the response, and the response.
        cross_encoder = CrossEncoder(folder, device="cpu", activation_fn=torch.nn.Identity())
    two_texts = [tuple(text.rsplit("[SEP]", 1)) for text in texts]

    def forward(batch: Sequence[int]) -> list[float]:
        return critic._forward([ids[index] for index in batch])

    in_order = range(len(ids))
    sorted_batches = list(batches_by_length([len(i) for i in ids], critic.batch_tokens))
    same_size = round(len(ids) / len(sorted_batches))
    unsorted_batches = [in_order[at : at + same_size] for at in range(0, len(ids), same_size)]
    inputs = [
        pad_right([ids[i] for i in batch], tokenizer.pad_token_id) for batch in sorted_batches
    ]

    @torch.inference_mode()
    def bare() -> object:
        return [model(input_ids=i, attention_mask=mask).logits for i, mask in inputs]

    # Its many overloads are beyond mypy.
    classify: Any = transformers.pipeline(
        "text-classification",  # type: ignore[call-overload]
        model=model,
        tokenizer=tokenizer,
        device="cpu",
    )
    ways: dict[str, Callable[[], object]] = {
        "bare forward passes, sorted batches": bare,
        "Critic.score": lambda: critic.score(conversations),
        f"unsorted batches of {same_size}": lambda: [forward(b) for b in unsorted_batches],
        f"CrossEncoder.predict, batches of {batch_size}": lambda: cross_encoder.predict(
            two_texts, batch_size=batch_size, show_progress_bar=False
        ),
        f"transformers pipeline, batches of {batch_size}": lambda: classify(
            texts, batch_size=batch_size, truncation=True, max_length=512, function_to_apply="none"
        ),
        "one at a time": lambda: [forward([index]) for index in in_order],
    }
    tokens = sum(len(i) for i in ids)

    print(
        f"{len(ids)} of them, {tokens} tokens, MiniLM with 6 layers, {torch.get_num_threads()} threads; "
        f"padding {_padding(ids, sorted_batches):.1%}, unsorted {_padding(ids, unsorted_batches):.1%}"
    )
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            best[name] = min(best[name], time.perf_counter() - start)
    ours = best["Critic.score"]
    print(f"{'way':44} tokens/s  seconds  Critic.score = 1")
    for name, seconds in best.items():
        print(
            f"{name:44} {tokens / seconds:8,.0f} {seconds:8.2f} {seconds / ours:17.2f}", flush=True
        )


def _padding(ids: Sequence[Sequence[int]], batches: Sequence[Sequence[int]]) -> float:
    """The share of padding in what the model reads."""
    padded = sum(len(batch) * max(len(ids[i]) for i in batch) for batch in batches)
    return 1 - sum(len(ids[i]) for batch in batches for i in batch) / padded


def memory() -> None:
    settings = Settings(max_length=512)
    model, tokenizer = load_base(minilm(), settings)
    critic = Critic(model, tokenizer, settings.max_length)
    question = {"role": "user", "content": "What is it?"}
    print("\ncharacters  conversations  growth of the peak, MiB")
    for characters, count in ((2_000, 16), (2_000, 256), (1_000_000, 1), (1_000_000, 8)):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        response = {"role": "assistant", "content": "it is " * (characters // 6)}
        critic.score([[question, response]] * count)
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"{characters:10,} {count:14} {growth:24,.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=Path, help="preference pairs, as read_pairs takes them")
    parser.add_argument("--recipe", action="append", choices=RECIPES, help="may be repeated")
    parser.add_argument("--margins", type=Path, help="write the last recipe's margins here, as CSV")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not options.memory and options.pairs is None:
        parser.error("give --pairs, or --memory")
    if options.pairs and not options.pairs.is_file():
        raise SystemExit(f"{options.pairs}: no such file")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("examples").setLevel(logging.ERROR)
    words = [word if "/" not in word else Path(word).name for word in sys.argv[1:]]
    print("$ python -m benchmarks.critic", *words)
    versions = ", ".join(
        f"{name} {version(name)}"
        for name in ("torch", "transformers", "scikit-learn", "sentence-transformers")
    )
    print(f"{time.strftime('%Y-%m-%d')}, {versions}")
    if options.memory:
        memory()
        return
    pairs, left_out = read_pairs(options.pairs)
    print(f"{options.pairs.name}: {len(pairs)} pairs, {len(left_out)} rows left out")
    if options.speed:
        speed(pairs, options.rounds)
    else:
        quality(pairs, options.recipe or list(RECIPES), options.margins)


if __name__ == "__main__":
    main()
