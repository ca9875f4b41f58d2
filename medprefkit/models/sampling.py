"""Sampling that belongs to a request: one uniform number a token, drawn from the request's own seed.

A batch shares nothing: whoever sits beside a request, and in whatever order, its tokens are decided by its own logits
and its own numbers. What remains is arithmetic: a batch of another shape may round logits otherwise.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from medprefkit.records import Sampling

_BELOW_ONE = 1.0 - 1e-9


def uniforms_of(samplings: Sequence[Sampling]) -> Tensor:
    """Return one row of numbers in [0, 1) a request, (B, T) float64, T the largest `max_new_tokens`."""
    length = max(sampling.max_new_tokens for sampling in samplings)
    rows = [np.random.default_rng(sampling.seed).random(length) for sampling in samplings]
    return torch.from_numpy(np.minimum(np.stack(rows), _BELOW_ONE))


class RecordSampler(LogitsProcessor):
    """Leaves one token a row: where the row's number falls in the distribution, in the order of the vocabulary.

    Inverse-transform sampling of the softmax at a temperature, cut to the smallest set of tokens that holds `top_p` of
    the probability. Greedy search over what is left is then a draw. The order of the vocabulary, unlike that of the
    probabilities, does not depend on how logits were rounded.

    Args:
        uniforms: (B, T) in [0, 1), the t-th for the t-th new token.
        temperature: Above 0.
        top_p: In (0, 1].
        prompt_length: Tokens before the first new one, padding included.
    """

    def __init__(self, uniforms: Tensor, *, temperature: float, top_p: float, prompt_length: int) -> None:
        self._uniforms = uniforms
        self._temperature = temperature
        self._top_p = top_p
        self._prompt_length = prompt_length

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return (B, V) logits: 0 for the token that was drawn, minus infinity for every other."""
        step = input_ids.shape[1] - self._prompt_length
        probabilities = torch.softmax(scores.double() / self._temperature, dim=-1)
        if self._top_p < 1.0:
            probabilities = _nucleus(probabilities, self._top_p)
        cumulative = probabilities.cumsum(-1)
        target = self._uniforms[:, step : step + 1].to(scores.device) * cumulative[:, -1:]
        drawn = torch.searchsorted(cumulative, target, right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter_(1, drawn, 0.0)


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Zero what lies outside the smallest set of likeliest tokens that holds `top_p`."""
    ordered, tokens = probabilities.sort(dim=-1, descending=True)
    outside = ordered.cumsum(-1) - ordered >= top_p  # the token that reaches top_p stays in
    return probabilities.masked_fill(outside.scatter(1, tokens, outside), 0.0)


class StopAt(StoppingCriteria):
    """Ends a row once its text holds one of the stop strings.

    Args:
        stops: Not empty.
        tokenizer: Of the model.
        prompt_length: Tokens before the first new one, padding included.
    """

    def __init__(self, stops: Sequence[str], tokenizer: object, *, prompt_length: int) -> None:
        self._stops = tuple(stops)
        self._tokenizer = tokenizer
        self._prompt_length = prompt_length
        # a token stands for a byte at least, so the last stop string is in the last this many
        self._tail = max(len(stop.encode()) for stop in stops) + 1

    def __call__(self, input_ids: Tensor, _: object, **__: object) -> Tensor:
        """Return (B,) whether each row is done."""
        tail = input_ids[:, max(self._prompt_length, input_ids.shape[1] - self._tail) :]
        texts = self._tokenizer.batch_decode(tail)  # type: ignore[attr-defined]  # a transformers tokenizer
        done = [any(stop in text for stop in self._stops) for text in texts]
        return torch.tensor(done, device=input_ids.device)
