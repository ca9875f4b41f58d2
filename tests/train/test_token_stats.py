"""Log-probabilities and KLs from logits: values, gradients, and the failures of published code."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from medprefkit.train.token_stats import KlUse, chunked_logps, chunked_token_stats, token_stats


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


class Capped(nn.Module):
    """A head with a bias and a soft cap."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(6, 11, dtype=torch.float64)

    def forward(self, hidden: Tensor) -> Tensor:
        return 2 * torch.tanh(self.linear(hidden) / 2)


class Masked(Capped):
    """A head whose last column is never a token."""

    def forward(self, hidden: Tensor) -> Tensor:
        logits = self.linear(hidden)
        return logits.masked_fill(torch.arange(11) == 10, -math.inf)


def hidden_states(n: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(2)
    policy = torch.randn(n, 6, dtype=torch.float64, generator=random)
    ref = torch.randn(n, 6, dtype=torch.float64, generator=random)
    return policy.requires_grad_(), ref, torch.arange(n)


@pytest.mark.parametrize("chunk_tokens", [1, 3, 7, 100])
@pytest.mark.parametrize("make", [lambda: nn.Linear(6, 11, bias=False, dtype=torch.float64), Capped, Masked])
@pytest.mark.parametrize("learns", [False, True])
def test_chunks_change_neither_values_nor_gradients(
    chunk_tokens: int, make: Callable[[], nn.Module], learns: bool
) -> None:
    head = make().requires_grad_(learns)
    policy, ref, labels = hidden_states()
    leaves = [policy, *(head.parameters() if learns else ())]

    def gradients(stats: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        weighted = sum((k + 1) * each.pow(2).sum() for k, each in enumerate(stats))
        return torch.autograd.grad(weighted, leaves)

    chunked = chunked_token_stats(head, policy, ref, labels, chunk_logits=11 * chunk_tokens, head_learns=learns)
    plain = token_stats(head(policy), head(ref).detach(), labels)
    for one, other in zip(chunked, plain, strict=True):
        assert torch.allclose(one, other, atol=1e-12)
    for one, other in zip(gradients(chunked), gradients(plain), strict=True):
        assert torch.allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("make", [Capped, Masked])
def test_gradcheck_through_a_head(make: type[Capped]) -> None:
    head = make().requires_grad_(False)
    policy, ref, labels = hidden_states(3)
    assert torch.autograd.gradcheck(
        lambda hidden: tuple(chunked_token_stats(head, hidden, ref, labels, chunk_logits=22)), policy
    )


@pytest.mark.parametrize("kl", [KlUse(False, False), KlUse(True, False), KlUse(False, True)])
def test_a_gradient_that_is_not_wanted_is_0_and_the_rest_is_as_it_was(kl: KlUse) -> None:
    head = Capped().requires_grad_(False)
    policy, ref, labels = hidden_states()
    stats = chunked_token_stats(head, policy, ref, labels, kl=kl)
    plain = token_stats(head(policy), head(ref), labels)
    for one, other in zip(stats, plain, strict=True):
        assert torch.allclose(one, other, atol=1e-12)
    for name, is_wanted in (
        ("logps", True), ("forward_kl", kl.forward_gradient), ("reverse_kl", kl.reverse_gradient)
    ):  # fmt: skip
        (gradient,) = torch.autograd.grad(getattr(stats, name).pow(2).sum(), policy, retain_graph=True)
        (expected,) = torch.autograd.grad(getattr(plain, name).pow(2).sum(), policy, retain_graph=True)
        assert torch.allclose(gradient, expected if is_wanted else torch.zeros_like(expected), atol=1e-12)


@pytest.mark.parametrize("chunk_tokens", [1, 3, 7, 100])
@pytest.mark.parametrize("make", [Capped, Masked])
@pytest.mark.parametrize("learns", [False, True])
def test_logps_alone_are_those_of_the_comparison(chunk_tokens: int, make: type[Capped], learns: bool) -> None:
    head = make().requires_grad_(learns)
    policy, ref, labels = hidden_states()
    leaves = [policy, *(head.parameters() if learns else ())]
    alone = chunked_logps(head, policy, labels, chunk_logits=11 * chunk_tokens, head_learns=learns)
    plain = token_stats(head(policy), head(ref).detach(), labels).logps
    assert torch.allclose(alone, plain, atol=1e-12)
    pairs = zip(
        torch.autograd.grad(alone.pow(2).sum(), leaves), torch.autograd.grad(plain.pow(2).sum(), leaves), strict=True
    )
    for one, other in pairs:
        assert torch.allclose(one, other, atol=1e-12)


def test_logps_alone_of_no_token_and_of_no_gradient() -> None:
    head = nn.Linear(6, 11).requires_grad_(False)
    assert chunked_logps(head, torch.zeros(0, 6), torch.zeros(0, dtype=torch.long)).shape == (0,)
    assert not chunked_logps(head, torch.zeros(2, 6), torch.zeros(2, dtype=torch.long)).requires_grad


def test_a_reference_with_a_head_of_its_own() -> None:
    head, other = Capped(), nn.Linear(6, 11, dtype=torch.float64)
    policy, ref, labels = hidden_states()
    stats = chunked_token_stats(head, policy, ref, labels, ref_head=other, head_learns=True)
    plain = token_stats(head(policy), other(ref).detach(), labels)
    for one, each in zip(stats, plain, strict=True):
        assert torch.allclose(one, each, atol=1e-12)


def test_bfloat16_hidden_states_have_float32_statistics_and_close_gradients() -> None:
    head = nn.Linear(6, 11).requires_grad_(False)
    policy, ref, labels = (each.detach().float() if each.is_floating_point() else each for each in hidden_states())
    exact = chunked_token_stats(head, policy.requires_grad_(), ref, labels)
    (expected,) = torch.autograd.grad(sum(each.sum() for each in exact), policy)
    half = policy.detach().bfloat16().requires_grad_()
    stats = chunked_token_stats(head.bfloat16(), half, ref.bfloat16(), labels)
    assert all(each.dtype == torch.float32 for each in stats)
    (gradient,) = torch.autograd.grad(sum(each.sum() for each in stats), half)
    assert gradient.dtype == torch.bfloat16
    assert torch.allclose(gradient.float(), expected, atol=0.05)


def test_no_more_logits_than_the_budget_ever_exist() -> None:
    seen: list[int] = []

    def head(hidden: Tensor) -> Tensor:
        seen.append(len(hidden))
        return hidden @ torch.ones(6, 1000, dtype=torch.float64)

    policy, ref, labels = hidden_states(50)
    chunked_token_stats(head, policy, ref, labels, chunk_logits=8000)
    assert max(seen) == 8


def test_no_token_is_no_number() -> None:
    head = nn.Linear(6, 11).requires_grad_(False)
    stats = chunked_token_stats(head, torch.zeros(0, 6), torch.zeros(0, 6), torch.zeros(0, dtype=torch.long))
    assert all(each.shape == (0,) for each in stats)
