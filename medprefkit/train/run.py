"""`train`: a dataset of pairs becomes an adapter. Everything that can be refused is refused before weights load."""

import copy
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, TrainingArguments, set_seed
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from medprefkit import __version__
from medprefkit.errors import TrainError
from medprefkit.lab.model import build_tiny_llava
from medprefkit.models.fingerprint import adapter_revision
from medprefkit.models.loading import load_base_model, load_processor, quiet
from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.curves import draw_curves
from medprefkit.train.data import TrainingData, open_rows, open_splits, texts_of
from medprefkit.train.journal import TINY, JsonLines, StepBar, adapter_readme, write_json
from medprefkit.train.lora import add_lora, continue_lora, unfreeze_language_model
from medprefkit.train.memory import peak_memory_bytes
from medprefkit.train.options import TrainOptions
from medprefkit.train.presets import objective_settings
from medprefkit.train.reference_cache import cache_key, open_cache
from medprefkit.train.settings import ObjectiveSettings
from medprefkit.train.trainer import PreferenceTrainer

logger = logging.getLogger(__name__)

SETTINGS, LOG, METRICS, CURVES, CHECKPOINTS = (
    "settings.json", "log.jsonl", "metrics.json", "curves.png", "checkpoints",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What came of a run.

    Attributes:
        adapter_dir: Folder of the adapter (or of the whole model), its README, `settings.json`, `log.jsonl`,
            `metrics.json` and `curves.png`.
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


def train(dataset_dir: str | Path, out_dir: Path, *, resume: bool = False, **options: Any) -> TrainResult:
    """Train on the split `train` and measure on `eval`, where there is one.

    On a CPU the same arguments give the same adapter, and a run that was killed and resumed gives the adapter of one
    that was not.

    Args:
        dataset_dir: A run, a saved dataset, a folder of Parquet files, or a Hub name; by the column contract.
        out_dir: Created. Holds the adapter and what `TrainResult` names.
        resume: Go on from the last checkpoint in `out_dir`; from the start where there is none.
        options: As `TrainOptions`.

    Raises:
        TrainError: If an option, the processor or the rows do not allow it.
        ModelError: If the model cannot be loaded.
        DatasetError: If the dataset is absent or does not honour the column contract.
    """
    if os.environ.get("RANK", "0") != "0":  # of a launched run, one process speaks
        logging.getLogger("medprefkit").setLevel(logging.ERROR)
    told = TrainOptions(**options)
    settings = objective_settings(told.preset, **(told.objective or {}))
    by_token = settings.edit_weights == "tokens"
    splits = open_splits(dataset_dir, streaming=told.streaming, token_weights=by_token)
    out_dir.mkdir(parents=True, exist_ok=True)
    if told.model == TINY:
        model_path = str(_tiny(out_dir, texts_of(splits), told.seed))
    else:
        model_path = str(Path(told.model).expanduser()) if told.model.startswith("~") else told.model
    _refuse_without_images(model_path)
    processor = load_processor(model_path)
    collator = PreferenceCollator(
        processor,
        needs_spans=settings.needs_spans,
        corrupted=settings.grounding_weight > 0,
        max_answer_tokens=told.max_answer_tokens,
    )
    rows = open_rows(dataset_dir, splits, collator, streaming=told.streaming, seed=told.seed)
    summary = _summary(told, settings, rows.fingerprint)
    _settle(out_dir, summary, resume=resume)
    if (out_dir / METRICS).exists():  # written last: this run is done
        return _result(out_dir, json.loads((out_dir / METRICS).read_text("utf-8")))
    if told.reference_cache is not None and rows.scanned is not None:  # before weights load: another's is refused
        key = cache_key(rows.scanned, model_path, processor, precision=told.precision, settings=settings)
        open_cache(Path(told.reference_cache), key)
    set_seed(told.seed)
    model, reference = _model_and_reference(told, model_path)
    with quiet():
        trainer = PreferenceTrainer(
            model=model,
            args=_arguments(told, out_dir, rows),
            collator=collator,
            settings=settings,
            train_dataset=rows.train,
            eval_dataset=rows.eval,
            chosen_drop_nats=told.chosen_drop_nats,
            reference=reference,
            n_tokens=rows.scanned.n_tokens if rows.scanned is not None and told.group_by_length else None,
            callbacks=[JsonLines(out_dir / LOG), StepBar()],
        )
        logger.info("memory    %s", trainer.memory_estimate(rows.longest))
        if told.reference_cache is not None:
            trainer.use_reference_cache(Path(told.reference_cache))
        checkpoint = _last_checkpoint(out_dir) if resume else None
        if checkpoint is not None:
            trainer.go_on_from(Path(checkpoint))
        began = time.perf_counter()
        trainer.train(resume_from_checkpoint=checkpoint)
        speed = trainer.n_response_tokens / (time.perf_counter() - began)
        logger.info("train     %.0f response tokens a second, peak %.2f GiB", speed, peak_memory_bytes() / 2**30)
        if rows.eval is not None and not _is_evaluated(trainer.state.log_history, trainer.state.global_step):
            trainer.evaluate()
        return _finish(trainer, processor, out_dir, summary, rows)


def _refuse_without_images(model_path: str) -> None:
    try:
        kind = AutoConfig.from_pretrained(model_path).model_type
    except (OSError, ValueError, KeyError):  # no such model: the loading of its processor says which
        return
    if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise TrainError(f"{model_path} ({kind}) takes no images; train needs an image-text-to-text model")


def _model_and_reference(told: TrainOptions, model_path: str) -> tuple[Any, Any]:
    """Load what learns, and the frozen copy that it is compared with where it has no adapter to switch off."""
    full = told.tune == "full"
    # Small steps vanish in bfloat16: weights that learn are float32, and only arithmetic on them is not.
    base = load_base_model(model_path, precision="fp32" if full else told.precision, quantization=told.quantization)
    if told.gradient_checkpointing and not base.supports_gradient_checkpointing:
        raise TrainError(f"{type(base).__name__} does not support gradient_checkpointing")
    if not full:
        if told.start_adapter is not None:
            return continue_lora(base, Path(told.start_adapter), r=told.lora_r, alpha=told.lora_alpha), None
        return add_lora(base, r=told.lora_r, alpha=told.lora_alpha), None
    model = unfreeze_language_model(base)
    return model, copy.deepcopy(model).requires_grad_(False)


def _arguments(told: TrainOptions, out_dir: Path, rows: TrainingData) -> TrainingArguments:
    n_rows = 0 if rows.scanned is None else len(rows.scanned.kept)
    n_steps = told.max_steps or _count_steps(n_rows, told.batch_size, told.gradient_accumulation, told.epochs)
    evaluates_on_the_way = rows.eval is not None and told.eval_steps is not None
    return TrainingArguments(
        output_dir=str(out_dir / CHECKPOINTS),
        max_steps=n_steps,
        learning_rate=told.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=int(0.03 * n_steps),  # rounded down: a short run keeps its first step
        per_device_train_batch_size=told.batch_size,
        per_device_eval_batch_size=told.batch_size,
        gradient_accumulation_steps=told.gradient_accumulation,
        activation_checkpointing=told.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if told.gradient_checkpointing else None,
        bf16=told.precision == "bf16",
        fp16=told.precision == "fp16",
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=told.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not a number stops the run instead of being averaged away
        save_steps=told.save_steps,
        save_total_limit=2,
        eval_strategy="steps" if evaluates_on_the_way else "no",
        eval_steps=told.eval_steps if evaluates_on_the_way else None,
        ignore_data_skip=told.streaming,  # a stream goes to its place itself
        ddp_find_unused_parameters=False,  # everything that learns is used in every pass
        ddp_broadcast_buffers=False,  # processes need not make the same number of passes, and buffers never change
        report_to=list(told.report_to),
        remove_unused_columns=False,
        disable_tqdm=True,
    )


def _summary(told: TrainOptions, settings: ObjectiveSettings, fingerprint: str) -> dict[str, Any]:
    """Return all that decides what a run comes to; how it is cut, watched and stored is left out."""
    effort = {"save_steps", "eval_steps", "report_to", "reference_cache", "gradient_checkpointing", "chosen_drop_nats"}
    decides = {name: value for name, value in asdict(told).items() if name not in effort}
    if told.start_adapter is not None:  # where it lies decides nothing
        decides["start_adapter"] = adapter_revision(Path(told.start_adapter))
    return decides | {
        "objective": asdict(settings),
        "dataset_fingerprint": fingerprint,
        "package_version": __version__,
    }


def _tiny(out_dir: Path, texts: Iterator[str], seed: int) -> Path:
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


def _is_evaluated(history: list[dict[str, float]], step: int) -> bool:
    return any(line["step"] == step and "eval_margin" in line for line in history)


def _last_checkpoint(out_dir: Path) -> str | None:
    """Return the newest checkpoint that was written to its end; its state is the last file of it."""
    states = (out_dir / CHECKPOINTS).glob("checkpoint-*/trainer_state.json")
    newest = max(states, key=_step_of, default=None)
    return None if newest is None else str(newest.parent)


def _step_of(state: Path) -> int:
    return int(state.parent.name.rsplit("-", 1)[-1])


def _finish(
    trainer: PreferenceTrainer, processor: Any, out_dir: Path, told: dict[str, Any], rows: TrainingData
) -> TrainResult:
    scanned = rows.scanned
    n_rows, refused = trainer.rows_of_stream() if scanned is None else (len(scanned.kept), dict(scanned.refused))
    history = trainer.state.log_history
    last = next((line for line in reversed(history) if "loss" in line), {})
    evaluated = next((line for line in reversed(history) if any(name.startswith("eval_") for name in line)), {})
    averages = {name: float(value) for name, value in {**last, **evaluated}.items()}
    summary = {
        **averages,
        "n_rows": n_rows,
        "refused": refused,
        "steps": trainer.state.global_step,
        "warnings": trainer.warnings,
    }
    trainer.save_weights(out_dir)
    if trainer.is_world_process_zero():
        if told["tune"] == "full":
            processor.save_pretrained(str(out_dir))
        draw_curves(history, out_dir / CURVES)
        (out_dir / "README.md").write_text(adapter_readme(told, summary), "utf-8")
        write_json(out_dir / METRICS, {**summary, "history": history})
        shutil.rmtree(out_dir / CHECKPOINTS, ignore_errors=True)  # the adapter is there, and with it the run is done
    trainer.accelerator.wait_for_everyone()
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
