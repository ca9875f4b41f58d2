"""A thing that is there, described wrongly: its side, place, degree, number, size, look or age.

Judges only where the reference affirms the same thing and gives one value for the attribute; the target is the
word.

Source: the error classes of ReXErr ("change location, severity, measurement"). Differs: a value is wrong only if
it excludes the reference's; more detail, less detail and neighbouring words for one degree are not errors.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from medprefkit.check import ruling
from medprefkit.check.place import exclude_sides
from medprefkit.check.ruling import Wrong, contradicted
from medprefkit.check.scales import degrees_apart, exclude, measures_differ
from medprefkit.lexicon import lexicon
from medprefkit.offsets import span_of
from medprefkit.records import ATTRIBUTE_ERROR, Attribute, AttributeKind, Claim, ErrorType, Severity, Verdict

_SIDE_BEFORE = re.compile(r"\b(?:left|right)\s+(?:main(?:stem)?\s+)?$", re.I)
"""The side of a structure that a tip lies in goes with its name."""
_ORDER: tuple[AttributeKind, ...] = (
    "laterality", "location", "measurement", "quantity", "severity", "temporal", "descriptor",
)  # fmt: skip
"""The most consequential first: it names the error where one claim has several."""


class _Mistake(NamedTuple):
    attribute: Attribute
    truth: Attribute
    severity: Severity


def judge_attributes(claim: Claim, named: Sequence[Claim], answer: str) -> Verdict | None:
    """Return a verdict if an attribute of the claim excludes what the reference says of the same thing, else None.

    Args:
        claim: An affirmed claim of the answer.
        named: The reference's claims that affirm the same thing.
        answer: The text that the claim's spans index.
    """
    mistakes = [found for kind in _ORDER if (found := _mistake(claim, named, kind)) is not None]
    if not mistakes:
        return None
    span = _together([m.attribute for m in mistakes])
    worst = mistakes[0]
    evidence = next(c for c in named if worst.truth in c.attributes).sentence.text
    truth = _written(span[0], span[1], answer, mistakes)
    if claim.kind == "device" and worst.attribute.kind == "location" and len(mistakes) == 1:
        side = _SIDE_BEFORE.search(answer[: span[0]])
        span = (side.start() if side is not None else span[0], span[1])
        truth = worst.truth.span.text
    error: ErrorType = "wrong_device" if claim.kind == "device" else ATTRIBUTE_ERROR[worst.attribute.kind]
    severity: Severity = "significant" if any(m.severity == "significant" for m in mistakes) else "insignificant"
    wrong = Wrong(error, span_of(answer, *span), truth, severity)
    return contradicted(claim, f"{worst.attribute.kind}_differs", ruling.ATTRIBUTE, evidence, wrong)


def _mistake(claim: Claim, named: Sequence[Claim], kind: AttributeKind) -> _Mistake | None:
    ours = [a for a in claim.attributes if a.kind == kind]
    theirs = [a for c in named for a in c.attributes if a.kind == kind]
    if len({a.value for a in ours}) != 1 or len({a.value for a in theirs}) != 1:
        return None
    if claim.kind == "device" and kind == "location":
        # a tip lies in one structure: another of the lexicon's that is no part of it is wrong
        severity: Severity | None = "significant" if _other_structure(ours[0].value, theirs[0].value) else None
    else:
        severity = _apart(ours[0], theirs[0])
    return _Mistake(ours[0], theirs[0], severity) if severity else None


def _other_structure(a: str, b: str) -> bool:
    known = lexicon()
    organs = all(x in known.concepts and known.concepts[x].kind == "organ" for x in (a, b))
    return (
        organs
        and not (known.is_a(a, b) or known.is_a(b, a))
        and not {a, b} & {"chest", "lung", "abdomen", "mediastinum"}
    )


def _apart(ours: Attribute, theirs: Attribute) -> Severity | None:
    """Return how bad the difference is; None where both may be true of one thing."""
    a, b = ours.value, theirs.value
    if a == b:
        return None
    match ours.kind:
        case "laterality":
            # "left" of a bilateral thing is incomplete, "bilateral" of a left one is wrong
            wrong = exclude_sides({a}, {b}) or (a == "bilateral" and b in {"left", "right"})
        case "measurement":
            wrong = measures_differ(a, b)
        case "severity":
            return degrees_apart(a, b)
        case "descriptor":
            return "insignificant" if exclude(a, b) else None
        case "temporal":
            if not exclude(a, b):
                return None
            return "insignificant" if {a, b} & {"stable", "unchanged"} else "significant"
        case _:
            wrong = exclude(a, b)
    return "significant" if wrong else None


def _together(attributes: Sequence[Attribute]) -> tuple[int, int]:
    """Return the characters from the first to the last wrong word; what stands between them is written again."""
    return min(a.span.start_char for a in attributes), max(a.span.end_char for a in attributes)


def _written(start: int, end: int, answer: str, mistakes: Sequence[_Mistake]) -> str:
    """Write the target again with the reference's values."""
    pieces: list[str] = []
    cursor = start
    for mistake in sorted(mistakes, key=_position):
        span = mistake.attribute.span
        pieces += [answer[cursor : span.start_char], _fitted(mistake)]
        cursor = span.end_char
    return "".join([*pieces, answer[cursor:end]])


def _fitted(mistake: _Mistake) -> str:
    """Put the true value into the form of the wrong word: "left-sided" becomes "right-sided", not "right"."""
    ours, theirs = mistake.attribute, mistake.truth
    lowered = ours.span.text.lower()
    if ours.value in lowered and theirs.value != "bilateral":
        at = lowered.index(ours.value)
        return ours.span.text[:at] + theirs.value + ours.span.text[at + len(ours.value) :]
    return theirs.span.text if ours.kind == "measurement" or theirs.value in lexicon().concepts else theirs.value


def _position(mistake: _Mistake) -> int:
    return mistake.attribute.span.start_char
