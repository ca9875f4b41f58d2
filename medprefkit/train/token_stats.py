"""Per-token log-probabilities and both KL directions, from logits of the response tokens. One pass, chunked.

N response tokens, of any rows and answers, V vocabulary. It knows nothing of rows, phrases or losses.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

CHUNK_TOKENS = 256
"""Tokens whose logits exist at one time: 256 tokens of a 152 k vocabulary in float32 are 156 MB."""


class TokenStats(NamedTuple):
    """What the objective needs of each response token; each (N,), float32 or wider, nats."""

    logps: Tensor
    ref_logps: Tensor
    forward_kl: Tensor
    """KL(ref || policy)."""
    reverse_kl: Tensor
    """KL(policy || ref)."""


def token_stats(policy_logits: Tensor, ref_logits: Tensor, labels: Tensor) -> TokenStats:
    """Compare two next-token distributions at each position.

    Args:
        policy_logits: (N, V). Gradients flow here, and only here.
        ref_logits: (N, V).
        labels: (N,) the tokens that follow. A column of -inf in both logits takes no part.

    Returns:
        (N,) each. Where the logits are equal, both KLs and their gradients are exactly 0.

    Source: the method's identities, dF/dz = p_pol - p_ref and dR/dz = p_pol * (log(p_pol / p_ref) - R), used as the
        backward pass. Differs: from log_softmax in float32, where published code takes softmax().log(), which is NaN
        once a probability underflows.
    """
    return TokenStats(*_TokenStats.apply(policy_logits, ref_logits, labels))  # type: ignore[no-untyped-call]  # torch's


def chunked_token_stats(
    head: Callable[[Tensor], Tensor],
    policy_hidden: Tensor,
    ref_hidden: Tensor,
    labels: Tensor,
    *,
    chunk_tokens: int = CHUNK_TOKENS,
) -> TokenStats:
    """Apply the language-model head and compare, a chunk at a time; logits are recomputed in the backward pass.

    Args:
        head: Hidden states (n, D) to logits (n, V); the same for policy and reference.
        policy_hidden: (N, D) last hidden states at the positions that predict the response tokens.
        ref_hidden: (N, D).
        labels: (N,).
        chunk_tokens: Positions at a time; changes memory, not values.

    Returns:
        As `token_stats`; four empty tensors for N = 0.
    """

    def compare(policy: Tensor, ref: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            ref_logits = head(ref)
        return tuple(token_stats(head(policy), ref_logits, label))

    chunks: list[tuple[Tensor, ...]] = []
    for start in range(0, max(len(labels), 1), chunk_tokens):
        piece = slice(start, start + chunk_tokens)
        arguments = (policy_hidden[piece], ref_hidden[piece], labels[piece])
        chunks.append(
            checkpoint(compare, *arguments, use_reentrant=False) if torch.is_grad_enabled() else compare(*arguments)
        )
    return TokenStats(*(torch.cat(parts) for parts in zip(*chunks, strict=True)))


class _TokenStats(torch.autograd.Function):
    """(policy_logits, ref_logits, labels) -> (logps, ref_logps, forward_kl, reverse_kl)."""

    @staticmethod
    def forward(ctx: Any, policy_logits: Tensor, ref_logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(policy_logits, ref_logits, labels)
        policy, ref = _log_softmax_pair(policy_logits, ref_logits)  # (N, V)
        gap = ref - policy
        # Rounding may leave a KL at -1e-8; it is a quantity that cannot be negative.
        forward_kl = (ref.exp() * gap).sum(-1).clamp(min=0)
        reverse_kl = -(policy.exp() * gap).sum(-1).clamp(max=0)
        index = labels[:, None]
        return policy.gather(1, index)[:, 0], ref.gather(1, index)[:, 0], forward_kl, reverse_kl

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_logps, _, grad_forward, grad_reverse = grads  # the reference is constant
        policy_logits, ref_logits, labels = ctx.saved_tensors
        policy, ref = _log_softmax_pair(policy_logits, ref_logits)
        p = _probabilities(policy, policy_logits)
        log_ratio = policy - ref
        reverse_kl = (p * log_ratio).sum(-1, keepdim=True)
        grad = grad_forward[:, None] * (p - _probabilities(ref, ref_logits))
        grad += grad_reverse[:, None] * p * (log_ratio - reverse_kl)
        grad -= grad_logps[:, None] * p
        grad.scatter_add_(1, labels[:, None], grad_logps[:, None].to(grad.dtype))
        return grad.to(policy_logits.dtype), None, None


def _log_softmax_pair(policy_logits: Tensor, ref_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return both log-softmaxes in float32 or wider; a column that is -inf in both becomes a gap of 0."""
    policy = torch.log_softmax(_at_least_float32(policy_logits), -1)
    ref = torch.log_softmax(_at_least_float32(ref_logits), -1)
    masked = policy.isneginf() & ref.isneginf()
    if bool(masked.any()):
        policy, ref = policy.masked_fill(masked, 0), ref.masked_fill(masked, 0)
    return policy, ref


def _probabilities(logps: Tensor, logits: Tensor) -> Tensor:
    """Return exp(logps), with 0 where the logit is -inf."""
    return logps.exp().masked_fill(logits.isneginf(), 0)


def _at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
