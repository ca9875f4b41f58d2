"""What a run logs: every quantity that shows whether training goes where it should, averaged over rows.

With minimal edits a preference loss can fall while the preferred text becomes less likely (arXiv 2402.13228), so the
likelihoods themselves are logged, edited and unedited tokens apart, beside losses and margins.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from medprefkit.train.losses import AnswerTokens, CorruptedTokens, PreferenceLoss
from medprefkit.train.settings import ObjectiveSettings

NAMES = (
    "loss/total", "loss/rank", "loss/kl", "loss/ground", "loss/anchor",
    "margin", "rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies",
    "logps/chosen", "logps/chosen_edited", "logps/chosen_unedited",
    "logps/rejected", "logps/rejected_edited", "logps/rejected_unedited",
    "logps/chosen_corrupted", "logps/rejected_corrupted", "logps/chosen_vs_ref",
    "kl/forward_mean", "kl/forward_sum", "kl/reverse_mean", "kl/reverse_sum",
    "ground/margin", "ground/accuracies", "share/corrupted", "share/grounded",
)  # fmt: skip


@torch.no_grad()
def batch_metrics(
    settings: ObjectiveSettings,
    loss: PreferenceLoss,
    chosen: AnswerTokens,
    rejected: AnswerTokens,
    corrupted: CorruptedTokens | None,
) -> Tensor:
    """Return (len(NAMES), 2): the sum of each quantity over the rows that have it, and how many rows those are.

    Log-probabilities are sums over an answer's tokens, nats. KLs are on the chosen answer, unweighted; `_mean` is a
    token's, `_sum` an answer's. `logps/chosen_vs_ref` is what the chosen answer gained since the start. Grounding
    quantities are of rows that ground.
    """
    n_tokens = chosen.token_mask.sum(-1).clamp(min=1)
    forward = (chosen.forward_kl * chosen.token_mask).sum(-1)
    reverse = (chosen.reverse_kl * chosen.token_mask).sum(-1)
    every = torch.ones_like(loss.grounded)
    present = torch.zeros_like(loss.grounded) if corrupted is None else corrupted.present
    on_corrupted = torch.zeros_like(loss.rank)
    on_rejected = settings.ground_against == "rejected"
    if corrupted is not None:
        mask = rejected.token_mask if on_rejected else chosen.token_mask
        on_corrupted = torch.where(mask, corrupted.logps, torch.zeros_like(corrupted.logps)).sum(-1)
    rows: dict[str, tuple[Tensor, Tensor]] = {
        "loss/total": (loss.rows, every),
        "loss/rank": (loss.rank, every),
        "loss/kl": (loss.kl, every),
        "loss/ground": (loss.ground, loss.grounded),
        "loss/anchor": (loss.anchor, every),
        "margin": (loss.margin, every),
        "rewards/chosen": (settings.beta * loss.chosen_scores, every),
        "rewards/rejected": (settings.beta * loss.rejected_scores, every),
        "rewards/margins": (settings.beta * loss.margin, every),
        "rewards/accuracies": (loss.margin > 0, every),
        "logps/chosen_corrupted": (on_corrupted, torch.zeros_like(present) if on_rejected else present),
        "logps/rejected_corrupted": (on_corrupted, present if on_rejected else torch.zeros_like(present)),
        "logps/chosen_vs_ref": (chosen.log_ratios.sum(-1), every),
        "kl/forward_mean": (forward / n_tokens, every),
        "kl/forward_sum": (forward, every),
        "kl/reverse_mean": (reverse / n_tokens, every),
        "kl/reverse_sum": (reverse, every),
        "ground/margin": (loss.ground_margin, loss.grounded),
        "ground/accuracies": (loss.ground_margin > 0, loss.grounded),
        "share/corrupted": (present, every),
        "share/grounded": (loss.grounded, every),
    }
    for side, tokens in (("chosen", chosen), ("rejected", rejected)):
        unedited = tokens.token_mask & ~tokens.edited
        for name, part in (("", tokens.token_mask), ("_edited", tokens.edited), ("_unedited", unedited)):
            summed = torch.where(part, tokens.logps, torch.zeros_like(tokens.logps)).sum(-1)
            rows[f"logps/{side}{name}"] = (summed, every)
    return torch.stack([_sum_and_count(*rows[name]) for name in NAMES])


def _sum_and_count(values: Tensor, has: Tensor) -> Tensor:
    return torch.stack([torch.where(has, values, 0).sum().double(), has.sum().double()])


class MetricSums:
    """Sums over the batches since the last log, so that an average weighs rows, not batches, alike."""

    def __init__(self) -> None:
        self._sums: Tensor | None = None

    def add(self, sums: Tensor) -> None:
        """Add what `batch_metrics` returned."""
        self._sums = sums if self._sums is None else self._sums + sums

    def drain(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the averages and start anew; a quantity that no row had is left out.

        Args:
            reduce: Sums a tensor over the processes of a distributed run.
        """
        if self._sums is None:
            return {}
        sums = reduce(self._sums).tolist()
        self._sums = None
        return {name: total / count for name, (total, count) in zip(NAMES, sums, strict=True) if count > 0}
