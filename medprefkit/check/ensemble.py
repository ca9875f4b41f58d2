"""Rules and model together: where they agree the rules' verdict stands, where they differ the claim is left alone.

Source: the reject option (Chow 1970): act where the expected cost of acting is below that of not acting.
Differs: the rules propose and the model's calibrated probability decides, since only the rules say what to change.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from medprefkit.check.nli import NliChecker, Reading, abstain, is_checked
from medprefkit.check.reference import ReferenceChecker
from medprefkit.records import Case, Claim, Verdict

CHECKER = "ensemble"

_LEAST = 1e-9  # below it the model says nothing of either
_LIKELIER = 0.5  # "supported" edits nothing: the likelier of the two is enough
_SILENT = frozenset({"reference_silent", "place_not_stated"})
"""Rules that found nothing to decide by; any other abstention has a reason that the model does not outweigh."""


class EnsembleChecker:
    """Judges claims by the reference rules and by a learned checker.

    The rules say where the reference speaks of a claim; given that it does, the model's probability of "contradicted"
    rather than "supported" decides: a claim that the rules call wrong stays so where it is at least
    `false_edit_cost / (1 + false_edit_cost)`. A correction then costs less, in expectation, than leaving the claim.

    Args:
        model: As of the `nli` checker.
        false_edit_cost: How many missed errors one wrong correction is as bad as. 1 follows the likelier of the two; 3
            lets the rules stand only where the model is three quarters sure.
        where_rules_are_silent: `abstain`, or let the model decide alone above its own calibrated threshold.
        closed_world: As of the `reference` checker.
        device: Where the model runs.
        batch_size: Pairs the model reads at a time.

    Raises:
        ModelError: If the model cannot be loaded, or its labels are not the three of inference.
    """

    def __init__(
        self,
        *,
        model: str,
        false_edit_cost: Annotated[float, Field(gt=0)] = 1.0,
        where_rules_are_silent: Literal["abstain", "model"] = "abstain",
        closed_world: bool = False,
        device: Literal["cpu", "cuda"] = "cpu",
        batch_size: Annotated[int, Field(ge=1)] = 32,
    ) -> None:
        self._rules = ReferenceChecker(closed_world=closed_world)
        self._model = NliChecker(model=model, device=device, batch_size=batch_size)
        self._threshold = false_edit_cost / (1.0 + false_edit_cost)
        self._model_speaks = where_rules_are_silent == "model"

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Verdict, ...]]:
        """Judge each case; a case without claims gets no verdicts."""
        return self.combine(batch, self._rules(batch), self._model.read(batch))

    def combine(
        self, batch: Sequence[Case], ruled: Sequence[Sequence[Verdict]], read: Sequence[Sequence[Reading | None]]
    ) -> list[tuple[Verdict, ...]]:
        """Return one verdict a claim from what rules and model say of each.

        Args:
            batch: The cases.
            ruled: The rules' verdicts.
            read: What the model makes of the claims.
        """
        alone = self._model.verdicts(batch, read) if self._model_speaks else None
        return [
            self._judge(case, ruled[k], read[k], alone[k] if alone is not None else None)
            for k, case in enumerate(batch)
        ]

    def _judge(
        self,
        case: Case,
        ruled: Sequence[Verdict],
        read: Sequence[Reading | None],
        alone: Sequence[Verdict] | None,
    ) -> tuple[Verdict, ...]:
        claims = case.claims.answer if case.claims is not None else ()
        first = [self._one(c, v, r) for c, v, r in zip(claims, ruled, read, strict=True)]
        if alone is not None:
            first = [
                a if v.rule in _SILENT and is_checked(c) and a.label != "unverifiable" else f
                for c, v, f, a in zip(claims, ruled, first, alone, strict=True)
            ]
        return tuple(_follow(claims, first))

    def _one(self, claim: Claim, ruled: Verdict, reading: Reading | None) -> Verdict:
        if reading is None or ruled.label == "unverifiable":
            return ruled.model_copy(update={"checker": CHECKER})
        supported, contradicted, _ = reading.probabilities
        wrong = contradicted / max(supported + contradicted, _LEAST)
        sure = wrong if ruled.label == "contradicted" else 1.0 - wrong
        if sure >= (self._threshold if ruled.label == "contradicted" else _LIKELIER):
            return ruled.model_copy(update={"checker": CHECKER, "score": (ruled.score + sure) / 2})
        opposite = "supports" if ruled.label == "contradicted" else "contradicts"
        said = "is_unsure" if sure >= _LIKELIER else opposite
        rule = f"{ruled.label}_by_{ruled.rule}_but_nli_{said}"
        return abstain(claim, CHECKER, rule, 1.0 - sure, ruled.evidence)


def _follow(claims: Sequence[Claim], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Leave alone what depends on a finding that is no longer called absent ("This mass ...")."""
    label = {v.claim_id: v.label for v in verdicts}
    return [
        abstain(claim, CHECKER, "basis_left_alone", verdict.score, verdict.evidence)
        if verdict.rule == "depends_on_absent_finding" and label.get(claim.refers_to or "") != "contradicted"
        else verdict
        for claim, verdict in zip(claims, verdicts, strict=True)
    ]
