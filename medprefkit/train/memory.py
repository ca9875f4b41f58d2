"""How much memory a run will take, before it takes it, and how much it took."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from medprefkit.train.token_stats import CHUNK_LOGITS


class MemoryEstimate(NamedTuple):
    """Bytes on one device."""

    weights: int
    """Of the model, adapter included, and of a frozen copy."""
    training: int
    """Gradients and the optimizer's two moments."""
    activations: int
    """What one forward pass keeps for the backward one, about."""
    logits: int
    """Of the response tokens that are compared at one time."""

    @property
    def total(self) -> int:
        """All together."""
        return sum(self)

    def __str__(self) -> str:
        """Give the sum and its parts in GiB."""
        parts = ", ".join(f"{name} {getattr(self, name) / 2**30:.2f}" for name in self._fields)
        return f"about {self.total / 2**30:.2f} GiB: {parts}"


def estimate_memory(model: Any, *, n_tokens: int, has_reference: bool, gradient_checkpointing: bool) -> MemoryEstimate:
    """Estimate what a step will hold.

    Args:
        model: With what learns marked so.
        n_tokens: Tokens of one forward pass, prompts and what images become included.
        has_reference: Whether a frozen copy stands beside it.
        gradient_checkpointing: Whether activations are recomputed.
    """
    weights = sum(_bytes(parameter) for parameter in model.parameters())
    learning = sum(parameter.numel() * 4 for parameter in model.parameters() if parameter.requires_grad)
    config = model.config.get_text_config()
    width, inner = config.hidden_size, getattr(config, "intermediate_size", 4 * config.hidden_size)
    # About what a decoder layer keeps: inputs, norms, queries, keys, values, attention; and four of the inner width.
    a_layer = width if gradient_checkpointing else 12 * width + 4 * inner
    layers = 1 if gradient_checkpointing else 0  # one layer is recomputed at a time
    a_token = config.num_hidden_layers * a_layer + layers * (12 * width + 4 * inner)
    item = next(model.parameters()).element_size()
    device = next(model.parameters()).device.type
    return MemoryEstimate(
        weights=weights * (2 if has_reference else 1),
        training=3 * learning,
        activations=n_tokens * a_token * item,
        logits=6 * 4 * CHUNK_LOGITS.get(device, CHUNK_LOGITS["cuda"]),
    )


def peak_memory_bytes() -> int:
    """Return the most that was held so far: of a GPU's allocator where one is used, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if not status.exists():  # not Linux
        return 0
    line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _bytes(parameter: nn.Parameter) -> int:
    return parameter.numel() * parameter.element_size()
