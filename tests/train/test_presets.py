"""Each preset against a second computation that shares no code: float64 numpy, from logits, one token at a time."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from medprefkit.train.losses import AnswerTokens, CorruptedTokens, preference_loss
from medprefkit.train.presets import PRESETS
from medprefkit.train.token_stats import token_stats

N_ROWS, N_TOKENS, N_VOCAB = 5, 7, 11
Floats = NDArray[np.float64]


class Answer(NamedTuple):
    """One answer of one row, without padding."""

    policy: Floats  # (T, V) logits
    ref: Floats
    labels: list[int]
    phrases: list[int]
    weights: list[float]
    linked: list[bool]
    token_weights: list[float]


class Row(NamedTuple):
    chosen: Answer
    rejected: Answer
    corrupted: Answer | None
    """The chosen answer on the corrupted image."""
    rejected_corrupted: Answer | None
    weight: float


def draw_rows() -> list[Row]:
    random = np.random.default_rng(3)

    def draw(n_tokens: int) -> Answer:
        ids = [1, *random.integers(0, 3, n_tokens - 1).tolist()]
        return Answer(
            random.normal(0, 2, (n_tokens, N_VOCAB)),
            random.normal(0, 2, (n_tokens, N_VOCAB)),
            random.integers(0, N_VOCAB, n_tokens).tolist(),
            ids,
            [0.5 + phrase for phrase in ids],
            [phrase == 1 for phrase in ids],
            random.normal(0, 2, n_tokens).tolist(),
        )

    rows = []
    for index in range(N_ROWS):
        chosen, rejected = draw(int(random.integers(3, N_TOKENS))), draw(int(random.integers(3, N_TOKENS)))
        there, other = (
            each._replace(policy=random.normal(0, 2, each.policy.shape), ref=random.normal(0, 2, each.ref.shape))
            for each in (chosen, rejected)
        )
        there, other = (there, other) if index % 2 else (None, None)
        rows.append(Row(chosen, rejected, there, other, 0.25 + index))
    return rows


# --- the oracle ---------------------------------------------------------------------------------------------------


def log_softmax(z: Floats) -> Floats:
    return z - (z.max() + math.log(np.exp(z - z.max()).sum()))


def logp(answer: Answer, t: int) -> float:
    return float(log_softmax(answer.policy[t])[answer.labels[t]])


def ratio(answer: Answer, t: int) -> float:
    return logp(answer, t) - float(log_softmax(answer.ref[t])[answer.labels[t]])


def forward_kl(answer: Answer, t: int) -> float:
    p, q = log_softmax(answer.ref[t]), log_softmax(answer.policy[t])
    return sum(math.exp(a) * (a - b) for a, b in zip(p, q, strict=True))


def reverse_kl(answer: Answer, t: int) -> float:
    p, q = log_softmax(answer.policy[t]), log_softmax(answer.ref[t])
    return sum(math.exp(a) * (a - b) for a, b in zip(p, q, strict=True))


def total(answer: Answer, quantity: Any) -> float:
    return sum(quantity(answer, t) for t in range(len(answer.labels)))


def edited(answer: Answer) -> list[int]:
    return [t for t, phrase in enumerate(answer.phrases) if phrase > 0]


def bce(x: float) -> float:
    return math.log1p(math.exp(-x))


def oracle_dpo(row: Row) -> float:
    return bce(0.1 * (total(row.chosen, ratio) - total(row.rejected, ratio)))


def oracle_ddpo(row: Row) -> float:
    def score(answer: Answer) -> float:
        inside = edited(answer)
        outside = [t for t in range(len(answer.labels)) if t not in inside]
        n = len(outside) + 5 * len(inside)
        return (sum(ratio(answer, t) for t in outside) + 5 * sum(ratio(answer, t) for t in inside)) / n

    return bce(0.5 * (score(row.chosen) - score(row.rejected)))


def oracle_rrpo(row: Row) -> float:
    u = sum(ratio(row.chosen, t) for t in edited(row.chosen)) - sum(
        ratio(row.rejected, t) for t in edited(row.rejected)
    )
    return bce(0.1 * u) + 0.01 * total(row.chosen, forward_kl)


def oracle_dpa(row: Row) -> float:
    def phrase(answer: Answer, k: int) -> float:
        return sum(logp(answer, t) for t in range(len(answer.labels)) if answer.phrases[t] == k)

    ids = {*row.chosen.phrases, *row.rejected.phrases} - {0}
    losses = [bce(phrase(row.chosen, k) - phrase(row.rejected, k)) for k in ids]
    return sum(losses) / len(losses) + 0.4 * total(row.chosen, forward_kl)


def oracle_tdpo(row: Row, alpha: float) -> float:
    m = total(row.chosen, ratio) - total(row.rejected, ratio)
    return bce(0.1 * (m - alpha * (total(row.rejected, forward_kl) - total(row.chosen, forward_kl))))


def oracle_tdpo1(row: Row) -> float:
    return oracle_tdpo(row, 1.0)


def oracle_tdpo2(row: Row) -> float:
    return oracle_tdpo(row, 0.5)


def oracle_mdpo(row: Row) -> float:
    loss = oracle_dpo(row) + bce(0.1 * total(row.chosen, ratio))
    if row.corrupted is not None:
        loss += bce(0.1 * (total(row.chosen, ratio) - total(row.corrupted, ratio)))
    return loss


def oracle_mmedpo(row: Row) -> float:
    loss = oracle_dpo(row)
    if row.rejected_corrupted is not None:
        loss += bce(0.1 * (total(row.chosen, ratio) - total(row.rejected_corrupted, ratio)))
    return loss


def oracle_tisdpo(row: Row) -> float:
    def score(answer: Answer) -> float:
        return sum(answer.token_weights[t] * ratio(answer, t) for t in range(len(answer.labels)))

    return bce(0.1 * (score(row.chosen) - score(row.rejected)))


def oracle_medpref(row: Row) -> float:
    def score(answer: Answer) -> float:
        return sum(answer.weights[t] * ratio(answer, t) for t in edited(answer))

    inside, n = edited(row.chosen), len(row.chosen.labels)
    kl = sum(
        (0.1 if t in inside else 1.0) * 0.25 * (forward_kl(row.chosen, t) + reverse_kl(row.chosen, t)) for t in range(n)
    )
    loss = bce(0.1 * (score(row.chosen) - score(row.rejected))) + kl / n
    if row.corrupted is not None:
        linked = [t for t in inside if row.chosen.linked[t]]
        loss += bce(0.1 * sum(ratio(row.chosen, t) - ratio(row.corrupted, t) for t in linked))
    return loss


ORACLES = {
    "medpref": oracle_medpref,
    "dpo": oracle_dpo,
    "ddpo": oracle_ddpo,
    "rrpo": oracle_rrpo,
    "dpa": oracle_dpa,
    "tdpo1": oracle_tdpo1,
    "tdpo2": oracle_tdpo2,
    "mdpo": oracle_mdpo,
    "mmedpo": oracle_mmedpo,
    "tisdpo": oracle_tisdpo,
}


# --- ours, in a padded batch --------------------------------------------------------------------------------------


def padded(rows: list[list[Any]], dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor([[*row, *[0] * (N_TOKENS - len(row))] for row in rows], dtype=dtype)


def to_tokens(answers: list[Answer], policy: torch.Tensor, *, skew: float = 0.0) -> AnswerTokens:
    ref = torch.zeros(len(answers), N_TOKENS, N_VOCAB, dtype=torch.float64)
    for index, answer in enumerate(answers):
        ref[index, : len(answer.labels)] = torch.from_numpy(answer.ref)
    labels = padded([answer.labels for answer in answers], torch.long)
    stats = token_stats(policy.flatten(0, 1), ref.flatten(0, 1), labels.flatten(), skew=skew)
    return AnswerTokens(
        *(each.view(len(answers), N_TOKENS) for each in stats),
        phrase_ids=padded([answer.phrases for answer in answers], torch.long),
        phrase_weights=padded([answer.weights for answer in answers], torch.float64),
        lesion_linked=padded([answer.linked for answer in answers], torch.bool),
        token_mask=padded([[True] * len(answer.labels) for answer in answers], torch.bool),
        token_weights=padded([answer.token_weights for answer in answers], torch.float64),
    )


def logits_of(answers: list[Answer]) -> torch.Tensor:
    logits = torch.full((len(answers), N_TOKENS, N_VOCAB), 7.0, dtype=torch.float64)
    for index, answer in enumerate(answers):
        logits[index, : len(answer.labels)] = torch.from_numpy(answer.policy)
    return logits


def our_loss(preset: str, rows: list[Row], logits: list[torch.Tensor]) -> torch.Tensor:
    there = to_tokens(on_corrupted(preset, rows), logits[2])
    return preference_loss(
        PRESETS[preset],
        to_tokens([row.chosen for row in rows], logits[0]),
        to_tokens([row.rejected for row in rows], logits[1]),
        CorruptedTokens(there.logps, there.ref_logps, torch.tensor([row.corrupted is not None for row in rows])),
        torch.tensor([row.weight for row in rows], dtype=torch.float64),
    ).loss


def on_corrupted(preset: str, rows: list[Row]) -> list[Answer]:
    """Rows without a corrupted image have anything there: it must not be read."""
    if PRESETS[preset].ground_against == "rejected":
        return [row.rejected_corrupted or row.rejected for row in rows]
    return [row.corrupted or row.chosen for row in rows]


def all_logits(preset: str, rows: list[Row]) -> list[torch.Tensor]:
    return [
        logits_of([row.chosen for row in rows]),
        logits_of([row.rejected for row in rows]),
        logits_of(on_corrupted(preset, rows)),
    ]


def test_there_is_an_oracle_for_every_preset() -> None:
    assert set(ORACLES) == set(PRESETS)


@pytest.mark.parametrize("preset", sorted(ORACLES))
def test_a_preset_equals_its_oracle(preset: str) -> None:
    rows = draw_rows()
    expected = sum(row.weight * ORACLES[preset](row) for row in rows) / len(rows)
    assert float(our_loss(preset, rows, all_logits(preset, rows))) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("preset", sorted(ORACLES))
def test_its_gradient_is_the_oracles_difference_quotient(preset: str) -> None:
    rows = draw_rows()[:2]
    logits = [each.requires_grad_() for each in all_logits(preset, rows)]
    gradients = torch.autograd.grad(our_loss(preset, rows, logits), logits, allow_unused=True)
    step = 1e-6
    on_corrupted_images = "rejected_corrupted" if preset == "mmedpo" else "corrupted"
    for side, name in enumerate(("chosen", "rejected", on_corrupted_images)):
        if preset == "tdpo2" and name == "chosen":
            continue  # its stopped gradient is no derivative; see below
        for t, v in ((0, 0), (1, 5), (2, 10)):
            losses = []
            for sign in (1, -1):
                answer: Answer = getattr(rows[1], name)
                policy = answer.policy.copy()
                policy[t, v] += sign * step
                changed = rows[1]._replace(**{name: answer._replace(policy=policy)})
                losses.append(changed.weight * ORACLES[preset](changed) / 2)
            gradient = gradients[side]
            value = 0.0 if gradient is None else float(gradient[1, t, v])
            assert value == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-7)


def test_tdpo2_stops_the_gradient_of_the_chosen_kl() -> None:
    rows = draw_rows()[:1]
    logits = [each.requires_grad_() for each in all_logits("tdpo2", rows)]
    gradient = torch.autograd.grad(our_loss("tdpo2", rows, logits), logits[0])[0][0, 0]
    # d/dz of bce(0.1 x) through the log-ratio alone: -0.1 sigmoid(-0.1 x) (onehot - p)
    x = -10 * math.log(math.expm1(oracle_tdpo2(rows[0])))
    p = np.exp(log_softmax(rows[0].chosen.policy[0]))
    onehot = np.eye(N_VOCAB)[rows[0].chosen.labels[0]]
    expected = -0.1 / (1 + math.exp(0.1 * x)) * (onehot - p) * rows[0].weight
    assert np.allclose(gradient.numpy(), expected, atol=1e-12)
