"""Every form that the method leaves open, against float64 numpy that shares no code: values to 1e-10, and gradients."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import test_presets as oracle
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_presets import Answer, Row, bce, draw_rows, edited, log_softmax, logp, ratio
from torch import nn

from medprefkit.errors import TrainError
from medprefkit.train.losses import CorruptedTokens, preference_loss
from medprefkit.train.presets import objective_settings
from medprefkit.train.settings import ObjectiveSettings
from medprefkit.train.token_stats import KlUse, TokenStats, chunked_token_stats, token_stats


def mixture_kl(first: Any, second: Any, skew: float) -> float:
    """KL(first || (1 - s) second + s first) of two rows of logits, one vocabulary entry at a time."""
    a, b = np.exp(log_softmax(first)), np.exp(log_softmax(second))
    return sum(x * (math.log(x) - math.log((1 - skew) * y + skew * x)) for x, y in zip(a, b, strict=True))


def kl_term(
    row: Row, *, skew: float, forward_on: str, reverse_on: str, alphas: tuple[float, float], mean: bool
) -> float:
    total = 0.0
    for side in ("chosen", "rejected"):
        answer: Answer = getattr(row, side)
        n = len(answer.labels)
        for t in range(n):
            u = (0.1 if t in edited(answer) else 1.0) / (n if mean else 1)
            if forward_on in (side, "both"):
                total += u * alphas[0] * mixture_kl(answer.ref[t], answer.policy[t], skew)
            if reverse_on in (side, "both"):
                total += u * alphas[1] * mixture_kl(answer.policy[t], answer.ref[t], skew)
    return total


def ranking(row: Row) -> float:
    return bce(
        0.1
        * sum(
            sign * answer.weights[t] * ratio(answer, t)
            for sign, answer in ((1, row.chosen), (-1, row.rejected))
            for t in edited(answer)
        )
    )


def grounding(row: Row, tokens: str, *, reference: bool, form: str) -> float:
    if row.corrupted is None:
        return 0.0
    score: Callable[[Answer, int], float] = ratio if reference else logp
    n = len(row.chosen.labels)
    chosen = {"all": list(range(n)), "edited": edited(row.chosen)}.get(
        tokens, [t for t in edited(row.chosen) if row.chosen.linked[t]]
    )
    x = 0.1 * sum(score(row.chosen, t) - score(row.corrupted, t) for t in chosen)
    return max(0.0, 1.0 - x) if form == "hinge" else bce(x)


NO_KL: dict[str, Any] = {"alpha_forward": 0.0, "alpha_reverse": 0.0}
NO_GROUND: dict[str, Any] = {"grounding_weight": 0.0}


def kl_case(form: str, skew: float, **more: Any) -> tuple[dict[str, Any], Callable[[Row], float]]:
    told = {"alpha_forward": 0.3, "alpha_reverse": 0.3, "kl_reduction": "mean", **more}
    term = {
        "skew": skew,
        "forward_on": told.get("forward_on", "chosen"),
        "reverse_on": told.get("reverse_on", "chosen"),
        "alphas": (told["alpha_forward"], told["alpha_reverse"]),
        "mean": told["kl_reduction"] == "mean",
    }

    def expected(row: Row) -> float:
        return ranking(row) + kl_term(row, **term)

    return {"kl_form": form, **told, **NO_GROUND}, expected


def ground_case(tokens: str, *, reference: bool, form: str) -> tuple[dict[str, Any], Callable[[Row], float]]:
    def expected(row: Row) -> float:
        return ranking(row) + grounding(row, tokens, reference=reference, form=form)

    return {"ground_tokens": tokens, "ground_reference": reference, "ground_form": form, **NO_KL}, expected


def oracle_anchor(row: Row) -> float:
    return ranking(row) + 0.7 * bce(0.1 * oracle.total(row.chosen, ratio) - 0.2)


CASES: dict[str, tuple[dict[str, Any], Callable[[Row], float]]] = {
    "both on chosen": kl_case("plain", 0.0),
    "forward on chosen, reverse on rejected": kl_case("plain", 0.0, forward_on="chosen", reverse_on="rejected"),
    "both on both, summed": kl_case("plain", 0.0, forward_on="both", reverse_on="both", kl_reduction="sum"),
    "skewed": kl_case("skewed", 0.1),
    "skewed by more, each on its side": kl_case(
        "skewed", 0.35, kl_skew=0.35, forward_on="rejected", reverse_on="both", alpha_reverse=0.05
    ),
    "Jensen-Shannon": kl_case("jensen_shannon", 0.5),
    "Jensen-Shannon on both, summed": kl_case(
        "jensen_shannon", 0.5, forward_on="both", reverse_on="both", kl_reduction="sum"
    ),
    "anchored": ({**NO_KL, **NO_GROUND, "anchor_weight": 0.7, "anchor_delta": 0.2}, oracle_anchor),
    **{
        f"grounded by {form} on {tokens}, {'with' if reference else 'without'} a reference": ground_case(
            tokens, reference=reference, form=form
        )
        for form in ("log_sigmoid", "hinge")
        for tokens in ("edited", "lesion_linked", "all")
        for reference in (True, False)
    },
}


def our_loss(settings: ObjectiveSettings, rows: list[Row], logits: list[torch.Tensor]) -> torch.Tensor:
    answers = [
        [row.chosen for row in rows],
        [row.rejected for row in rows],
        [row.corrupted or row.chosen for row in rows],
    ]
    chosen, rejected, there = (
        oracle.to_tokens(each, z, skew=settings.skew) for each, z in zip(answers, logits, strict=True)
    )
    present = torch.tensor([row.corrupted is not None for row in rows])
    weights = torch.tensor([row.weight for row in rows], dtype=torch.float64)
    corrupted = CorruptedTokens(there.logps, there.ref_logps, present)
    return preference_loss(settings, chosen, rejected, corrupted, weights).loss


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_form_equals_its_oracle_in_value_and_gradient(case: str) -> None:
    changes, expected = CASES[case]
    settings, rows = objective_settings("medpref", **changes), draw_rows()
    logits = [each.requires_grad_() for each in oracle.all_logits("medpref", rows)]
    loss = our_loss(settings, rows, logits)
    assert float(loss.detach()) == pytest.approx(sum(row.weight * expected(row) for row in rows) / len(rows), abs=1e-10)
    gradients = torch.autograd.grad(loss, logits, allow_unused=True)
    step = 1e-5
    for gradient, name in zip(gradients, ("chosen", "rejected", "corrupted"), strict=True):
        for t, v in ((0, 0), (1, 5), (2, 10)):
            losses = []
            for sign in (1, -1):
                answer: Answer = getattr(rows[1], name)
                policy = answer.policy.copy()
                policy[t, v] += sign * step
                changed = rows[1]._replace(**{name: answer._replace(policy=policy)})
                losses.append(changed.weight * expected(changed) / len(rows))
            value = 0.0 if gradient is None else float(gradient[1, t, v])
            assert value == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-8)


def test_jensen_shannon_is_the_alphas_times_the_divergence() -> None:
    # p = (1/2, 1/2), q = (1/4, 3/4), m = (3/8, 5/8):
    # KL(q || m) = 1/4 log(2/3) + 3/4 log(6/5) = 0.035375; KL(p || m) = 1/2 log(4/3) + 1/2 log(4/5) = 0.032269
    policy = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    ref = torch.tensor([[0.0, math.log(3)]], dtype=torch.float64)
    stats = token_stats(policy, ref, torch.tensor([1]), skew=0.5)
    assert stats.forward_kl.item() == pytest.approx(0.035375, abs=1e-6)
    assert stats.reverse_kl.item() == pytest.approx(0.032269, abs=1e-6)
    other = token_stats(ref, policy, torch.tensor([1]), skew=0.5)  # symmetric
    assert stats.forward_kl + stats.reverse_kl == pytest.approx(other.forward_kl + other.reverse_kl)


@given(st.floats(0.01, 0.99), st.integers(0, 50))
def test_a_skewed_kl_lies_between_0_and_the_plain_one_and_is_bounded(skew: float, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    policy, ref = (20 * torch.randn(3, 7, generator=random, dtype=torch.float64) for _ in range(2))
    labels = torch.zeros(3, dtype=torch.long)
    plain, skewed = token_stats(policy, ref, labels), token_stats(policy, ref, labels, skew=skew)
    for one, other in ((skewed.forward_kl, plain.forward_kl), (skewed.reverse_kl, plain.reverse_kl)):
        assert bool((one >= 0).all())
        assert bool((one <= other + 1e-12).all())
        assert bool((one <= -math.log(skew) + 1e-12).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_equal_distributions_have_no_skewed_kl_and_no_slope_and_far_ones_stay_finite(dtype: torch.dtype) -> None:
    same = torch.randn(4, 50, dtype=torch.float64).to(dtype).requires_grad_()
    labels = torch.zeros(4, dtype=torch.long)
    stats = token_stats(same, same.detach(), labels, skew=0.5)
    assert not stats.forward_kl.any()
    assert not stats.reverse_kl.any()
    slope = torch.autograd.grad((stats.forward_kl + stats.reverse_kl).sum(), same)[0]
    assert float(slope.abs().max()) < 1e-7
    far = torch.tensor([[500.0, -500.0, 0.0, -torch.inf]], dtype=dtype)
    policy = torch.tensor([[-500.0, 500.0, 0.0, -torch.inf]], dtype=dtype).requires_grad_()
    stats = token_stats(policy, far, torch.tensor([0]), skew=0.1)
    slope = torch.autograd.grad((stats.forward_kl + stats.reverse_kl).sum(), policy)[0]
    assert [stats.forward_kl.item(), stats.reverse_kl.item()] == pytest.approx([-math.log(0.1)] * 2, rel=1e-6)
    assert bool(torch.isfinite(slope).all())


@pytest.mark.parametrize("learns", [False, True])
def test_chunks_with_a_skew_are_the_plain_path(learns: bool) -> None:
    torch.manual_seed(0)
    head = nn.Linear(6, 23, bias=False).double().requires_grad_(learns)
    hidden, ref = torch.randn(9, 6, dtype=torch.float64, requires_grad=True), torch.randn(9, 6, dtype=torch.float64)
    labels, weights = torch.randint(0, 23, (9,)), torch.randn(3, 9, dtype=torch.float64)

    def loss(stats: TokenStats) -> torch.Tensor:
        return (weights[0] * stats.logps + weights[1] * stats.forward_kl + weights[2] * stats.reverse_kl).sum()

    chunked = chunked_token_stats(
        head, hidden, ref, labels, head_learns=learns, kl=KlUse(skew=0.3), chunk_logits=4 * 23
    )
    whole = token_stats(head(hidden), head(ref).detach(), labels, skew=0.3)
    inputs = [hidden, *(head.parameters() if learns else ())]
    assert all(torch.allclose(one, other, atol=1e-12) for one, other in zip(chunked, whole, strict=True))
    for one, other in zip(
        torch.autograd.grad(loss(chunked), inputs), torch.autograd.grad(loss(whole), inputs), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-12)


def test_a_skewed_gradcheck() -> None:
    torch.manual_seed(0)
    policy, ref = torch.randn(3, 5, dtype=torch.float64, requires_grad=True), torch.randn(3, 5, dtype=torch.float64)

    def stats(z: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(token_stats(z, ref, torch.tensor([0, 1, 2]), skew=0.2))

    assert torch.autograd.gradcheck(stats, policy)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kl_form": "chi2"}, "kl_form must be one of plain, skewed, jensen_shannon, got 'chi2'"),
        ({"kl_skew": 1.0}, r"kl_skew must be in \(0, 1\), got 1.0"),
        ({"kl_form": "jensen_shannon", "alpha_reverse": 0.1}, "is symmetric: it needs alpha_forward = alpha_reverse"),
        ({"kl_form": "jensen_shannon", "reverse_on": "rejected"}, "forward_on = reverse_on"),
        ({"kl_form": "skewed", "sequence_kl_weight": 1.0}, "takes the plain KL: it excludes kl_form 'skewed'"),
    ],
)
def test_forms_that_exclude_each_other_are_one_line(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(TrainError, match=says) as error:
        replace(objective_settings("medpref"), **changes)
    assert "\n" not in str(error.value)
