"""The minimal editor: verdicts to the smallest edits that make the answer right and leave it English.

Each contradicted claim is handed to the step that knows its grammar; a step that is not certain refuses, and with
it every edit of the same decision. What nothing contradicts is never touched, except a clause that rests on a
finding that was removed.
"""

from collections.abc import Sequence

from medprefkit.edit.change import Change
from medprefkit.edit.decisions import to_edit
from medprefkit.edit.lesion import is_about_lesion
from medprefkit.edit.limits import edited_share, is_short
from medprefkit.edit.plan import Plan
from medprefkit.errors import RecipeError
from medprefkit.offsets import span_of
from medprefkit.records import Case, Dropped, Edit, ErrorType, Severity, Verdict

_AFFIRMS_A_FINDING = frozenset(
    {"false_negation", "wrong_laterality", "wrong_location", "wrong_severity", "wrong_quantity", "wrong_measurement",
     "wrong_descriptor", "wrong_diagnosis", "wrong_certainty"}
)  # fmt: skip
"""After these edits the text says that something is there, and the lesion is the evidence for it."""


class MinimalEditor:
    """Edits what verdicts contradict, as little as grammar allows.

    An edit is `lesion_linked` when the example has a lesion mask and the edited text says of a finding that it is there
    or how or where it is: then the lesion is the evidence. A finding that is denied has no evidence to remove, and one
    in another organ than the mask's label names has another's.

    Args:
        max_edited_share: Refuse an answer that would lose a larger share of its tokens. Errors are dense in real
            answers (half of a report's characters may be wrong), but a denied phrase keeps its noun: a share above the
            default leaves little more than a preamble, and the pair no longer contrasts phrases. Answers of a few
            words are exempt.
        significant_weight: Weight of an edit that would change what a clinician does.
        insignificant_weight: Weight of any other edit.

    Raises:
        RecipeError: If the share is not in (0, 1] or a weight is negative.
    """

    def __init__(
        self,
        *,
        max_edited_share: float = 0.85,
        significant_weight: float = 1.0,
        insignificant_weight: float = 0.5,
    ) -> None:
        if not 0.0 < max_edited_share <= 1.0:
            raise RecipeError(f"max_edited_share must be in (0, 1], got {max_edited_share}")
        if significant_weight < 0.0 or insignificant_weight < 0.0:
            raise RecipeError(f"weights must not be negative, got {significant_weight} and {insignificant_weight}")
        self._max_edited_share = max_edited_share
        self._weights: dict[Severity, float] = {
            "significant": significant_weight,
            "insignificant": insignificant_weight,
        }

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Edit, ...] | Dropped]:
        """Edit each case; `()` where nothing is contradicted, `Dropped` where everything that is was refused."""
        return [self._edit(case) for case in batch]

    def _edit(self, case: Case) -> tuple[Edit, ...] | Dropped:
        if case.answer is None or case.claims is None:
            raise ValueError(f"{case.example.id}: this step comes after `check`")
        verdicts = to_edit(case)
        if not verdicts:
            return ()
        text = case.answer.text
        outcome = Plan(case, text, case.claims.answer, verdicts).carry_out()
        if not outcome.changes:
            reasons = "; ".join(dict.fromkeys(r.reason for r in outcome.refusals)) or "no edit was found"
            return Dropped(id=case.example.id, stage="edit", reason="edit_refused", detail=reasons)
        edits = self.edits_of(case, text, outcome.changes, verdicts)
        share = edited_share(text, edits)
        if share > self._max_edited_share and not is_short(text):
            detail = f"{share:.0%} of the tokens would go, more than max_edited_share {self._max_edited_share}"
            return Dropped(id=case.example.id, stage="edit", reason="edit_not_minimal", detail=detail)
        return edits

    def edits_of(
        self, case: Case, text: str, changes: Sequence[Change], verdicts: dict[str, Verdict]
    ) -> tuple[Edit, ...]:
        """Return changes as edits, numbered as they come, each with the severity and the weight of its verdicts."""
        claims = {c.claim_id: c for c in case.claims.answer} if case.claims is not None else {}
        edits = []
        for phrase_id, made in enumerate(changes, start=1):
            ruled = [verdicts[claim_id] for claim_id in made.claim_ids]
            severity: Severity = "significant" if any(v.severity == "significant" for v in ruled) else "insignificant"
            error = made.error_type or _error_of(ruled)
            findings = [claims[i] for i in made.claim_ids if i in claims and claims[i].kind == "finding"]
            of_lesion = any(is_about_lesion(claim, case.example.lesion_masks) for claim in findings)
            edits.append(
                Edit(
                    phrase_id=phrase_id,
                    span=span_of(text, made.start, made.end),
                    claim_span=span_of(text, made.claim_start, made.claim_end),
                    replacement=made.replacement,
                    error_type=error,
                    severity=severity,
                    weight=self._weights[severity],
                    claim_ids=made.claim_ids,
                    lesion_linked=of_lesion and error in _AFFIRMS_A_FINDING,
                )
            )
        return tuple(edits)


def _error_of(verdicts: Sequence[Verdict]) -> ErrorType:
    error = verdicts[0].error_type
    if error is None:
        raise ValueError(f"{verdicts[0].claim_id}: an edit without an error type")
    return error
