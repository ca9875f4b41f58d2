"""Statements about a report whose truth holds by construction: what it says, what it excludes, what it is silent of.

Unverifiable is another patient's finding, a side that is not given, a finding that is only suspected, and any statement
once the sentences that bear on it are taken out. Knows claims; reading texts and wording statements is another's work.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np

from medprefkit.inject.phrasing import Statement, flipped, statement_of
from medprefkit.inject.reading import Sentence, read_sentences
from medprefkit.lexicon import lexicon
from medprefkit.records import Claim

Label = Literal["supported", "contradicted", "unverifiable"]

LABELS: Final[tuple[Label, ...]] = ("supported", "contradicted", "unverifiable")

_SIDES: Mapping[str, str] = {"left": "right", "right": "left"}
_PLACES: Mapping[str, str] = {"upper": "lower", "lower": "upper", "base": "apex", "apex": "base"}
_DEGREES: Mapping[str, str] = {
    "mild": "severe",
    "minimal": "severe",
    "small": "large",
    "severe": "mild",
    "large": "small",
}
_NORMALITIES = (
    "lungs_clear", "normal_heart_size", "normal_mediastinum", "normal_bone", "normal_pulmonary_vasculature",
)  # fmt: skip
_COMMON = (
    "consolidation", "pleural_effusion", "pneumothorax", "pneumonia", "pulmonary_edema", "cardiomegaly", "lung_nodule",
    "lung_mass", "atelectasis", "infiltrate", "lung_opacity", "fracture", "emphysema", "mediastinal_widening",
    "granuloma",
    "pulmonary_congestion", "airspace_disease", "scarring", "hiatal_hernia", "degenerative_change", "hyperinflation",
)  # fmt: skip
"""What models invent most."""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """A true report with what a detector reads in it."""

    id: str
    group_id: str
    text: str
    claims: tuple[Claim, ...]


class Labelled(NamedTuple):
    """A statement with what a report makes of it, in no words yet.

    Attributes:
        statement: What is said.
        label: What the report makes of it.
        made_by: How the statement was made of the report.
        reference: The report, or part of it.
        beside: Another true statement that may be said in the same sentence.
    """

    statement: Statement
    label: Label
    made_by: str
    reference: str
    beside: Statement | None = None


def label_statements(report: ReadReport, foreign: Sequence[Statement], rng: np.random.Generator) -> Iterator[Labelled]:
    """Yield statements about a report that are supported, contradicted or unverifiable by construction.

    Args:
        report: A true report.
        foreign: Statements of other reports.
        rng: Decides which.
    """
    sentences = read_sentences(report.text)
    statements = [(c, s) for c in report.claims if (s := statement_of(c)) is not None]
    for claim, statement in statements:
        yield from _alike_and_opposite(report, claim, statement, statements, rng)
        yield from _evidence_removed(report, statement, sentences, rng)
        yield from _falsely_normal(report, claim, statement, rng)
    yield from _denied_by_normality(report, statements, rng)
    yield from _suspected_only(report, rng)
    yield from _silent(report, sentences, foreign, rng)


def foreign_statements(reports: Sequence[ReadReport]) -> list[Statement]:
    """Return what the reports affirm, to be said of other patients."""
    return [s for report in reports for c in report.claims if (s := statement_of(c)) is not None and s.affirmed]


def _alike_and_opposite(
    report: ReadReport,
    claim: Claim,
    statement: Statement,
    statements: Sequence[tuple[Claim, Statement]],
    rng: np.random.Generator,
) -> Iterator[Labelled]:
    """Yield what a claim says, and its opposites and near misses where nothing else in the report allows them."""
    others = [s for c, s in statements if c is not claim and related(s.concept, statement.concept)]
    doubted = any(c.certainty != "certain" and related(c.concept, statement.concept) for c in report.claims)
    restricted = not statement.affirmed and bool(statement.degree or statement.side or statement.place)
    contested = any(s.affirmed != statement.affirmed for s in others)
    if restricted or contested:
        return
    beside = None if statement.is_normality else _apart(statement, statements)
    yield Labelled(statement, "supported", "paraphrase", report.text, beside)
    if statement.is_normality or doubted:
        return
    opposite = flipped(statement)
    if opposite.affirmed and rng.random() < 0.6:
        sized = statement.concept in {"pleural_effusion", "pneumothorax"}
        degree = str(rng.choice(("", "small", "large"))) if sized else ""
        opposite = replace(opposite, side=str(rng.choice(("left", "right", ""))), degree=degree)
    yield Labelled(opposite, "contradicted", "false_finding" if opposite.affirmed else "false_negation", report.text)
    if statement.affirmed and not others:
        for kind, wrong in _wrong_attributes(statement):
            yield Labelled(wrong, "contradicted", kind, report.text)
        if _has_sides(statement) and not statement.side and not statement.place and rng.random() < 0.5:
            sided = replace(statement, side=str(rng.choice(("left", "right"))))
            yield Labelled(sided, "unverifiable", "side_not_given", report.text)


def _apart(statement: Statement, statements: Sequence[tuple[Claim, Statement]]) -> Statement | None:
    """Return another finding of the report that is affirmed or denied alike."""
    for _, other in statements:
        alike = other.affirmed == statement.affirmed and not other.is_normality
        if alike and not related(other.concept, statement.concept):
            return other
    return None


def _wrong_attributes(statement: Statement) -> Iterator[tuple[str, Statement]]:
    if statement.side in _SIDES:
        yield "wrong_laterality", replace(statement, side=_SIDES[statement.side])
    if statement.place in _PLACES:
        yield "wrong_location", replace(statement, place=_PLACES[statement.place])
    if statement.degree in _DEGREES:
        yield "wrong_severity", replace(statement, degree=_DEGREES[statement.degree])


def _has_sides(statement: Statement) -> bool:
    return bool({"lung", "pleura", "rib"} & set(lexicon().concepts[statement.concept].structures))


def _evidence_removed(
    report: ReadReport, statement: Statement, sentences: Sequence[Sentence], rng: np.random.Generator
) -> Iterator[Labelled]:
    """Yield the claim against what is left of the report without the sentences that bear on it."""
    if rng.random() < 0.5:
        return
    bearing = [c for c in report.claims if _bears(c, statement)]
    kept = [
        s
        for s in sentences
        if not any(_meet(c, s) for c in bearing)
        and not any(related(n.concept.id, statement.concept) for n in s.names)
        and not _shares_organ_words(s, statement)
    ]
    if 1 <= len(kept) < len(sentences):
        yield Labelled(statement, "unverifiable", "evidence_removed", " ".join(s.text for s in kept))


def _denied_by_normality(
    report: ReadReport, statements: Sequence[tuple[Claim, Statement]], rng: np.random.Generator
) -> Iterator[Labelled]:
    known = lexicon()
    named = [c.concept for c in report.claims if c.kind == "finding" and c.polarity == "affirmed"]
    for claim, statement in statements:
        if not statement.is_normality or not statement.affirmed or _excepted(claim):
            continue
        if known.concepts[statement.concept].acute:
            continue
        denied = known.denied_by(statement.concept)
        excluded = [f for f in _COMMON if f in denied and not any(related(f, n) for n in named)]
        for finding in [str(f) for f in rng.permutation(excluded)][:2]:
            if rng.random() < 0.6:
                yield Labelled(Statement(finding, affirmed=True), "contradicted", "false_finding", report.text)
            else:
                yield Labelled(Statement(finding, affirmed=False), "supported", "implied_denial", report.text)


def _falsely_normal(
    report: ReadReport, claim: Claim, statement: Statement, rng: np.random.Generator
) -> Iterator[Labelled]:
    """Yield that the structure is normal of which the report says what is wrong with it."""
    known = lexicon()
    stated = {c.concept for c in report.claims if c.kind == "normality"}
    if statement.is_normality or not statement.affirmed or claim.certainty != "certain":
        return
    for normality in _NORMALITIES:
        if normality == "normal_bone" and not known.is_a(statement.concept, "fracture"):
            continue  # intact bones may yet be worn
        if statement.concept in known.denied_by(normality) and normality not in stated and rng.random() < 0.7:
            yield Labelled(Statement(normality, affirmed=True), "contradicted", "falsely_normal", report.text)


def _suspected_only(report: ReadReport, rng: np.random.Generator) -> Iterator[Labelled]:
    for claim in report.claims:
        alone = sum(related(c.concept, claim.concept) for c in report.claims) == 1
        suspected = claim.kind == "finding" and claim.certainty == "uncertain" and claim.polarity == "affirmed"
        if suspected and alone and not claim.attributes and claim.concept in lexicon().concepts:
            statement = Statement(claim.concept, affirmed=bool(rng.random() < 0.7))
            yield Labelled(statement, "unverifiable", "suspected_only", report.text)


def _silent(
    report: ReadReport, sentences: Sequence[Sentence], foreign: Sequence[Statement], rng: np.random.Generator
) -> Iterator[Labelled]:
    """Yield findings that the report says nothing of: other patients', and the commonest."""
    options = [foreign[int(k)] for k in rng.integers(len(foreign), size=6)] if foreign else []
    options += [Statement(str(c), affirmed=bool(rng.random() < 0.6)) for c in rng.choice(_COMMON, size=4)]
    for option in options:
        if option.is_normality or not _speaks_not_of(report, sentences, option):
            continue
        statement = Statement(option.concept, affirmed=False) if rng.random() < 0.25 else option
        yield Labelled(statement, "unverifiable", "silent", report.text)


def _speaks_not_of(report: ReadReport, sentences: Sequence[Sentence], statement: Statement) -> bool:
    if any(_bears(c, statement) for c in report.claims):
        return False
    return not any(
        related(n.concept.id, statement.concept) or _shares_organ_words(s, statement)
        for s in sentences
        for n in s.names
    )


def _bears(claim: Claim, statement: Statement) -> bool:
    """Tell whether a claim of the report could decide about a statement, or look as if it did."""
    known = lexicon()
    if claim.kind == "normality":
        if statement.is_normality:
            return (
                bool(known.denied_by(claim.concept) & known.denied_by(statement.concept))
                or claim.concept == statement.concept
            )
        return statement.concept in known.denied_by(claim.concept)
    if statement.is_normality:
        return claim.concept in known.denied_by(statement.concept)
    return related(claim.concept, statement.concept)


def related(a: str, b: str) -> bool:
    """Tell whether two concepts speak of one matter: equal, one broader than the other, or kin."""
    known = lexicon()
    return known.is_a(a, b) or known.is_a(b, a) or known.kin(a, b)


def _excepted(claim: Claim) -> bool:
    return (
        re.search(r"\b(?:otherwise|except|remainder|grossly|left|right|for\s+age)\b", claim.sentence.text, re.I)
        is not None
    )


def _shares_organ_words(sentence: Sentence, statement: Statement) -> bool:
    """Tell whether a sentence calls the very organ normal or abnormal, in whatever words."""
    structures = set(lexicon().concepts[statement.concept].structures)
    organs = {n.concept.id for n in sentence.names if n.concept.kind == "organ"}
    return bool(structures & organs)


def _meet(claim: Claim, sentence: Sentence) -> bool:
    return claim.sentence.start_char < sentence.end and sentence.start < claim.sentence.end_char
