"""A third party's checker, whole: sides against sides, and nothing else. One file and one entry point are a package."""

from collections.abc import Sequence

from medprefkit.records import Case, Claim, Verdict


class LateralityChecker:
    """Calls a side wrong where the reference names one side of the same concept, and it is the other.

    Args:
        score: Confidence in its verdicts.
    """

    def __init__(self, *, score: float = 0.9) -> None:
        self._score = score

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Verdict, ...]]:
        """Judge each case; whatever names no side is left alone."""
        return [
            tuple(self._judge(claim, case.claims.reference) for claim in case.claims.answer) if case.claims else ()
            for case in batch
        ]

    def _judge(self, claim: Claim, reference: Sequence[Claim]) -> Verdict:
        sides = [a for a in claim.attributes if a.kind == "laterality"]
        same = [c for c in reference if c.concept == claim.concept and c.polarity == claim.polarity]
        true = {a.value: (a.span.text, c.sentence.text) for c in same for a in c.attributes if a.kind == "laterality"}
        if len(sides) != 1 or len(true) != 1:
            return Verdict(
                claim_id=claim.claim_id, label="unverifiable", checker="laterality", rule="no_side", score=1.0
            )
        ((value, (words, evidence)),) = true.items()
        if sides[0].value == value:
            return Verdict(
                claim_id=claim.claim_id,
                label="supported",
                checker="laterality",
                rule="same_side",
                score=self._score,
                evidence=evidence,
            )
        return Verdict(
            claim_id=claim.claim_id,
            label="contradicted",
            checker="laterality",
            rule="other_side",
            score=self._score,
            evidence=evidence,
            error_type="wrong_laterality",
            target=sides[0].span,
            truth=words,
        )
