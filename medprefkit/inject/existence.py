"""Findings that are not there, and findings that are there and get denied: the errors that change what a text says is.

A flip needs a text that speaks of the finding once: where it is named elsewhere too, the text would only contradict
itself.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from medprefkit.inject.candidates import Candidate, capital_of, with_article
from medprefkit.inject.reading import Name, Sentence, is_tokenized
from medprefkit.lexicon import lexicon
from medprefkit.records import ErrorType

_AFFIRMED = {
    "pleural_effusion": ("small left pleural effusion", "moderate right pleural effusion", "large pleural effusion"),
    "pneumothorax": ("small apical pneumothorax", "large left pneumothorax", "right pneumothorax"),
    "consolidation": ("dense consolidation in the right lower lobe", "left lower lobe consolidation"),
    "airspace_disease": ("focal airspace disease in the left base", "right upper lobe airspace disease"),
    "infiltrate": ("right middle lobe infiltrate", "patchy infiltrate in the left lower lobe"),
    "pneumonia": ("right lower lobe pneumonia", "left lower lobe pneumonia"),
    "pulmonary_edema": ("moderate pulmonary edema", "mild interstitial pulmonary edema"),
    "nodule": ("8 mm nodule", "small nodule"),
    "mass": ("3 cm mass", "large mass"),
    "lung_nodule": ("8 mm nodule in the right upper lobe", "nodule in the left lower lobe"),
    "lung_mass": ("3 cm mass in the left upper lobe", "right hilar mass"),
    "lung_opacity": ("opacity in the right lower lobe", "hazy opacity in the left lung"),
    "fracture": ("displaced rib fracture", "acute rib fracture"),
    "cardiomegaly": ("moderate cardiomegaly", "marked cardiomegaly"),
    "atelectasis": ("left basilar atelectasis", "right lower lobe atelectasis"),
    "lymphadenopathy": ("right hilar lymphadenopathy",),
    "pneumoperitoneum": ("large pneumoperitoneum",),
}
"""How a reader would affirm what is denied most often; any other finding is affirmed by its own name."""
_UNCOUNTED = re.compile(
    r"(?:edema|disease|consolidation|atelectasis|cardiomegaly|pneumonia|emphysema|scarring|lymphadenopathy|"
    r"pneumoperitoneum|\w+(?:itis|osis|ing|ment|tion|ness))$",
    re.I,
)
_NOT_FLIPPED = frozenset({"low_lung_volumes", "aortic_tortuosity", "lesion"})
"""What no reader would deny or affirm by its name alone: "no low lung volumes", "there is a lesion"."""
_DENIED = re.compile(
    r"\b(?P<no>(?:no|without)\s+(?:evidence\s+of\s+|signs?\s+of\s+)?"
    r"(?:(?:acute|focal|definite|large|significant|any|an?)\s+)*)",
    re.I,
)
_EXISTS = re.compile(r"\bthere\s+(?P<be>is|are)\s+(?:also\s+)?$", re.I)
_NEXT = re.compile(r"\s*,?\s*(?:or|nor|and)\s+|\s*,\s*", re.I)
_THERE_IS = re.compile(r"(?P<head>There\s+(?:is|are)\s+)(?P<phrase>[^.;,]+?)(?=\s*[.]?$)", re.I)
_SEEN = re.compile(
    r"(?P<phrase>[^.;,]+?)\s+(?:is|are)\s+(?:again\s+)?(?:seen|noted|present|identified|demonstrated)\b", re.I
)
_BARE = re.compile(r"(?P<phrase>[^.;,]+?)(?=\s*[.]?$)")
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|there|which|with|shows?|demonstrates?|and|this|these|status|post)\b", re.I
)
_NORMALITIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        r"lungs",
        r"(?:are|appear) (?:otherwise )?clear",
        (
            "show patchy consolidation in the right lower lobe",
            "show a large mass in the left upper lobe",
            "show multiple nodules",
            "show diffuse airspace opacities",
            "show left lower lobe pneumonia",
        ),
    ),
    (
        r"heart (?:size )?(?:is|appears) ",
        r"(?:normal|within normal limits)(?: in size)?(?: and contour)?",
        ("moderately enlarged", "markedly enlarged", "enlarged"),
    ),
    (
        r"(?<!and\s)mediastin(?:um|al contours?) (?:is|are|appears?)",
        r"normal|unremarkable|within normal limits",
        ("widened", "markedly widened"),
    ),
    (
        r"pulmonary vascul(?:arity|ature) (?:is|appears)",
        r"normal|within normal limits|unremarkable",
        ("congested", "engorged"),
    ),
    (r"pleural spaces are", r"clear", ("filled with fluid", "obscured by bilateral effusions")),
    (r"trachea is", r"midline", ("deviated to the right", "deviated to the left")),
)
"""What is said of a structure that is normal, after which subject, and what may stand in its place."""
_NORMAL = tuple(
    (re.compile(rf"\b{subject.strip()} (?P<said>{said})(?=\s*[.,;])".replace(" ", r"\s+"), re.I), wrong)
    for subject, said, wrong in _NORMALITIES
)
_CLEAR = re.compile(r"\blungs\s+(?:are|appear)\s+(?:grossly\s+)?clear\b(?!\s+of)|\bclear\s+lungs\b", re.I)
_IN_CLEAR_LUNGS = (
    "There is a 2 cm nodule in the left upper lobe.",
    "There is consolidation in the right lower lobe.",
    "Patchy infiltrates are seen in both lung bases.",
    "A cavitary lesion is present in the right upper lobe.",
)


def existence_errors(text: str, sentences: Sequence[Sentence], rng: np.random.Generator) -> Iterator[Candidate]:
    """Yield false findings, false negations and self-contradictions.

    Args:
        text: A true text.
        sentences: Its sentences.
        rng: Chooses the wording; every place that can be made wrong yields one candidate.
    """
    for sentence in sentences:
        yield from _affirm_denied(text, sentence, sentences, rng)
        yield from _deny_normality(sentence, rng)
        yield from _deny_affirmed(sentence, sentences)
    yield from _insert_into_clear_lungs(text, sentences, rng)
    yield from _contradict_itself(text, sentences, rng)


def _affirm_denied(
    text: str, sentence: Sentence, sentences: Sequence[Sentence], rng: np.random.Generator
) -> Iterator[Candidate]:
    for denial in _DENIED.finditer(sentence.text):
        name = _name_at(sentence, sentence.start + denial.end())
        if name is None or not _is_flipped(name) or _times_named(name, sentences) > 1:
            continue
        affirmed = _affirmation(name, rng)
        following = _NEXT.match(text[name.end : sentence.end])
        listed = following is not None and _name_at(sentence, name.end + following.end()) is not None
        if following is not None and not listed:
            continue  # a conjunct of unknown words would be left without its denial
        exists = _EXISTS.search(sentence.text[: denial.start()])
        end = name.end + (len(following.group().rstrip()) if listed and following else 0)
        start = sentence.start + denial.start()
        if exists is not None:
            wrong = _determined(affirmed)
            if exists["be"].lower() == "are":
                wrong, start = f"is {wrong}", sentence.start + exists.start("be")
        elif denial.start() == 0:
            wrong = affirmed
        elif denial["no"].lower().startswith("without"):
            wrong = f"with {_determined(affirmed)}"
        else:
            continue
        if listed:
            wrong += " but no" if denial.start() else f"{_stop(text)} {'no' if is_tokenized(text) else 'No'}"
        yield Candidate("false_finding", start, end, capital_of(wrong, text[start]))


def _deny_normality(sentence: Sentence, rng: np.random.Generator) -> Iterator[Candidate]:
    for pattern, wrong in _NORMAL:
        if (found := pattern.search(sentence.text)) is not None:
            start, end = found.span("said")
            yield Candidate("false_finding", sentence.start + start, sentence.start + end, str(rng.choice(wrong)))


def _deny_affirmed(sentence: Sentence, sentences: Sequence[Sentence]) -> Iterator[Candidate]:
    if not sentence.plain or len(sentence.findings) != 1:
        return
    (name,) = sentence.findings
    if not _is_flipped(name) or _times_named(name, sentences) > 1:
        return
    noun = sentence.text[name.start - sentence.start : name.end - sentence.start]
    for pattern in (_THERE_IS, _SEEN, _BARE):
        found = pattern.match(sentence.text)
        if found is None or _VERB.search(found["phrase"]):
            continue
        start, end = found.span("phrase")
        if not (start <= name.start - sentence.start and name.end - sentence.start <= end):
            continue
        end = name.end - sentence.start if _place_follows(found["phrase"], noun) else end
        wrong = capital_of(f"no {noun[0].lower()}{noun[1:]}", sentence.text[start])
        yield Candidate("false_negation", sentence.start + start, sentence.start + end, wrong)
        return


def _insert_into_clear_lungs(text: str, sentences: Sequence[Sentence], rng: np.random.Generator) -> Iterator[Candidate]:
    clear = [s for s in sentences if _CLEAR.search(s.text) and "otherwise" not in s.text.lower()]
    ends = [s.end for s in sentences if s.text.endswith(".")]
    opaque = any(lexicon().is_a(n.concept.id, "lung_abnormality") for s in sentences if s.plain for n in s.findings)
    if clear and ends and not opaque:
        yield insertion("false_finding", text, int(rng.choice(ends)), str(rng.choice(_IN_CLEAR_LUNGS)))


def _contradict_itself(text: str, sentences: Sequence[Sentence], rng: np.random.Generator) -> Iterator[Candidate]:
    for sentence in sentences:
        for denial in _DENIED.finditer(sentence.text):
            name = _name_at(sentence, sentence.start + denial.end())
            later = [s.end for s in sentences if s.start > sentence.start and s.text.endswith(".")]
            if name is None or not later or not _is_flipped(name) or _times_named(name, sentences) > 1:
                continue
            if re.search(r"\b(?:large|acute|significant)\b", denial.group(), re.I):
                continue  # the small or the old one may be there
            said = f"There is {_determined(_affirmation(name, rng))}."
            yield insertion("self_contradiction", text, int(rng.choice(later)), said)


def insertion(error_type: ErrorType, text: str, at: int, sentence: str) -> Candidate:
    """Return the candidate that puts a sentence behind another one, in the text's style.

    Args:
        error_type: The type of the error that it makes.
        text: The true text.
        at: After the stop of a sentence.
        sentence: What is put there, with its own stop.
    """
    if is_tokenized(text):
        sentence = f"{sentence.lower().removesuffix('.')} ."
    return Candidate(error_type, at, at, f" {sentence}")


def _affirmation(name: Name, rng: np.random.Generator) -> str:
    return str(rng.choice(_AFFIRMED.get(name.concept.id, (name.concept.name,))))


def _determined(noun_phrase: str) -> str:
    return noun_phrase if _UNCOUNTED.search(re.split(r"\s(?:in|of)\s", noun_phrase)[0]) else with_article(noun_phrase)


def _is_flipped(name: Name) -> bool:
    return name.concept.id not in _NOT_FLIPPED and not name.concept.id.endswith("abnormality")


def _place_follows(phrase: str, noun: str) -> bool:
    return re.match(r"\s+(?:in|of|at|within)\b", phrase[phrase.index(noun) + len(noun) :]) is not None


def _name_at(sentence: Sentence, at: int) -> Name | None:
    return next((name for name in sentence.findings if name.start == at), None)


def _times_named(name: Name, sentences: Sequence[Sentence]) -> int:
    """Count the names of the same matter: the concept, a broader or narrower one, or its kin."""
    known, id_ = lexicon(), name.concept.id
    return sum(
        known.is_a(other.concept.id, id_) or known.is_a(id_, other.concept.id) or known.kin(id_, other.concept.id)
        for sentence in sentences
        for other in sentence.findings
    )


def _stop(text: str) -> str:
    return " ." if is_tokenized(text) else "."
