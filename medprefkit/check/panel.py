"""A panel: rules first, models where the rules are silent. What the rules decide costs nothing and stands.

Source: the reject option (Chow 1970), as in the ensemble of rules and classifier. Differs: its members are any
checkers, each asked only about the claims that those before it left open, so that a model is paid for what rules
cannot tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import (
    Any,
    Literal,
    NotRequired,  # pydantic reads no other before Python 3.12
)

from typing_extensions import TypedDict

from medprefkit.context import AsksModels, RunContext
from medprefkit.errors import RecipeError
from medprefkit.models.requests import Asker, Request
from medprefkit.protocols import Checker
from medprefkit.records import Case, Claim, Verdict

_OPEN = frozenset({"reference_silent", "reference_uncertain", "place_not_stated", "slot_not_comparable"})
"""Abstentions of the rules that only say that they could not tell; any other has a reason that no model outweighs."""

_RULES = frozenset({"reference", "ensemble"})

Member = TypedDict("Member", {"use": str, "with": NotRequired[dict[str, Any]]})
"""A checker by its registered name, with its options."""


class PanelChecker:
    """Asks its members in turn about what is still open, and takes a contradiction only where it is worth its risk.

    Args:
        members: The checkers, the cheapest and surest first.
        false_edit_cost: How many missed errors one wrong correction is as bad as: a member that is no rule is believed
            to contradict a claim where its score is at least cost / (1 + cost).
        contradicted_by_rules: `stands`, or `confirmed`: every other member is then asked too, and where one supports
            the claim it is left alone.

    Raises:
        RecipeError: If there are fewer than two members or the cost is negative.
    """

    def __init__(
        self,
        *,
        members: list[Member],
        false_edit_cost: float = 3.0,
        contradicted_by_rules: Literal["stands", "confirmed"] = "stands",
    ) -> None:
        if len(members) < 2:
            raise RecipeError("a panel has at least two members; name a single checker by itself")
        if false_edit_cost < 0.0:
            raise RecipeError(f"false_edit_cost must not be negative, got {false_edit_cost}")
        self._named = members
        self._threshold = false_edit_cost / (1.0 + false_edit_cost)
        self._confirmed = contradicted_by_rules == "confirmed"
        self._members: list[Checker] = []

    def attach(self, context: RunContext) -> None:
        """Build the members, and lend them what the run lends.

        Raises:
            RecipeError: If one is not installed or refuses an option.
        """
        self._members = [context.member(named["use"], named.get("with", {})) for named in self._named]

    @property
    def models(self) -> frozenset[tuple[str, str]]:
        """All models of all members."""
        return frozenset().union(*(m.models for m in self._members if isinstance(m, AsksModels)))

    def forecast(self, batch: Sequence[Case]) -> list[tuple[Asker, Request]]:
        """Return what would be asked at most: everything, since what rules leave open is not known before."""
        return [asked for m in self._members if isinstance(m, AsksModels) for asked in m.forecast(batch)]

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Verdict, ...]]:
        """Judge each case; a claim that every member leaves open keeps the first one's reason."""
        if not self._members:
            raise ValueError("attach the context of a run first")
        first = self._members[0](batch)
        for number, member in enumerate(self._members[1:], start=1):
            by_rules = self._named[0]["use"] in _RULES
            asked = [self._open(case, verdicts, by_rules=by_rules) for case, verdicts in zip(batch, first, strict=True)]
            cases = [case for case in asked if case.claims is not None and case.claims.answer]
            said = iter(member(cases))
            trusted = self._named[number]["use"] in _RULES
            first = [
                self._merge(verdicts, next(said), trusted=trusted)
                if case.claims is not None and case.claims.answer
                else verdicts
                for case, verdicts in zip(asked, first, strict=True)
            ]
        return first

    def _open(self, case: Case, verdicts: Sequence[Verdict], *, by_rules: bool) -> Case:
        """Return the case with the claims that are still to be asked about."""
        if case.claims is None:
            return case
        asked = {
            v.claim_id
            for v in verdicts
            if (v.label == "unverifiable" and (v.rule in _OPEN or not (by_rules and v.checker in _RULES)))
            or (v.label == "contradicted" and v.checker in _RULES and self._confirmed)
        }
        kept: tuple[Claim, ...] = tuple(c for c in case.claims.answer if c.claim_id in asked)
        return replace(case, claims=case.claims.model_copy(update={"answer": kept}))

    def _merge(self, before: Sequence[Verdict], said: Sequence[Verdict], *, trusted: bool) -> tuple[Verdict, ...]:
        by_id: Mapping[str, Verdict] = {verdict.claim_id: verdict for verdict in said}
        return tuple(self._one(old, by_id.get(old.claim_id), trusted=trusted) for old in before)

    def _one(self, old: Verdict, new: Verdict | None, *, trusted: bool) -> Verdict:
        if new is None or new.label == "unverifiable":
            return old
        if old.label == "contradicted":
            if new.label == "contradicted":
                return old
            return _left_alone(old, f"contradicted_by_{old.checker}_supported_by_{new.checker}")
        if new.label == "contradicted" and not trusted and new.score < self._threshold:
            return _left_alone(old, f"contradicted_by_{new.checker}_not_surely_enough")
        return new


def _left_alone(verdict: Verdict, rule: str) -> Verdict:
    return Verdict(
        claim_id=verdict.claim_id,
        label="unverifiable",
        checker="panel",
        rule=rule,
        score=1.0,
        evidence=verdict.evidence,
    )
