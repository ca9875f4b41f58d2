"""Words that qualify a claim and their canonical values: side, place, severity, number, measure, look, change.

Values of `location` are zone words ("upper", "base") or a lexicon id of the structure; measurements are in mm. The span of
an attribute is the distinguishing word alone ("upper" of "upper lobe"), so that an edit changes nothing else.
"""

import re
from dataclasses import dataclass

from medprefkit.detect.tokens import Words
from medprefkit.records import AttributeKind


@dataclass(frozen=True, slots=True)
class Mark:
    """Tokens [start, end) are an attribute's words."""

    start: int
    end: int
    kind: AttributeKind
    value: str


_TABLE: dict[AttributeKind, str] = {
    "laterality": """left: left, left-sided, left sided, leftsided, leftward | right: right, right-sided, right sided, rightsided,
        rightward | bilateral: bilateral, bilaterally, both, biapical, bibasilar, bibasal, both sides, either lung, either side, either hemithorax | unilateral: unilateral,
        one-sided | midline: midline""",
    "location": """upper: upper, superior | middle: middle, mid, midlung, midlungs | lower: lower, inferior | base: base, bases, basilar, basal,
        bibasilar, bibasal | apex: apex, apices, apical, biapical | hilar: hilar, perihilar, parahilar, suprahilar, infrahilar
        | retrocardiac: retrocardiac | central: central | peripheral: peripheral | anterior: anterior | posterior: posterior
        | medial: medial | lateral: lateral | proximal: proximal | distal: distal | paratracheal: paratracheal
        | retrosternal: retrosternal | lingular: lingula, lingular | upper quadrant: upper quadrant | lower quadrant: lower quadrant
        | epigastric: epigastric, epigastrium | periventricular: periventricular | subcortical: subcortical
        | center: center, centre""",
    "severity": """minimal: minimal, trace, tiny, subtle, faint, slight, slightly, minimally | mild: mild, mildly
        | moderate: moderate, moderately | severe: severe, severely, marked, markedly, extensive, massive, critical, critically,
        gross, pronounced, advanced | small: small, smaller | large: large, larger, big, huge, sizable, enormous
        | borderline: borderline | significant: significant, significantly, substantial, considerable, notable, notably,
        prominent, noticeable | acute: acute, acutely, active, subacute, hyperacute | chronic: chronic, chronically, old, remote, healed,
        longstanding, long-standing | mild to moderate: mild to moderate, mild-to-moderate | moderate to severe: moderate to severe,
        moderate-to-severe | early: early | complete: complete, total | partial: partial, incomplete""",
    "quantity": """single: single, solitary, isolated, a single, one | 2: two, couple, pair, 2 | 3: three, 3 | 4: four, 4 | 5: five, 5
        | 6: six, 6 | several: several, few, a few, some, various | multiple: multiple, numerous, many, innumerable, multifocal | diffuse: diffuse,
        diffusely, widespread, scattered, generalized, disseminated | focal: focal, localized, focally""",
    "descriptor": """well-defined: well-defined, well defined, well-circumscribed, well circumscribed, circumscribed, welldefined,
        well-demarcated, sharply defined | ill-defined: ill-defined, ill defined, poorly defined, indistinct, vague
        | spiculated: spiculated, spiculation, spiky | lobulated: lobulated | irregular: irregular, irregularly shaped | smooth: smooth
        | round: round, rounded, circular, spherical | oval: oval, ovoid | homogeneous: homogeneous, homogenous, uniform
        | heterogeneous: heterogeneous, heterogenous, inhomogeneous, mixed | calcified: calcified, calcific
        | noncalcified: noncalcified, non-calcified | cavitary: cavitary, cavitating | cystic: cystic | solid: solid
        | hyperdense: hyperdense, hyperattenuating, high-density, radiopaque, high density | hypodense: hypodense, hypoattenuating, low-density,
        low density | isodense: isodense | hyperintense: hyperintense, hyper-intense | hypointense: hypointense, hypo-intense
        | isointense: isointense | hyperechoic: hyperechoic, echogenic | hypoechoic: hypoechoic | anechoic: anechoic
        | enhancing: enhancing, ring-enhancing, ring enhancing, rim-enhancing | non-enhancing: non-enhancing, nonenhancing | patchy: patchy
        | linear: linear, bandlike, band-like, platelike, plate-like, streaky | nodular: nodular | dense: dense
        | loculated: loculated | layering: layering | displaced: displaced | nondisplaced: nondisplaced, non-displaced
        | black: black | white: white | gray: gray, grey | red: red | pink: pink | yellow: yellow | brown: brown | blue: blue
        | green: green | dark: dark | bright: bright | hazy: hazy | opaque: opaque | lucent: lucent | necrotic: necrotic
        | benign: benign | malignant: malignant | sclerotic: sclerotic | lytic: lytic | pedunculated: pedunculated
        | sessile: sessile | asymmetric: asymmetric, asymmetrical | symmetric: symmetric, symmetrical | fluid-filled: fluid-filled""",
    "temporal": """new: new, newly, newly developed | stable: stable, unchanged, stably, not changed, no change
        | worse: worsened, worsening, progressed, progressive, increasing | improved: improved, improving, decreasing, resolving
        | increased: increased | decreased: decreased, reduced, diminished | persistent: persistent, persistently, residual | resolved: resolved
        | recurrent: recurrent""",
}

_MEASURE = re.compile(
    r"(?P<sizes>\d+(?:\.\d+)?(?:\s*(?:cm|mm)?\s*(?:x|×|by|\*)\s*\d+(?:\.\d+)?)*)\s*-?\s*(?P<unit>cm|mm|centimet(?:er|re)s?|millimet(?:er|re)s?)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def _read_table() -> dict[tuple[str, ...], tuple[tuple[AttributeKind, str], ...]]:
    found: dict[tuple[str, ...], tuple[tuple[AttributeKind, str], ...]] = {}
    for kind, rows in _TABLE.items():
        for row in rows.split("|"):
            value, _, forms = row.partition(":")
            for form in forms.split(","):
                key = Words(" ".join(form.split())).lower
                found[key] = (*found.get(key, ()), (kind, value.strip()))
    return found


_WORDS = _read_table()
_FIRST = {key[0] for key in _WORDS}
_LONGEST = max(len(key) for key in _WORDS)


def find_marks(words: Words) -> list[Mark]:
    """Return the attributes' words in order; the longest at each place, and both meanings of a word that has two."""
    marks = _measures(words)
    taken = {i for mark in marks for i in range(mark.start, mark.end)}
    i = 0
    while i < len(words):
        if words.lower[i] not in _FIRST or i in taken:
            i += 1
            continue
        for length in range(_LONGEST, 0, -1):
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
