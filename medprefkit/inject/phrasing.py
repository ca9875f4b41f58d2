"""A statement in other words: voice, form of negation, synonym, abbreviation, word order. What trains a checker.

The words of `evaluate/paraphrases.py`, which measure it, are others.
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from medprefkit.inject.candidates import with_article
from medprefkit.lexicon import Concept, lexicon
from medprefkit.records import Claim

_AFFIRMED = (
    "There is {np}.",
    "There is {np} on this image.",
    "{Np}.",
    "{Np} is seen.",
    "{Np} is present.",
    "{Np} is noted.",
    "The image shows {np}.",
    "The chest X-ray shows {np}.",
    "The radiograph demonstrates {np}.",
    "There is evidence of {np}.",
    "The image reveals {np}.",
    "Findings are consistent with {np}.",
    "{Np} is identified on the radiograph.",
    "In the image, {np} can be seen.",
    "The scan reveals the presence of {np}.",
    "{Np} is visible.",
)
_DENIED = (
    "There is no {np}.",
    "No {np}.",
    "No {np} is seen.",
    "There is no evidence of {np}.",
    "No evidence of {np}.",
    "{Np} is not seen.",
    "{Np} is absent.",
    "The image does not show {np}.",
    "Negative for {np}.",
    "No {np} is identified.",
    "There is no visible {np}.",
    "The chest X-ray shows no {np}.",
    "The patient does not have {np}.",
    "Without {np}.",
    "There are no signs of {np} in the image.",
)
_BOTH_DENIED = (
    "There is no {np} or {other}.",
    "No {np} or {other} is seen.",
    "No {other} or {np}.",
    "There is no evidence of {other}, {np} or other abnormality.",
    "Neither {np} nor {other} is present.",
)
_BOTH_AFFIRMED = (
    "There is {np} and {other}.",
    "The image shows {other} as well as {np}.",
    "{Other} and {np} are seen.",
    "The chest X-ray reveals {np} along with {other}.",
)
_NORMAL = {
    "lungs_clear": (
        "The lungs are clear.",
        "Clear lungs.",
        "Both lung fields are clear.",
        "The lungs appear clear bilaterally.",
    ),
    "normal_heart_size": (
        "The heart is normal in size.",
        "Heart size is normal.",
        "Normal heart size.",
        "The heart size is within normal limits.",
        "The heart is not enlarged.",
    ),
    "normal_heart": ("The heart is normal.", "The heart is unremarkable."),
    "normal_cardiomediastinum": (
        "The cardiomediastinal silhouette is normal.",
        "The cardiomediastinal silhouette is unremarkable.",
    ),
    "normal_mediastinum": (
        "The mediastinum is normal.",
        "Mediastinal contours are unremarkable.",
        "The mediastinum is not widened.",
    ),
    "normal_bone": ("The bones are intact.", "The osseous structures are unremarkable.", "The bony thorax is normal."),
    "normal_pulmonary_vasculature": (
        "Pulmonary vascularity is normal.",
        "The pulmonary vasculature is within normal limits.",
    ),
    "no_acute_cardiopulmonary_process": (
        "No acute cardiopulmonary disease.",
        "There is no acute cardiopulmonary abnormality.",
    ),
    "normal_pleura": ("The pleural spaces are clear.", "The costophrenic angles are sharp."),
    "normal_diaphragm": ("The diaphragm is normal.",),
    "normal_aorta": ("The aorta is normal in caliber.", "The aorta is unremarkable."),
    "trachea_midline": ("The trachea is midline.",),
    "lungs_expanded": ("The lungs are well expanded.", "The lungs are normally inflated."),
}
_SAID_OF_ORGAN = {
    "cardiomegaly": (
        "The heart is enlarged.",
        "Enlarged heart.",
        "The cardiac silhouette is enlarged.",
        "Heart size is increased.",
    ),
    "mediastinal_widening": ("The mediastinum is widened.", "Widened mediastinum."),
    "aortic_tortuosity": ("The aorta is tortuous.", "Tortuous aorta."),
    "hyperinflation": ("The lungs are hyperinflated.", "Hyperexpanded lungs."),
    "low_lung_volumes": ("The lungs are hypoinflated.", "Lung volumes are low."),
}
_COUNTED = re.compile(
    r"(?:nodule|mass|effusion|opacity|fracture|granuloma|infiltrate|lesion|hernia|pneumothorax|abscess|cyst|calcification|"
    r"cavity|bulla|tumor|density|aneurysm|ptx|osteophyte)$",
    re.I,
)
_PLACES = {
    "upper": "upper lobe",
    "lower": "lower lobe",
    "middle": "middle lobe",
    "base": "lung base",
    "apex": "lung apex",
}
_NEUTRAL = frozenset({"lung", "pulmonary", "pleural", "chest", "cardiac", "parenchymal"})
"""Words that a synonym may add to the name without narrowing it."""
_EQUAL = {
    "pleural_effusion": ("effusion", "pleural fluid"),
    "pneumothorax": ("ptx",),
    "cardiomegaly": ("cardiac enlargement",),
    "lung_nodule": ("pulmonary nodule", "nodule"),
    "lung_mass": ("pulmonary mass", "mass"),
    "lung_opacity": ("opacification",),
    "airspace_disease": ("airspace opacity", "airspace process"),
    "pulmonary_edema": ("edema",),
    "scarring": ("fibrotic change",),
    "pulmonary_congestion": ("pulmonary vascular congestion",),
    "copd": ("chronic obstructive pulmonary disease",),
    "fracture": ("bone fracture",),
    "emphysema": ("emphysematous change",),
    "hiatal_hernia": ("hiatus hernia",),
    "degenerative_change": ("degenerative disease",),
    "atelectasis": ("atelectatic change",),
    "scoliosis": ("spinal curvature",),
    "granulomatous_disease": ("granulomatous change",),
    "infiltrate": ("infiltration",),
    "osteopenia": ("bone demineralization",),
    "lymphadenopathy": ("adenopathy",),
    "hyperinflation": ("hyperexpansion",),
    "heart_failure": ("CHF",),
}
"""Other names of the same thing, no wider and no narrower."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one claim says, in the lexicon's terms; an empty string where it gives no value."""

    concept: str
    affirmed: bool
    side: str = ""
    place: str = ""
    degree: str = ""
    descriptor: str = ""

    @property
    def is_normality(self) -> bool:
        """Whether it says that a structure is normal."""
        return lexicon().concepts[self.concept].kind == "normality"


class Phrased(NamedTuple):
    """A sentence, and the words in it that name what is claimed."""

    text: str
    focus: str


def statement_of(claim: Claim) -> Statement | None:
    """Return what a claim says; None for what is doubtful, past, of someone else, or of no finding or normality."""
    plain = (
        claim.certainty == "certain" and claim.current and claim.experiencer == "patient" and claim.role == "statement"
    )
    if not plain or claim.concept not in lexicon().concepts or claim.kind not in {"finding", "normality"}:
        return None
    given: dict[str, list[str]] = {}
    for attribute in claim.attributes:
        given.setdefault(attribute.kind, []).append(attribute.value)
    if any(len(values) > 1 for values in given.values()) and claim.kind == "finding":
        return None  # two places or degrees: more than one sentence of ours can say
    one = {kind: values[0] for kind, values in given.items()}
    return Statement(
        concept=claim.concept,
        affirmed=claim.polarity == "affirmed",
        side=one.get("laterality", ""),
        place=one.get("location", ""),
        degree=one.get("severity", ""),
        descriptor=one.get("descriptor", ""),
    )


def phrase(statement: Statement, rng: np.random.Generator, *, beside: Statement | None = None) -> Phrased | None:
    """Say a statement in words of our own; None where none are at hand.

    Args:
        statement: What to say.
        rng: Chooses among the ways to say it.
        beside: Another statement of the same polarity, to be said in the same sentence.
    """
    concept = lexicon().concepts[statement.concept]
    if concept.kind == "normality":
        return _normality(concept, rng) if statement.affirmed else None
    name = str(rng.choice(equal_names(concept)))
    if statement.affirmed and concept.id in _SAID_OF_ORGAN and not statement.degree and rng.random() < 0.4:
        text = str(rng.choice(_SAID_OF_ORGAN[concept.id]))
        return Phrased(text, text.removesuffix("."))
    noun_phrase = _noun_phrase(statement, name, rng)
    if noun_phrase is None:
        return None
    return _sentence(statement, name, noun_phrase, rng, beside)


def _sentence(
    statement: Statement, name: str, noun_phrase: str, rng: np.random.Generator, beside: Statement | None
) -> Phrased:
    if statement.affirmed:
        noun_phrase = determined(noun_phrase, name)
    if beside is not None and (other := _noun_phrase(beside, lexicon().name(beside.concept), rng)) is not None:
        templates = _BOTH_AFFIRMED if statement.affirmed else _BOTH_DENIED
        other = determined(other, lexicon().name(beside.concept)) if beside.affirmed else other
        template = str(rng.choice(templates))
    else:
        other, template = "", str(rng.choice(_AFFIRMED if statement.affirmed else _DENIED))
    text = fill(template, np=noun_phrase, other=other)
    return Phrased(text[0].upper() + text[1:], name)


def _normality(concept: Concept, rng: np.random.Generator) -> Phrased | None:
    if concept.id in _NORMAL:
        text = str(rng.choice(_NORMAL[concept.id]))
        return Phrased(text, text.removesuffix("."))
    if concept.id.startswith("normal_") and len(concept.structures) == 1 and not concept.id.endswith("_size"):
        organ = lexicon().name(concept.structures[0])
        predicate = str(rng.choice(("normal", "unremarkable", "within normal limits")))
        return Phrased(f"The {organ} is {predicate}.", f"{organ} is {predicate}")
    return None


def _noun_phrase(statement: Statement, name: str, rng: np.random.Generator) -> str | None:
    if statement.place and statement.place not in _PLACES:
        return None
    words = " ".join(w for w in (statement.degree, statement.descriptor) if w and w not in name)
    side, place = statement.side, _PLACES.get(statement.place, "")
    if place and side != "bilateral" and rng.random() < 0.6:
        where = f" in the {side} {place}" if side else f" in the {place}"
        return f"{words} {name}{where}".strip()
    if place and side == "bilateral":
        return f"{words} {name} in both {'lung apices' if 'apex' in place else f'{place}s'}".strip()
    if place:
        return f"{words} {side} {place} {name}".replace("  ", " ").strip()
    if side in {"left", "right"}:
        forms = (f"{words} {side} {name}", f"{words} {side}-sided {name}", f"{words} {name} on the {side}")
        return str(rng.choice(forms)).strip()
    return f"{words} {side} {name}".replace("  ", " ").strip()


def determined(noun_phrase: str, name: str) -> str:
    """Return the noun phrase with an article where its name can be counted."""
    return with_article(noun_phrase) if _COUNTED.search(name) else noun_phrase


def fill(template: str, **parts: str) -> str:
    """Put the parts into a template; `{Np}` is the part `np` with a capital."""
    capitals = {key.capitalize(): value[:1].upper() + value[1:] for key, value in parts.items()}
    return template.format(**parts, **capitals)


def flipped(statement: Statement) -> Statement:
    """Return the opposite: what is affirmed denied without its attributes, what is denied affirmed."""
    return replace(statement, affirmed=not statement.affirmed, degree="", descriptor="", side="", place="")


@cache
def equal_names(concept: Concept) -> tuple[str, ...]:
    """Return the name of a finding and the synonyms that say no more and no less than it does.

    The lexicon's synonyms are there to be found in texts, so that many are narrower ("hemothorax" of an effusion): only
    those are taken that add a neutral word to the name, beside a few that are listed here.
    """
    ours = set(concept.name.lower().split())
    added = [s for s in concept.synonyms if ours < set(s.lower().split()) and set(s.lower().split()) - ours <= _NEUTRAL]
    return tuple(dict.fromkeys((concept.name, *added, *_EQUAL.get(concept.id, ()))))
