"""The numbers of many images, by corruption: tables, JSON and a recommendation in one line."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from medprefkit.evaluate.corruption import Removal, Visibility
from medprefkit.evaluate.corruption_separability import MARGIN
from medprefkit.evaluate.tables import Table


@dataclass(frozen=True, slots=True)
class Outcome:
    """One image under one corruption; `removal` is None where it was refused, and `refused` says why."""

    image: str
    removal: Removal | None
    refused: str = ""
    no_control: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """All images under one corruption, with the areas under the curve of the separability test.

    Attributes:
        name: Of the corruption.
        outcomes: In the order of the images.
        auc_lesion: Lesion against its surround, clean images; None where too few images hold enough patches.
        auc_corrupted: The same places after the corruption.
        auc_healthy: The controls' places in clean images: what a place differs by anyway.
    """

    name: str
    outcomes: tuple[Outcome, ...]
    auc_lesion: float | None
    auc_corrupted: float | None
    auc_healthy: float | None

    @property
    def hidden(self) -> bool | None:
        """Whether corrupted places are told from their surround no better than healthy ones are, plus the margin."""
        if self.auc_corrupted is None:
            return None
        return self.auc_corrupted <= max(self.auc_healthy or 0.5, 0.5) + MARGIN

    @property
    def removals(self) -> list[Removal]:
        """Of the images that were not refused."""
        return [outcome.removal for outcome in self.outcomes if outcome.removal is not None]


def recommend(measured: Sequence[Measured]) -> str:
    """Name the corruption that shows least, or say that none can be named; one line."""
    scores = {one.name: score for one in measured if (score := score_of(one)) is not None}
    if not scores:
        return "no recommendation: every image was refused"
    best = min(scores, key=scores.__getitem__)
    others = ", ".join(f"{name} {score:.2f}" for name, score in sorted(scores.items(), key=_second) if name != best)
    return f"recommended: {best}, {scores[best]:.2f} (what shows, 0 is nothing{'; ' if others else ''}{others})"


def tables_of(measured: Sequence[Measured]) -> tuple[Table, ...]:
    """Return a table of the corruptions and one of what was refused.

    `shows` is what is left of lesions, `usual` what healthy places of clean images show beside their own surround.
    """
    columns = (
        "corruption", "images", "contrast", "left", "texture", "left", "seam", "left", "shows", "usual", "outside",
        "controls", "AUC lesion", "corrupted", "healthy", "hidden",
    )  # fmt: skip
    refusals = Counter(
        (one.name, text.split(":")[0], kind)
        for one in measured
        for outcome in one.outcomes
        for kind, text in (("image", outcome.refused), ("control", outcome.no_control))
        if text
    )
    return (
        Table("Corruptions, means over images", columns, tuple(_row(one) for one in measured)),
        Table(
            "Refused",
            ("corruption", "what", "why", "times"),
            tuple((name, kind, why, str(n)) for (name, why, kind), n in sorted(refusals.items())),
        ),
    )


def as_json(measured: Sequence[Measured]) -> dict[str, Any]:
    """Return everything measured, by corruption and image."""
    return {
        one.name: {
            "auc_lesion": one.auc_lesion,
            "auc_corrupted": one.auc_corrupted,
            "auc_healthy": one.auc_healthy,
            "hidden": one.hidden,
            "shows": score_of(one),
            "images": {outcome.image: _json_of(outcome) for outcome in one.outcomes},
        }
        for one in measured
    }


def _json_of(outcome: Outcome) -> Mapping[str, Any]:
    removal = asdict(outcome.removal) if outcome.removal is not None else None
    return {"removal": removal, "refused": outcome.refused, "no_control": outcome.no_control}


def score_of(one: Measured) -> float | None:
    """Return what shows on an average image, plus how far the classifier is above its mark."""
    if not one.removals:
        return None
    above = max((one.auc_corrupted or 0.5) - max(one.auc_healthy or 0.5, 0.5), 0.0)
    return float(np.mean([removal.after.worst for removal in one.removals])) + above


def _row(one: Measured) -> tuple[str, ...]:
    removals, n = one.removals, len(one.outcomes)
    before, after = [r.before for r in removals], [r.after for r in removals]
    values = [
        value
        for pick in (_contrast, _texture, _seam)
        for value in (_mean([pick(v) for v in before]), _mean([pick(v) for v in after]))
    ]
    n_controls = sum(removal.control is not None for removal in removals)
    areas = tuple(_number(area) for area in (one.auc_lesion, one.auc_corrupted, one.auc_healthy))
    hidden = {True: "yes", False: "no", None: "-"}[one.hidden]
    outside = str(sum(removal.n_outside for removal in removals))
    shows = _number(score_of(one))
    usual = _mean([r.healthy.worst for r in removals if r.healthy is not None])  # of healthy places in clean images
    return (one.name, f"{len(removals)}/{n}", *values, shows, usual, outside, f"{n_controls}/{n}", *areas, hidden)


def _contrast(visibility: Visibility) -> float:
    return visibility.contrast


def _texture(visibility: Visibility) -> float:
    return abs(visibility.texture)


def _seam(visibility: Visibility) -> float:
    return max(visibility.seam, 0.0)


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _mean(values: Sequence[float]) -> str:
    return _number(float(np.mean(values)) if values else None)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
