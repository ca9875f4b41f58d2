"""Calibrating the checker `vlm`: its probabilities on labelled claims become the thresholds of a recipe.

The one place that joins the checker's probabilities, the labels and the bounds of `check/calibration.py`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray
from tqdm import tqdm

from medprefkit.check.calibration import (
    Bin,
    bin_numbers,
    calibration_error,
    claims_needed,
    proven_threshold,
    reliability,
)
from medprefkit.check.vlm import VlmChecker
from medprefkit.errors import RecipeError, SourceError
from medprefkit.evaluate.detection import GoldRow
from medprefkit.evaluate.intervals import Rate, draw_answers, rate_of
from medprefkit.evaluate.tables import Table, as_text, cell
from medprefkit.measure import Tool, example_of, read_labels
from medprefkit.records import Claim

Truth = Literal["true", "false", "wrong in a detail"]

_DENIABLE: Final = frozenset({"false_finding", "false_negation", "wrong_diagnosis", "wrong_device"})
"""Errors that a denial puts right: what the claim names is not there."""

_BATCH = 16
_N_RESAMPLES = 1000
_N_BINS = 10


class ScoredClaim(NamedTuple):
    """A claim of a labelled answer.

    Attributes:
        answer: Which answer it stands in; intervals are drawn over answers.
        probability: That it is true, as the checker says; None where it says none.
        truth: As labelled. What is wrong in a detail alone, such as its side, is neither to be supported nor to be
            called wrong: the checker can only deny, and denying a finding that is there is a wrong correction.
    """

    answer: str
    probability: float | None
    truth: Truth


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds for a wanted precision, and what they would have done on the claims that they come from.

    Attributes:
        contradicted_below: 0 where no threshold is shown to be precise enough.
        supported_above: 1 where none is.
        called_wrong: Of claims called contradicted, those that are false.
        called_right: Of claims called supported, those that are true.
        wrong_found: Of false claims, those called contradicted.
        left_alone: Of all claims, those that the checker would abstain from.
        error: Expected calibration error of the probabilities, before any threshold.
        bins: What it is made of.
    """

    precision: float
    contradicted_below: float
    supported_above: float
    called_wrong: Rate
    called_right: Rate
    wrong_found: Rate
    left_alone: Rate
    error: Rate
    bins: tuple[Bin, ...]


def calibrate(claims: Sequence[ScoredClaim], *, precision: float, seed: int = 0) -> Calibration:
    """Return the thresholds at which the checker is shown to be right in the wanted share of its verdicts.

    Args:
        claims: Labelled claims; those without a probability are left out.
        precision: Wanted share of right verdicts, of either label, above 0.5 and below 1.
        seed: Decides the bootstrap samples of answers.

    Raises:
        RecipeError: If the precision is out of range.
        SourceError: If there are too few claims of a label for any threshold to be shown; says how many it takes.
    """
    if not 0.5 < precision < 1.0:
        raise RecipeError(f"--precision must be above 0.5 and below 1, got {precision}")
    scored = [(c.answer, c.probability, c.truth) for c in claims if c.probability is not None]
    counts, needed = Counter(truth for *_, truth in scored), claims_needed(precision)
    if min(counts["true"], counts["false"]) < needed:
        raise SourceError(
            f"too few labelled claims to calibrate on: {counts['true']} true and {counts['false']} false ones have an "
            f"image and a probability, and a precision of {precision:g} takes at least {needed} of each; "
            "label more answers, or ask for less with --precision"
        )
    sure = np.array([probability for _, probability, _ in scored])
    true, false = (np.array([truth == label for *_, truth in scored]) for label in ("true", "false"))
    below, above = _thresholds(sure, true, false, precision)
    wrong, right = sure < below, sure > above
    answers = {name: k for k, name in enumerate(dict.fromkeys(name for name, *_ in scored))}
    of_answer = np.array([answers[name] for name, *_ in scored])
    draws = draw_answers(len(answers), _N_RESAMPLES, seed)

    def share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Rate:
        parts, wholes = (np.bincount(of_answer, weights=w, minlength=len(answers)) for w in (part & whole, whole))
        return rate_of(parts, wholes, draws)

    return Calibration(
        precision=precision,
        contradicted_below=below,
        supported_above=above,
        called_wrong=share(false, wrong),
        called_right=share(true, right),
        wrong_found=share(wrong, false),
        left_alone=share(~(wrong | right), np.ones(len(sure), dtype=np.bool_)),
        error=_error(sure, true, of_answer, draws),
        bins=_bins(sure, true),
    )


def _thresholds(
    sure: NDArray[np.float64], true: NDArray[np.bool_], false: NDArray[np.bool_], precision: float
) -> tuple[float, float]:
    """Return (contradicted_below, supported_above), a hair beyond the last claim that is taken: both are strict."""
    wrong = proven_threshold(1.0 - sure, false, precision=precision)
    right = proven_threshold(sure, true, precision=precision)
    below = 0.0 if wrong is None else float(np.nextafter(sure[1.0 - sure >= wrong].max(), 1.0))
    above = 1.0 if right is None else float(np.nextafter(right, 0.0))
    return below, above


def _bins(sure: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[Bin, ...]:
    return reliability(np.stack([1.0 - sure, sure], axis=1), truth.astype(np.intp), n_bins=_N_BINS)


def _error(
    sure: NDArray[np.float64], truth: NDArray[np.bool_], of_answer: NDArray[np.intp], draws: NDArray[np.intp]
) -> Rate:
    """Return the calibration error: over bins, how far confidence and right verdicts add up to something else."""
    confidence = np.maximum(sure, 1.0 - sure)
    gaps = np.zeros((draws.shape[1], _N_BINS))  # each answer's part of each bin's gap
    np.add.at(gaps, (of_answer, bin_numbers(confidence, _N_BINS)), confidence - ((sure > 0.5) == truth))
    sizes = np.bincount(of_answer, minlength=len(gaps))
    errors = np.abs(gaps[draws].sum(axis=1)).sum(axis=1) / sizes[draws].sum(axis=1)
    low, high = (float(q) for q in np.quantile(errors, [0.025, 0.975]))
    return Rate(calibration_error(_bins(sure, truth)), low, high, len(sure))


class Labels(NamedTuple):
    """The labelled claims of some files, and what could not be used.

    Attributes:
        claims: Every claim of known truth, of answers whose image is at hand.
        n_answers: Labelled answers in all.
        n_without_image: Of these, those that name no image or one that is not below the folder.
        n_unverifiable: Claims in spans that nothing speaks to; left out.
    """

    claims: list[ScoredClaim]
    n_answers: int
    n_without_image: int
    n_unverifiable: int


def score_labelled(tool: Tool, files: Sequence[Path]) -> Labels:
    """Ask the tool's checker about every claim of labelled answers whose image is at hand.

    Raises:
        RecipeError: If the checker is not `vlm`, or no folder of images is given.
        SourceError: As `measure.read_labels`.
    """
    checker = tool.checker
    if not isinstance(checker, VlmChecker):
        raise RecipeError("--calibrate finds the thresholds of `vlm`: add --check vlm --check-with model=...")
    if tool.images is None:
        raise RecipeError("--calibrate asks about images: name their folder with --images")
    labelled = [(file, item) for file in files for item in read_labels(file)]
    examples = [(f"{file}:{item.row.id}", item.row, example_of(item, tool.images)) for file, item in labelled]
    pictured = [one for one in examples if one[2].images]
    claims: list[ScoredClaim] = []
    n_unverifiable = 0
    starts = range(0, len(pictured), _BATCH)
    for start in tqdm(starts, desc="claims", unit="batch", disable=None, leave=False, dynamic_ncols=True):
        batch = pictured[start : start + _BATCH]
        cases = tool.read([example for *_, example in batch], [row.answer for _, row, _ in batch])
        for (name, row, _), case, said in zip(batch, cases, checker.probabilities(cases), strict=True):
            for claim in case.claims.answer if case.claims is not None else ():
                truth = truth_of(claim, row)
                n_unverifiable += truth is None
                if truth is not None:
                    claims.append(ScoredClaim(name, said.get(claim.claim_id), truth))
    return Labels(claims, len(examples), len(examples) - len(pictured), n_unverifiable)


def truth_of(claim: Claim, row: GoldRow) -> Truth | None:
    """Return what the labels say of a claim: wrong where an error shares a character with it, None where unknown."""
    start, end = claim.span.start_char, claim.span.end_char
    if claim.role != "yes_no":  # an answer of one word is asked about by its question, the rest by its phrase
        start, end = min(start, claim.phrase.start_char), max(end, claim.phrase.end_char)
    kinds = {error.error_type for error in row.errors if error.start_char < end and start < error.end_char}
    if kinds:
        return "false" if claim.role == "yes_no" or kinds & _DENIABLE else "wrong in a detail"
    return None if any(a < end and start < b for a, b in row.unverifiable) else "true"


def calibration_text(labels: Labels, found: Calibration) -> str:
    """Return what was found, and on how much."""
    counts = Counter(c.truth for c in labels.claims if c.probability is not None)
    rows = (
        ("called contradicted and is false", cell(found.called_wrong), str(found.called_wrong.n)),
        ("called supported and is true", cell(found.called_right), str(found.called_right.n)),
        ("false claims found", cell(found.wrong_found), str(found.wrong_found.n)),
        ("claims left alone", cell(found.left_alone), str(found.left_alone.n)),
        ("expected calibration error", cell(found.error), str(found.error.n)),
    )
    title = (
        f"Precision {found.precision:g}, from {counts['true']} true claims, {counts['false']} false ones and "
        f"{counts['wrong in a detail']} wrong in a detail; measured on these very claims"
    )
    reliable = tuple((f"{b.confidence:.2f}", f"{b.accuracy:.2f}", str(b.n)) for b in found.bins)
    tables = (Table(title, ("share", "95 %", "of"), rows), Table("Reliability", ("sure", "right", "claims"), reliable))
    shown = {"contradicted": found.contradicted_below > 0.0, "supported": found.supported_above < 1.0}
    never = [
        f"\n\nnothing will be called {label}: no threshold is shown to be that precise"
        for label in shown
        if not shown[label]
    ]
    return "".join([as_text(tables), *never])


def left_out_text(labels: Labels) -> str:
    """Return one line on what was not used."""
    unscored = sum(c.probability is None for c in labels.claims)
    return (
        f"left out: {labels.n_without_image} of {labels.n_answers} answers without an image at hand, "
        f"{labels.n_unverifiable} unverifiable claims, {unscored} claims without a probability (not visible, or the "
        "model gives none)"
    )


def write_recipe_lines(file: Path, options: dict[str, Any], labels: Labels, found: Calibration) -> None:
    """Write the section `check` of a recipe, with the checker's options and its thresholds, and where they come from.

    Args:
        file: Replaced where it exists; its folder is made.
        options: Of the checker.
        labels: What it was calibrated on.
        found: Its thresholds.
    """
    thresholds = {"contradicted_below": found.contradicted_below, "supported_above": found.supported_above}
    lines = yaml.safe_dump({"check": {"use": "vlm", "with": options | thresholds}}, sort_keys=False, allow_unicode=True)
    told = [*calibration_text(labels, found).splitlines(), "", left_out_text(labels)]
    comment = "".join(f"# {line}".rstrip() + "\n" for line in told)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(comment + lines, "utf-8")
