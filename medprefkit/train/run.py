"""`train`: a dataset of pairs becomes an adapter. Everything that can be refused is refused before weights load."""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import TrainingArguments, set_seed

from medprefkit import __version__
from medprefkit.build.features import load_pairs
from medprefkit.errors import TrainError
from medprefkit.lab.model import build_tiny_llava
from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.journal import JsonLines, StepBar, adapter_readme, write_json
from medprefkit.train.lora import DTYPES, Precision, add_lora, load_base_model, load_processor, quiet
from medprefkit.train.presets import objective_settings
from medprefkit.train.rows import TrainableRows, trainable_rows
from medprefkit.train.trainer import PreferenceTrainer

TINY = "tiny-llava"
"""A model name that needs no download: a random LLaVA, built beside the adapter. It learns nothing worth having."""

SETTINGS, LOG, METRICS, CHECKPOINTS = "settings.json", "log.jsonl", "metrics.json", "checkpoints"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What came of a run.

    Attributes:
        adapter_dir: Folder of the adapter, its README, `settings.json`, `log.jsonl` and `metrics.json`.
        n_rows: Rows trained on.
        refused: Rows left out, by reason.
        steps: Optimizer steps made.
        metrics: Final averages: those of the last log line, and `eval_...` where there is an evaluation split.
        warnings: What the trainer warned of.
    """

    adapter_dir: Path
    n_rows: int
    refused: dict[str, int]
    steps: int
    metrics: dict[str, float]
    warnings: tuple[str, ...]


def train(
    dataset_dir: str | Path,
    out_dir: Path,
    *,
    model: str,
    preset: str = "medpref",
    objective: Mapping[str, Any] | None = None,
    max_steps: int | None = None,
    epochs: float = 1.0,
    learning_rate: float = 5e-6,
    batch_size: int = 4,
    gradient_accumulation: int = 8,
    lora_r: int = 128,
    lora_alpha: int = 256,
    precision: Precision = "bf16",
    gradient_checkpointing: bool = False,
    seed: int = 0,
    save_steps: int = 100,
    chosen_drop_nats: float = 3.0,
    resume: bool = False,
) -> TrainResult:
    """Train a LoRA adapter on the split `train` and measure it on `eval`, where there is one.

    On a CPU the same arguments give the same adapter, and a run that was killed and resumed gives the adapter of one
    that was not.

    Args:
        dataset_dir: A run, a saved dataset, a folder of Parquet files, or a Hub name; by the column contract.
        out_dir: Created. Holds the adapter and what `TrainResult` names.
        model: Folder or Hub name of an image-text-to-text model; `tiny-llava` builds a toy on the spot.
        preset: Name of an objective; see `presets.PRESETS`.
        objective: Settings of it to change, by the names of `ObjectiveSettings`.
        max_steps: Optimizer steps; overrides `epochs`.
        epochs: Passes over the rows.
        learning_rate: Peak of a cosine with 3 % warm-up.
        batch_size: Rows a forward pass; each is two or three sequences.
        gradient_accumulation: Passes an optimizer step.
        lora_r: Rank of the adapter.
        lora_alpha: Its scale, over `lora_r`.
        precision: Of weights and arithmetic; the adapter, log-probabilities and KLs stay float32.
        gradient_checkpointing: Recompute activations, for memory.
        seed: Of the adapter's start and the order of rows.
        save_steps: Steps between checkpoints.
        chosen_drop_nats: As `PreferenceTrainer`.
        resume: Go on from the last checkpoint in `out_dir`; from the start where there is none.

    Raises:
        TrainError: If an option, the model, the processor or the rows do not allow it.
        DatasetError: If the dataset is absent or does not honour the column contract.
    """
    settings = objective_settings(preset, **(objective or {}))
    _refuse_options(max_steps, epochs, learning_rate, batch_size, gradient_accumulation, lora_r, lora_alpha, save_steps)
    _refuse_precision(precision)
    splits = load_pairs(dataset_dir)
    if "train" not in splits:
        raise TrainError(f"{dataset_dir} has no split 'train', only {', '.join(sorted(splits))}")
    out_dir.mkdir(parents=True, exist_ok=True)
    if model == TINY:
        model_path = str(_tiny(out_dir, splits["train"], seed))
    else:
        model_path = str(Path(model).expanduser()) if model.startswith("~") else model
    processor = load_processor(model_path)
    collator = PreferenceCollator(processor, needs_spans=settings.needs_spans, corrupted=settings.grounding_weight > 0)
    rows = {
        split: trainable_rows(splits[split], collator.encoder, needs_spans=settings.needs_spans, split=split)
        for split in ("train", "eval")
        if split in splits and (split == "train" or len(splits[split]) > 0)
    }
    told = {
        "model": model,
        "preset": preset,
        "objective": asdict(settings),
        "dataset_fingerprint": rows["train"].fingerprint,
        "max_steps": max_steps,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "gradient_accumulation": gradient_accumulation,
        "lora_r": lora_r,
        "lora_alpha": lora_alpha,
        "precision": precision,
        "seed": seed,
        "package_version": __version__,
    }
    _settle(out_dir, told, resume=resume)
    if (out_dir / METRICS).exists():  # written last: this run is done
        return _result(out_dir, json.loads((out_dir / METRICS).read_text("utf-8")))
    base = load_base_model(model_path, precision=precision)
    if gradient_checkpointing and not base.supports_gradient_checkpointing:
        raise TrainError(f"{type(base).__name__} does not support gradient_checkpointing")
    set_seed(seed)
    adapted = add_lora(base, r=lora_r, alpha=lora_alpha)
    n_steps = max_steps or _count_steps(len(rows["train"].rows), batch_size, gradient_accumulation, epochs)
    arguments = TrainingArguments(
        output_dir=str(out_dir / CHECKPOINTS),
        max_steps=n_steps,
        learning_rate=learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=int(0.03 * n_steps),  # rounded down: a short run keeps its first step
        per_device_train_batch_size=batch_size,
        per_device_eval_batch_size=batch_size,
        gradient_accumulation_steps=gradient_accumulation,
        activation_checkpointing=gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if gradient_checkpointing else None,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not a number stops the run instead of being averaged away
        save_steps=save_steps,
        save_total_limit=2,
        report_to=[],
        remove_unused_columns=False,
        disable_tqdm=True,
    )
    with quiet():
        trainer = PreferenceTrainer(
            model=adapted,
            args=arguments,
            collator=collator,
            settings=settings,
            train_dataset=rows["train"].rows,
            eval_dataset=rows["eval"].rows if "eval" in rows else None,
            chosen_drop_nats=chosen_drop_nats,
            callbacks=[JsonLines(out_dir / LOG), StepBar()],
        )
        trainer.train(resume_from_checkpoint=_last_checkpoint(out_dir) if resume else None)
        if "eval" in rows:
            trainer.evaluate()
        return _finish(trainer, adapted, out_dir, told, rows["train"])


def _refuse_options(
    max_steps: int | None,
    epochs: float,
    learning_rate: float,
    batch_size: int,
    gradient_accumulation: int,
    lora_r: int,
    lora_alpha: int,
    save_steps: int,
) -> None:
    counts = {
        "max_steps": 1 if max_steps is None else max_steps,
        "batch_size": batch_size,
        "gradient_accumulation": gradient_accumulation,
        "lora_r": lora_r,
        "lora_alpha": lora_alpha,
        "save_steps": save_steps,
    }
    for name, count in counts.items():
        if count < 1:
            raise TrainError(f"{name} must be at least 1, got {count}")
    for name, amount in {"epochs": epochs, "learning_rate": learning_rate}.items():
        if not (math.isfinite(amount) and amount > 0):
            raise TrainError(f"{name} must be finite and above 0, got {amount}")


def _refuse_precision(precision: str) -> None:
    if precision not in DTYPES:
        raise TrainError(f"precision must be one of {', '.join(DTYPES)}, got {precision!r}")
    if precision == "fp16" and not torch.cuda.is_available():
        raise TrainError("precision fp16 needs a CUDA device; use fp32 or bf16")
    if precision == "bf16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        raise TrainError("this GPU has no bf16; use fp16 or fp32")


def _tiny(out_dir: Path, rows: Any, seed: int) -> Path:
    texts = (
        message["content"]
        for row in rows.select_columns(["prompt", "chosen", "rejected"])
        for column in row.values()
        for message in column
    )
    with quiet():
        return build_tiny_llava(out_dir / TINY, texts, seed=seed)


def _settle(out_dir: Path, told: dict[str, Any], *, resume: bool) -> None:
    """Write the settings, or on a resume find them as they were.

    Raises:
        TrainError: If the folder holds another run; names the first setting that differs.
    """
    path = out_dir / SETTINGS
    if _last_checkpoint(out_dir) is None and not (out_dir / METRICS).exists():  # nothing that could be lost or mixed
        write_json(path, told)
        return
    if not resume:
        raise TrainError(f"{out_dir} already holds a run; resume it, or choose another folder")
    before = json.loads(path.read_text("utf-8"))
    for name in sorted({*before, *told}):
        if before.get(name) != told.get(name):
            raise TrainError(
                f"{out_dir} was begun with {name} {before.get(name)!r}, not {told.get(name)!r}; use another folder"
            )


def _count_steps(n_rows: int, batch_size: int, gradient_accumulation: int, epochs: float) -> int:
    passes = math.ceil(n_rows / batch_size)
    return math.ceil(math.ceil(passes / gradient_accumulation) * epochs)


def _last_checkpoint(out_dir: Path) -> str | None:
    """Return the newest checkpoint that was written to its end; its state is the last file of it."""
    states = (out_dir / CHECKPOINTS).glob("checkpoint-*/trainer_state.json")
    newest = max(states, key=_step_of, default=None)
    return None if newest is None else str(newest.parent)


def _step_of(state: Path) -> int:
    return int(state.parent.name.rsplit("-", 1)[-1])


def _finish(
    trainer: PreferenceTrainer, adapted: PeftModel, out_dir: Path, told: dict[str, Any], rows: TrainableRows
) -> TrainResult:
    history = trainer.state.log_history
    last = next((line for line in reversed(history) if "loss" in line), {})
    evaluated = next((line for line in reversed(history) if any(name.startswith("eval_") for name in line)), {})
    averages = {name: float(value) for name, value in {**last, **evaluated}.items()}
    summary = {
        **averages,
        "n_rows": len(rows.rows),
        "refused": rows.refused,
        "steps": trainer.state.global_step,
        "warnings": trainer.warnings,
    }
    adapted.save_pretrained(str(out_dir))
    (out_dir / "README.md").write_text(adapter_readme(told, summary), "utf-8")
    write_json(out_dir / METRICS, {**summary, "history": history})
    shutil.rmtree(out_dir / CHECKPOINTS, ignore_errors=True)  # the adapter is there, and with it the run is done
    return _result(out_dir, summary)


def _result(out_dir: Path, summary: Mapping[str, Any]) -> TrainResult:
    numbers = {name: value for name, value in summary.items() if isinstance(value, float)}
    return TrainResult(
        adapter_dir=out_dir,
        n_rows=summary["n_rows"],
        refused=dict(summary["refused"]),
        steps=summary["steps"],
        metrics=numbers,
        warnings=tuple(summary["warnings"]),
    )
