"""Orders and opposites among attribute values: which two words for one thing exclude each other, and how far apart."""

import re

from medprefkit.records import Attribute, Severity

_DEGREES = {
    "tiny": 1.0, "trace": 1.0, "minimal": 1.0, "slight": 1.0, "subtle": 1.0, "minor": 1.0, "small": 1.0, "mild": 1.0,
    "borderline": 1.0, "mildly": 1.0, "slightly": 1.0, "minimally": 1.0,
    "moderate": 2.0, "moderately": 2.0,
    "large": 3.0, "severe": 3.0, "marked": 3.0, "massive": 3.0, "extensive": 3.0, "huge": 3.0, "gross": 3.0,
    "severely": 3.0, "markedly": 3.0, "extreme": 3.0, "advanced": 3.0, "critical": 3.0, "critically": 3.0,
    # words of emphasis more than of grade: they exclude the lowest degrees only
    "significant": 2.5, "significantly": 2.5, "prominent": 2.5, "notable": 2.5, "pronounced": 2.5, "substantial": 2.5,
    "considerable": 2.5,
}  # fmt: skip

_SIZES = frozenset({"tiny", "small", "large", "massive", "huge"})
_GRADES = frozenset({"mild", "mildly", "severe", "severely", "borderline", "slight", "slightly", "marked", "markedly"})

_OPPOSITES = (
    ("upper", "middle", "lower"),
    ("upper", "mid", "lower"),
    ("apex", "base"),
    ("hilar", "peripheral"),
    ("retrocardiac", "apex"),
    ("superior", "inferior"),
    ("anterior", "posterior"),
    ("medial", "lateral"),
    ("central", "peripheral"),
    ("proximal", "distal"),
    ("frontal", "parietal", "temporal", "occipital"),
    ("calcified", "noncalcified"),
    ("well-defined", "ill-defined"),
    ("well-circumscribed", "ill-defined"),
    ("homogeneous", "heterogeneous"),
    ("hyperdense", "hypodense", "isodense"),
    ("hyperintense", "hypointense", "isointense"),
    ("hyperechoic", "hypoechoic", "anechoic", "isoechoic"),
    ("solid", "cystic"),
    ("smooth", "spiculated"),
    ("round", "spiculated"),
    ("linear", "nodular"),
    ("lytic", "sclerotic"),
    ("dense", "lucent"),
    ("enhancing", "non-enhancing"),
    ("enhancing", "nonenhancing"),
    ("displaced", "nondisplaced"),
    ("focal", "diffuse"),
    ("bright", "dark"),
    ("white", "black"),
    ("benign", "malignant"),
    ("acute", "chronic"),
    ("acute", "old"),
    ("acute", "healed"),
    ("new", "old"),
    ("new", "stable"),
    ("new", "unchanged"),
    ("increased", "decreased"),
    ("increased", "unchanged"),
    ("increased", "stable"),
    ("decreased", "unchanged"),
    ("decreased", "stable"),
    ("improved", "worsened"),
    ("improved", "unchanged"),
    ("worsened", "unchanged"),
    ("improved", "stable"),
    ("worsened", "stable"),
    ("single", "multiple"),
    ("single", "several"),
    ("single", "diffuse"),
    ("solitary", "multiple"),
    ("unilateral", "bilateral"),
)

_EXCLUSIVE = frozenset((a, b) for family in _OPPOSITES for a in family for b in family if a != b)

_EMPTY = frozenset({"focal", "definite", "discrete", "obvious", "visible", "evident", "convincing", "apparent"})
"""Words that do not restrict a denial in reports: "no focal consolidation" is no consolidation."""

_NUMBERS = {
    "no": 0, "zero": 0, "none": 0, "one": 1, "single": 1, "solitary": 1, "two": 2, "both": 2, "three": 3, "four": 4,
    "five": 5, "six": 6,
}  # fmt: skip

_MILLIMETRES = {"mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "cm": 10.0, "centimeter": 10.0, "centimetre": 10.0}
_MEASURE = re.compile(r"(\d+(?:\.\d+)?(?:\s*(?:x|×|by)\s*\d+(?:\.\d+)?)*)\s*([a-z]+)?", re.I)
_MEASURE_TOLERANCE = 0.1


def restricts(attribute: Attribute) -> bool:
    """Tell whether the attribute narrows a denial; place is not looked at here."""
    return attribute.kind not in {"laterality", "location"} and attribute.value not in _EMPTY


def degree_reaches(given: frozenset[str], bound: str) -> bool:
    """Tell whether one of the degrees is at least `bound`; an unknown word reaches only itself."""
    if bound in given:
        return True
    limit = _DEGREES.get(bound)
    return limit is not None and any(_DEGREES.get(value, 0.0) >= limit - 0.5 for value in given)


def exclude(a: str, b: str) -> bool:
    """Tell whether no one thing has both values; unknown words never exclude each other."""
    if (a, b) in _EXCLUSIVE:
        return True
    words_a, words_b = _words(a), _words(b)
    if any((x, y) in _EXCLUSIVE for x in words_a for y in words_b):
        return True
    number_a, number_b = _number(a), _number(b)
    return number_a is not None and number_b is not None and number_a != number_b


def degrees_apart(a: str, b: str) -> Severity | None:
    """Return how much two degrees differ, or None where they may be one reader's words for the same.

    A whole grade apart is an error; two grades would change what a clinician does.
    """
    if a not in _DEGREES or b not in _DEGREES:
        return None
    if (a in _SIZES and b in _GRADES) or (a in _GRADES and b in _SIZES):
        return None  # a size and a grade: "mild" does not say how large
    distance = abs(_DEGREES[a] - _DEGREES[b])
    if distance < 1.0:
        return None
    return "significant" if distance >= 1.5 else "insignificant"


def measures_differ(a: str, b: str) -> bool:
    """Tell whether two sizes with units differ by more than a tenth of the larger; False where one is not a size."""
    size_a, size_b = _millimetres(a), _millimetres(b)
    if size_a is None or size_b is None:
        return False
    return abs(size_a - size_b) > _MEASURE_TOLERANCE * max(size_a, size_b)


def _millimetres(text: str) -> float | None:
    """Return the largest dimension in millimetres, or None with an unknown unit; canonical values have none."""
    found = _MEASURE.search(text)
    if found is None or (unit := (found[2] or "mm").lower().rstrip("s")) not in _MILLIMETRES:
        return None
    return max(float(n) for n in re.findall(r"\d+(?:\.\d+)?", found[1])) * _MILLIMETRES[unit]


def _number(value: str) -> int | None:
    return _NUMBERS.get(value.lower()) if not value.isdecimal() else int(value)


def _words(value: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z-]+", value.lower()))
