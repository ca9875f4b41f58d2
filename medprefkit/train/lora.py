"""What of a language model learns: one LoRA adapter on its linear layers, or all of it."""

import re
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from medprefkit.errors import TrainError
from medprefkit.models.loading import load_adapter, quiet


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
    _keep_quantized_layout(model)
    target = rf"{re.escape(prefix)}\.(.*\.)?({'|'.join(map(re.escape, leaves))})"
    config = LoraConfig(r=r, lora_alpha=alpha, target_modules=target, task_type="CAUSAL_LM")
    with quiet():
        adapted = get_peft_model(model, config)
    if not isinstance(adapted, PeftModel):
        raise TrainError(f"{type(model).__name__} cannot take a LoRA adapter")
    return adapted


def continue_lora(model: Any, adapter: Path, *, r: int, alpha: int) -> PeftModel:
    """Put a trained adapter on a model and let it learn on; switched off, it is the bare model still.

    Raises:
        TrainError: If it is of another rank or scale.
        ModelError: If it does not fit the model.
    """
    adapted = load_adapter(model, adapter, is_trainable=True)
    if not isinstance(adapted, PeftModel):
        raise TrainError(f"{type(model).__name__} cannot take a LoRA adapter")
    told: Any = adapted.peft_config["default"]
    if (told.r, told.lora_alpha) != (r, alpha):
        raise TrainError(
            f"{adapter} has lora_r {told.r} and lora_alpha {told.lora_alpha}, not {r} and {alpha}; use the same"
        )
    _drop_dropout(adapted)
    _keep_quantized_layout(adapted)
    return adapted


def _keep_quantized_layout(model: nn.Module) -> None:
    """Keep 4-bit weights of a CPU as they train: bitsandbytes repacks them in the first evaluation, without a way back.

    Its kernel for the packed layout has no gradient, and torch would go on with a wrong one.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010 (a module's own fields have no type)


def _drop_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "attention_dropout"):  # functional dropout, by transformers' naming
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
