"""The objective on per-token numbers: worked by hand, then its laws."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from medprefkit.errors import TrainError
from medprefkit.train.losses import (
    AnswerTokens,
    CorruptedTokens,
    anchor_loss,
    grounding_loss,
    kl_loss,
    preference_loss,
    ranking_loss,
)
from medprefkit.train.presets import PRESETS, objective_settings
from medprefkit.train.settings import ObjectiveSettings

MEDPREF = PRESETS["medpref"]
LOG2 = math.log(2)


def answer(
    logps: list[list[float]],
    ref: list[list[float]] | None = None,
    phrases: list[list[int]] | None = None,
    *,
    weights: float = 1.0,
    linked: bool = True,
    forward: float = 0.0,
    reverse: float = 0.0,
    mask: list[list[bool]] | None = None,
) -> AnswerTokens:
    values = torch.tensor(logps, dtype=torch.float64)
    return AnswerTokens(
        logps=values,
        ref_logps=torch.zeros_like(values) if ref is None else torch.tensor(ref, dtype=torch.float64),
        forward_kl=torch.full_like(values, forward),
        reverse_kl=torch.full_like(values, reverse),
        phrase_ids=torch.ones_like(values, dtype=torch.long) if phrases is None else torch.tensor(phrases),
        phrase_weights=torch.full_like(values, weights),
        lesion_linked=torch.full_like(values, linked, dtype=torch.bool),
        token_mask=torch.ones_like(values, dtype=torch.bool) if mask is None else torch.tensor(mask),
        token_weights=torch.full_like(values, weights),
    )


def value(loss: Tensor) -> float:
    return float(loss.reshape(-1)[0])


# --- two worked numbers a loss ------------------------------------------------------------------------------------


def test_ranking_counts_edited_tokens_only() -> None:
    chosen = answer([[-1.0, -9.0]], [[-2.0, -3.0]], [[1, 0]])  # r = 1, -6; only the first is edited
    rejected = answer([[-4.0]], [[-3.0]])  # r = -1
    # m = 1 - (-1) = 2; log(1 + e^(-0.1 * 2)) = 0.598139
    assert value(ranking_loss(MEDPREF, chosen, rejected).loss) == pytest.approx(0.598139, abs=1e-6)


def test_ranking_multiplies_by_the_weight_of_the_span() -> None:
    chosen, rejected = answer([[1.0]], weights=3.0), answer([[-1.0]], weights=2.0)
    # m = 3 * 1 - 2 * (-1) = 5; log(1 + e^-0.5) = 0.474077
    assert value(ranking_loss(MEDPREF, chosen, rejected).loss) == pytest.approx(0.474077, abs=1e-6)
    # with equal weights m = 2 as above
    equal = replace(MEDPREF, edit_weights="equal")
    assert value(ranking_loss(equal, chosen, rejected).loss) == pytest.approx(0.598139, abs=1e-6)


def test_phrases_average_over_the_phrases_a_row_has() -> None:
    dpa = PRESETS["dpa"]
    chosen = answer([[-1.0, -2.0, -1.0]], phrases=[[1, 2, 2]])
    rejected = answer([[-2.0, -1.0]], phrases=[[1, 2]])
    # phrase 1: log(1 + e^(-2 + 1)) = 0.313262; phrase 2: log(1 + e^(-1 + 3)) = 2.126928; mean 1.220095
    assert value(ranking_loss(dpa, chosen, rejected).loss) == pytest.approx(1.220095, abs=1e-6)


def test_a_deleted_phrase_still_counts_on_its_other_side() -> None:
    chosen, rejected = answer([[-5.0]], phrases=[[0]]), answer([[-2.0]], phrases=[[1]])
    # the empty side is 0: log(1 + e^-2) = 0.126928
    assert value(ranking_loss(PRESETS["dpa"], chosen, rejected).loss) == pytest.approx(0.126928, abs=1e-6)
    # m = 0 - (-2) = 2
    assert value(ranking_loss(MEDPREF, chosen, rejected).loss) == pytest.approx(0.598139, abs=1e-6)


def test_kl_weighs_edited_tokens_less() -> None:
    chosen = answer([[0.0, 0.0]], phrases=[[1, 0]], forward=0.4, reverse=0.8)
    # u = 0.1, 1; mean of u is 0.55; 0.55 * (0.25 * 0.4 + 0.25 * 0.8) = 0.165
    assert value(kl_loss(MEDPREF, chosen, answer([[0.0]]))) == pytest.approx(0.165)


def test_kl_as_a_sum_and_on_both_answers() -> None:
    settings = replace(
        MEDPREF, kl_reduction="sum", forward_on="chosen", reverse_on="both", alpha_forward=1.0, alpha_reverse=2.0
    )
    chosen = answer([[0.0, 0.0, 0.0]], phrases=[[0, 0, 0]], forward=0.1, reverse=0.2)
    rejected = answer([[0.0]], phrases=[[1]], reverse=0.5)
    # 1 * 3 * 0.1 + 2 * (3 * 0.2 + 0.1 * 0.5) = 0.3 + 1.3 = 1.6
    assert value(kl_loss(settings, chosen, rejected)) == pytest.approx(1.6)


def corrupted(logps: list[list[float]], present: list[bool]) -> CorruptedTokens:
    values = torch.tensor(logps, dtype=torch.float64)
    return CorruptedTokens(values, torch.zeros_like(values), torch.tensor(present))


def test_grounding_contrasts_the_clean_image_with_the_corrupted_one() -> None:
    chosen = answer([[-1.0, -1.0]], phrases=[[1, 0]])
    ground = grounding_loss(MEDPREF, chosen, chosen, corrupted([[-4.0, -9.0]], [True]))
    # only the edited token: 3; log(1 + e^-0.3) = 0.554355
    assert value(ground.margin) == pytest.approx(3.0)
    assert value(ground.loss) == pytest.approx(0.554355, abs=1e-6)


def test_grounding_as_a_hinge_over_all_tokens_without_a_reference() -> None:
    settings = replace(MEDPREF, ground_form="hinge", ground_tokens="all", ground_reference=False, grounding_beta=0.05)
    chosen = answer([[-1.0, -1.0]], [[-7.0, -7.0]], [[1, 0]])
    # (3 + 8) * 0.05 = 0.55; 1 - 0.55 = 0.45; beyond the margin 0
    assert value(grounding_loss(settings, chosen, chosen, corrupted([[-4.0, -9.0]], [True])).loss) == pytest.approx(
        0.45
    )
    assert value(grounding_loss(settings, chosen, chosen, corrupted([[-40.0, -9.0]], [True])).loss) == 0.0


def test_anchor_compares_the_whole_chosen_answer_with_the_reference() -> None:
    settings = replace(MEDPREF, anchor_delta=0.5)
    # beta * (2 + 3) - 0.5 = 0: log 2
    assert value(anchor_loss(settings, answer([[2.0, 3.0]], phrases=[[0, 1]]))) == pytest.approx(LOG2)
    # beta * -10 = -1: log(1 + e) = 1.313262
    assert value(anchor_loss(MEDPREF, answer([[-10.0]]))) == pytest.approx(1.313262, abs=1e-6)


def test_the_parts_add_up_with_the_weight_of_the_row() -> None:
    settings = replace(MEDPREF, anchor_weight=0.5, grounding_weight=2.0)
    same = answer([[-1.0]], [[-1.0]], forward=0.2, reverse=0.2)
    on_corrupted = CorruptedTokens(same.logps, same.ref_logps, torch.tensor([True]))
    loss = preference_loss(settings, same, same, on_corrupted, torch.tensor([0.5]))
    # 0.5 * (log 2 + 0.1 * (0.05 + 0.05) + 2 log 2 + 0.5 log 2)
    assert float(loss.loss) == pytest.approx(0.5 * (3.5 * LOG2 + 0.01))


# --- laws ---------------------------------------------------------------------------------------------------------

PRESET = pytest.mark.parametrize("preset", sorted(PRESETS))


def batch(n_rows: int = 4, n_tokens: int = 6, *, seed: int = 0) -> dict[str, Any]:
    random = torch.Generator().manual_seed(seed)

    def side() -> AnswerTokens:
        lengths = torch.randint(2, n_tokens + 1, (n_rows, 1), generator=random)
        phrases = torch.randint(0, 4, (n_rows, n_tokens), generator=random)
        phrases[:, 0] = 1  # every row has an edit
        return AnswerTokens(
            *(torch.randn(n_rows, n_tokens, generator=random, dtype=torch.float64) for _ in range(2)),
            *(torch.rand(n_rows, n_tokens, generator=random, dtype=torch.float64) for _ in range(2)),
            phrase_ids=phrases,
            phrase_weights=torch.rand(n_rows, n_tokens, generator=random, dtype=torch.float64),
            lesion_linked=torch.rand(n_rows, n_tokens, generator=random) < 0.5,
            token_mask=torch.arange(n_tokens)[None] < lengths,
            token_weights=torch.randn(n_rows, n_tokens, generator=random, dtype=torch.float64),
        )

    chosen, rejected = side(), side()
    return {
        "chosen": chosen,
        "rejected": rejected,
        "corrupted": CorruptedTokens(
            torch.randn(n_rows, n_tokens, generator=random, dtype=torch.float64),
            torch.randn(n_rows, n_tokens, generator=random, dtype=torch.float64),
            torch.arange(n_rows) % 2 == 0,
        ),
        "row_weights": torch.rand(n_rows, generator=random, dtype=torch.float64) + 0.1,
    }


def rows_of(whole: dict[str, Any], rows: list[int]) -> dict[str, Any]:
    picked: dict[str, Any] = {"row_weights": whole["row_weights"][rows]}
    for name in ("chosen", "rejected", "corrupted"):
        tokens = whole[name]
        fields = {field: getattr(tokens, field)[rows] for field in type(tokens).__dataclass_fields__}
        picked[name] = type(tokens)(**fields)
    return picked


@PRESET
def test_a_batch_is_the_mean_of_its_rows(preset: str) -> None:
    whole = batch()
    alone = [preference_loss(PRESETS[preset], **rows_of(whole, [row])).loss for row in range(4)]
    assert float(preference_loss(PRESETS[preset], **whole).loss) == pytest.approx(float(sum(alone)) / 4, abs=1e-12)


@PRESET
def test_padding_changes_nothing_whatever_stands_in_it(preset: str) -> None:
    whole = batch()
    padded = dict(whole)
    for name in ("chosen", "rejected", "corrupted"):
        tokens = whole[name]
        fields = {}
        for field in type(tokens).__dataclass_fields__:
            old = getattr(tokens, field)
            fields[field] = old
            if old.ndim == 2:
                junk = torch.zeros(len(old), 3, dtype=old.dtype)
                if old.is_floating_point():
                    junk.fill_(math.nan)
                elif field == "phrase_ids":
                    junk.fill_(2)
                fields[field] = torch.cat([old, junk], 1)
        padded[name] = type(tokens)(**fields)
    plain, longer = preference_loss(PRESETS[preset], **whole), preference_loss(PRESETS[preset], **padded)
    assert float(longer.loss) == pytest.approx(float(plain.loss), abs=1e-12)


@PRESET
def test_a_row_with_more_phrases_does_not_change_the_others(preset: str) -> None:
    whole = batch()
    before = preference_loss(PRESETS[preset], **whole).rows
    whole["chosen"].phrase_ids[3] = torch.arange(6) + 1
    after = preference_loss(PRESETS[preset], **whole).rows
    assert torch.allclose(before[:3], after[:3], atol=1e-12, rtol=0)


@PRESET
def test_at_the_reference_each_active_sigmoid_is_log_2(preset: str) -> None:
    settings = PRESETS[preset]
    whole = batch()
    for name in ("chosen", "rejected"):
        tokens = whole[name]
        zero = torch.zeros_like(tokens.logps)
        whole[name] = replace(tokens, ref_logps=tokens.logps, forward_kl=zero, reverse_kl=zero)
    there = whole["corrupted"]
    whole["corrupted"] = replace(there, ref_logps=there.logps)
    loss = preference_loss(settings, **whole)
    if settings.rank_reference:
        assert torch.allclose(loss.rank, torch.full_like(loss.rank, LOG2))
    assert torch.equal(loss.kl, torch.zeros_like(loss.kl))
    assert torch.allclose(loss.ground, LOG2 * loss.grounded.double())
    assert torch.allclose(loss.anchor, torch.full_like(loss.anchor, LOG2))


@PRESET
def test_a_row_of_weight_0_is_as_if_it_were_not_there(preset: str) -> None:
    def gradient(rows: list[int]) -> Tensor:
        part = rows_of(batch(), rows)
        part["row_weights"] = torch.where(torch.tensor(rows) == 3, 0.0, part["row_weights"])
        logps = part["chosen"].logps.clone().requires_grad_()
        part["chosen"] = replace(part["chosen"], logps=logps)
        return torch.autograd.grad(preference_loss(PRESETS[preset], **part).loss, logps)[0]

    assert torch.equal(gradient([0, 1, 2, 3])[:3], gradient([0, 1, 2]))
    assert torch.equal(gradient([0, 1, 2, 3])[3], torch.zeros(6, dtype=torch.float64))


@given(st.integers(0, 1000), st.sampled_from(sorted(PRESETS)))
def test_swapping_chosen_and_rejected_negates_the_margin(seed: int, preset: str) -> None:
    whole = batch(seed=seed)
    swapped = {**whole, "chosen": whole["rejected"], "rejected": whole["chosen"]}
    there, back = (preference_loss(PRESETS[preset], **each).margin for each in (whole, swapped))
    assert torch.equal(there, -back)


def test_rows_without_a_corrupted_image_have_no_grounding() -> None:
    whole = batch()
    loss = preference_loss(MEDPREF, **whole)
    assert not loss.grounded[1]
    assert not loss.grounded[3]
    assert torch.equal(loss.ground[[1, 3]], torch.zeros(2, dtype=torch.float64))
    without = preference_loss(MEDPREF, **{**whole, "corrupted": None})
    assert torch.equal(loss.rows[[1, 3]], without.rows[[1, 3]])


def test_a_corrupted_image_without_a_lesion_linked_token_grounds_nothing() -> None:
    chosen = answer([[-1.0]], linked=False)
    ground = grounding_loss(MEDPREF, chosen, chosen, corrupted([[-3.0]], [True]))
    assert not ground.grounded[0]
    assert value(ground.loss) == 0.0
    assert grounding_loss(
        replace(MEDPREF, ground_tokens="edited"), chosen, chosen, corrupted([[-3.0]], [True])
    ).grounded[0]


def test_the_rejected_answer_may_stand_on_the_corrupted_image() -> None:
    settings = PRESETS["mmedpo"]
    chosen, rejected = answer([[-1.0, -2.0]]), answer([[-9.0, -9.0]])
    # all tokens: -1 - 2 - (-4 - 5) = 6; log(1 + e^-0.6) = 0.437488
    ground = grounding_loss(settings, chosen, rejected, corrupted([[-4.0, -5.0]], [True]))
    assert value(ground.margin) == 6.0
    assert value(ground.loss) == pytest.approx(0.437488, abs=1e-6)


def test_token_weights_are_read_only_where_asked_for_and_then_needed() -> None:
    chosen, rejected = answer([[1.0, 1.0]], weights=3.0), answer([[1.0]])
    given_weights = replace(chosen, token_weights=torch.tensor([[2.0, -1.0]], dtype=torch.float64))
    # 2 - 1 - 1 = 0
    assert value(ranking_loss(PRESETS["tisdpo"], given_weights, rejected).loss) == pytest.approx(LOG2)
    with pytest.raises(TrainError, match="needs token weights, and these rows have none"):
        ranking_loss(PRESETS["tisdpo"], replace(chosen, token_weights=None), rejected)


def test_all_weights_zero_is_zero_and_not_nan() -> None:
    whole = batch()
    whole["row_weights"] = torch.zeros(4)
    assert float(preference_loss(MEDPREF, **whole).loss) == 0.0


@PRESET
@pytest.mark.parametrize("gap", [200.0, -200.0])
def test_far_from_the_reference_it_stays_finite_in_float32(preset: str, gap: float) -> None:
    # log(1 + exp(x)) is inf in float32 above 88; softplus and log-sigmoid are not
    logps = torch.tensor([[gap * 10]], requires_grad=True)
    chosen = replace(answer([[0.0]]), logps=logps, ref_logps=torch.zeros(1, 1))
    chosen = replace(
        chosen, forward_kl=torch.zeros(1, 1), reverse_kl=torch.zeros(1, 1), phrase_weights=torch.ones(1, 1)
    )
    loss = preference_loss(PRESETS[preset], chosen, answer([[0.0]]), None, torch.ones(1)).loss
    loss.backward()
    assert torch.isfinite(loss)
    assert logps.grad is not None
    assert torch.isfinite(logps.grad).all()


@PRESET
def test_the_gradient_is_the_derivative(preset: str) -> None:
    whole = batch(n_rows=2, n_tokens=3)

    def loss(chosen: Tensor, rejected: Tensor, on_corrupted: Tensor, forward: Tensor, reverse: Tensor) -> Tensor:
        part = dict(whole)
        part["chosen"] = replace(whole["chosen"], logps=chosen, forward_kl=forward, reverse_kl=reverse)
        part["rejected"] = replace(whole["rejected"], logps=rejected)
        part["corrupted"] = replace(whole["corrupted"], logps=on_corrupted)
        return preference_loss(settings, **part).loss

    # a stop-gradient has no numeric derivative: checked without it here, and by the oracle with it
    settings = replace(PRESETS[preset], sequence_kl_stop="none")
    tokens = [
        whole["chosen"].logps,
        whole["rejected"].logps,
        whole["corrupted"].logps,
        whole["chosen"].forward_kl,
        whole["chosen"].reverse_kl,
    ]
    assert torch.autograd.gradcheck(loss, [each.clone().requires_grad_() for each in tokens])


# --- settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"beta": 0.0}, "beta must be finite and above 0, got 0.0"),
        ({"beta": math.nan}, "beta must be finite"),
        ({"alpha_forward": -1.0}, "alpha_forward must be finite and at least 0"),
        ({"kl_edited_weight": 1.5}, r"kl_edited_weight must be in \[0, 1\], got 1.5"),
        ({"edited_weight": 0.0}, "nothing would rank"),
        ({"rank_form": "phrases", "unedited_weight": 1.0}, "ranks edits only"),
        ({"bta": 0.1}, "no setting named 'bta'"),
        ({"ground_form": "hing"}, "ground_form must be one of log_sigmoid, hinge, got 'hing'"),
        ({"beta": "0.1"}, "beta must be a number, got '0.1'"),
        ({"ground_reference": 1}, "ground_reference must be true or false, got 1"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TrainError, match=says):
        objective_settings("medpref", **change)


def test_an_unknown_preset_lists_what_there_is() -> None:
    with pytest.raises(TrainError, match="no preset named 'ppo'; there are: ddpo, dpa, dpo, mdpo, medpref, mmedpo,"):
        objective_settings("ppo")


def test_the_method_itself_is_the_default() -> None:
    assert PRESETS["medpref"] == ObjectiveSettings()
    assert MEDPREF.needs_spans
    assert MEDPREF.is_anchored
    assert not PRESETS["dpo"].needs_spans
    assert not PRESETS["dpo"].is_anchored
