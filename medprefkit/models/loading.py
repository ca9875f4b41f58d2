"""Loading a model and its processor; what cannot be loaded is one line, and code from the Hub is never run."""

import contextlib
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    BitsAndBytesConfig,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
from transformers.utils import logging as transformers_logging

from medprefkit.errors import ModelError
from medprefkit.models.image_only import MODEL_TYPES, load_image_only
from medprefkit.models.opening import Precision as Precision  # the trainer takes it from here

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
        ModelError: If there is none, or it needs a package that is not installed.
    """
    if model.startswith((".", "/")) and not Path(model).is_dir():
        raise ModelError(f"there is no model folder {model}")
    try:
        with quiet():
            return AutoProcessor.from_pretrained(model)  # type: ignore[no-untyped-call]  # transformers'
    except (ImportError, OSError, ValueError, KeyError, TypeError) as error:
        if importlib.util.find_spec("torchvision") is None and _has_image_only_form(model):
            return load_image_only(model)
        raise ModelError(_reason(model, "processor", error)) from error


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
        ModelError: If there is none, or it is no vision-language model.
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
        raise ModelError(_reason(model, "weights", error)) from error


def load_generator(model: str, *, precision: Precision, device_map: str | None) -> Any:
    """Load a model that answers: image-text-to-text, or a causal language model for text alone.

    Args:
        model: Folder or Hub name.
        precision: Of the weights.
        device_map: As transformers takes it; None puts it on the GPU where there is one.

    Raises:
        ModelError: If there is none, or it is of neither kind.
    """
    try:
        with quiet():
            kind = type(AutoConfig.from_pretrained(model))
            auto = AutoModelForImageTextToText if kind in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING else AutoModelForCausalLM
            loaded: Any = auto.from_pretrained(model, dtype=DTYPES[precision], device_map=device_map)
    except (ImportError, OSError, ValueError, KeyError) as error:
        raise ModelError(_reason(model, "weights", error)) from error
    return loaded.to("cuda") if device_map is None and torch.cuda.is_available() else loaded


def load_adapter(model: Any, adapter: Path, *, is_trainable: bool) -> Any:
    """Put a LoRA adapter on a model.

    Raises:
        ModelError: If the folder holds none, or one of another model.
    """
    from peft import PeftModel  # heavy

    try:
        with quiet():
            return PeftModel.from_pretrained(model, str(adapter), is_trainable=is_trainable)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ModelError(f"the adapter {adapter} cannot be put on this model: {first}") from error


def _reason(model: str, what: str, error: Exception) -> str:
    message = str(error)
    if "torchvision" in message.lower():
        return f"the {what} of {model!r} cannot be loaded without torchvision: pip install torchvision"
    first = next((line.strip() for line in message.splitlines() if line.strip()), type(error).__name__)
    return f"cannot load the {what} of {model!r}: {first}"
