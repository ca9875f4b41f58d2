"""Labelled pairs that a checker learns from: a claim's sentence against a report, with what the report makes of it.

A claim that stands in the report is supported, in its own words or in others; one with a known error is contradicted,
or unverifiable where the report does not speak of what is wrong. Every label holds by construction.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from medprefkit.check.selection import Subject, select_sentences, split_reference
from medprefkit.check.statements import LABELS, Label, ReadReport, foreign_statements, label_statements
from medprefkit.inject.inject import find_candidates, inject_one
from medprefkit.inject.phrasing import Statement, phrase
from medprefkit.inject.reading import read_sentences
from medprefkit.lexicon import lexicon
from medprefkit.records import Claim, ErrorType, Span

_CONTRADICTS: Final[frozenset[ErrorType]] = frozenset(
    {"false_finding", "false_negation", "wrong_laterality", "wrong_location", "wrong_severity", "wrong_quantity",
     "wrong_measurement", "wrong_descriptor", "wrong_modality", "wrong_view_plane", "self_contradiction"}
)  # fmt: skip
"""Injected errors that the report excludes. Of the others it is merely silent: an error, but not one it contradicts."""
_SILENT_ADDITIONS = frozenset({"unsupported_context", "recommendation", "meta_text", "wrong_knowledge"})
"""Every report has a place for these, and few of them teach all that there is."""
_SCARCE = frozenset(
    {
        "wrong_laterality",
        "wrong_location",
        "wrong_severity",
        "wrong_quantity",
        "wrong_measurement",
        "wrong_descriptor",
        "wrong_temporal",
        "side_not_given",
        "suspected_only",
        "silent",
        "implied_denial",
        "falsely_normal",
    }
)
"""What few reports give, and what is hard: taken first."""


class Pair(NamedTuple):
    """A claim, what it is judged by, and the truth.

    Attributes:
        report_id: Of the report that it was made from.
        claim: The sentence that makes the claim.
        focus: The words of it that name what is claimed; empty where the sentence makes one claim only.
        reference: The report, or the sentences of it that are read.
        label: What the reference makes of the claim.
        abnormal: Whether the claim says that something is wrong with the patient.
        error_type: The injected error's, or how the pair was made ("own words", "silent", ...).
    """

    report_id: str
    claim: str
    focus: str
    reference: str
    label: Label
    abnormal: bool
    error_type: str


class _Width(NamedTuple):
    """How much of a report is read for one claim."""

    max_words: int
    one_sentence_share: float


def make_pairs(
    reports: Sequence[ReadReport],
    rng: np.random.Generator,
    *,
    n_pairs: int,
    max_reference_words: int,
    one_sentence_share: float = 0.0,
) -> list[Pair]:
    """Return about `n_pairs` pairs, as many of each label for claims of something wrong as for claims of normality.

    Without that balance "there is ..." would mean contradicted and "no ..." supported, whatever the report says, since
    most reports are normal.

    Args:
        reports: True reports; other patients' findings come from among them.
        rng: Decides everything.
        n_pairs: How many; fewer where the reports do not give as many.
        max_reference_words: Of a longer report the sentences that speak of the claim are read.
        one_sentence_share: Share of the pairs that read one sentence alone: evidence is chosen by single sentences, and
            a learner sees sooner what decides.
    """
    foreign = foreign_statements(reports)
    cells: dict[tuple[Label, bool], list[list[Pair]]] = {
        (label, says): [] for label in LABELS for says in (True, False)
    }
    for report in reports:
        of_report: dict[tuple[Label, bool], list[Pair]] = {cell: [] for cell in cells}
        for pair in _pairs_of(report, foreign, rng, _Width(max_reference_words, one_sentence_share)):
            of_report[pair.label, pair.abnormal].append(pair)
        for cell, found in of_report.items():
            cells[cell].append(_varied(found, rng))
    quota = -(-n_pairs // len(cells))
    chosen = [pair for pools in cells.values() for pair in _one_of_each(pools, quota, rng)]
    return [chosen[k] for k in rng.permutation(len(chosen))]


def _one_of_each(pools: Sequence[Sequence[Pair]], n_pairs: int, rng: np.random.Generator) -> list[Pair]:
    """Return pairs of as many reports as there are, before a second of any."""
    order = [pools[k] for k in rng.permutation(len(pools))]
    most = max(map(len, pools), default=0)
    return [pool[k] for k in range(most) for pool in order if k < len(pool)][:n_pairs]


def _varied(pairs: Sequence[Pair], rng: np.random.Generator) -> list[Pair]:
    """Return the pairs in random order, one of every way to make them before a second of any."""
    shuffled = [pairs[k] for k in rng.permutation(len(pairs))]
    seen: dict[str, int] = {}
    ranked: list[tuple[int, int, Pair]] = []
    for pair in shuffled:
        seen[pair.error_type] = seen.get(pair.error_type, 0) + 1
        later = 0 if pair.error_type in _SCARCE or rng.random() < 0.3 else 1
        ranked.append((seen[pair.error_type] + later, len(ranked), pair))
    return [pair for _, _, pair in sorted(ranked, key=_rank)]


def _rank(item: tuple[int, int, Pair]) -> tuple[int, int]:
    return item[:2]


def _pairs_of(
    report: ReadReport, foreign: Sequence[Statement], rng: np.random.Generator, width: _Width
) -> Iterator[Pair]:
    fit = _Fit(report, width, rng)
    yield from _injected(report, fit, rng)
    for claim in report.claims:
        plain = claim.certainty == "certain" and claim.role == "statement" and claim.kind in {"finding", "normality"}
        if plain and rng.random() < 0.5:
            said = claim.sentence.text.strip()
            read = fit(Subject(claim.concept, claim.anatomy, said))
            abnormal = claim.polarity == "affirmed" and claim.kind != "normality"
            yield Pair(report.id, said, claim.span.text, read, "supported", abnormal, "own_words")
    for one in label_statements(report, foreign, rng):
        beside = one.beside if rng.random() < 0.35 else None
        if (phrased := phrase(one.statement, rng, beside=beside)) is not None:
            whole = one.reference == report.text
            subject = Subject(one.statement.concept, (), phrased.text)
            read = fit(subject) if whole else fit.remainder(subject, one.reference)
            abnormal = one.statement.affirmed and not one.statement.is_normality
            yield Pair(report.id, phrased.text, phrased.focus, read, one.label, abnormal, one.made_by)


class _Fit:
    """Chooses what is read of a report for a claim, as the checker will choose it."""

    def __init__(self, report: ReadReport, width: _Width, rng: np.random.Generator) -> None:
        self._claims = report.claims
        self._sentences = split_reference(report.text, report.claims)
        self._width = width
        self._rng = rng

    def __call__(self, subject: Subject) -> str:
        return self._chosen(subject, self._sentences, self._claims)

    def remainder(self, subject: Subject, text: str) -> str:
        """Choose likewise from a part of the report, of which no claims were read."""
        return self._chosen(subject, split_reference(text, ()), ())

    def _chosen(self, subject: Subject, sentences: Sequence[Span], claims: Sequence[Claim]) -> str:
        most = 1 if self._rng.random() < self._width.one_sentence_share else self._width.max_words
        return " ".join(s.text for s in select_sentences(subject, sentences, claims, lexicon(), max_words=most))


def _injected(report: ReadReport, fit: _Fit, rng: np.random.Generator) -> Iterator[Pair]:
    for kind, candidates in find_candidates(report.text, rng).items():
        if kind in _SILENT_ADDITIONS and rng.random() < 0.85:
            continue
        candidate = candidates[int(rng.integers(len(candidates)))]
        made = inject_one(report.text, candidate)
        (error,) = made.errors
        start, end = error.span.start_char, error.span.end_char
        said = next((s for s in read_sentences(made.text) if s.start < end and start < s.end), None)
        if said is None:
            continue
        inside = [n for n in said.names if n.concept.kind != "organ"]
        near = [n for n in inside if n.start < end and start < n.end] or inside
        focus = made.text[near[0].start : near[0].end] if near else ""
        label: Label = "contradicted" if kind in _CONTRADICTS else "unverifiable"
        if kind == "wrong_temporal":
            label = "contradicted" if candidate.start < candidate.end else "unverifiable"
        read = fit(Subject(near[0].concept.id if near else "", (), said.text))
        yield Pair(report.id, said.text, focus, read, label, kind != "false_negation", kind)
