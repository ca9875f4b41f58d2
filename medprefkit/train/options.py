"""What a run of `train` may be told beside its data, each option checked before anything costly begins."""

import importlib.util
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch

from medprefkit.errors import TrainError
from medprefkit.models.loading import DTYPES, Precision, Quantization

Tune = Literal["lora", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Options of a run.

    Attributes:
        model: Folder or Hub name of an image-text-to-text model; `tiny-llava` builds a toy on the spot.
        preset: Name of an objective; see `presets.PRESETS`.
        objective: Settings of it to change, by the names of `ObjectiveSettings`.
        max_steps: Optimizer steps; overrides `epochs`.
        epochs: Passes over the rows.
        learning_rate: Peak of a cosine with 3 % warm-up.
        batch_size: Rows a forward pass; each is two or three sequences.
        gradient_accumulation: Passes an optimizer step.
        tune: `lora` puts an adapter on the language model; `full` trains the language model itself, beside a frozen
            copy of it. The vision tower stays as it is.
        lora_r: Rank of the adapter.
        lora_alpha: Its scale, over `lora_r`.
        quantization: Of the base model's weights under `lora`; needs bitsandbytes (the extra `qlora`).
        precision: Of weights and arithmetic; the adapter, log-probabilities and KLs stay float32.
        gradient_checkpointing: Recompute activations, for memory.
        max_answer_tokens: Longer answers lose their end; a row that would lose an edit is left out instead.
        group_by_length: Batches of rows of like length, for less padding.
        streaming: Read rows as they are asked for, from the Hub too, and download nothing whole; needs `max_steps`.
        start_adapter: Adapter that training goes on from, of the same base, rank and scale; the reference stays the
            bare base. A new one, which changes nothing at first, where None.
        reference_cache: Folder for what the reference says of every response token; from the second epoch, and in
            every further run on the same rows and model, it is read from there.
        seed: Of the adapter's start and the order of rows.
        save_steps: Steps between checkpoints.
        eval_steps: Steps between evaluations on the split `eval`; by default at the end only.
        report_to: transformers' loggers, for instance `tensorboard`; each needs its package.
        chosen_drop_nats: As `PreferenceTrainer`.
    """

    model: str
    preset: str = "medpref"
    objective: Mapping[str, Any] | None = None
    max_steps: int | None = None
    epochs: float = 1.0
    learning_rate: float = 5e-6
    batch_size: int = 4
    gradient_accumulation: int = 8
    tune: Tune = "lora"
    lora_r: int = 128
    lora_alpha: int = 256
    quantization: Quantization = "none"
    precision: Precision = "bf16"
    gradient_checkpointing: bool = False
    max_answer_tokens: int | None = None
    group_by_length: bool = False
    streaming: bool = False
    start_adapter: str | None = None
    reference_cache: str | None = None
    seed: int = 0
    save_steps: int = 100
    eval_steps: int | None = None
    report_to: tuple[str, ...] = field(default=())
    chosen_drop_nats: float = 3.0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            TrainError: Names the option, its value and what it may be, or what is missing.
        """
        for name in (
            "max_steps", "batch_size", "gradient_accumulation", "lora_r", "lora_alpha", "max_answer_tokens",
            "save_steps", "eval_steps",
        ):  # fmt: skip
            count = getattr(self, name)
            if count is not None and count < 1:
                raise TrainError(f"{name} must be at least 1, got {count}")
        for name in ("epochs", "learning_rate"):
            amount = getattr(self, name)
            if not (math.isfinite(amount) and amount > 0):
                raise TrainError(f"{name} must be finite and above 0, got {amount}")
        allowed: dict[str, tuple[str, ...]] = {
            "precision": tuple(DTYPES), "tune": get_args(Tune), "quantization": get_args(Quantization),
        }  # fmt: skip
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise TrainError(f"{name} must be one of {', '.join(values)}, got {getattr(self, name)!r}")
        self._refuse_together()
        self._refuse_missing()

    def _refuse_together(self) -> None:
        if self.tune == "full" and self.quantization != "none":
            raise TrainError(f"quantization {self.quantization} trains an adapter only: use tune lora")
        if self.tune == "full" and self.reference_cache is not None:
            raise TrainError("reference_cache needs a head that stays as it is: use tune lora, or no cache")

        if self.tune == "full" and self.start_adapter is not None:
            raise TrainError("start_adapter goes on with an adapter: use tune lora")
        if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":  # as `accelerate launch` sets it
            if self.tune == "full":
                raise TrainError("tune full is not possible under FSDP: use tune lora, or DDP")
            if self.quantization != "none":
                raise TrainError(f"quantization {self.quantization} is not possible under FSDP: use DDP")
            if self.reference_cache is not None:
                raise TrainError("reference_cache is not possible under FSDP: use DDP, or no cache")
        if not self.streaming:
            return
        if self.max_steps is None:
            raise TrainError("streaming needs max_steps: a stream has no length")
        if self.group_by_length:
            raise TrainError("group_by_length needs the length of every row before the first: it excludes streaming")
        if self.reference_cache is not None:
            raise TrainError("reference_cache keeps rows by their number: it excludes streaming")

    def _refuse_missing(self) -> None:
        on_gpu = torch.cuda.is_available()
        if self.precision == "fp16" and not on_gpu:
            raise TrainError("precision fp16 needs a CUDA device; use fp32 or bf16")
        if self.precision == "bf16" and on_gpu and not torch.cuda.is_bf16_supported():
            raise TrainError("this GPU has no bf16; use fp16 or fp32")
        if self.quantization != "none" and importlib.util.find_spec("bitsandbytes") is None:
            raise TrainError(f"quantization {self.quantization} needs bitsandbytes: pip install 'medprefkit[qlora]'")
        for logger in self.report_to:
            if logger not in LOGGERS:
                raise TrainError(f"report_to must be of {', '.join(sorted(LOGGERS))}, got {logger!r}")
            if all(importlib.util.find_spec(package) is None for package in LOGGERS[logger]):
                raise TrainError(f"report_to {logger} needs {LOGGERS[logger][0]}: pip install {LOGGERS[logger][0]}")


LOGGERS = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "trackio": ("trackio",),
}
"""transformers' name of a logger to the packages that bring it."""
