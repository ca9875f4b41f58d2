"""Per-token log-probabilities and both KL directions. One pass over the response tokens, a few of them at a time.

N response tokens, of any rows and answers, D width, V vocabulary. Nothing of size (N, V) is ever kept: a chunk's logits
live while it is compared. It knows nothing of rows, phrases or losses.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge
from torch.utils.checkpoint import checkpoint

from medprefkit.train.skewed import skewed_forward, skewed_reverse

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
    """KL(ref || policy), or skewed by s: KL(ref || (1 - s) policy + s ref)."""
    reverse_kl: Tensor
    """KL(policy || ref), or KL(policy || (1 - s) ref + s policy)."""


class KlUse(NamedTuple):
    """Which KLs are taken, and which the loss will send a gradient through; both values are there to look at."""

    forward_gradient: bool = True
    reverse_gradient: bool = True
    skew: float = 0.0
    """Share of a KL's first distribution in what it is compared with, in [0, 1)."""


def token_stats(policy_logits: Tensor, ref_logits: Tensor, labels: Tensor, *, skew: float = 0.0) -> TokenStats:
    """Compare two next-token distributions at each position.

    Args:
        policy_logits: (N, V). Gradients flow here, and only here.
        ref_logits: (N, V).
        labels: (N,) the tokens that follow. A column of -inf in both logits takes no part.
        skew: As `KlUse`.

    Returns:
        (N,) each. Where the logits are equal, both KLs and their gradients are exactly 0.

    Source: the method's identities, dF/dz = p_pol - p_ref and dR/dz = p_pol * (log(p_pol / p_ref) - R), used as the
        backward pass. Differs: from log_softmax in float32, where published code takes softmax().log(), which is NaN
        once a probability underflows.
    """
    return TokenStats(*_LogitStats.apply(policy_logits, ref_logits, labels, skew))  # type: ignore[no-untyped-call]  # torch's


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
        kl: A gradient that is not asked for is 0.
        chunk_logits: Logits at one time; changes memory, not values. By default as `CHUNK_LOGITS` says.

    Returns:
        (N,) each; four empty tensors for N = 0.
    """
    ref_head = ref_head or head
    size = _chunk_tokens(ref_head, ref_hidden, chunk_logits)
    if not (head_learns and torch.is_grad_enabled()):
        return TokenStats(*_HiddenStats.apply(policy_hidden, ref_hidden, labels, head, ref_head, kl, size))  # type: ignore[no-untyped-call]  # torch's
    chunks: list[tuple[Tensor, ...]] = []
    for start in range(0, max(len(labels), 1), size):
        piece = slice(start, start + size)
        arguments = (policy_hidden[piece], ref_hidden[piece], labels[piece])
        chunks.append(checkpoint(_compare_logits, head, ref_head, *arguments, kl.skew, use_reentrant=False))
    return TokenStats(*(torch.cat(parts) for parts in zip(*chunks, strict=True)))


def chunked_logps(
    head: Head, hidden: Tensor, labels: Tensor, *, head_learns: bool = False, chunk_logits: int | None = None
) -> Tensor:
    """Apply the language-model head for the log-probabilities alone, a chunk at a time.

    Args:
        head: Of the policy or of the reference.
        hidden: (N, D) last hidden states.
        labels: (N,).
        head_learns: As `chunked_token_stats`.
        chunk_logits: As `chunked_token_stats`.

    Returns:
        (N,) nats, float32 or wider; empty for N = 0.
    """
    size = _chunk_tokens(head, hidden, chunk_logits)
    if not (head_learns and torch.is_grad_enabled()):
        logps: Tensor = _HiddenLogps.apply(hidden, labels, head, size)  # type: ignore[no-untyped-call]  # torch's
        return logps
    pieces = [slice(start, start + size) for start in range(0, max(len(labels), 1), size)]
    return torch.cat(
        [checkpoint(_head_logps, head, hidden[piece], labels[piece], use_reentrant=False) for piece in pieces]
    )


def _chunk_tokens(head: Head, hidden: Tensor, chunk_logits: int | None) -> int:
    """Return how many tokens to take at a time, for chunks of like size."""
    with torch.no_grad():
        n_vocab = head(hidden[:0]).shape[-1]
    budget = chunk_logits or CHUNK_LOGITS.get(hidden.device.type, CHUNK_LOGITS["cuda"])
    n_chunks = math.ceil(len(hidden) / max(1, budget // n_vocab))
    return math.ceil(len(hidden) / max(1, n_chunks)) or 1


def _head_logps(head: Head, hidden: Tensor, labels: Tensor) -> Tensor:
    return _at(_log_softmax(head(hidden)), labels)


def _compare_logits(
    head: Head, ref_head: Head, policy_hidden: Tensor, ref_hidden: Tensor, labels: Tensor, skew: float
) -> tuple[Tensor, ...]:
    with torch.no_grad():
        ref_logits = ref_head(ref_hidden)
    return tuple(token_stats(head(policy_hidden), ref_logits, labels, skew=skew))


class _HiddenStats(torch.autograd.Function):
    """(policy_hidden, ref_hidden, labels) -> (logps, ref_logps, forward_kl, reverse_kl), through a head that is fixed.

    Each statistic is one number a token, so its derivative in that token's hidden state is one vector of D. These are
    taken while the logits are there; the backward pass only adds them up, times what comes from the loss.
    """

    @staticmethod
    def forward(
        ctx: Any,
        policy_hidden: Tensor,
        ref_hidden: Tensor,
        labels: Tensor,
        head: Head,
        ref_head: Head,
        kl: KlUse,
        size: int,
    ) -> tuple[Tensor, ...]:
        learns = policy_hidden.requires_grad
        wide = torch.promote_types(policy_hidden.dtype, torch.float32)
        # What outlives a chunk has its place before the first: small tensors between large ones would break up the
        # memory that the next chunk could use again.
        values = [labels.new_zeros(labels.shape, dtype=wide) for _ in TokenStats._fields]
        wanted = (learns, learns and kl.forward_gradient, learns and kl.reverse_gradient)
        slopes = [torch.empty_like(policy_hidden) if each else None for each in wanted]
        for start in range(0, len(labels), size):
            piece = slice(start, start + size)
            _write_chunk(
                [each[piece] for each in values],
                [each if each is None else each[piece] for each in slopes],
                policy_hidden[piece].detach().requires_grad_(learns),
                ref_hidden[piece],
                labels[piece],
                head,
                ref_head,
                kl.skew,
            )
        ctx.slopes = slopes
        return tuple(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_logps, _, grad_forward, grad_reverse = grads  # the reference is constant
        total: Tensor | None = None
        for slope, grad in zip(ctx.slopes, (grad_logps, grad_forward, grad_reverse), strict=True):
            if slope is not None:
                part = grad[:, None].to(slope.dtype) * slope
                total = part if total is None else total + part
        return total, None, None, None, None, None, None


def _write_chunk(
    values: Sequence[Tensor],
    slopes: Sequence[Tensor | None],
    policy_hidden: Tensor,
    ref_hidden: Tensor,
    labels: Tensor,
    head: Head,
    ref_head: Head,
    skew: float,
) -> None:
    """Write the four values (n,) of a chunk, and of the wanted ones their derivatives (n, D) in its hidden states.

    At most four (n, V) tensors exist at a time, seven where KLs are skewed: each is overwritten by what comes of it.
    """
    of_logps, of_forward, of_reverse = slopes
    ref = ref_head(ref_hidden)
    with torch.set_grad_enabled(of_logps is not None):
        logits = head(policy_hidden)
    back = () if of_logps is None else (get_gradient_edge(logits),)  # the way back, without holding the logits
    policy, dtype = logits.detach(), logits.dtype
    del logits

    def pull_back(of_logits: Tensor) -> Tensor:
        """Return the derivative in the hidden states, (n, D), of one in the logits."""
        return torch.autograd.grad(back, policy_hidden, of_logits.to(dtype), retain_graph=True)[0]

    logps, ref_logps, forward_kl, reverse_kl = values
    ref = _log_softmax(ref)
    policy = _log_softmax(policy)
    compared = _distributions(policy, ref, labels)
    logps.copy_(compared.logps)
    ref_logps.copy_(compared.ref_logps)
    p, q, log_ratio = compared.p, compared.q, compared.log_ratio
    if skew > 0:
        found = skewed_reverse(p, log_ratio, skew)
        reverse_kl.copy_(found.value)
        if of_reverse is not None:
            of_reverse.copy_(pull_back(found.slope))
        found = skewed_forward(p, q, log_ratio, skew)
        forward_kl.copy_(found.value)
        if of_forward is not None:
            of_forward.copy_(pull_back(found.slope))
    else:
        product = p * log_ratio
        reverse_kl.copy_(_reverse_kl(product))
        if of_reverse is not None:
            of_reverse.copy_(pull_back(product.addcmul_(p, reverse_kl[:, None], value=-1)))
        forward_kl.copy_(_forward_kl(torch.mul(q, log_ratio, out=product)))
        if of_forward is not None:
            of_forward.copy_(pull_back(torch.sub(p, q, out=product)))
    if of_logps is not None:
        of_logps.copy_(pull_back(_logps_slope_(p, labels)))


class _HiddenLogps(torch.autograd.Function):
    """(hidden, labels) -> logps, as `_HiddenStats` without a reference."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, labels: Tensor, head: Head, size: int) -> Tensor:
        learns = hidden.requires_grad
        logps = labels.new_zeros(labels.shape, dtype=torch.promote_types(hidden.dtype, torch.float32))
        ctx.slope = torch.empty_like(hidden) if learns else None
        for start in range(0, len(labels), size):
            piece = slice(start, start + size)
            with torch.set_grad_enabled(learns):
                leaf = hidden[piece].detach().requires_grad_(learns)
                logits = head(leaf)
            every = _log_softmax(logits.detach())
            logps[piece] = _at(every, labels[piece])
            if learns:
                of_logits = _logps_slope_(every.exp_(), labels[piece])
                ctx.slope[piece] = torch.autograd.grad(logits, leaf, of_logits.to(logits.dtype))[0]
        return logps

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return grads[0][:, None].to(ctx.slope.dtype) * ctx.slope, None, None, None


class _LogitStats(torch.autograd.Function):
    """(policy_logits, ref_logits, labels) -> (logps, ref_logps, forward_kl, reverse_kl)."""

    @staticmethod
    def forward(ctx: Any, policy_logits: Tensor, ref_logits: Tensor, labels: Tensor, skew: float) -> tuple[Tensor, ...]:
        ctx.save_for_backward(policy_logits, ref_logits, labels)
        ctx.skew = skew
        logps, ref_logps, p, q, log_ratio = _distributions(
            _log_softmax(policy_logits), _log_softmax(ref_logits), labels
        )
        if skew > 0:
            forward_kl = skewed_forward(p, q, log_ratio, skew).value
            return logps, ref_logps, forward_kl, skewed_reverse(p, log_ratio, skew).value
        return logps, ref_logps, _forward_kl(q.mul_(log_ratio)), _reverse_kl(p.mul_(log_ratio))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_logps, _, grad_forward, grad_reverse = grads  # the reference is constant
        policy_logits, ref_logits, labels = ctx.saved_tensors
        _, _, p, q, log_ratio = _distributions(_log_softmax(policy_logits), _log_softmax(ref_logits), labels)
        if ctx.skew > 0:
            grad = grad_forward[:, None] * skewed_forward(p, q, log_ratio, ctx.skew).slope
            grad += grad_reverse[:, None] * skewed_reverse(p, log_ratio, ctx.skew).slope
        else:
            reverse_kl = _reverse_kl(p * log_ratio)
            grad = grad_forward[:, None] * (p - q)
            grad += grad_reverse[:, None] * p * (log_ratio - reverse_kl[:, None])
        grad -= grad_logps[:, None] * p
        grad.scatter_add_(1, labels[:, None], grad_logps[:, None].to(grad.dtype))
        return grad.to(policy_logits.dtype), None, None, None


class _Distributions(NamedTuple):
    """Two next-token distributions compared: (n,) of the labels, (n, V) of the vocabulary."""

    logps: Tensor
    ref_logps: Tensor
    p: Tensor
    """Of the policy."""
    q: Tensor
    """Of the reference."""
    log_ratio: Tensor
    """log(p / q); 0 where both are 0."""


def _distributions(policy: Tensor, ref: Tensor, labels: Tensor) -> _Distributions:
    """Compare two (n, V) log-softmaxes, which are overwritten: one further (n, V) tensor comes to exist."""
    logps, ref_logps = _at(policy, labels), _at(ref, labels)
    p = policy.exp()
    masked = policy.isneginf()
    masked.logical_and_(ref.isneginf())
    log_ratio = policy.sub_(ref)
    if bool(masked.any()):
        log_ratio.masked_fill_(masked, 0)
    return _Distributions(logps, ref_logps, p, ref.exp_(), log_ratio)


def _forward_kl(q_log_ratio: Tensor) -> Tensor:
    """Return -sum of q * log(p / q); rounding may leave -1e-8 of what cannot be negative."""
    return -q_log_ratio.sum(-1).clamp(max=0)


def _reverse_kl(p_log_ratio: Tensor) -> Tensor:
    """Return the sum of p * log(p / q)."""
    return p_log_ratio.sum(-1).clamp(min=0)


def _at(logps: Tensor, labels: Tensor) -> Tensor:
    return logps.gather(1, labels[:, None])[:, 0]


def _logps_slope_(p: Tensor, labels: Tensor) -> Tensor:
    """Turn probabilities (n, V), in place, into the derivative of the labels' logps in the logits: onehot - p."""
    at_label = p.gather(1, labels[:, None])
    return p.neg_().scatter_(1, labels[:, None], 1 - at_label)


def _log_softmax(logits: Tensor) -> Tensor:
    return torch.log_softmax(logits, -1, dtype=torch.promote_types(logits.dtype, torch.float32))
