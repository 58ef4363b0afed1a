"""Train a critic: a reward model learnt from preference pairs (Bradley-Terry).

    python -m examples.critic_like.train_critic --base minilm --pairs own --out runs/critic
    python -m examples.critic_like.train_critic --base Qwen/Qwen2.5-0.5B-Instruct \\
        --pairs Anthropic/hh-rlhf --data-dir harmless-base --out runs/harmless

The model reads a conversation with a response and gives one logit r. People are taken to prefer
response a to b with probability sigmoid(r_a - r_b); training makes the preferences of the pairs
likely. A small term keeps scores near zero, since the loss sees only differences.

The run is split by prompt into training, calibration and test pairs. It is repeatable: the seed
decides the split, the head and the order, there is no dropout, and a run that was interrupted
continues where it stopped, to the same weights, when the same command is given again. What comes
out is a folder with safetensors, tokenizer and a model card, for `Critic.load` or any server of
sequence classifiers.

Needs torch, transformers (written for 5.23), safetensors, tqdm.
Sources: Bradley and Terry 1952; Stiennon et al. 2020, "Learning to summarize from human
feedback"; centring from Eisenstein et al. 2023, "Helping or Herding?", as in TRL's
RewardTrainer.
"""

import argparse
import copy
import dataclasses
import hashlib
import json
import logging
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    get_scheduler,
    set_seed,
)

from .alignment_critic import Critic, batches_by_length, check_checkpoint, pad_right
from .bases import resolve_base
from .conversations import encode, human_assistant_template
from .measure import Report, fit_temperature, measure
from .pairs import OWN_HELD_OUT, OWN_PAIRS, Pair, read_pairs, split_by_group

__all__ = [
    "Settings",
    "bradley_terry_loss",
    "calibrate",
    "evaluate",
    "fit",
    "load_base",
    "main",
    "save",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How to train. The defaults suit an encoder of 20 million weights and some thousand pairs.

    A larger model wants smaller rates: 1e-5 for both at 0.5 to 8 billion weights.
    """

    learning_rate: float = 1e-4  # of the body
    head_learning_rate: float = 1e-3  # of the new head, which starts from nothing
    epochs: int = 3
    batch_pairs: int = 16  # pairs of one optimizer step
    micro_batch_pairs: int = 16  # pairs of one pass; fewer need less memory and change nothing else
    max_length: int = 256  # tokens; a longer conversation loses its beginning
    keep_layers: int = 0  # 0: all; else the lowest ones only, the others are dropped
    mean_pooling: bool = False  # BERT only: score [CLS] + 4 * the mean of the tokens
    freeze_layers: int = 0  # the lowest ones, with the embeddings, stay as they are
    head_penalty: float = 0.0  # above 0: fit the head alone first, with this weight of its squares
    center: float = 0.01  # weight of the centring term
    weight_decay: float = 0.01
    warmup: float = 0.1  # share of the steps
    gradient_checkpointing: bool = False
    human_assistant: bool = False  # read Human:/Assistant: text, whatever template there is
    last_messages: int = 0  # in that form, read only so many, the response included; 0: all
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("batch_pairs", "micro_batch_pairs", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


def bradley_terry_loss(
    chosen: torch.Tensor, rejected: torch.Tensor, center: float = 0.0
) -> torch.Tensor:
    """Mean loss of pairs, in float32.

    Args:
        chosen, rejected: logits, shape (pairs,), any float type.
        center: weight of the mean squared sum of the two scores, which keeps them around zero.

    Returns:
        A scalar: -log sigmoid(chosen - rejected) + center * (chosen + rejected)**2, averaged.
    """
    chosen, rejected = chosen.float(), rejected.float()
    preference = -nn.functional.logsigmoid(chosen - rejected)
    return (preference + center * (chosen + rejected) ** 2).mean()


def load_base(
    base: str | Path, settings: Settings, revision: str | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a pretrained model, encoder or decoder, and give it a head of one label.

    Dropout is off: with it, a pair's two passes would differ by noise. A tokenizer without a
    chat template gets `human_assistant_template`; one whose pad token is missing or is EOS gets
    a pad token of its own.
    """
    check_checkpoint(base, revision)
    config = AutoConfig.from_pretrained(base, revision=revision, num_labels=1)
    for name, value in config.to_dict().items():
        if "drop" in name and isinstance(value, int | float) and not isinstance(value, bool):
            setattr(config, name, 0.0)
    if settings.keep_layers > config.num_hidden_layers:
        raise ValueError(
            f"keep_layers is {settings.keep_layers}, and {base} has {config.num_hidden_layers} layers"
        )
    if settings.keep_layers:
        config.num_hidden_layers = settings.keep_layers
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[: settings.keep_layers]
    set_seed(settings.seed)  # of the head's first weights
    model = AutoModelForSequenceClassification.from_pretrained(
        base,
        revision=revision,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
    )
    if settings.mean_pooling:
        _append_mean_layer(model)

    tokenizer = AutoTokenizer.from_pretrained(base, revision=revision, trust_remote_code=False)
    tokenizer.model_max_length = settings.max_length  # saved: Critic.load reads it
    if settings.human_assistant or tokenizer.chat_template is None:
        tokenizer.chat_template = human_assistant_template(tokenizer, settings.last_messages)
    elif settings.last_messages:
        raise ValueError(f"last_messages needs human_assistant: {base} has a template of its own")
    if tokenizer.pad_token is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
        if len(tokenizer) > model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.config.pad_token_id = tokenizer.pad_token_id
    if settings.freeze_layers:
        _freeze(model, settings.freeze_layers)
    return model, tokenizer


def fit(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Pair],
    settings: Settings,
    checkpoint: Path | None = None,
    save_steps: int = 200,
) -> None:
    """Train in place, on the device where the model is.

    A pair whose responses are the same tokens to the model, in all or in what `max_length` leaves
    of them, teaches nothing: it is left out, with a warning that counts such pairs.

    Args:
        checkpoint: a file of safetensors, written every `save_steps` steps and after each epoch;
            if it is there already, training continues from it.

    Raises:
        ValueError: no pair is left, or the checkpoint belongs to other pairs, settings or another
            model.
        FloatingPointError: the loss is no longer finite; nothing of that step is saved.
    """
    pairs, ids, lost, left_out = _encode_pairs(tokenizer, pairs, settings.max_length)
    if left_out:
        logger.warning(left_out)
    if cut := sum(count > 0 for count in lost):
        logger.warning("%d of %d conversations lose their beginning: max_length", cut, len(ids))
    unknown = sum(one.count(tokenizer.unk_token_id) for one in ids) / sum(map(len, ids))
    if tokenizer.unk_token_id is not None and unknown > 0.02:
        logger.warning("the tokenizer does not know %.0f%% of the tokens", 100 * unknown)
    steps_per_epoch = math.ceil(len(pairs) / settings.batch_pairs)
    total = settings.epochs * steps_per_epoch

    optimizer = _optimizer(model, settings)
    scheduler = get_scheduler("linear", optimizer, round(settings.warmup * total), total)
    run = _fingerprint(ids, settings, model)
    start = _restore(checkpoint, run, model, optimizer) if checkpoint and checkpoint.exists() else 0
    if start == 0 and settings.head_penalty:
        _fit_head(model, ids, tokenizer.pad_token_id, settings)
    for _ in range(start):
        scheduler.step()

    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    model.train()
    # Float32 weights and, on a GPU that has bfloat16, passes in bfloat16.
    autocast = torch.autocast(
        model.device.type,
        dtype=torch.bfloat16,
        enabled=model.device.type == "cuda" and torch.cuda.is_bf16_supported(),
    )
    lengths = [max(len(ids[2 * i]), len(ids[2 * i + 1])) for i in range(len(pairs))]
    progress = tqdm(range(start, total), initial=start, total=total, unit="step", disable=None)
    for step in progress:
        epoch, index = divmod(step, steps_per_epoch)
        if index == 0 or step == start:
            batches = epoch_batches(lengths, settings.batch_pairs, settings.seed + epoch)
        batch = batches[index]
        loss = 0.0
        for at in range(0, len(batch), settings.micro_batch_pairs):
            part = batch[at : at + settings.micro_batch_pairs]
            inputs = pad_right(
                [ids[2 * i] for i in part] + [ids[2 * i + 1] for i in part], tokenizer.pad_token_id
            )
            input_ids, attention_mask = (tensor.to(model.device) for tensor in inputs)
            with autocast:
                logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, 0]
            chosen, rejected = logits.chunk(2)
            part_loss = bradley_terry_loss(chosen, rejected, settings.center)
            (part_loss * len(part) / len(batch)).backward()
            loss += part_loss.item() * len(part) / len(batch)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"step {step}: the loss is {loss}; lower the learning rate, and look at pairs {batch}"
            )
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        progress.set_postfix(epoch=epoch + 1, loss=f"{loss:.3f}")
        if checkpoint and ((step + 1) % save_steps == 0 or index + 1 == steps_per_epoch):
            _store(checkpoint, run, step + 1, model, optimizer)
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_disable()
    model.eval()


def epoch_batches(lengths: Sequence[int], batch_pairs: int, seed: int) -> list[list[int]]:
    """Batches of pair indices for one epoch: random, with pairs of similar length together.

    Within each window of eight batches pairs are sorted by length, which saves most of the padding;
    the windows and the order of the batches are random.
    """
    shuffler = random.Random(seed)
    order = list(range(len(lengths)))
    shuffler.shuffle(order)
    batches = []
    window = 8 * batch_pairs
    for at in range(0, len(order), window):
        near = sorted(order[at : at + window], key=lambda i: lengths[i])
        batches += [near[i : i + batch_pairs] for i in range(0, len(near), batch_pairs)]
    shuffler.shuffle(batches)
    return batches


def evaluate(critic: Critic, pairs: Sequence[Pair]) -> Report:
    """Measure a critic on pairs, best on pairs that it was not trained on.

    Pairs whose responses are the same tokens to it are left out of all figures, since it cannot
    tell them apart, and counted in the report's `same_tokens`.

    Raises:
        ValueError: no pair is left, or a score is not finite.
    """
    given = len(pairs)
    pairs, _, _, left_out = _encode_pairs(critic.tokenizer, pairs, critic.max_length)
    if left_out:
        logger.warning(left_out)
    conversations = [pair.conversations() for pair in pairs]
    scores = critic.score(
        [chosen for chosen, _ in conversations] + [other for _, other in conversations]
    )
    report = measure(
        scores[: len(pairs)],
        scores[len(pairs) :],
        [len(pair.chosen) for pair in pairs],
        [len(pair.rejected) for pair in pairs],
    )
    return dataclasses.replace(report, same_tokens=given - len(pairs))


@torch.no_grad()
def calibrate(critic: Critic, pairs: Sequence[Pair]) -> float:
    """Divide the head by the temperature that fits these pairs, and centre it if it has a bias.

    The head is linear, so the checkpoint itself becomes calibrated and needs no file more. The
    ranking stays as it was. Pairs whose responses are the same tokens are left out, as in `fit`.

    Returns:
        The temperature.

    Raises:
        ValueError: no pair is left, or a score is not finite.
    """
    pairs, _, _, left_out = _encode_pairs(critic.tokenizer, pairs, critic.max_length)
    if left_out:
        logger.warning(left_out)
    conversations = [conversation for pair in pairs for conversation in pair.conversations()]
    scores = critic.score(conversations)
    temperature = fit_temperature([c - r for c, r in zip(scores[::2], scores[1::2], strict=True)])
    head = _head(critic.model)
    if head.bias is not None:
        head.bias.sub_(sum(scores) / len(scores)).div_(temperature)
    head.weight.div_(temperature)
    return temperature


def save(critic: Critic, out: Path, card: str) -> None:
    """Write weights (safetensors), tokenizer and card into a folder."""
    critic.model.save_pretrained(out)
    critic.tokenizer.save_pretrained(out)
    (out / "README.md").write_text(card, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> Report:
    """Train from the command line; see `--help`."""
    logging.basicConfig(format="%(message)s")
    options = _parse(arguments)
    settings = Settings(
        **{field.name: getattr(options, field.name) for field in dataclasses.fields(Settings)}
    )
    if (options.out / "config.json").exists():
        sys.exit(f"{options.out} already holds a model: choose another --out")
    if options.pairs == "own":
        options.pairs, options.test_pairs = OWN_PAIRS, options.test_pairs or OWN_HELD_OUT
    where = {
        "split": options.split,
        "data_dir": options.data_dir,
        "revision": options.pairs_revision,
    }
    pairs, left_out = read_pairs(options.pairs, **where)
    if options.test_pairs:
        test, bad = read_pairs(options.test_pairs)
        left_out += bad
        options.test = 0.0
    training, calibration, rest = split_by_group(
        pairs, [options.calibration, options.test], settings.seed
    )
    test = rest if not options.test_pairs else test
    for name, part in (("--calibration", calibration), ("--test", test), ("--pairs", training)):
        if not part:
            sys.exit(f"{name} leaves no pairs for its part: give it a larger share, or more pairs")
    for row in left_out:
        print(f"left out: {row}")
    print(
        f"{len(training)} pairs to train on, {len(calibration)} to calibrate, {len(test)} to test"
    )

    model, tokenizer = load_base(resolve_base(options.base), settings, options.revision)
    for part in (calibration, test):  # now, and not when the training is over
        _encode_pairs(tokenizer, part, settings.max_length)
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint = options.out / "checkpoint.safetensors"
    fit(model, tokenizer, training, settings, checkpoint)
    critic = Critic(model, tokenizer, settings.max_length)
    temperature = calibrate(critic, calibration)
    report = evaluate(critic, test)
    print(report)
    save(critic, options.out, _card(options, settings, pairs, left_out, temperature, report))
    checkpoint.unlink(missing_ok=True)  # there is none after 0 epochs
    print(f"saved to {options.out}")
    return report


# --- Parts -------------------------------------------------------------------------------------


def _encode_pairs(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], max_length: int
) -> tuple[list[Pair], list[list[int]], list[int], str]:
    """The pairs that a model can tell apart, and their conversations, encoded.

    Returns:
        N pairs; 2N lists of ids and 2N counts of lost tokens, as from `encode`, those of a pair
        side by side; and what was left out and why, "" for nothing.

    Raises:
        ValueError: there are pairs, and none is left.
    """
    conversations = [pair.conversations() for pair in pairs]
    ids, lost = encode(tokenizer, [one for both in conversations for one in both], max_length)
    same = [n for n in range(len(pairs)) if ids[2 * n] == ids[2 * n + 1]]
    if not same:
        return list(pairs), ids, lost, ""
    whole, _ = encode(tokenizer, [one for n in same for one in conversations[n]], sys.maxsize)
    alike = sum(a == b for a, b in zip(whole[::2], whole[1::2], strict=True))
    why = (
        f"{len(same)} of {len(pairs)} pairs are left out, since both responses are the same tokens: "
        f"in {len(same) - alike}, max_length={max_length} cuts off where they differ; in {alike}, "
        "the tokenizer does not see the difference (case, accents, line breaks, or characters that "
        "it does not know)"
    )
    if len(same) == len(pairs):
        raise ValueError(f"no pair is left: {why}")
    kept = sorted(set(range(len(pairs))) - set(same))
    return (
        [pairs[n] for n in kept],
        [one for n in kept for one in ids[2 * n : 2 * n + 2]],
        [one for n in kept for one in lost[2 * n : 2 * n + 2]],
        why,
    )


def _head(model: PreTrainedModel) -> nn.Linear:
    """The linear layer that gives the logit."""
    linear = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == 1]
    return linear[-1]


def _fit_head(
    model: PreTrainedModel, ids: list[list[int]], pad_id: int, settings: Settings
) -> None:
    """Fit the head on the body as it is; a later change of the body then starts from sense.

    Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features".
    """
    head = _head(model)
    features = torch.empty(len(ids), head.in_features)
    seen: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        for batch in batches_by_length([len(i) for i in ids], 8192):
            input_ids, attention_mask = pad_right([ids[i] for i in batch], pad_id)
            model.eval()(
                input_ids=input_ids.to(model.device), attention_mask=attention_mask.to(model.device)
            )
            value = seen.pop().float().cpu()
            if value.ndim == 3:  # a decoder's head runs over all tokens; the last one counts
                value = value[torch.arange(len(batch)), attention_mask.sum(1) - 1]
            features[batch] = value
    hook.remove()

    weight = torch.zeros(head.in_features, requires_grad=True)
    solver = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        scores = features @ weight
        value = bradley_terry_loss(scores[::2], scores[1::2])
        value = value + settings.head_penalty * weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    with torch.no_grad():
        head.weight[0] = weight
        if head.bias is not None:
            head.bias.fill_(-(features @ weight).mean().item())


def _append_mean_layer(model: PreTrainedModel) -> None:
    """Give BERT one more layer, which adds four times the mean of all tokens to `[CLS]`.

    Attention whose queries are zero weighs all tokens alike: it is a mean. Written as weights,
    the mean needs no class of its own, and whatever serves BERT serves this critic.
    """
    if model.config.model_type != "bert":
        raise ValueError(f"mean_pooling is for BERT, not for {model.config.model_type}")
    bert: Any = model.get_submodule("bert")
    layers = bert.encoder.layer
    layer = copy.deepcopy(layers[-1])
    identity = torch.eye(model.config.hidden_size)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.attention.self.value.weight.copy_(identity)
        layer.attention.output.dense.weight.copy_(4 * identity)  # the mean, over [CLS] itself
        layer.attention.output.LayerNorm.weight.fill_(1)
        layer.output.LayerNorm.weight.fill_(1)
        bert.pooler.dense.weight.copy_(identity / 4)  # where tanh is nearly straight
        bert.pooler.dense.bias.zero_()
    layers.append(layer)
    model.config.num_hidden_layers += 1


def _freeze(model: PreTrainedModel, count: int) -> None:
    total = model.config.num_hidden_layers
    if count > total:
        raise ValueError(f"freeze_layers is {count}, and the model has {total} layers")
    stacks = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == total]
    first = next(stacks[0].parameters())
    for parameter in model.base_model.parameters():  # embeddings come before the layers
        if parameter is first:
            break
        parameter.requires_grad_(False)
    for layer in list(stacks[0])[:count]:
        layer.requires_grad_(False)


def _optimizer(model: PreTrainedModel, settings: Settings) -> torch.optim.AdamW:
    """AdamW; biases and norms (one dimension) are not decayed, the head has its own rate."""
    body = {id(parameter) for parameter in model.base_model.parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            rate = settings.learning_rate if id(parameter) in body else settings.head_learning_rate
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]
    )


def _fingerprint(ids: list[list[int]], settings: Settings, model: PreTrainedModel) -> str:
    """Names the run: its tokens, settings, and the model that it begins with."""
    config = model.config.to_dict() | {"_name_or_path": ""}  # the folder may have moved
    sample = [parameter.detach().flatten()[:8].tolist() for parameter in model.parameters()]
    content = json.dumps([ids, dataclasses.asdict(settings), config, sample], default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _store(
    path: Path, run: str, step: int, model: PreTrainedModel, optimizer: torch.optim.Optimizer
) -> None:
    tensors = {
        f"model.{name}": p.detach() for name, p in model.named_parameters() if p.requires_grad
    }
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    new = path.with_suffix(".new")
    save_file(
        {name: t.contiguous() for name, t in tensors.items()}, new, {"run": run, "step": str(step)}
    )
    new.replace(path)  # an interruption leaves the old one or the new one, whole


def _restore(path: Path, run: str, model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> int:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        if metadata["run"] != run:
            raise ValueError(
                f"{path} was written by a run with other pairs, settings or model: give the same "
                "ones again to continue it, or delete it to start anew"
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(tensors[f"model.{name}"])
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return int(metadata["step"])


def _card(
    options: argparse.Namespace,
    settings: Settings,
    pairs: Sequence[Pair],
    left_out: Sequence[object],
    temperature: float,
    report: Report,
) -> str:
    """The model card: what it is, from what, how, and how good."""
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-classification",
        "tags: [reward-model]",
        "---",
        "",
        f"# A critic from {options.base}",
        "",
        "A reward model of one label, trained by `train_critic.py` of Rewards by Example with the",
        "Bradley-Terry loss. A score is a logit; the difference of two scores of responses to one prompt",
        "is the log-odds that people prefer the first.",
        "",
        "## Data",
        "",
        f"`{options.pairs}`"
        + (f", data_dir `{options.data_dir}`" if options.data_dir else "")
        + f": {len(pairs)} pairs, {len(left_out)} rows left out. Of the groups (pairs with one",
        f"prompt), {options.calibration:.0%} calibrate the critic. It is tested on "
        + (f"`{options.test_pairs}`." if options.test_pairs else f"{options.test:.0%} of them."),
        "",
        "## Settings",
        "",
        *(f"- {name}: {value}" for name, value in dataclasses.asdict(settings).items()),
        f"- temperature that the head was divided by: {temperature:.3f}",
        "",
        "## Figures on the test pairs",
        "",
        "```",
        str(report),
        "```",
        "",
    ]
    return "\n".join(lines)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train_critic", description="Train a reward model on preference pairs (Bradley-Terry)."
    )
    parser.add_argument(
        "--base",
        required=True,
        help="minilm, smollm2 (installed packages), a folder, or a hub name",
    )
    parser.add_argument("--revision", help="commit of the base on the hub")
    parser.add_argument(
        "--pairs", required=True, help="own (the book's), a .jsonl or .jsonl.gz file, or a hub name"
    )
    parser.add_argument("--split", default="train", help="of a data set on the hub")
    parser.add_argument("--data-dir", help="of a data set on the hub, such as harmless-base")
    parser.add_argument("--pairs-revision", help="commit of the data set on the hub")
    parser.add_argument("--out", type=Path, required=True, help="folder for the trained critic")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument(
        "--test-pairs", help="a .jsonl or .jsonl.gz file to test on, rather than a share"
    )
    parser.add_argument("--calibration", type=float, default=0.1, help="share of the prompts")
    parser.add_argument("--test", type=float, default=0.2, help="share of the prompts")
    for field in dataclasses.fields(Settings):
        name = "--" + field.name.replace("_", "-")
        if field.type is bool or field.type == "bool":
            parser.add_argument(name, action="store_true")
        else:
            parser.add_argument(name, type=type(field.default), default=field.default)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
