"""A sequence classifier that reads a claim and a reference together: logits in, calibrated probabilities out.

The one file of this room, beside `training.py`, that imports torch and transformers; both come with the `train` extra.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from medprefkit.check.calibration import softmax
from medprefkit.check.label_map import CheckerSettings, label_order
from medprefkit.errors import ModelError
from medprefkit.models.loading import quiet


class CrossEncoder:
    """A three-way classifier of (claim, reference) pairs.

    Args:
        model: Folder or Hub name; code from the Hub is never run.
        settings: How it was trained to read.
        device: Where it runs.
        batch_size: Pairs at a time.

    Raises:
        ModelError: If it cannot be loaded, or its labels are not the three of natural language inference.
    """

    def __init__(
        self, model: str, settings: CheckerSettings, *, device: Literal["cpu", "cuda"] = "cpu", batch_size: int = 32
    ) -> None:
        self._batch_size = batch_size
        self._device = torch.device(device)
        try:
            with quiet():
                self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
                network: Any = AutoModelForSequenceClassification.from_pretrained(model, use_safetensors=True)
        except (OSError, ValueError, ImportError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(f"{model} cannot be loaded as a checker: {reason}") from error
        self._settings = settings.model_copy(update={"max_tokens": min(settings.max_tokens, most_tokens(network))})
        self._order = label_order(network.config.id2label, model=model)
        self._network = network.to(self._device).eval()

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Return the calibrated probabilities of supported, contradicted and unverifiable.

        Args:
            pairs: (claim, reference); what does not fit is cut at its end.

        Returns:
            (n_pairs, 3), rows sum to 1; (0, 3) for no pairs.
        """
        return softmax(self.logits(pairs), temperature=self._settings.temperature)

    def logits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Return the logits in the order supported, contradicted, unverifiable, (n_pairs, 3)."""
        out = np.zeros((len(pairs), 3))
        order = sorted(range(len(pairs)), key=_LengthOf(pairs))  # like lengths together: less padding
        for start in range(0, len(order), self._batch_size):
            chosen = order[start : start + self._batch_size]
            with torch.inference_mode():
                logits = self._network(**self._encoded([pairs[k] for k in chosen])).logits
            out[chosen] = logits[:, list(self._order)].float().cpu().numpy()
        return out

    def _encoded(self, pairs: Sequence[tuple[str, str]]) -> Any:
        return encode(self._tokenizer, pairs, self._settings).to(self._device)


def most_tokens(network: Any) -> int:
    """Return how many tokens a network can read; RoBERTa's kin keep two positions for themselves."""
    positions = getattr(network.config, "max_position_embeddings", None)
    kept = 2 if "roberta" in network.config.model_type else 0
    return int(positions) - kept if positions else 10_000


def encode(tokenizer: Any, pairs: Sequence[tuple[str, str]], settings: CheckerSettings) -> Any:
    """Tokenize (claim, reference) pairs in the order that the model takes; where both do not fit the longer is cut."""
    claims, references = [claim for claim, _ in pairs], [reference for _, reference in pairs]
    texts = (claims, references) if settings.claim_first else (references, claims)
    return tokenizer(
        *texts,
        truncation="longest_first",
        max_length=settings.max_tokens,
        padding=True,
        return_tensors="pt",
    )


class _LengthOf:
    """Characters of a pair, by its index."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __call__(self, k: int) -> int:
        claim, reference = self._pairs[k]
        return len(claim) + len(reference)
