"""Log-probabilities and KLs from logits: values, gradients, and the failures of published code."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from medprefkit.train.token_stats import chunked_token_stats, token_stats


def logits(
    n: int = 4, v: int = 9, *, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    policy = 3 * torch.randn(n, v, generator=random, dtype=torch.float64)
    ref = 3 * torch.randn(n, v, generator=random, dtype=torch.float64)
    return policy.to(dtype), ref.to(dtype), torch.randint(0, v, (n,), generator=random)


def test_two_tokens_by_hand() -> None:
    # policy (1/2, 1/2), reference (1/4, 3/4)
    policy = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    ref = torch.tensor([[0.0, math.log(3)]], dtype=torch.float64)
    stats = token_stats(policy, ref, torch.tensor([1]))
    assert stats.logps.item() == pytest.approx(math.log(1 / 2))
    assert stats.ref_logps.item() == pytest.approx(math.log(3 / 4))
    # 1/4 log(1/2) + 3/4 log(3/2) = 0.130812; 1/2 log 2 + 1/2 log(2/3) = 0.143841
    assert stats.forward_kl.item() == pytest.approx(0.130812, abs=1e-6)
    assert stats.reverse_kl.item() == pytest.approx(0.143841, abs=1e-6)


def test_the_identities_in_logits() -> None:
    policy, ref, labels = logits()
    stats = token_stats(policy, ref, labels)
    p, q = policy.softmax(-1), ref.softmax(-1)
    lse = torch.logsumexp(policy, -1), torch.logsumexp(ref, -1)
    assert torch.allclose(stats.forward_kl, (q * (ref - policy)).sum(-1) + lse[0] - lse[1], atol=1e-12)
    assert torch.allclose(stats.reverse_kl, (p * (policy - ref)).sum(-1) + lse[1] - lse[0], atol=1e-12)


def test_the_gradients_in_logits() -> None:
    policy, ref, labels = logits()
    policy.requires_grad_()
    p, q = policy.detach().softmax(-1), ref.softmax(-1)
    stats = token_stats(policy, ref, labels)
    forward = torch.autograd.grad(stats.forward_kl.sum(), policy, retain_graph=True)[0]
    reverse = torch.autograd.grad(stats.reverse_kl.sum(), policy, retain_graph=True)[0]
    assert torch.allclose(forward, p - q, atol=1e-12)
    assert torch.allclose(reverse, p * ((p / q).log() - stats.reverse_kl.detach()[:, None]), atol=1e-12)
    likelihood = torch.autograd.grad(stats.logps.sum(), policy)[0]
    assert torch.allclose(likelihood, nn.functional.one_hot(labels, 9) - p, atol=1e-12)


def test_gradcheck() -> None:
    policy, ref, labels = logits(3, 5)
    assert torch.autograd.gradcheck(lambda z: tuple(token_stats(z, ref, labels)), policy.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equal_logits_give_exactly_no_kl_and_no_gradient(dtype: torch.dtype) -> None:
    policy, _, labels = logits(50, 300, dtype=dtype)
    policy.requires_grad_()
    stats = token_stats(policy, policy.detach().clone(), labels)
    assert not stats.forward_kl.any()
    assert not stats.reverse_kl.any()
    assert torch.equal(stats.logps, stats.ref_logps)
    gradient = torch.autograd.grad((stats.forward_kl + stats.reverse_kl).sum(), policy)[0]
    assert not gradient.any()


@given(st.integers(0, 1000), st.floats(-50, 50))
def test_a_constant_added_to_all_logits_changes_nothing(seed: int, constant: float) -> None:
    policy, ref, labels = logits(seed=seed)
    for plain, shifted in zip(
        token_stats(policy, ref, labels), token_stats(policy + constant, ref - constant, labels), strict=True
    ):
        assert torch.allclose(plain, shifted, atol=1e-10)


@given(st.integers(0, 1000), st.floats(1e-6, 30))
def test_a_kl_is_never_negative(seed: int, scale: float) -> None:
    policy, ref, labels = logits(seed=seed, dtype=torch.float32)
    stats = token_stats(ref + scale * 1e-3 * policy, ref, labels)
    assert (stats.forward_kl >= 0).all()
    assert (stats.reverse_kl >= 0).all()


def test_an_underflowing_probability_is_a_number() -> None:
    # softmax().log() of these logits is -inf in float32, and 0 * -inf NaN
    policy = torch.tensor([[0.0, 200.0, -30.0]], requires_grad=True)
    ref = torch.tensor([[0.0, -200.0, 0.0]])
    stats = token_stats(policy, ref, torch.tensor([0]))
    assert torch.isnan((ref.softmax(-1) * (ref.softmax(-1).log() - policy.softmax(-1).log())).sum())
    # log q = -log 2 on the first and third; the policy is 200 and 230 below its second: 215 - log 2
    assert stats.forward_kl.item() == pytest.approx(215 - math.log(2), abs=1e-3)
    sum(each.sum() for each in stats).backward()
    assert policy.grad is not None
    assert torch.isfinite(policy.grad).all()


def test_a_column_masked_in_both_takes_no_part() -> None:
    policy, ref, labels = logits()
    labels = labels.clamp(max=7)
    whole = policy.clone(), ref.clone()
    for each in whole:
        each[:, 8] = -math.inf
    whole[0].requires_grad_()
    masked = token_stats(*whole, labels)
    without = token_stats(policy[:, :8], ref[:, :8], labels)
    for one, other in zip(masked, without, strict=True):
        assert torch.allclose(one, other, atol=1e-12)
    gradient = torch.autograd.grad(sum(each.sum() for each in masked), whole[0])[0]
    assert torch.isfinite(gradient).all()
    assert not gradient[:, 8].any()


def test_bfloat16_logits_are_compared_in_float32() -> None:
    policy, ref, labels = logits(dtype=torch.bfloat16)
    stats = token_stats(policy.requires_grad_(), ref, labels)
    assert all(each.dtype == torch.float32 for each in stats)
    assert torch.equal(stats.logps, token_stats(policy.float(), ref.float(), labels).logps)


@pytest.mark.parametrize("chunk_tokens", [1, 3, 7, 100])
def test_chunks_change_neither_values_nor_gradients(chunk_tokens: int) -> None:
    torch.manual_seed(0)
    head = nn.Linear(6, 11, bias=False, dtype=torch.float64)
    hidden = torch.randn(7, 6, dtype=torch.float64, requires_grad=True)
    ref = torch.randn(7, 6, dtype=torch.float64)
    labels = torch.arange(7)

    def gradient(stats: tuple[Tensor, ...]) -> Tensor:
        weighted = sum((k + 1) * each.pow(2).sum() for k, each in enumerate(stats))
        return torch.autograd.grad(weighted, hidden)[0]

    chunked = chunked_token_stats(head, hidden, ref, labels, chunk_tokens=chunk_tokens)
    plain = token_stats(head(hidden), head(ref).detach(), labels)
    for one, other in zip(chunked, plain, strict=True):
        assert torch.allclose(one, other, atol=1e-12)
    assert torch.allclose(gradient(chunked), gradient(plain), atol=1e-12)


def test_no_token_is_no_number() -> None:
    head = nn.Linear(6, 11)
    stats = chunked_token_stats(head, torch.zeros(0, 6), torch.zeros(0, 6), torch.zeros(0, dtype=torch.long))
    assert all(each.shape == (0,) for each in stats)
