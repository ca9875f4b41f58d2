"""Words that qualify a claim and their canonical values: side, place, severity, number, measure, look, change.

Values of `location` are zone words ("upper", "base") or a lexicon id of the structure; measurements are in mm. The span
of an attribute is the distinguishing word alone ("upper" of "upper lobe"), so that an edit changes nothing else.
"""

import re
from typing import NamedTuple

from medprefkit.detect.tokens import Words
from medprefkit.records import AttributeKind


class Mark(NamedTuple):
    """Tokens [start, end) are an attribute's words."""

    start: int
    end: int
    kind: AttributeKind
    value: str

    def moved(self, by: int) -> "Mark":
        """Return the mark `by` tokens further on."""
        return Mark(self.start + by, self.end + by, self.kind, self.value)


_TABLE: dict[AttributeKind, str] = {
    "laterality": """
        left: left-sided, left sided, leftsided, leftward
        right: right-sided, right sided, rightsided, rightward
        bilateral: bilaterally, both, both sides, biapical, bibasilar, bibasal, either lung, either side
        unilateral: one-sided
        midline
    """,
    "location": """
        upper: superior
        middle: mid, midlung, midlungs
        lower: inferior
        base: bases, basilar, basal, bibasilar, bibasal
        apex: apices, apical, biapical
        hilar: perihilar, parahilar, suprahilar, infrahilar
        retrocardiac
        central
        peripheral
        anterior
        posterior
        medial
        lateral
        proximal
        distal
        paratracheal
        retrosternal
        lingular: lingula
        upper quadrant
        lower quadrant
        epigastric: epigastrium
        periventricular
        subcortical
        center: centre
    """,
    "severity": """
        minimal: trace, tiny, subtle, faint, slight, slightly, minimally
        mild: mildly
        moderate: moderately
        severe: severely, marked, markedly, extensive, massive, critical, critically, gross, pronounced, advanced
        small: smaller
        large: larger, big, huge, sizable, enormous
        borderline
        significant: significantly, substantial, considerable, notable, notably, prominent, noticeable
        acute: acutely, active, subacute, hyperacute
        chronic: chronically, old, remote, healed, longstanding, long-standing
        mild to moderate: mild-to-moderate
        moderate to severe: moderate-to-severe
        early
        complete: total
        partial: incomplete
    """,
    "quantity": """
        single: solitary, isolated, a single, one
        2: two, couple, pair
        3: three
        4: four
        5: five
        6: six
        several: few, a few, some, various
        multiple: numerous, many, innumerable, multifocal
        diffuse: diffusely, widespread, scattered, generalized, disseminated
        focal: localized, focally
    """,
    "descriptor": """
        well-defined: well defined, well-circumscribed, well circumscribed, welldefined, well-demarcated
        ill-defined: ill defined, poorly defined, indistinct, vague
        spiculated: spiculation, spiky
        lobulated
        irregular: irregularly shaped
        smooth
        round: rounded, circular, spherical
        oval: ovoid
        homogeneous: homogenous, uniform
        heterogeneous: heterogenous, inhomogeneous, mixed
        calcified: calcific
        noncalcified: non-calcified
        cavitary: cavitating
        cystic
        solid
        hyperdense: hyperattenuating, high-density, radiopaque, high density
        hypodense: hypoattenuating, low-density, low density
        isodense
        hyperintense: hyper-intense
        hypointense: hypo-intense
        isointense
        hyperechoic: echogenic
        hypoechoic
        anechoic
        enhancing: ring-enhancing, ring enhancing, rim-enhancing
        non-enhancing: nonenhancing
        patchy
        linear: bandlike, band-like, platelike, plate-like, streaky
        nodular
        dense
        loculated
        layering
        displaced
        nondisplaced: non-displaced
        black
        white
        gray: grey
        red
        pink
        yellow
        brown
        blue
        green
        dark
        bright
        hazy
        opaque
        lucent
        necrotic
        benign
        malignant
        sclerotic
        lytic
        pedunculated
        sessile
        asymmetric: asymmetrical
        symmetric: symmetrical
        fluid-filled
    """,
    "temporal": """
        new: newly, newly developed
        stable: unchanged, stably, not changed, no change
        worse: worsened, worsening, progressed, progressive, increasing
        improved: improving, decreasing, resolving
        increased
        decreased: reduced, diminished
        persistent: persistently, residual
        resolved
        recurrent
    """,
}
"""One value a line, with the words that say it beside its own."""

_MEASURE = re.compile(
    r"(?P<sizes>\d+(?:\.\d+)?(?:\s*(?:cm|mm)?\s*(?:x|×|by|\*)\s*\d+(?:\.\d+)?)*)\s*-?\s*"
    r"(?P<unit>cm|mm|centimet(?:er|re)s?|millimet(?:er|re)s?)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def _read_table() -> dict[tuple[str, ...], tuple[tuple[AttributeKind, str], ...]]:
    found: dict[tuple[str, ...], tuple[tuple[AttributeKind, str], ...]] = {}
    for kind, rows in _TABLE.items():
        for row in filter(str.strip, rows.splitlines()):
            value, _, forms = row.strip().partition(":")
            for form in dict.fromkeys((value, *(form.strip() for form in forms.split(",") if form))):
                key = Words(form).lower
                found[key] = (*found.get(key, ()), (kind, value))
    return found


_WORDS = _read_table()
_LENGTHS = {
    first: sorted({len(key) for key in _WORDS if key[0] == first}, reverse=True) for first in {key[0] for key in _WORDS}
}
"""How many words the forms have that begin with a word, longest first."""


def find_marks(words: Words) -> list[Mark]:
    """Return the attributes' words in order; the longest at each place, and both meanings of a word that has two."""
    marks = _measures(words)
    taken = {i for mark in marks for i in range(mark.start, mark.end)}
    i = 0
    while i < len(words):
        lengths = _LENGTHS.get(words.lower[i], ())
        if not lengths or i in taken:
            i += 1
            continue
        for length in lengths:
            meanings = _WORDS.get(words.lower[i : i + length]) if i + length <= len(words) else None
            if meanings:
                marks += [Mark(i, i + length, kind, value) for kind, value in meanings]
                i += length
                break
        else:
            i += 1
    return sorted(marks, key=_place)


def millimetres(measure: str) -> str:
    """Return a measure's sizes in mm, joined by " x "; the empty string where it is none.

    "3.2 cm" is "32", "5 x 4 mm" is "5 x 4".
    """
    match = _MEASURE.search(measure)
    if match is None:
        return ""
    scale = 10.0 if match["unit"].lower().startswith("c") else 1.0
    return " x ".join(f"{float(size) * scale:.10g}" for size in _NUMBER.findall(match["sizes"]))


def _measures(words: Words) -> list[Mark]:
    marks: list[Mark] = []
    for match in _MEASURE.finditer(words.text):
        start, end = words.between(match.start(), match.end())
        if start < end:
            marks.append(Mark(start, end, "measurement", millimetres(match.group())))
    return marks


def _place(mark: Mark) -> tuple[int, int, str]:
    return mark.start, mark.end, mark.kind
