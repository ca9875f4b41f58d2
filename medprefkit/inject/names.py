"""One name for another: disease, organ, modality, view, device. The wrong one is of the same kind and another thing."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from medprefkit.inject.candidates import Candidate, capital_of
from medprefkit.inject.reading import Name, Sentence
from medprefkit.lexicon import Concept, lexicon
from medprefkit.records import ErrorType

_PICTURES = (
    ("pneumonia", "atelectasis", "pulmonary edema", "tuberculosis", "scarring", "infiltrate", "aspiration", "fibrosis"),
    ("granuloma", "lung cancer", "metastasis", "hamartoma"),
    ("emphysema", "bronchiectasis", "sarcoidosis", "fibrosis", "asthma"),
    ("pleural effusion", "pneumothorax", "empyema"),
    ("pleural thickening", "pleural effusion"),
    ("cardiomegaly", "pericardial effusion"),
    ("scoliosis", "kyphosis", "spondylolisthesis"),
    ("fracture", "osteomyelitis", "lytic lesion"),
    ("degenerative disease", "osteomyelitis", "metastatic disease"),
    ("osteopenia", "osteomyelitis"),
    ("hiatal hernia", "esophageal cancer"),
    ("infarct", "hemorrhage", "meningioma", "abscess", "glioma"),
    ("cirrhosis", "hepatic steatosis", "hepatitis"),
    ("appendicitis", "diverticulitis", "colitis"),
    ("gallstone", "cholecystitis"),
)
"""Names that readers confuse: one picture, another disease."""
_ORGANS = {
    "thoracic spine": ("lumbar spine", "cervical spine"), "lumbar spine": ("thoracic spine",),
    "spine": ("pelvis", "hip"),
    "rib": ("clavicle", "scapula"), "ribs": ("clavicles",), "clavicle": ("scapula",),
    "thoracic aorta": ("abdominal aorta",),
    "lung": ("breast",), "shoulder": ("hip",), "humerus": ("femur",), "stomach": ("bladder",),
    "liver": ("spleen",), "spleen": ("liver",), "kidney": ("liver",), "brain": ("liver",), "cerebellum": ("heart",),
    "hilum": ("axilla",), "mediastinum": ("pelvis",),
}  # fmt: skip
_ORGAN_SAID = tuple(
    (
        organ,
        re.compile(
            rf"\b(?:of|in|within|involving)\s+(?:the\s+)?(?:(?:left|right)\s+)?(?P<organ>{organ})\b"
            r"(?!\s+(?:base|apex|lobe|zone|field|volume|marking|size|border))",
            re.I,
        ),
    )
    for organ in sorted(_ORGANS, key=len, reverse=True)
)
_NAMES: tuple[tuple[ErrorType, str, tuple[str, ...]], ...] = (
    ("wrong_modality", r"(?i:chest (?:x-ray|radiograph|film))\b", ("chest CT", "chest MRI")),
    ("wrong_modality", r"(?<!lateral )(?<!frontal )(?i:x-ray|radiograph)\b(?!\s+tub)", ("CT scan", "MRI")),
    ("wrong_modality", r"(?i:x-rays|radiographs)\b", ("CT scans", "ultrasound images")),
    ("wrong_modality", r"(?i:ct)\b(?: scan)?(?!\s+(?:is|may|could|of|ratio))", ("MRI", "ultrasound")),
    ("wrong_modality", r"(?i:mri?)\b", ("CT", "ultrasound")),
    ("wrong_modality", r"(?i:ultrasound|sonogram)\b", ("CT", "MRI")),
    ("wrong_view_plane", r"(?i:pa|ap|frontal) and lateral\b", ("supine AP", "lateral decubitus")),
    ("wrong_view_plane", r"(?i:axial)\b", ("coronal", "sagittal")),
    ("wrong_view_plane", r"(?i:coronal)\b", ("axial", "sagittal")),
    ("wrong_view_plane", r"(?i:sagittal)\b", ("axial", "coronal")),
    ("wrong_view_plane", r"T1\b", ("T2",)),
    ("wrong_view_plane", r"T2\b", ("T1",)),
)
_WORDS = tuple((error_type, re.compile(rf"\b{pattern}"), wrong) for error_type, pattern, wrong in _NAMES)
_REQUEST = re.compile(
    r"\b(?:recommend\w*|further|could|may|follow|suggest\w*|correlat\w*|evaluated|prior|previous|compar\w*)\b", re.I
)
"""Where another study is asked for or compared with, its name says nothing of this image."""
_POSITIONS = (
    (
        re.compile(r"\b(?:superior vena cava|SVC|cavoatrial junction)\b", re.I),
        ("right ventricle", "left subclavian vein"),
    ),
    (re.compile(r"\bright atrium\b", re.I), ("left subclavian vein", "inferior vena cava")),
    (re.compile(r"\babove the carina\b", re.I), ("in the right main bronchus", "below the carina")),
    (re.compile(r"\bin the stomach\b", re.I), ("in the left main bronchus", "in the distal esophagus")),
)


_WIDESPREAD = re.compile(
    r"\b(?:degenerat\w*|osteopen\w*|deminerali\w*|atheroscler\w*|calcific\w*|spondyl\w*|osteophyt\w*|arthrit\w*|arthro\w*|"
    r"spur\w*|granulom\w*|scattered|multi\w*)\b",
    re.I,
)
"""What is in one place may be in another too: a text that names the one does not exclude the other."""


def name_errors(text: str, sentences: Sequence[Sentence], rng: np.random.Generator) -> Iterator[Candidate]:
    """Yield wrong diagnoses, organs, modalities, views and places of devices.

    Args:
        text: A true text.
        sentences: Its sentences.
        rng: Chooses among wrong names.
    """
    named = {name.concept.id for sentence in sentences for name in sentence.names}
    for sentence in sentences:
        if sentence.plain and len(sentence.findings) == 1:
            yield from _diagnosis(text, sentence.findings[0], named, rng)
            yield from _organ(sentence, rng)
        if sentence.plain:
            yield from _device_position(sentence, rng)
        if _REQUEST.search(sentence.text) is None:
            for error_type, pattern, wrong in _WORDS:
                if (found := pattern.search(sentence.text)) is not None:
                    yield _candidate(error_type, sentence, found.span(), wrong, rng)
                    break


def _diagnosis(text: str, name: Name, named: set[str], rng: np.random.Generator) -> Iterator[Candidate]:
    written = text[name.start : name.end].lower()
    options = []
    for picture in _PICTURES:
        if any(_is_named(name.concept, words) for words in picture) and written in {name.concept.name, *picture}:
            options += [words for words in picture if not any(_is_named(lexicon().concepts[c], words) for c in named)]
    article = re.search(r"\b(?:an?|calcified)\s+(?:[\w-]+\s+)*$", text[max(0, name.start - 40) : name.start], re.I)
    if options and article is None:
        yield Candidate("wrong_diagnosis", name.start, name.end, capital_of(str(rng.choice(options)), text[name.start]))


def _is_named(concept: Concept, words: str) -> bool:
    return words in (concept.name, *concept.synonyms)


def _organ(sentence: Sentence, rng: np.random.Generator) -> Iterator[Candidate]:
    if _WIDESPREAD.search(sentence.text) is not None:
        return
    for organ, pattern in _ORGAN_SAID:
        if (found := pattern.search(sentence.text)) is not None:
            yield _candidate("wrong_organ", sentence, found.span("organ"), _ORGANS[organ], rng)
            return


def _device_position(sentence: Sentence, rng: np.random.Generator) -> Iterator[Candidate]:
    """Put a tip elsewhere; another device's name would be no error, since a text is silent of devices it lacks."""
    if not any(n.concept.kind == "device" for n in sentence.names):
        return
    for pattern, wrong in _POSITIONS:
        if (found := pattern.search(sentence.text)) is not None:
            yield _candidate("wrong_device", sentence, found.span(), wrong, rng)
            return


def _candidate(
    error_type: ErrorType, sentence: Sentence, span: tuple[int, int], wrong: Sequence[str], rng: np.random.Generator
) -> Candidate:
    start, end = sentence.start + span[0], sentence.start + span[1]
    words = capital_of(str(rng.choice(wrong)), sentence.text[span[0]])
    return Candidate(error_type, start, end, words.lower() if sentence.text.islower() else words)
