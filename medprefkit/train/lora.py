"""Loading a base model and its processor, and what of its language model learns: one LoRA adapter, or all of it."""

import contextlib
import importlib.util
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from medprefkit.errors import TrainError
from medprefkit.train.image_only import MODEL_TYPES, load_image_only

Precision = Literal["fp32", "bf16", "fp16"]

Quantization = Literal["none", "8bit", "4bit"]

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' bars and notices off the terminal; its errors still raise."""
    verbosity = transformers_logging.get_verbosity()
    had_bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # transformers'
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers'
    try:
        with warnings.catch_warnings():
            # peft still asks by the old name.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if had_bar:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # transformers'


def load_processor(model: str) -> Any:
    """Load the processor of a model folder or Hub name; code from the Hub is never run.

    Raises:
        TrainError: If there is none, or it needs a package that is not installed.
    """
    if model.startswith((".", "/")) and not Path(model).is_dir():
        raise TrainError(f"there is no model folder {model}")
    try:
        with quiet():
            return AutoProcessor.from_pretrained(model)  # type: ignore[no-untyped-call]  # transformers'
    except (ImportError, OSError, ValueError, KeyError, TypeError) as error:
        if importlib.util.find_spec("torchvision") is None and _has_image_only_form(model):
            return load_image_only(model)
        raise TrainError(_reason(model, "processor", error)) from error


def _has_image_only_form(model: str) -> bool:
    try:
        return AutoConfig.from_pretrained(model).model_type in MODEL_TYPES
    except (OSError, ValueError):  # no such model: the first error says more
        return False


def load_base_model(model: str, *, precision: Precision, quantization: Quantization = "none") -> Any:
    """Load an image-text-to-text model in a precision; code from the Hub is never run.

    Args:
        model: Folder or Hub name.
        precision: Of the weights, or of arithmetic on quantized ones.
        quantization: Of the linear layers; `4bit` is NF4, as in QLoRA (arXiv 2305.14314).

    Raises:
        TrainError: If there is none, or it is no vision-language model.
    """
    options: dict[str, Any] = {"dtype": DTYPES[precision]}
    if quantization != "none":
        options["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]  # transformers'
            load_in_4bit=quantization == "4bit",
            load_in_8bit=quantization == "8bit",
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=DTYPES[precision],
        )
    try:
        with quiet():
            return AutoModelForImageTextToText.from_pretrained(model, **options)
    except (ImportError, OSError, ValueError, KeyError) as error:
        raise TrainError(_reason(model, "weights", error)) from error


def unfreeze_language_model(model: Any) -> Any:
    """Let the language model and its head learn and nothing else; dropout is switched off everywhere."""
    model.requires_grad_(False)
    for part in (model.get_decoder(), model.get_output_embeddings()):
        part.requires_grad_(True)
    _drop_dropout(model)
    return model


def add_lora(model: Any, *, r: int, alpha: int) -> PeftModel:
    """Put a LoRA adapter on every linear layer of the language model, and switch dropout off everywhere.

    The vision tower and the output head stay as they are. Without dropout, policy and reference are the same function
    until the first step, so that margins and KLs start at exactly 0.

    Raises:
        TrainError: If the language model has no linear layers to adapt.
    """
    decoder = model.get_decoder()
    head = model.get_output_embeddings()
    prefix = next(name for name, module in model.named_modules() if module is decoder)
    leaves = sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in decoder.named_modules()
            if isinstance(module, nn.Linear) and module is not head
        }
    )
    if not leaves:
        raise TrainError(f"{type(model).__name__} has no linear layers in its language model to adapt")
    _drop_dropout(model)
    target = rf"{re.escape(prefix)}\.(.*\.)?({'|'.join(map(re.escape, leaves))})"
    config = LoraConfig(r=r, lora_alpha=alpha, target_modules=target, task_type="CAUSAL_LM")
    with quiet():
        adapted = get_peft_model(model, config)
    if not isinstance(adapted, PeftModel):
        raise TrainError(f"{type(model).__name__} cannot take a LoRA adapter")
    return adapted


def _drop_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "attention_dropout"):  # functional dropout, by transformers' naming
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def _reason(model: str, what: str, error: Exception) -> str:
    message = str(error)
    if "torchvision" in message.lower():
        return f"the {what} of {model!r} cannot be loaded without torchvision: pip install torchvision"
    first = next((line.strip() for line in message.splitlines() if line.strip()), type(error).__name__)
    return f"cannot load the {what} of {model!r}: {first}"
