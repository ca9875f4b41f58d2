"""Which verdicts are edited, and which of them stand or fall together.

A yes/no word and the body that repeats it are one decision: editing the one without the other would make the
answer contradict itself. So is a finding that it names in several places.
"""

from collections.abc import Sequence

from medprefkit.records import Case, Claim, Verdict


def to_edit(case: Case) -> dict[str, Verdict]:
    """Return claim id -> the verdict to act on: contradicted by one checker at least, and supported by none.

    Raises:
        ValueError: If the case has not been checked.
    """
    if case.verdicts is None:
        raise ValueError(f"{case.example.id}: this step comes after `check`")
    supported = {v.claim_id for v in case.verdicts.verdicts if v.label == "supported"}
    chosen: dict[str, Verdict] = {}
    for verdict in case.verdicts.verdicts:
        if verdict.label == "contradicted" and verdict.claim_id not in supported:
            chosen.setdefault(verdict.claim_id, verdict)
    return chosen


def linked_claims(claims: Sequence[Claim], verdicts: dict[str, Verdict]) -> dict[str, frozenset[str]]:
    """Return claim id -> the ids that share its decision, itself included.

    Args:
        claims: The answer's claims.
        verdicts: What is to be edited, by claim id.
    """
    questions = [c for c in claims if c.role == "yes_no" and c.claim_id in verdicts]
    linked = {claim_id: frozenset({claim_id}) for claim_id in verdicts}
    for question in questions:
        evidence = verdicts[question.claim_id].evidence
        group = frozenset(claim_id for claim_id, v in verdicts.items() if v.evidence == evidence)
        linked |= dict.fromkeys(group, group)
    return _with_repetitions(claims, verdicts, linked)


def _with_repetitions(
    claims: Sequence[Claim], verdicts: dict[str, Verdict], linked: dict[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """Link what an answer says twice: a finding denied in one sentence must not stay affirmed in the next."""
    said: dict[tuple[str, str], set[str]] = {}
    for claim in claims:
        verdict = verdicts.get(claim.claim_id)
        if verdict is not None and verdict.error_type in {"false_finding", "false_negation"} and verdict.truth:
            said.setdefault((claim.concept, claim.polarity), set()).add(claim.claim_id)
    for group in said.values():
        whole = frozenset().union(*(linked[claim_id] for claim_id in group))
        linked |= dict.fromkeys(whole, whole)
    return linked
