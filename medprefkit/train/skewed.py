"""KLs towards a mixture, of a chunk's distributions: bounded where a plain KL is not; halves of a Jensen-Shannon.

n tokens, V vocabulary. It knows distributions only.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class SkewedKl(NamedTuple):
    """A divergence and its derivative."""

    value: Tensor
    """(n,) nats, at most -log(skew)."""
    slope: Tensor
    """(n, V) in the policy's logits; each row sums to 0."""


def skewed_forward(p: Tensor, q: Tensor, log_ratio: Tensor, skew: float) -> SkewedKl:
    """Return KL(ref || (1 - s) policy + s ref), exactly 0 with slope 0 where the two are equal.

    With l = log(p / q) and g = log((1 - s) e^l + s): the value is -sum q g, the slope p (sum_j h_j - h / p) with
    h = (1 - s) p e^-g.

    Args:
        p: (n, V) of the policy.
        q: (n, V) of the reference.
        log_ratio: (n, V) log(p / q).
        skew: s, in (0, 1).

    Source: skew KL of DistiLLM (arXiv 2402.03898, eq. 5). Differs: computed from log-ratios, so that no probability
        that underflows is divided by.
    """
    g = _log_mixture(log_ratio, 1 - skew).add_(log_ratio.clamp(min=0))
    value = -(q * g).sum(-1).clamp(max=0)
    h = g.neg_().exp_().mul_(p).mul_(1 - skew)
    return SkewedKl(value, _centred(p, h.neg_()))


def skewed_reverse(p: Tensor, log_ratio: Tensor, skew: float) -> SkewedKl:
    """Return KL(policy || (1 - s) ref + s policy), the mirror of `skewed_forward`.

    With k = l - log((1 - s) + s e^l): the value is sum p k, the slope p (w - sum_j p_j w_j) with w = k - s e^k.

    Args:
        p: (n, V) of the policy.
        log_ratio: (n, V) log(p / q).
        skew: s, in (0, 1).
    """
    k = log_ratio.clamp(max=0).sub_(_log_mixture(log_ratio, skew))
    value = (p * k).sum(-1).clamp(min=0)
    w = k.sub_(k.exp().mul_(skew))
    return SkewedKl(value, _centred(p, w.mul_(p)))


def _log_mixture(log_ratio: Tensor, share: float) -> Tensor:
    """Return log(share e^l + 1 - share) - max(l, 0): without overflow, and exactly 0 at l = 0."""
    away = log_ratio.abs().neg_().expm1_()  # e^-|l| - 1, in (-1, 0]
    inner = torch.where(log_ratio < 0, log_ratio.new_tensor(share), log_ratio.new_tensor(1 - share))
    return away.mul_(inner).log1p_()


def _centred(p: Tensor, weighted: Tensor) -> Tensor:
    """Return weighted - p * sum(weighted), where weighted is p times a derivative in p."""
    return weighted.addcmul_(p, weighted.sum(-1, keepdim=True), value=-1)
