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
_PLACE_FORMS = {"base": ("base", "bases", "basilar", "bibasilar"), "apex": ("apex", "apices", "apical", "biapical")}
"""Noun, nouns, adjective, adjective of both sides."""
_TWO_SIDED = {"bibasilar": "base", "bibasal": "base", "biapical": "apex"}
_NUMBER_OR_NOT = re.compile(r"\d+(?:\.\d+)?|\D+")
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
    if worst.attribute.kind == "measurement" and len(mistakes) == 1:
        span, truth = _one_number(span, answer, truth)
    error: ErrorType = "wrong_device" if claim.kind == "device" else ATTRIBUTE_ERROR[worst.attribute.kind]
    severity: Severity = "significant" if any(m.severity == "significant" for m in mistakes) else "insignificant"
    wrong = Wrong(error, span_of(answer, *span), truth, severity)
    return contradicted(claim, f"{worst.attribute.kind}_differs", ruling.ATTRIBUTE, evidence, wrong)


def _mistake(claim: Claim, named: Sequence[Claim], kind: AttributeKind) -> _Mistake | None:
    ours, theirs = _unlike(claim, named, kind)
    if len({a.value for a in ours}) != 1 or len({a.value for a in theirs}) != 1:
        return None
    if claim.kind == "device" and kind == "location":
        # a tip lies in one structure: another of the lexicon's that is no part of it is wrong
        severity: Severity | None = "significant" if _other_structure(ours[0].value, theirs[0].value) else None
    else:
        severity = _apart(ours[0], theirs[0])
    return _Mistake(ours[0], theirs[0], severity) if severity and _can_be_written(ours[0], theirs[0]) else None


def _can_be_written(ours: Attribute, theirs: Attribute) -> bool:
    """Tell whether the true place fits the form of the wrong one: "in the apex" takes "base", not "retrocardiac"."""
    forms = _PLACE_FORMS.get(ours.value, ())
    return ours.kind != "location" or ours.span.text.lower() not in forms[:2] or theirs.value in _PLACE_FORMS


def _unlike(
    claim: Claim, named: Sequence[Claim], kind: AttributeKind
) -> tuple[Sequence[Attribute], Sequence[Attribute]]:
    """Return what the two sides do not share of a kind: in "mild chronic" against "mild acute" the age alone differs.

    Where the reference describes several things of the name, each otherwise, all that it says counts.
    """
    ours = [a for a in claim.attributes if a.kind == kind]
    theirs = [a for c in named for a in c.attributes if a.kind == kind]
    values = {a.value for a in ours}
    described = [v for c in named if (v := {a.value for a in c.attributes if a.kind == kind})]
    if kind in {"laterality", "measurement"} or any(v != described[0] for v in described):
        return ours, theirs
    shared = values & {a.value for a in theirs}
    return [a for a in ours if a.value not in shared], [a for a in theirs if a.value not in shared]


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
            return degrees_apart(a, b) or ("significant" if exclude(a, b) else None)
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
    side = next((m.truth.value for m in mistakes if m.attribute.kind == "laterality"), "")
    for mistake in sorted(mistakes, key=_position):
        span = mistake.attribute.span
        if span.start_char < cursor:
            continue  # side and place of one word, written together
        if mistake.attribute.kind in {"laterality", "location"} and span.text.lower() in _TWO_SIDED and side:
            place = next((m.truth.value for m in mistakes if m.attribute.kind == "location"), "")
            place = place if place in _PLACE_FORMS else _TWO_SIDED[span.text.lower()]
            pieces += [answer[cursor : span.start_char], f"{side} {_PLACE_FORMS[place][2]}"]
            cursor = span.end_char
            continue
        pieces += [answer[cursor : span.start_char], _fitted(mistake)]
        cursor = span.end_char
    return "".join([*pieces, answer[cursor:end]])


def _one_number(span: tuple[int, int], answer: str, truth: str) -> tuple[tuple[int, int], str]:
    """Narrow a wrong measure to its wrong number, where no more than that differs: "2 mm" and "5 mm", not "2 cm"."""
    ours = [(m.start(), m[0]) for m in _NUMBER_OR_NOT.finditer(answer[slice(*span)])]
    theirs = [m[0] for m in _NUMBER_OR_NOT.finditer(truth)]
    unlike = [k for k, ((_, a), b) in enumerate(zip(ours, theirs, strict=False)) if a.lower() != b.lower()]
    if len(ours) != len(theirs) or len(unlike) != 1 or not ours[unlike[0]][1][0].isdigit():
        return span, truth
    at, number = ours[unlike[0]]
    return (span[0] + at, span[0] + at + len(number)), theirs[unlike[0]]


def _fitted(mistake: _Mistake) -> str:
    """Put the true value into the form of the wrong word: "left-sided" becomes "right-sided", not "right"."""
    ours, theirs = mistake.attribute, mistake.truth
    if ours.kind == "measurement":
        return theirs.span.text
    lowered = ours.span.text.lower()
    if ours.kind == "location" and theirs.value in _PLACE_FORMS and ours.value in _PLACE_FORMS:
        forms = _PLACE_FORMS[ours.value]
        form = forms.index(lowered) if lowered in forms else 3 if lowered in _TWO_SIDED else 2
        return _PLACE_FORMS[theirs.value][form]
    if ours.kind == "location" and {ours.value, theirs.value} & {"hilar", *_PLACE_FORMS}:
        return theirs.span.text.lower()
    if ours.value in lowered and theirs.value != "bilateral":
        at = lowered.index(ours.value)
        return ours.span.text[:at] + theirs.value + ours.span.text[at + len(ours.value) :]
    return theirs.span.text if theirs.value in lexicon().concepts else theirs.value


def _position(mistake: _Mistake) -> int:
    return mistake.attribute.span.start_char
