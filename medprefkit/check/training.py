"""Fine-tuning an encoder into a checker: checkpoints, resume, calibration, and a folder that says what it holds.

Imports torch and transformers, which come with the `train` extra. The loop is transformers' Trainer.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import SequentialSampler
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments, set_seed

from medprefkit.check.calibration import fit_temperature, softmax, threshold_for
from medprefkit.check.cross_encoder import CrossEncoder, encode, most_tokens
from medprefkit.check.label_map import CheckerSettings, write_settings
from medprefkit.check.pairs import Pair
from medprefkit.check.statements import LABELS
from medprefkit.errors import ModelError, TrainError
from medprefkit.models.loading import quiet

_STATE = "training.json"
_CHECKPOINTS = "checkpoints"


class Options(NamedTuple):
    """How an encoder is fine-tuned.

    Attributes:
        encoder: Folder or Hub name.
        encoder_name: What the card calls it; never a folder of this machine.
        epochs: Passes over the pairs.
        learning_rate: Peak; warm-up over a tenth, then linear to 0.
        batch_size: Pairs a step.
        max_tokens: Of claim and reference together.
        max_reference_words: That the pairs' references were chosen by, and the checker's will be.
        frozen_layers: The embeddings and this many of the lowest layers stay as they are; -1 trains everything.
        save_steps: Steps between checkpoints.
        arithmetic: `bf16` is faster where the processor has it.
        seed: Of the classifier's start and the order of pairs.
        precision: Wanted share of right verdicts, from which the thresholds of abstaining follow.
    """

    encoder: str
    encoder_name: str
    epochs: float = 2.0
    learning_rate: float = 5e-5
    batch_size: int = 16
    max_tokens: int = 96
    max_reference_words: int = 24
    frozen_layers: int = 0
    save_steps: int = 100
    arithmetic: Literal["fp32", "bf16"] = "fp32"
    seed: int = 0
    precision: float = 0.95


def train_encoder(
    pairs: Sequence[Pair], calibration: Sequence[Pair], out: Path, options: Options, *, trained_on: str, resume: bool
) -> CheckerSettings:
    """Fine-tune, calibrate and save; the folder then works as the `model` of `check: nli`.

    Args:
        pairs: To learn from.
        calibration: Of other reports: for the temperature and the thresholds.
        out: Folder; `checkpoints/` in it is deleted at the end.
        options: How.
        trained_on: The sources' names, for the settings.
        resume: Go on from the last checkpoint; a finished folder is returned as it is.

    Returns:
        The settings that were saved.

    Raises:
        TrainError: If there are no pairs, the folder is used, or it was begun with other pairs or options.
        ModelError: If the encoder cannot be loaded.
    """
    if not pairs or not calibration:
        raise TrainError("no pairs could be made of these reports; give more, or other sources")
    _begin(out, pairs, options, resume=resume)
    settings = CheckerSettings(
        claim_form="focus",
        claim_first=True,
        max_tokens=options.max_tokens,
        max_reference_words=options.max_reference_words,
        encoder=options.encoder_name,
        trained_on=trained_on,
        seed=options.seed,
    )
    set_seed(options.seed)
    network, tokenizer = _load(options)
    trainer = _InOrder(
        model=network,
        args=_arguments(out, options),
        train_dataset=easy_first(pairs),
        data_collator=_Collator(tokenizer, settings),
    )
    trainer.train(resume_from_checkpoint=_last_checkpoint(out / _CHECKPOINTS))
    shutil.rmtree(out / _CHECKPOINTS, ignore_errors=True)
    network.save_pretrained(out)
    tokenizer.save_pretrained(out)
    settings = calibrated(out, settings, calibration, precision=options.precision)
    write_settings(out, settings)
    return settings


def calibrated(
    folder: Path, settings: CheckerSettings, calibration: Sequence[Pair], *, precision: float
) -> CheckerSettings:
    """Return the settings with the temperature and thresholds that the calibration pairs give."""
    logits = CrossEncoder(str(folder), settings).logits([as_read(pair) for pair in calibration])
    labels = label_indices(calibration)
    temperature = fit_temperature(logits, labels)
    sure = softmax(logits, temperature=temperature)
    thresholds = {
        label: round(threshold_for(sure, labels, LABELS.index(label), precision=precision), 4)
        for label in LABELS
        if label != "unverifiable"
    }
    return settings.model_copy(update={"temperature": round(temperature, 4), "thresholds": thresholds})


def as_read(pair: Pair) -> tuple[str, str]:
    """Return the claim as the checker reads it, and the reference."""
    claim = f"{pair.focus}: {pair.claim}" if pair.focus else pair.claim
    return " ".join(claim.split()), " ".join(pair.reference.split())


def label_indices(pairs: Sequence[Pair]) -> NDArray[np.intp]:
    """Return the labels' places in `LABELS`, (n,)."""
    return np.array([LABELS.index(pair.label) for pair in pairs], dtype=np.intp)


def _last_checkpoint(folder: Path) -> str | None:
    """Return the newest whole checkpoint; None where there is none yet."""
    found = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    return str(max(found, key=_step_of)) if found else None


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def easy_first(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs with claims of something wrong first, a third of all, and then the rest as they came.

    Of those alone the reference's polarity decides. With denials among them from the start, only claim and reference
    together decide, an exclusive or, which a small encoder does not begin to learn in the pairs that there are.
    """
    wanted = len(pairs) // 3
    first = [k for k, pair in enumerate(pairs) if pair.abnormal][:wanted]
    taken = set(first)
    return [pairs[k] for k in first] + [pair for k, pair in enumerate(pairs) if k not in taken]


class _InOrder(Trainer):
    """Takes the pairs in their order, which was drawn when they were made."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        pairs: Any = train_dataset if train_dataset is not None else self.train_dataset
        return SequentialSampler(pairs)


class _Collator:
    """Makes a batch of pairs."""

    def __init__(self, tokenizer: Any, settings: CheckerSettings) -> None:
        self._tokenizer, self._settings = tokenizer, settings

    def __call__(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        batch = encode(self._tokenizer, [as_read(pair) for pair in pairs], self._settings)
        return {**batch, "labels": torch.from_numpy(label_indices(pairs))}


def _load(options: Options) -> tuple[Any, Any]:
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(options.encoder)
            network: Any = AutoModelForSequenceClassification.from_pretrained(
                options.encoder,
                num_labels=len(LABELS),
                id2label=dict(enumerate(LABELS)),
                label2id={label: k for k, label in enumerate(LABELS)},
                ignore_mismatched_sizes=True,  # an NLI model's own head is replaced
                use_safetensors=True,
            )
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{options.encoder} cannot be loaded as an encoder: {reason}") from error
    if (most := most_tokens(network)) < options.max_tokens:
        raise TrainError(f"{options.encoder_name} reads {most} tokens, not {options.max_tokens}; lower --max-tokens")
    if options.frozen_layers >= 0:
        _freeze(network, options.frozen_layers)
    return network, tokenizer


def _freeze(network: Any, n_layers: int) -> None:
    """Keep the embeddings and the lowest layers: they know words, and half the cost of a step is theirs."""
    frozen = ("embeddings.", *(f"layer.{k}." for k in range(n_layers)), *(f"layers.{k}." for k in range(n_layers)))
    for name, parameter in network.base_model.named_parameters():
        if any(part in name for part in frozen):
            parameter.requires_grad = False


def _arguments(out: Path, options: Options) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(out / _CHECKPOINTS),
        num_train_epochs=options.epochs,
        learning_rate=options.learning_rate,
        per_device_train_batch_size=options.batch_size,
        warmup_steps=0.1,
        weight_decay=0.01,
        save_steps=options.save_steps,
        save_total_limit=1,
        logging_steps=20,
        seed=options.seed,
        data_seed=options.seed,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=not sys.stderr.isatty(),
        use_cpu=not torch.cuda.is_available(),
        bf16=options.arithmetic == "bf16",
        dataloader_pin_memory=False,
    )


def _begin(out: Path, pairs: Sequence[Pair], options: Options, *, resume: bool) -> None:
    """Write what the training is of, or check that the folder is of the same.

    Raises:
        TrainError: If it is not, or the folder is used and `resume` is false.
    """
    digest = hashlib.sha256(json.dumps([*map(list, pairs)]).encode()).hexdigest()[:16]
    state = {"pairs": digest, "options": {k: v for k, v in options._asdict().items() if k != "encoder"}}
    file = out / _STATE
    if file.is_file():
        if not resume:
            raise TrainError(f"{out} holds a training; --resume continues it, or choose another --out")
        began = json.loads(file.read_text("utf-8"))
        for key, value in state.items():
            if began.get(key) != value:
                raise TrainError(f"{out} was begun with other {key}; choose another --out")
        return
    if out.exists() and any(out.iterdir()):
        raise TrainError(f"{out} is not empty and holds no training; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(state, indent=2, sort_keys=True) + "\n", "utf-8")
