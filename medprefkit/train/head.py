"""The output head of a language model with what some models do to its logits, as one function of hidden states."""

from typing import Any

import torch
from torch import Tensor, nn


class OutputHead:
    """Hidden states to logits: the linear head, then a factor, then a soft cap, as the model's configuration says.

    Attributes:
        module: The head proper.
        learns: Whether any of its weights does.
    """

    def __init__(self, module: nn.Module, *, factor: float = 1.0, soft_cap: float | None = None) -> None:
        self.module = module
        self.learns = any(parameter.requires_grad for parameter in module.parameters())
        self._factor = factor
        self._soft_cap = soft_cap

    def __call__(self, hidden: Tensor) -> Tensor:
        """Map (n, D) to (n, V)."""
        # Not the module's call: a wrapper that shares weights between processes would take this for a pass of its own.
        logits: Tensor = self.module.forward(hidden)
        if self._factor != 1.0:
            logits = logits * self._factor
        if self._soft_cap is not None:
            logits = self._soft_cap * torch.tanh(logits / self._soft_cap)
        return logits


def output_heads(model: Any) -> list[OutputHead]:
    """Return what the model's logits may be, likeliest first: only comparing with its own logits tells.

    Some models that inherit these configuration keys ignore them.
    """
    module = model.get_output_embeddings()
    config = model.config.get_text_config()
    factor = float(getattr(config, "logit_scale", None) or 1.0)  # Cohere multiplies
    factor /= float(getattr(config, "logits_scaling", None) or 1.0)  # Granite divides
    soft_cap = getattr(config, "final_logit_softcapping", None)  # Gemma
    heads = [OutputHead(module)]
    if factor != 1.0 or soft_cap is not None:
        heads.insert(0, OutputHead(module, factor=factor, soft_cap=soft_cap))
    return heads
