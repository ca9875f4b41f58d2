"""Per-token log-probabilities and both KL directions. One pass over the response tokens, a few of them at a time.

N response tokens, of any rows and answers, D width, V vocabulary. Nothing of size (N, V) is ever kept: a chunk's logits
live while it is compared. It knows nothing of rows, phrases or losses.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

CHUNK_LOGITS = {"cpu": 2**23, "cuda": 2**25}
"""Logits that exist at one time, for policy and reference each, by device: a GPU wants larger products. 2**23 in
float32 are 32 MiB, whatever the vocabulary: 262 tokens of 32 k, 32 tokens of 256 k."""

Head = Callable[[Tensor], Tensor]
"""Hidden states (n, D) to logits (n, V)."""


class TokenStats(NamedTuple):
    """What the objective needs of each response token; each (N,), float32 or wider, nats."""

    logps: Tensor
    ref_logps: Tensor
    forward_kl: Tensor
    """KL(ref || policy)."""
    reverse_kl: Tensor
    """KL(policy || ref)."""


class KlUse(NamedTuple):
    """What the KLs are for: `values` to look at, and which of them the loss will send a gradient through."""

    values: bool = True
    forward_gradient: bool = True
    reverse_gradient: bool = True


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
    return TokenStats(*_LogitStats.apply(policy_logits, ref_logits, labels))  # type: ignore[no-untyped-call]  # torch's


def chunked_token_stats(
    head: Head,
    policy_hidden: Tensor,
    ref_hidden: Tensor,
    labels: Tensor,
    *,
    ref_head: Head | None = None,
    head_learns: bool = False,
    kl: KlUse = KlUse(),  # noqa: B008 (a constant)
    chunk_logits: int | None = None,
) -> TokenStats:
    """Apply the language-model head and compare, a chunk at a time, with the values and gradients of `token_stats`.

    Args:
        head: Of the policy.
        policy_hidden: (N, D) last hidden states at the positions that predict the response tokens.
        ref_hidden: (N, D).
        labels: (N,).
        ref_head: Of the reference; the policy's by default.
        head_learns: Whether gradients flow into the head too. Then logits are computed again in the backward pass;
            else that pass needs no logits at all.
        kl: What of the KLs is wanted; without their values they are 0, and a gradient that is not asked for is 0.
        chunk_logits: Logits at one time; changes memory, not values. By default as `CHUNK_LOGITS` says.

    Returns:
        (N,) each; four empty tensors for N = 0.
    """
    ref_head = ref_head or head
    with torch.no_grad():
        n_vocab = ref_head(ref_hidden[:1]).shape[-1]
    budget = chunk_logits or CHUNK_LOGITS.get(labels.device.type, CHUNK_LOGITS["cuda"])
    size = max(1, budget // n_vocab)
    chunks: list[tuple[Tensor, ...]] = []
    for start in range(0, max(len(labels), 1), size):
        piece = slice(start, start + size)
        arguments = (policy_hidden[piece], ref_hidden[piece], labels[piece])
        if head_learns and torch.is_grad_enabled():
            chunks.append(checkpoint(_compare_logits, head, ref_head, *arguments, use_reentrant=False))
        else:
            chunks.append(_HiddenStats.apply(*arguments, head, ref_head, kl))  # type: ignore[no-untyped-call]  # torch's
    return TokenStats(*(torch.cat(parts) for parts in zip(*chunks, strict=True)))


def _compare_logits(
    head: Head, ref_head: Head, policy_hidden: Tensor, ref_hidden: Tensor, labels: Tensor
) -> tuple[Tensor, ...]:
    with torch.no_grad():
        ref_logits = ref_head(ref_hidden)
    return tuple(token_stats(head(policy_hidden), ref_logits, labels))


class _HiddenStats(torch.autograd.Function):
    """(policy_hidden, ref_hidden, labels) -> (logps, ref_logps, forward_kl, reverse_kl), through a head that is fixed.

    Each statistic is one number a token, so its derivative in that token's hidden state is one vector of D. These are
    taken while the logits are there; the backward pass only adds them up, times what comes from the loss.
    """

    @staticmethod
    def forward(
        ctx: Any, policy_hidden: Tensor, ref_hidden: Tensor, labels: Tensor, head: Head, ref_head: Head, kl: KlUse
    ) -> tuple[Tensor, ...]:
        ref_logits = ref_head(ref_hidden)
        learns = policy_hidden.requires_grad
        with torch.set_grad_enabled(learns):
            leaf = policy_hidden.detach().requires_grad_(learns)
            logits = head(leaf)

        def slope(of_logits: Tensor) -> Tensor:
            """Pull a derivative in the logits back to the hidden states: (n, D)."""
            return torch.autograd.grad(logits, leaf, of_logits.to(logits.dtype), retain_graph=True)[0]

        slopes: list[Tensor | None] = [None, None, None]
        if not kl.values:
            policy, ref_logps = logits.detach(), _logps_at(ref_logits, labels)
            del ref_logits
            logps = _logps_at(policy, labels)
            forward_kl = reverse_kl = torch.zeros_like(logps)
            p = _softmax(policy) if learns else policy
        else:
            policy, ref = _log_softmax_pair(logits.detach(), ref_logits)
            logps, ref_logps, forward_kl, reverse_kl = _values(policy, ref, labels)
            p = _probabilities(policy, logits.detach())
            if learns and kl.reverse_gradient:
                slopes[2] = slope((policy - ref).sub_(reverse_kl[:, None]).mul_(p))
            if learns and kl.forward_gradient:
                slopes[1] = slope(p - _probabilities(ref, ref_logits))
        if learns:  # d logp / d logits = onehot - p
            at_label = p.gather(1, labels[:, None])
            slopes[0] = slope(p.neg_().scatter_(1, labels[:, None], 1 - at_label))
        ctx.slopes = slopes
        return logps, ref_logps, forward_kl, reverse_kl

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_logps, _, grad_forward, grad_reverse = grads  # the reference is constant
        total: Tensor | None = None
        for slope, grad in zip(ctx.slopes, (grad_logps, grad_forward, grad_reverse), strict=True):
            if slope is not None:
                part = grad[:, None].to(slope.dtype) * slope
                total = part if total is None else total + part
        return total, None, None, None, None, None


class _LogitStats(torch.autograd.Function):
    """(policy_logits, ref_logits, labels) -> (logps, ref_logps, forward_kl, reverse_kl)."""

    @staticmethod
    def forward(ctx: Any, policy_logits: Tensor, ref_logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(policy_logits, ref_logits, labels)
        return _values(*_log_softmax_pair(policy_logits, ref_logits), labels)

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


def _values(policy: Tensor, ref: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Return the four statistics of two (n, V) log-softmaxes."""
    gap = ref - policy
    # Rounding may leave a KL at -1e-8; it is a quantity that cannot be negative.
    forward_kl = (ref.exp().mul_(gap)).sum(-1).clamp(min=0)
    reverse_kl = -(policy.exp().mul_(gap)).sum(-1).clamp(max=0)
    index = labels[:, None]
    return policy.gather(1, index)[:, 0], ref.gather(1, index)[:, 0], forward_kl, reverse_kl


def _logps_at(logits: Tensor, labels: Tensor) -> Tensor:
    wide = _at_least_float32(logits)
    return wide.gather(1, labels[:, None])[:, 0] - wide.logsumexp(-1)


def _softmax(logits: Tensor) -> Tensor:
    return torch.softmax(logits, -1, dtype=torch.promote_types(logits.dtype, torch.float32))


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
    return logps.exp().masked_fill_(logits.isneginf(), 0)


def _at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
