"""The objective, as pure functions of per-token numbers. It knows no model, tokenizer or image.

Source: arXiv 2606.12590, of which only the abstract is public: span-weighted ranking, bidirectional token-wise KL, a
clean-against-corrupted grounding term. Differs: every choice that the abstract leaves open is an `ObjectiveSettings`.

B rows, T tokens of the longer answer, P phrases. Rows are independent: the loss of a batch is the mean of the losses
of its rows, whatever the padding and whatever else is in the batch.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from medprefkit.errors import TrainError
from medprefkit.train.settings import ObjectiveSettings, Side


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """The tokens of one answer a row, on the clean image. All (B, T); what stands in padding is ignored.

    Attributes:
        logps: Policy's log-probability of each token, nats.
        ref_logps: Reference's.
        forward_kl: KL(ref || policy) over the vocabulary at each token, nats; of the settings' `kl_form`.
        reverse_kl: KL(policy || ref), likewise.
        phrase_ids: Phrase of each token, 0 outside every edit; phrase k of chosen replaces phrase k of rejected.
        phrase_weights: Weight of the token's span; read inside edits only.
        lesion_linked: True where the span's evidence is the lesion.
        token_mask: True on the answer's tokens, False on padding.
        token_weights: Ranking weight of each token, where the dataset brings one; None otherwise.
    """

    logps: Tensor
    ref_logps: Tensor
    forward_kl: Tensor
    reverse_kl: Tensor
    phrase_ids: Tensor
    phrase_weights: Tensor
    lesion_linked: Tensor
    token_mask: Tensor
    token_weights: Tensor | None = None

    @property
    def edited(self) -> Tensor:
        """(B, T) True inside an edit."""
        return self.token_mask & (self.phrase_ids > 0)

    @property
    def log_ratios(self) -> Tensor:
        """(B, T) r_t = log(policy / ref), nats; 0 on padding."""
        return _keep(self.token_mask, self.logps - self.ref_logps)


@dataclass(frozen=True, slots=True)
class CorruptedTokens:
    """One answer's tokens on the corrupted image, aligned with the clean ones: the chosen, or as `ground_against` says.

    Attributes:
        logps: (B, T) policy's log-probabilities, nats.
        ref_logps: (B, T) reference's.
        present: (B,) True where the row has a corrupted image.
    """

    logps: Tensor
    ref_logps: Tensor
    present: Tensor


class PreferenceLoss(NamedTuple):
    """The loss, its terms a row (unweighted), and the margins that they are made of. All but `loss` are (B,)."""

    loss: Tensor
    """Scalar: mean over rows of weight above 0."""
    rows: Tensor
    """w * (rank + kl + lambda * ground + gamma * anchor)."""
    rank: Tensor
    kl: Tensor
    ground: Tensor
    """0 where `grounded` is False."""
    anchor: Tensor
    chosen_scores: Tensor
    """Weighted sum that ranks, of the chosen answer."""
    rejected_scores: Tensor
    margin: Tensor
    """chosen_scores - rejected_scores."""
    ground_margin: Tensor
    """Sum of g_t (r_t on the clean image - r_t on the corrupted one)."""
    grounded: Tensor
    """True where the row has a corrupted image and at least one token that grounds."""


def preference_loss(
    settings: ObjectiveSettings,
    chosen: AnswerTokens,
    rejected: AnswerTokens,
    corrupted: CorruptedTokens | None,
    row_weights: Tensor,
) -> PreferenceLoss:
    """Score a batch: w * (L_rank + L_kl + lambda * L_ground + gamma * L_anchor), a row at a time.

    Args:
        settings: The objective.
        chosen: (B, T) tokens of the preferred answers.
        rejected: (B, T') tokens of the others.
        corrupted: The answers on the corrupted images; None where no row has one.
        row_weights: (B,) finite, >= 0. A row of weight 0 is as if it were not there.

    Returns:
        The loss in nats; 0 if every weight is 0.

    Source: the method's objective. Differs: a row without a corrupted image has no grounding term, instead of the
        log 2 or the image noise that ancestors give it, and so weighs its other terms as it would alone.
    """
    ranking = ranking_loss(settings, chosen, rejected)
    kl = kl_loss(settings, chosen, rejected)
    ground = grounding_loss(settings, chosen, rejected, corrupted)
    anchor = anchor_loss(settings, chosen)
    rows = row_weights * (ranking.loss + kl + settings.grounding_weight * ground.loss + settings.anchor_weight * anchor)
    return PreferenceLoss(
        loss=rows.sum() / (row_weights > 0).sum().clamp(min=1),
        rows=rows,
        rank=ranking.loss,
        kl=kl,
        ground=ground.loss,
        anchor=anchor,
        chosen_scores=ranking.chosen_scores,
        rejected_scores=ranking.rejected_scores,
        margin=ranking.chosen_scores - ranking.rejected_scores,
        ground_margin=ground.margin,
        grounded=ground.grounded,
    )


class RankingLoss(NamedTuple):
    """L_rank and the two scores that it contrasts; each (B,)."""

    loss: Tensor
    chosen_scores: Tensor
    rejected_scores: Tensor


def ranking_loss(settings: ObjectiveSettings, chosen: AnswerTokens, rejected: AnswerTokens) -> RankingLoss:
    """Contrast the edited phrases of the chosen answer with those they replaced.

    -log sigmoid(beta * m), m = sum_t a_t r_t(chosen) - sum_t a_t r_t(rejected). An edit that is empty on one side
    contributes 0 there and still learns on the other.

    Source: DPO (arXiv 2305.18290, eq. 7) with a token weight a_t; DDPO (arXiv 2312.00849) for `weight_total`;
        TDPO (arXiv 2404.11999) for the KL inside the sigmoid. Differs: one function of a_t for all.
    """
    if settings.rank_form == "phrases":
        return _phrase_ranking_loss(settings, chosen, rejected)
    chosen_scores = _ranking_score(settings, chosen)  # (B,)
    rejected_scores = _ranking_score(settings, rejected)
    margin = chosen_scores - rejected_scores
    if settings.sequence_kl_weight > 0:
        chosen_kl = _keep(chosen.token_mask, chosen.forward_kl).sum(-1)  # (B,)
        rejected_kl = _keep(rejected.token_mask, rejected.forward_kl).sum(-1)
        if settings.sequence_kl_stop == "chosen":
            chosen_kl = chosen_kl.detach()
        margin = margin - settings.sequence_kl_weight * (rejected_kl - chosen_kl)
    return RankingLoss(-F.logsigmoid(settings.beta * margin), chosen_scores, rejected_scores)


def kl_loss(settings: ObjectiveSettings, chosen: AnswerTokens, rejected: AnswerTokens) -> Tensor:
    """Hold the policy to the reference in both directions at every token: (B,) nats.

    reduce_t u_t (alpha_f KL(ref || policy) + alpha_r KL(policy || ref)), u_t less inside edits.

    Source: the token-wise KL of RRPO (arXiv 2504.12083) and its mirror. Differs: the mean over tokens is the default,
        since a sum makes alpha grow with the answer; RRPO's direction alone is `alpha_reverse` 0. The skewed form is
        DistiLLM's (arXiv 2402.03898); skewed by half in both directions it is the Jensen-Shannon divergence.
    """
    forward = _kl_on(settings, settings.forward_on, chosen, rejected, "forward_kl")
    reverse = _kl_on(settings, settings.reverse_on, chosen, rejected, "reverse_kl")
    return settings.alpha_forward * forward + settings.alpha_reverse * reverse


class GroundingLoss(NamedTuple):
    """L_ground, its margin, and the rows that have one; each (B,)."""

    loss: Tensor
    margin: Tensor
    grounded: Tensor


def grounding_loss(
    settings: ObjectiveSettings, chosen: AnswerTokens, rejected: AnswerTokens, corrupted: CorruptedTokens | None
) -> GroundingLoss:
    """Ask that the chosen answer be likelier with the lesion in the image than an answer without.

    -log sigmoid(beta_g * (sum_t g_t r_t(chosen | v) - sum_t g_t r_t(y | v~))), or a hinge on the same quantity; y is
    the chosen answer itself, or by `ground_against` the rejected one. Loss and margin are 0 where the row has no
    corrupted image or no token that grounds.

    Source: the conditional term of mDPO (arXiv 2406.11839); for `ground_against` the second kind of pair of MMedPO
        (arXiv 2412.06141). Differs: only tokens whose evidence is the lesion, and the image lost its lesion rather
        than a random part.
    """
    if corrupted is None:
        nothing = torch.zeros_like(chosen.logps[:, 0])
        return GroundingLoss(nothing, nothing, torch.zeros_like(nothing, dtype=torch.bool))
    other = chosen if settings.ground_against == "chosen" else rejected  # corrupted holds this one's tokens
    clean_tokens, corrupted_tokens = _grounding_tokens(settings, chosen), _grounding_tokens(settings, other)  # (B, T)
    clean, dark = chosen.logps, corrupted.logps
    if settings.ground_reference:
        clean, dark = clean - chosen.ref_logps, dark - corrupted.ref_logps
    margin = _keep(clean_tokens, clean).sum(-1) - _keep(corrupted_tokens, dark).sum(-1)  # (B,)
    grounded = corrupted.present & (clean_tokens.any(-1) | corrupted_tokens.any(-1))
    margin = _keep(grounded, margin)
    scaled = settings.grounding_beta * margin
    hinge = settings.ground_form == "hinge"
    loss = (settings.ground_margin - scaled).clamp(min=0) if hinge else -F.logsigmoid(scaled)
    return GroundingLoss(_keep(grounded, loss), margin, grounded)


def anchor_loss(settings: ObjectiveSettings, chosen: AnswerTokens) -> Tensor:
    """Keep the chosen answer as likely as the reference finds it: (B,), -log sigmoid(beta * sum_t r_t - delta).

    Source: mDPO (arXiv 2406.11839). Differs: none; over all tokens of the answer, edited or not.
    """
    return -F.logsigmoid(settings.beta * chosen.log_ratios.sum(-1) - settings.anchor_delta)


def ranking_weights(settings: ObjectiveSettings, tokens: AnswerTokens) -> Tensor:
    """Return a_t, (B, T): the weight of each token in the ranking; 0 on padding.

    Source: for `tokens`, TIS-DPO (arXiv 2410.04350): the weights are given, inside edits and out.
    """
    if settings.edit_weights == "tokens":
        if tokens.token_weights is None:
            raise TrainError("edit_weights 'tokens' needs token weights, and these rows have none")
        return _keep(tokens.token_mask, tokens.token_weights)
    inside = torch.full_like(tokens.logps, settings.edited_weight)
    if settings.edit_weights == "spans":
        inside = inside * tokens.phrase_weights
    weights = torch.where(tokens.edited, inside, torch.full_like(inside, settings.unedited_weight))
    return _keep(tokens.token_mask, weights)


def _grounding_tokens(settings: ObjectiveSettings, tokens: AnswerTokens) -> Tensor:
    if settings.ground_tokens == "all":
        return tokens.token_mask
    return tokens.edited if settings.ground_tokens == "edited" else tokens.edited & tokens.lesion_linked


def _ranking_score(settings: ObjectiveSettings, tokens: AnswerTokens) -> Tensor:
    weights = ranking_weights(settings, tokens)
    score = (weights * _ranking_values(settings, tokens)).sum(-1)
    if settings.rank_normalise == "weight_total":
        total = weights.sum(-1)
        score = score / torch.where(total > 0, total, torch.ones_like(total))
    return score


def _ranking_values(settings: ObjectiveSettings, tokens: AnswerTokens) -> Tensor:
    return tokens.log_ratios if settings.rank_reference else _keep(tokens.token_mask, tokens.logps)


def _phrase_ranking_loss(settings: ObjectiveSettings, chosen: AnswerTokens, rejected: AnswerTokens) -> RankingLoss:
    """Contrast phrase k with phrase k and average over the phrases that the row has.

    softplus(beta * (rejected_k - chosen_k)); 0 for a row without a phrase.

    Source: HALVA (arXiv 2405.18654), alignment term. Differs: slots that a row does not have are left out of its
        mean, where the reference code counts each as log 2, and softplus where it overflows.
    """
    n_phrases = int(max(chosen.phrase_ids.max(), rejected.phrase_ids.max()))
    chosen_sums, chosen_real = _phrase_sums(settings, chosen, n_phrases)
    rejected_sums, rejected_real = _phrase_sums(settings, rejected, n_phrases)
    real = chosen_real | rejected_real  # (B, P): a deletion is real on one side only
    losses = _keep(real, F.softplus(settings.beta * (rejected_sums - chosen_sums)))
    return RankingLoss(losses.sum(-1) / real.sum(-1).clamp(min=1), chosen_sums.sum(-1), rejected_sums.sum(-1))


def _phrase_sums(settings: ObjectiveSettings, tokens: AnswerTokens, n_phrases: int) -> tuple[Tensor, Tensor]:
    """Return the weighted sum of each phrase and whether it has a token, both (B, P)."""
    values = ranking_weights(settings, tokens) * _ranking_values(settings, tokens)
    ids = _keep(tokens.token_mask, tokens.phrase_ids)  # padding falls into slot 0, outside every edit
    sums = values.new_zeros(len(values), n_phrases + 1).scatter_add(1, ids, values)
    counts = values.new_zeros(len(values), n_phrases + 1).scatter_add(1, ids, torch.ones_like(values))
    return sums[:, 1:], counts[:, 1:] > 0


def _kl_on(
    settings: ObjectiveSettings, side: Side, chosen: AnswerTokens, rejected: AnswerTokens, direction: str
) -> Tensor:
    sides = {"chosen": (chosen,), "rejected": (rejected,), "both": (chosen, rejected)}[side]
    total = torch.zeros_like(chosen.logps[:, 0])
    for tokens in sides:
        ones = torch.ones_like(tokens.logps)  # in the precision of the KLs
        weights = torch.where(tokens.edited, settings.kl_edited_weight * ones, ones)  # u_t
        summed = _keep(tokens.token_mask, weights * getattr(tokens, direction)).sum(-1)  # (B,)
        if settings.kl_reduction == "mean":
            summed = summed / tokens.token_mask.sum(-1).clamp(min=1)
        total = total + summed
    return total


def _keep(mask: Tensor, values: Tensor) -> Tensor:
    """Return `values` where `mask` is True and 0 elsewhere, even where they are not numbers."""
    return torch.where(mask, values, torch.zeros_like(values))
