"""Statements in words that no checker was trained on: the held-out measure of paraphrase.

Written apart from `inject/phrasing.py` and from the lexicon: other verbs, other negations, lay words, other orders.
This file decides how something is said, never what.
"""

from typing import Final, NamedTuple

import numpy as np

_THINGS: Final[dict[str, tuple[str, ...]]] = {
    "pleural_effusion": (
        "fluid in the pleural space",
        "a collection of pleural fluid",
        "an effusion of the pleura",
        "fluid around the lung",
    ),
    "pneumothorax": (
        "free air in the pleural space",
        "air leaking around the lung",
        "a pneumothorax",
        "intrapleural air",
    ),
    "consolidation": ("lung tissue that is consolidated", "consolidative change", "a consolidated area of lung"),
    "pneumonia": ("pneumonic change", "an infection of the lung", "an infectious pneumonia"),
    "pulmonary_edema": ("fluid overload in the lungs", "edematous lungs", "edema of the lungs"),
    "cardiomegaly": (
        "an abnormally big heart",
        "enlargement of the cardiac shadow",
        "a cardiac silhouette that is too large",
    ),
    "lung_nodule": ("a nodular lesion of the lung", "a small round spot in the lung", "a nodule within the lung"),
    "lung_mass": ("a mass in the lung", "a tumorous mass of the lung"),
    "atelectasis": ("partial collapse of lung tissue", "atelectatic lung", "some atelectasis"),
    "lung_opacity": ("an opacified area of lung", "clouding of the lung", "an opacity"),
    "fracture": ("a broken bone", "a bony fracture", "a break in a bone"),
    "emphysema": ("emphysematous lungs", "emphysematous destruction of the lung"),
    "hiatal_hernia": ("herniation of the stomach through the diaphragm", "a hiatus hernia"),
    "granuloma": ("a granulomatous nodule", "a granuloma"),
    "scarring": ("scar tissue", "fibrous scarring"),
    "degenerative_change": ("wear and tear of the spine", "degeneration of the spine"),
    "mediastinal_widening": ("a mediastinum that is too wide", "a broadened mediastinum"),
    "infiltrate": ("infiltrative change", "an infiltrating process of the lung"),
}
_AFFIRMED = (
    "We observe {x}.",
    "{X} can be appreciated.",
    "The film is remarkable for {x}.",
    "One notes {x}.",
    "What stands out is {x}.",
    "This study confirms {x}.",
    "The radiologist would describe {x} here.",
    "On this exposure there appears to be {x}.",
)
_DENIED = (
    "Nothing suggests {x}.",
    "{X} has been ruled out.",
    "The film fails to show {x}.",
    "{X} cannot be demonstrated.",
    "I find no sign of {x}.",
    "There is nothing to indicate {x}.",
    "The study is devoid of {x}.",
    "We do not observe {x}.",
    "At no point is {x} appreciated.",
    "Absence of {x}.",
)
_NORMAL: Final[dict[str, tuple[str, ...]]] = {
    "lungs_clear": (
        "Both lungs look perfectly fine.",
        "Nothing abnormal is going on in the lung fields.",
        "The lung parenchyma is without abnormality.",
    ),
    "normal_heart_size": (
        "The heart has a regular size.",
        "Cardiac dimensions are as expected.",
        "The size of the heart is not increased.",
    ),
    "normal_mediastinum": ("The mediastinum looks ordinary.", "Nothing is wrong with the mediastinum."),
    "normal_cardiomediastinum": (
        "Heart and mediastinum look as they should.",
        "The cardiomediastinal outline shows nothing unusual.",
    ),
    "normal_bone": ("Bones are without injury.", "The skeleton shows nothing unusual."),
    "normal_pulmonary_vasculature": ("The lung vessels look ordinary.", "Nothing is wrong with the pulmonary vessels."),
}
_SIDED = (" affecting the {side} side", ", located on the {side}", " within the {side} hemithorax", " ({side})")


class Reworded(NamedTuple):
    """A sentence in held-out words.

    Attributes:
        text: The sentence.
        focus: The words of it that name what is claimed.
    """

    text: str
    focus: str


def reword(concept: str, *, affirmed: bool, side: str, rng: np.random.Generator) -> Reworded | None:
    """Say that a finding is there or is not, or that a structure is normal, in words of this file.

    Args:
        concept: The lexicon's id.
        affirmed: Whether it is there; of a normality, True.
        side: `left`, `right`, or empty.
        rng: Chooses among the ways to say it.

    Returns:
        The sentence, or None for a concept that this file has no words for.
    """
    if concept in _NORMAL:
        text = str(rng.choice(_NORMAL[concept])) if affirmed else ""
        return Reworded(text, text.removesuffix(".")) if text else None
    if concept not in _THINGS:
        return None
    thing = str(rng.choice(_THINGS[concept]))
    said = thing + (str(rng.choice(_SIDED)).format(side=side) if side and affirmed else "")
    if not affirmed:
        said = said.removeprefix("some ")
    text = str(rng.choice(_AFFIRMED if affirmed else _DENIED)).format(x=said, X=said[0].upper() + said[1:])
    return Reworded(text, thing)
