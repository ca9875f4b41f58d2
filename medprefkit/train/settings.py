"""What the objective's letters are set to: every choice that the method leaves open, by name."""

import math
from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

from medprefkit.errors import TrainError

Side = Literal["chosen", "rejected", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSettings:
    """The settings of the one objective; the defaults are the method's own (`medpref`).

    Attributes:
        beta: Temperature of the ranking term, > 0.
        rank_form: `sequence` contrasts whole answers; `phrases` contrasts each phrase with the one it replaced and
            averages over the row's phrases.
        rank_reference: Rank log-ratios to the reference (true) or the policy's log-probabilities alone (false).
        edited_weight: Ranking weight of a token inside an edit.
        unedited_weight: Ranking weight of a token outside every edit.
        edit_weights: `spans` multiplies `edited_weight` by the weight of the token's span (severity); `equal` does not;
            `tokens` takes every token's weight from the dataset's columns of token weights instead of these two.
        rank_normalise: `sum`, or `weight_total`: each answer's weighted sum is divided by the sum of its weights.
        sequence_kl_weight: The forward KL summed over each answer, inside the sigmoid, times this.
        sequence_kl_stop: The answer whose KL inside the sigmoid sends no gradient.
        alpha_forward: Weight of KL(ref || policy) per token. Under `mean` the equivalent for a `sum` is this over the
            number of tokens: 0.25 at 50 tokens is 0.005.
        alpha_reverse: Weight of KL(policy || ref) per token.
        kl_form: `plain`; or `skewed`: each KL towards a mixture that holds `kl_skew` of its own first distribution,
            which bounds it; or `jensen_shannon`: `skewed` by half in both directions, alike, so that the term is
            (alpha_forward + alpha_reverse) times the Jensen-Shannon divergence.
        kl_skew: Of `skewed`, in (0, 1).
        forward_on: Where the forward KL is taken; `both` adds the two answers.
        reverse_on: Where the reverse KL is taken.
        kl_edited_weight: KL weight of a token inside an edit, in [0, 1], so that the edit may move; 1 outside.
        kl_reduction: `mean` over the answer's tokens, or `sum`.
        grounding_weight: Weight (lambda) of the clean-against-corrupted term.
        grounding_beta: Temperature of that term, > 0.
        ground_tokens: The tokens it is taken over.
        ground_against: The answer that is scored on the corrupted image.
        ground_reference: Contrast log-ratios to the reference (true) or log-probabilities (false).
        ground_form: `log_sigmoid`, or `hinge`: max(0, ground_margin - x).
        ground_margin: Margin of the hinge, in units of x.
        anchor_weight: Weight (gamma) of the term that keeps the chosen answer likely.
        anchor_delta: What beta times the chosen log-ratio is compared with.
    """

    beta: float = 0.1
    rank_form: Literal["sequence", "phrases"] = "sequence"
    rank_reference: bool = True
    edited_weight: float = 1.0
    unedited_weight: float = 0.0
    edit_weights: Literal["spans", "equal", "tokens"] = "spans"
    rank_normalise: Literal["sum", "weight_total"] = "sum"
    sequence_kl_weight: float = 0.0
    sequence_kl_stop: Literal["none", "chosen"] = "none"
    alpha_forward: float = 0.25
    alpha_reverse: float = 0.25
    kl_form: Literal["plain", "skewed", "jensen_shannon"] = "plain"
    kl_skew: float = 0.1
    forward_on: Side = "chosen"
    reverse_on: Side = "chosen"
    kl_edited_weight: float = 0.1
    kl_reduction: Literal["mean", "sum"] = "mean"
    grounding_weight: float = 1.0
    grounding_beta: float = 0.1
    ground_tokens: Literal["edited", "lesion_linked", "all"] = "lesion_linked"
    ground_against: Literal["chosen", "rejected"] = "chosen"
    ground_reference: bool = True
    ground_form: Literal["log_sigmoid", "hinge"] = "log_sigmoid"
    ground_margin: float = 1.0
    anchor_weight: float = 0.0
    anchor_delta: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a value that has no meaning.

        Raises:
            TrainError: Names the setting, its value and what it may be.
        """
        self._refuse_types()
        for name in ("beta", "grounding_beta"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise TrainError(f"{name} must be finite and above 0, got {getattr(self, name)}")
        for name in (
            "edited_weight", "unedited_weight", "sequence_kl_weight", "alpha_forward", "alpha_reverse",
            "grounding_weight", "ground_margin", "anchor_weight",
        ):  # fmt: skip
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise TrainError(f"{name} must be finite and at least 0, got {getattr(self, name)}")
        if not math.isfinite(self.anchor_delta):
            raise TrainError(f"anchor_delta must be finite, got {self.anchor_delta}")
        if not 0.0 <= self.kl_edited_weight <= 1.0:
            raise TrainError(f"kl_edited_weight must be in [0, 1], got {self.kl_edited_weight}")
        self._refuse_kl_forms()
        if self.edited_weight == 0 and self.unedited_weight == 0:
            raise TrainError("edited_weight and unedited_weight are both 0: nothing would rank")
        if self.rank_form == "phrases" and (self.unedited_weight > 0 or self.rank_normalise != "sum"):
            raise TrainError(
                "rank_form 'phrases' ranks edits only: it needs unedited_weight 0 and rank_normalise 'sum'"
            )
        if self.rank_form == "phrases" and self.edit_weights == "tokens":
            raise TrainError("rank_form 'phrases' ranks edits only: it cannot take edit_weights 'tokens'")

    def _refuse_kl_forms(self) -> None:
        if not 0.0 < self.kl_skew < 1.0:
            raise TrainError(f"kl_skew must be in (0, 1), got {self.kl_skew}")
        if self.kl_form != "plain" and self.sequence_kl_weight > 0:
            raise TrainError(f"sequence_kl_weight takes the plain KL: it excludes kl_form {self.kl_form!r}")
        alike = self.alpha_forward == self.alpha_reverse and self.forward_on == self.reverse_on
        if self.kl_form == "jensen_shannon" and not alike:
            raise TrainError(
                "kl_form 'jensen_shannon' is symmetric: it needs alpha_forward = alpha_reverse, forward_on = reverse_on"
            )

    def _refuse_types(self) -> None:
        """Settings come from a recipe's YAML, where anything may stand."""
        for name, wanted in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if get_origin(wanted) is Literal:
                if value not in get_args(wanted):
                    raise TrainError(f"{name} must be one of {', '.join(get_args(wanted))}, got {value!r}")
            elif wanted is bool:
                if not isinstance(value, bool):
                    raise TrainError(f"{name} must be true or false, got {value!r}")
            elif isinstance(value, bool) or not isinstance(value, int | float):
                raise TrainError(f"{name} must be a number, got {value!r}")

    @property
    def needs_spans(self) -> bool:
        """Whether a row without a single edit span has nothing to rank."""
        return self.unedited_weight == 0 and self.edit_weights != "tokens"

    @property
    def answers_with_kl(self) -> tuple[str, ...]:
        """Answers whose KLs are taken: the chosen one, for the log at least; the rejected one where the loss asks."""
        read = {self.forward_on} if self.alpha_forward > 0 else set()
        if self.alpha_reverse > 0:
            read.add(self.reverse_on)
        if self.sequence_kl_weight > 0:
            read.add("both")
        return ("chosen",) if read <= {"chosen"} else ("chosen", "rejected")

    @property
    def skew(self) -> float:
        """Share of a KL's first distribution in what it is compared with."""
        return {"plain": 0.0, "skewed": self.kl_skew, "jensen_shannon": 0.5}[self.kl_form]

    @property
    def is_anchored(self) -> bool:
        """Whether anything holds the policy: a KL term, inside or outside the sigmoid, or the anchor."""
        return max(self.alpha_forward, self.alpha_reverse, self.sequence_kl_weight, self.anchor_weight) > 0
