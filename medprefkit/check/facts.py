"""What a reference says, ready to be asked about one claim: which statements make it so, which exclude it.

Knows how denials reach (the broad denies the narrow, normality denies what it excludes, size words restrict a
denial) and nothing of the answer's wording.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from medprefkit.check import ruling
from medprefkit.check.place import covers, sides, values
from medprefkit.check.scales import degree_reaches, restricts
from medprefkit.lexicon import Lexicon
from medprefkit.records import Claim

_FOR_AGE = re.compile(r"\s+for\s+(?:the\s+)?(?:patient'?s?\s+)?(?:stated\s+)?age\b", re.I)
_EXCEPTS = re.compile(r"\b(?:otherwise|remainder|remaining|elsewhere|except|apart from|other than|aside from)\b", re.I)


class Bearing(NamedTuple):
    """One statement of the reference that decides whether a claimed thing is there."""

    claim: Claim
    rule: str
    score: float


class Bearings(NamedTuple):
    """Everything in the reference that decides about one claim."""

    present: tuple[Bearing, ...]
    absent: tuple[Bearing, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """The statements of one reference that may decide.

    Attributes:
        lexicon: The order of concepts.
        text: The reference.
        claims: About this patient, now, and certain; definitions apart.
        doubtful: Likewise but uncertain: they decide nothing and forbid to call the reference silent.
    """

    lexicon: Lexicon
    text: str
    claims: tuple[Claim, ...]
    doubtful: tuple[Claim, ...]

    @classmethod
    def of(cls, reference: str, claims: tuple[Claim, ...], lexicon: Lexicon) -> "Facts":
        """Keep what may decide."""
        usable = [c for c in claims if c.current and c.experiencer == "patient" and c.role != "definition"]
        return cls(
            lexicon=lexicon,
            text=reference,
            claims=tuple(c for c in usable if _decides(c)),
            doubtful=tuple(c for c in usable if not _decides(c)),
        )

    def related(self, a: str, b: str) -> bool:
        """Tell whether two concepts speak of one matter: equal, one broader than the other, or kin."""
        return self.lexicon.is_a(a, b) or self.lexicon.is_a(b, a) or self.lexicon.kin(a, b)

    def bearings(self, claim: Claim) -> Bearings:
        """Return what says that the claimed thing is there, at its place, and what says that it is not."""
        present = tuple(b for other in self.claims if (b := self._presence(claim, other)) is not None)
        absent = tuple(b for other in self.claims if (b := self._absence(claim, other)) is not None)
        firm = [b for b in present if b.rule != "kin_affirmed"]
        denied = [b for b in absent if b.rule in {"same_concept", "broader_denied"}]
        if denied and not firm:
            present = ()  # "opacities, no mass": a close word does not stand against the word itself
        elif firm:
            absent = tuple(b for b in absent if not self._yields(b, firm))
        if present and all(_EXCEPTS.search(b.claim.sentence.text) for b in absent):
            absent = ()  # "the lungs are otherwise clear": clear but for what is named
        return Bearings(present, absent)

    def _yields(self, denial: Bearing, firm: Sequence[Bearing]) -> bool:
        """Tell whether a denial in other words, or clear lungs beside an old finding, leaves the finding standing."""
        if denial.rule == "kin_denied":
            return True
        concepts = [self.lexicon.concepts.get(b.claim.concept) for b in firm]
        return denial.rule == "normality_denies" and not any(c is None or c.acute for c in concepts)

    def named(self, claim: Claim) -> tuple[Claim, ...]:
        """Return the statements that affirm the concept itself, wherever they place it.

        Kin and kinds are left out: what is mild of an opacity says nothing of a mass.
        """
        return tuple(
            other
            for other in self.claims
            if other.polarity == "affirmed" and other.kind == claim.kind and other.concept == claim.concept
        )

    def affirms_somewhere(self, claim: Claim) -> Claim | None:
        """Return a statement that affirms the thing or a kind of it at any place, or None."""
        kinds = (c for c in self.claims if c.polarity == "affirmed" and c.kind == claim.kind)
        return next((c for c in kinds if self.lexicon.is_a(c.concept, claim.concept)), None)

    def doubts(self, claim: Claim) -> Claim | None:
        """Return an uncertain statement about the same matter, or None."""
        return next((other for other in self.doubtful if self.related(other.concept, claim.concept)), None)

    def _presence(self, claim: Claim, other: Claim) -> Bearing | None:
        if self._calls_abnormal(other, claim):
            return Bearing(other, "normality_denied", ruling.NORMALITY)
        if other.polarity != "affirmed" or other.kind == "normality":
            return None
        if other.concept == claim.concept:
            found = Bearing(other, "same_concept", ruling.SAME_CONCEPT)
        elif self.lexicon.is_a(other.concept, claim.concept):
            found = Bearing(other, "narrower_affirmed", ruling.HIERARCHY)
        elif self.lexicon.kin(other.concept, claim.concept) and claim.polarity == "affirmed":
            found = Bearing(other, "kin_affirmed", ruling.KIN)
        else:
            return None
        return found if self._inside(other, claim) else None

    def _calls_abnormal(self, other: Claim, claim: Claim) -> bool:
        """Tell whether "not normal" says that there is an abnormality, against an answer that denies one."""
        if other.kind != "normality" or other.polarity != "denied" or claim.polarity != "denied":
            return False
        concept = self.lexicon.concepts.get(other.concept)
        return concept is not None and claim.concept in concept.denies and claim.concept.endswith("abnormality")

    def _inside(self, other: Claim, claim: Claim) -> bool:
        """Tell whether `other`'s thing is one of those that `claim` speaks of, by place and by restricting words."""
        if claim.polarity == "denied" and not _meets(claim, other):
            return False
        return covers(claim, other, self.lexicon)

    def _absence(self, claim: Claim, other: Claim) -> Bearing | None:
        if other.kind == "normality":
            return self._normality(claim, other)
        if other.polarity != "denied":
            return None
        if other.concept == claim.concept:
            found = Bearing(other, "same_concept", ruling.SAME_CONCEPT)
        elif self.lexicon.is_a(claim.concept, other.concept):
            found = Bearing(other, "broader_denied", ruling.HIERARCHY)
        elif self._is_twin(other.concept, claim.concept):
            found = Bearing(other, "kin_denied", ruling.KIN)
        else:
            return None
        return found if covers(other, claim, self.lexicon) and _meets(other, claim) else None

    def _is_twin(self, denied: str, claimed: str) -> bool:
        """Tell whether to deny the one is to deny its kin: infiltrate and consolidation, but not effusion and blunting.

        Kin that share a specific parent are two words for one picture. Kin that do not are cause and effect, and the
        one may be there without the other; nor does denying a narrower kin deny the broad.
        """
        if not self.lexicon.kin(denied, claimed) or self.lexicon.is_a(denied, claimed):
            return False
        rows = self.lexicon.concepts
        if rows[denied].acute and not rows[claimed].acute:
            return False  # "no consolidation" beside atelectasis
        shared = self.lexicon.ancestors(denied) & self.lexicon.ancestors(claimed)
        return any(not parent.endswith("abnormality") for parent in shared)

    def _normality(self, claim: Claim, other: Claim) -> Bearing | None:
        if other.polarity != "affirmed" or not self._denies(other, claim):
            return None
        if spares(other, claim.concept, self.lexicon):
            return None
        if values(claim, "temporal") & {"old", "chronic", "prior", "healed"} or not _side_fits(other, claim):
            return None
        concept = self.lexicon.concepts.get(other.concept)
        if concept is not None and concept.acute and values(claim, "temporal") & {"stable", "unchanged"}:
            return None  # "no acute process" beside what was there before
        return Bearing(other, "normality_denies", ruling.NORMALITY)

    def _denies(self, normality: Claim, claim: Claim) -> bool:
        """Tell whether a normality excludes the finding; "no acute ..." excludes whatever the claim calls acute."""
        if claim.concept in self.lexicon.denied_by(normality.concept):
            return True
        concept = self.lexicon.concepts.get(normality.concept)
        if concept is None or not concept.acute or "acute" not in values(claim, "temporal"):
            return False
        return any(self.lexicon.is_a(claim.concept, root) for root in concept.denies)


def spares(normality: Claim, finding: str, lexicon: Lexicon) -> bool:
    """Tell whether a structure may be called so in spite of the finding: intact, or normal for age, yet degenerated."""
    after = normality.sentence.text[max(0, normality.span.end_char - normality.sentence.start_char) :]
    if "intact" not in normality.span.text.lower() and not _FOR_AGE.match(after):
        return False
    concept = lexicon.concepts.get(finding)
    broken = any("fracture" in parent for parent in lexicon.ancestors(finding))
    return concept is not None and not concept.acute and not broken


def denies_all(claim: Claim) -> bool:
    """Tell whether the claim says that nothing is wrong: "no significant abnormality" is not about a size."""
    sizes = values(claim, "severity")
    return claim.polarity == "denied" and claim.concept.endswith("abnormality") and sizes <= {"significant"}


def _decides(claim: Claim) -> bool:
    """Tell whether a statement is certain; "no large effusion" is, of that size, though of nothing else."""
    sized = claim.polarity == "denied" and bool(values(claim, "severity"))
    return claim.certainty == "certain" or (sized and claim.certainty == "uncertain")


def _meets(denial: Claim, thing: Claim) -> bool:
    """Tell whether `thing` has every quality that a denial is restricted to: "no large effusion" spares a small one."""
    for attribute in denial.attributes:
        if not restricts(attribute) or denies_all(denial):
            continue
        given = values(thing, attribute.kind)
        if attribute.kind == "severity":
            if not degree_reaches(given, attribute.value):
                return False
        elif attribute.value not in given:
            return False
    return True


def _side_fits(normality: Claim, claim: Claim) -> bool:
    """Tell whether a normal structure's side is the finding's: its structures are the lexicon's matter."""
    of_normality = sides(normality)
    of_claim = values(claim, "laterality")
    return not of_normality or "bilateral" in of_normality or (bool(of_claim) and of_claim <= of_normality)
