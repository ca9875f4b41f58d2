"""What no report needs: patient facts that no image shows, false medical statements, advice, talk about the answer, and
comparisons with a study that nobody has. Each is a sentence or clause put in; the correction takes it out again.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from medprefkit.inject.candidates import Candidate
from medprefkit.inject.existence import insertion
from medprefkit.inject.reading import Sentence, is_tokenized

_CONTEXT = (
    "The patient has a long history of smoking.",
    "The patient is a 67-year-old male with diabetes.",
    "The patient presented with fever and productive cough.",
    "He is known to have chronic kidney disease.",
    "The patient is currently taking anticoagulants.",
    "She underwent chemotherapy last year.",
)
_ADVICE = (
    "A follow-up CT of the chest in three months is recommended.",
    "Clinical correlation and further evaluation are advised.",
    "The patient should consult a pulmonologist as soon as possible.",
    "Recommend bronchoscopy for further assessment.",
    "Antibiotic treatment should be started.",
)
_META = (
    "As an AI language model, I cannot provide a medical diagnosis.",
    "It is important to note that this description is based on the image alone.",
    "Please note that a qualified radiologist should confirm this interpretation.",
    "I hope this description is helpful.",
    "The image does not include a label, so my answer may be incomplete.",
)
_KNOWLEDGE = {
    "pleural_effusion": "Pleural effusion is a collection of air inside the alveoli.",
    "pneumothorax": "A pneumothorax is a collection of blood in the pericardium.",
    "cardiomegaly": "Cardiomegaly means that the lungs are larger than normal.",
    "atelectasis": "Atelectasis is an infection of the pleura by bacteria.",
    "pneumonia": "Pneumonia is a fracture of the bronchial cartilage.",
    "consolidation": "Consolidation means that the alveoli are overfilled with air.",
    "emphysema": "Emphysema is an accumulation of fluid in the mediastinum.",
    "pulmonary_edema": "Pulmonary edema is caused by too little fluid in the lungs.",
    "scoliosis": "Scoliosis is a loss of bone density in the ribs.",
    "granuloma": "Granulomas are blood clots in the pulmonary arteries.",
    "fracture": "A fracture is a benign tumor of the bone marrow.",
    "hiatal_hernia": "A hiatal hernia is a dilatation of the thoracic aorta.",
    "lung_nodule": "A nodule is always larger than three centimeters.",
    "lung_opacity": "Opacities are areas where the lung holds more air than usual.",
    "degenerative_change": "Degenerative changes are caused by a viral infection of the bone.",
}
"""A statement that is false of every patient, for texts that name its subject."""
_CHANGE = (
    ", which has worsened since the prior study",
    ", unchanged from the previous examination",
    ", improved since the last radiograph",
)
_STUDY = re.compile(
    r"\b(?:prior|previous|comparison|compared|interval|unchanged|stable|change|since|again|new|old)\b", re.I
)


def additions(text: str, sentences: Sequence[Sentence], rng: np.random.Generator) -> Iterator[Candidate]:
    """Yield invented context, false knowledge, advice, talk about the answer, and invented comparisons.

    Args:
        text: A true text.
        sentences: Its sentences.
        rng: Chooses words and places.
    """
    ends = [s.end for s in sentences if s.text.endswith(".")]
    if not ends:
        return
    yield insertion("unsupported_context", text, ends[0], str(rng.choice(_CONTEXT)))
    yield insertion("recommendation", text, ends[-1], str(rng.choice(_ADVICE)))
    yield insertion("meta_text", text, ends[-1], str(rng.choice(_META)))
    for sentence in sentences:
        for name in sentence.findings:
            if name.concept.id in _KNOWLEDGE and sentence.text.endswith("."):
                yield insertion("wrong_knowledge", text, sentence.end, _KNOWLEDGE[name.concept.id])
    if _STUDY.search(text) is None:
        yield from _comparisons(text, sentences, rng)


def _comparisons(text: str, sentences: Sequence[Sentence], rng: np.random.Generator) -> Iterator[Candidate]:
    """Put a change behind a finding, in a text that compares with nothing."""
    for sentence in sentences:
        if sentence.plain and len(sentence.findings) == 1 and sentence.text.endswith("."):
            stop = sentence.end - (2 if is_tokenized(text) and sentence.text.endswith(" .") else 1)
            wrong = str(rng.choice(_CHANGE))
            yield Candidate("wrong_temporal", stop, stop, f" {wrong}" if is_tokenized(text) else wrong)
