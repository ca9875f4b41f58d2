"""Attributes turned into what they are not: side, place, degree, number, size, look, certainty, change.

A word is swapped only where the sentence plainly affirms one finding or device, so that it qualifies that one; and a
side or place only where the text does not name the same thing at the other one too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from medprefkit.inject.candidates import Candidate, capital_of
from medprefkit.inject.reading import Sentence
from medprefkit.records import ErrorType

_SWAPS: dict[ErrorType, Mapping[str, tuple[str, ...]]] = {
    "wrong_laterality": {
        "left": ("right",), "right": ("left",), "left-sided": ("right-sided",), "right-sided": ("left-sided",),
    },
    "wrong_location": {
        "upper lobe": ("lower lobe",), "lower lobe": ("upper lobe",), "lung base": ("lung apex",),
        "lung apex": ("lung base",), "bases": ("apices",), "apices": ("bases",), "basilar": ("apical",),
        "bibasilar": ("biapical",), "apical": ("basilar",), "biapical": ("bibasilar",),
        "middle lobe": ("lower lobe", "upper lobe"),
        "upper zone": ("lower zone",), "lower zone": ("upper zone",), "base": ("apex",),
        "anterior": ("posterior",), "posterior": ("anterior",), "proximal": ("distal",), "distal": ("proximal",),
        "perihilar": ("peripheral",), "peripheral": ("perihilar",), "medial": ("lateral",),
        "superior": ("inferior",), "inferior": ("superior",), "lower thoracic": ("upper thoracic",),
        "retrocardiac": ("right apical",), "frontal lobe": ("occipital lobe",), "parietal lobe": ("temporal lobe",),
    },
    "wrong_severity": {
        "mild": ("severe", "marked"), "mildly": ("severely", "markedly"), "minimal": ("extensive", "severe"),
        "minimally": ("markedly",), "small": ("large",), "tiny": ("large",), "trace": ("large",), "slight": ("marked",),
        "slightly": ("markedly",), "moderate": ("minimal",), "moderately": ("minimally",), "severe": ("mild",),
        "marked": ("minimal",), "markedly": ("minimally",), "large": ("small", "tiny"), "extensive": ("minimal",),
        "massive": ("trace",), "acute": ("chronic",), "chronic": ("acute",), "old": ("acute",), "healed": ("acute",),
        "remote": ("acute",), "subtle": ("marked",), "borderline": ("severe",),
    },
    "wrong_descriptor": {
        "calcified": ("noncalcified",), "noncalcified": ("calcified",), "well-defined": ("ill-defined",),
        "ill-defined": ("well-defined",), "spiculated": ("smooth",), "rounded": ("spiculated",),
        "round": ("spiculated",),
        "displaced": ("nondisplaced",), "nondisplaced": ("displaced",), "focal": ("diffuse",), "diffuse": ("focal",),
        "linear": ("nodular",), "streaky": ("nodular",), "nodular": ("linear",), "sclerotic": ("lytic",),
        "lytic": ("sclerotic",), "homogeneous": ("heterogeneous",), "heterogeneous": ("homogeneous",),
        "hyperdense": ("hypodense",), "hypodense": ("hyperdense",), "hyperintense": ("hypointense",),
        "hypointense": ("hyperintense",), "hyperechoic": ("hypoechoic",), "hypoechoic": ("hyperechoic",),
        "solid": ("cystic",), "cystic": ("solid",), "dense": ("lucent",), "lucent": ("dense",),
        "gray matter": ("white matter",),
    },
    "wrong_temporal": {
        "unchanged": ("worsened", "increased"), "stable": ("worsening", "increasing"), "new": ("long-standing",),
        "increased": ("decreased",), "decreased": ("increased",), "improved": ("worsened",), "worsened": ("improved",),
        "worsening": ("improving",), "improving": ("worsening",), "increasing": ("decreasing",),
        "decreasing": ("increasing",), "resolving": ("progressing",),
    },
}  # fmt: skip
"""Word -> what it is not. Degrees go two grades apart, so that no reader would call both the same."""
_HEDGES = (
    (re.compile(r"\bmay represent\b", re.I), ("is diagnostic of", "represents")),
    (re.compile(r"\bcould represent\b", re.I), ("is diagnostic of", "represents")),
    (re.compile(r"\bsuspicious for\b", re.I), ("diagnostic of",)),
    (re.compile(r"\b(?:suggestive of|suggesting)\b", re.I), ("diagnostic of",)),
    (re.compile(r"\b(?:possible|questionable|suspected|probable)\b(?!\s+(?:xxxx|that))", re.I), ("definite",)),
    (re.compile(r"\b(?:possibly|probably)\b", re.I), ("definitely",)),
    (re.compile(r"\bcannot be (?:entirely |completely )?excluded\b", re.I), ("is definitely present",)),
)
_CERTAIN = re.compile(r"\bthere\s+(?P<be>is|are)\s+(?!no\b|also\b|again\b)", re.I)
_SINGLE = re.compile(
    r"\b(?:a|an|single|solitary)\s+(?=(?:\S+\s+){0,3}?"
    r"(?:nodule|mass|granuloma|fracture|lesion|opacity|density|calcification)\b)",
    re.I,
)
_MULTIPLE = re.compile(r"\b(?P<many>multiple|numerous|several|many|scattered|innumerable)\b", re.I)
_COUNTED = re.compile(
    r"\b(?P<n>two|three|four|five|2|3|4)\s+(?!mm|cm)"
    r"(?=(?:\S+\s+){0,3}?(?:nodules|masses|granulomas|fractures|lesions|wires|clips|leads)\b)",
    re.I,
)
_MEASURE = re.compile(
    r"\b(?P<size>\d+(?:\.\d+)?)(?=\s*(?:x\s*\d+(?:\.\d+)?\s*)?-?\s*(?:cm|mm|millimeters?|centimeters?)\b)", re.I
)
_SEVERAL = re.compile(r"\b(?:are|were|have|and|throughout|bilateral\w*|both|diffusely)\b", re.I)
"""Where these stand, the sentence would not be English, or not possible, of a single thing."""
_PLURALS = {
    "nodule": "nodules", "mass": "masses", "granuloma": "granulomas", "fracture": "fractures", "lesion": "lesions",
    "opacity": "opacities", "density": "densities", "calcification": "calcifications",
}  # fmt: skip
_SINGULAR = re.compile(r"(?P<noun>" + "|".join(_PLURALS) + r")\b", re.I)
_PLURAL = re.compile(r"(?P<noun>" + "|".join(_PLURALS.values()) + r")\b", re.I)
_SIDES = re.compile(r"\b(?:left|right|bilateral\w*|both)\b", re.I)
_ONE_SIDED = re.compile(r"\b(?:middle lobe|lingula\w*|aort\w+|azygos|right atri\w+|left ventric\w+)\b", re.I)
"""Structures of one side only: a swapped side would not be an error but nonsense."""
_SCALES = (0.25, 0.4, 2.5, 4.0)


def attribute_errors(text: str, sentences: Sequence[Sentence], rng: np.random.Generator) -> Iterator[Candidate]:
    """Yield wrong sides, places, degrees, numbers, sizes, looks, certainties and changes.

    Args:
        text: A true text.
        sentences: Its sentences.
        rng: Chooses among wrong words.
    """
    for sentence in sentences:
        if _is_said_of_one_thing(sentence):
            for error_type, swaps in _SWAPS.items():
                if error_type not in {"wrong_laterality", "wrong_location"} or _alone(sentence, sentences):
                    yield from _swapped(error_type, swaps, text, sentence, rng)
            yield from _counted(sentence)
            yield from _measured(sentence, rng)
        yield from _certain(sentence, rng)


def _swapped(
    error_type: ErrorType, swaps: Mapping[str, tuple[str, ...]], text: str, sentence: Sentence, rng: np.random.Generator
) -> Iterator[Candidate]:
    if error_type == "wrong_laterality" and (
        len(_SIDES.findall(sentence.text)) != 1 or _ONE_SIDED.search(sentence.text)
    ):
        return
    for word, wrong in swaps.items():
        found = list(re.finditer(rf"(?<![\w-]){re.escape(word)}(?![\w-])", sentence.text, re.I))
        if len(found) != 1 or any(_names(sentence, other) for other in wrong):
            continue
        start = sentence.start + found[0].start()
        chosen = capital_of(str(rng.choice(wrong)), text[start])
        yield Candidate(error_type, start, start + len(word), chosen)


def _counted(sentence: Sentence) -> Iterator[Candidate]:
    one, many, number = (p.search(sentence.text) for p in (_SINGLE, _MULTIPLE, _COUNTED))
    if number is not None:
        start, end = number.span("n")
        yield Candidate("wrong_quantity", sentence.start + start, sentence.start + end, capital_of("six", number["n"]))
    elif many is not None and (noun := _PLURAL.search(sentence.text, many.end())) is not None:
        singular = {plural: word for word, plural in _PLURALS.items()}[noun["noun"].lower()]
        words = f"single{sentence.text[many.end() : noun.start()]}{singular}"
        start, end = sentence.start + many.start(), sentence.start + noun.end()
        if _SEVERAL.search(sentence.text) is None:
            yield Candidate("wrong_quantity", start, end, capital_of(f"a {words}", sentence.text[many.start()]))
    elif one is not None and (noun := _SINGULAR.search(sentence.text, one.end())) is not None:
        if re.search(r"\b(?:is|was|has)\b", sentence.text, re.I):
            return
        words = f"multiple {sentence.text[one.end() : noun.start()]}{_PLURALS[noun['noun'].lower()]}"
        start, end = sentence.start + one.start(), sentence.start + noun.end()
        yield Candidate("wrong_quantity", start, end, capital_of(words, sentence.text[one.start()]))


def _measured(sentence: Sentence, rng: np.random.Generator) -> Iterator[Candidate]:
    for found in _MEASURE.finditer(sentence.text):
        size = float(found["size"]) * float(rng.choice(_SCALES))
        written = f"{max(size, 0.1):.1f}" if "." in found["size"] else f"{max(round(size), 1)}"
        if written != found["size"]:
            start, end = found.span("size")
            yield Candidate("wrong_measurement", sentence.start + start, sentence.start + end, written)


def _certain(sentence: Sentence, rng: np.random.Generator) -> Iterator[Candidate]:
    for pattern, wrong in _HEDGES:
        found = pattern.search(sentence.text)
        if found is not None and not re.search(r"\b(?:no|not|without)\b", sentence.text, re.I):
            words = capital_of(str(rng.choice(wrong)), found.group())
            start, end = sentence.start + found.start(), sentence.start + found.end()
            yield Candidate("wrong_certainty", start, end, words, "insignificant")
            return
    found = _CERTAIN.search(sentence.text)
    if found is not None and sentence.plain and sentence.findings:
        start, end = found.span("be")
        yield Candidate("wrong_certainty", sentence.start + start, sentence.start + end, "may be", "insignificant")


def _is_said_of_one_thing(sentence: Sentence) -> bool:
    things = [n for n in sentence.names if n.concept.kind in {"finding", "device"}]
    return sentence.plain and bool(things) and len({n.concept.id for n in things}) == 1


def _alone(sentence: Sentence, sentences: Sequence[Sentence]) -> bool:
    """Tell whether no other sentence names the same thing, which might place it elsewhere."""
    ours = {n.concept.id for n in sentence.findings}
    return not any(ours & {n.concept.id for n in other.findings} for other in sentences if other is not sentence)


def _names(sentence: Sentence, word: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", sentence.text, re.I) is not None
