"""A report in other words that say the same: what a checker must not call wrong.

Sentences change places and frames ("no X is seen", "X is absent"), words give way to synonyms and abbreviations. Knows
no lexicon and no stage, so that it shares no mistake with what it measures.

Source: the paraphrase tests of language-model behaviour (CheckList's invariance tests, Ribeiro et al. 2020). Differs:
rewordings are of radiology's own and leave every statement, its polarity and its attributes as they were.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

_SENTENCE = re.compile(r"[^.!?\n]+(?:\.(?=\d)[^.!?\n]+)*[.!?]*")
_LEANS_BACK = re.compile(
    r"\s*(?:this|these|those|it|they|such|however|otherwise|also|additionally|again|same|remaining|remainder|other|"
    r"although|but|and|comparison|note|the (?:other|same|remaining|above|remainder|mass|nodule|opacity|lesion|fracture|"
    r"appearance|finding)s?)\b",
    re.I,
)
"""A sentence that speaks of the one before it."""
_LABELLED = re.compile(r"\s*(?:\d+\s*[.)]|[A-Z]\s*\.|dr\b|[a-z]\s*\.)", re.I)
"""The number of a list's item, or a piece of an abbreviation."""
_SWAPS: Final = tuple(
    tuple(words.strip() for words in row.split("|"))
    for row in """
    pleural effusion | effusion
    pleural effusions | effusions
    cardiac silhouette | heart silhouette
    heart size | cardiac size
    osseous structures | bony structures
    osseous abnormality | bony abnormality
    osseous abnormalities | bony abnormalities
    left lower lobe | LLL
    right lower lobe | RLL
    right upper lobe | RUL
    left upper lobe | LUL
    right middle lobe | RML
    mediastinal contours | mediastinal silhouette
    thoracic spine | T-spine
    pneumothorax | PTX
    congestive heart failure | CHF
    chronic obstructive pulmonary disease | COPD
    x-ray | radiograph
    pulmonary nodule | lung nodule
    pulmonary nodules | lung nodules
    pulmonary vasculature | pulmonary vascularity
    airspace disease | air space disease | airspace opacity
    atelectasis | atelectatic change
    within normal limits | normal
    cardiomegaly | cardiac enlargement
    degenerative changes | degenerative change
    calcified granuloma | granuloma that is calcified
    bilaterally | on both sides
    cardiopulmonary disease | cardiopulmonary process | cardiopulmonary abnormality
    no evidence of | no sign of | no
    mild | slight
    identified | seen | noted | visualized
    enlarged | increased in size
    scoliosis | scoliotic curvature
    pulmonary edema | lung edema
    is unremarkable | is normal
    are unremarkable | are normal
    tortuous aorta | tortuosity of the aorta
    central venous catheter | central line
    """.strip().splitlines()
)
"""Each of a row may stand for each other one of it, as radiologists use them."""
_OTHER_EFFUSION = re.compile(r"\b(?:pericardial|joint|knee|elbow|ankle|hip)\b", re.I)
_LISTED = (
    r"(?:(?!\b(?:is|are|was|were|has|have|seen|no|not|but|which|that|without|to|or|and|in|on|of|at|there)\b)"
    r"[\w-]+\s?){1,4}"
)
_NONE = re.compile(
    rf"(?P<lead>\s*)(?:there (?:is|are) no|no) (?P<what>{_LISTED}(?:(?:, )(?:or )?{_LISTED})*(?:(?:,? or ){_LISTED})?)"
    r"(?: (?:is|are) (?:seen|identified|noted|present))?(?P<end>\s*\.?\s*)",
    re.I,
)
_THERE = re.compile(
    rf"(?P<lead>\s*)there (?P<be>is|are) (?P<what>(?!no\b|some\b|also\b)(?:an? )?{_LISTED})"
    r"(?P<rest>(?: (?:in|of|at) [\w\s-]+?)?)(?P<end>\s*\.\s*)",
    re.I,
)
_NORMAL = re.compile(
    r"(?P<lead>\s*)(?:the )?"
    r"(?P<organ>heart|lungs|mediastinum|aorta|cardiomediastinal silhouette|pulmonary vasculature) "
    r"(?P<be>is|are) (?P<what>normal|clear|unremarkable|enlarged)(?P<end>\s*\.\s*)",
    re.I,
)
_SIZE = re.compile(r"(?P<lead>\s*)(?:the )?heart (?:size )?is normal(?: in size)?(?P<end>\s*\.\s*)", re.I)
_REWORDED_SHARE = 0.6


def reword(text: str, rng: np.random.Generator) -> str:
    """Return the report in other words; the text itself where nothing in it is known to have any.

    Args:
        text: A report.
        rng: Chooses the words, the frames and the order of the sentences.
    """
    return "\n".join(_reworded_line(line, rng) for line in text.splitlines())


def _reworded_line(line: str, rng: np.random.Generator) -> str:
    sentences = [_reworded(found[0], rng) for found in _SENTENCE.finditer(line)]
    if not any(_LEANS_BACK.match(sentence) or _LABELLED.match(sentence) for sentence in sentences):
        stopped = [s if s.rstrip().endswith((".", "!", "?")) else f"{s.rstrip()}." for s in sentences]
        sentences = [stopped[k] for k in rng.permutation(len(stopped))] if len(stopped) > 1 else sentences
    spaced = [sentence if k == 0 or sentence[:1].isspace() else f" {sentence}" for k, sentence in enumerate(sentences)]
    return "".join(spaced).strip()


def _reworded(sentence: str, rng: np.random.Generator) -> str:
    for frame in _FRAMES:
        if rng.random() < _REWORDED_SHARE and (made := frame(sentence, rng)) is not None:
            sentence = made
            break
    for swap in _SWAPS:
        sentence = _swapped(sentence, swap, rng)
    return sentence


def _swapped(sentence: str, row: Sequence[str], rng: np.random.Generator) -> str:
    if "effusion" in row[0] and _OTHER_EFFUSION.search(sentence):
        return sentence
    for words in row:
        found = re.search(rf"(?<![\w-]){re.escape(words)}(?![\w-])", sentence, re.I)
        if found is None:
            continue
        if rng.random() >= _REWORDED_SHARE:
            return sentence
        other = str(rng.choice([word for word in row if word != words]))
        fitted = other[0].upper() + other[1:] if found[0][0].isupper() and not other[:2].isupper() else other
        before = re.sub(r"\b(a|an)(\s+)$", _Article(other), sentence[: found.start()], flags=re.I)
        return before + fitted + sentence[found.end() :]
    return sentence


class _Article:
    """Gives "a" or "an" the form that the word after it asks for."""

    def __init__(self, word: str) -> None:
        self._fitting = "an" if word[0] in "aeiouAEIOULRF" and not word.startswith("un") else "a"
        if word[0] in "lrf":
            self._fitting = "a"

    def __call__(self, found: re.Match[str]) -> str:
        return (self._fitting.capitalize() if found[1][0].isupper() else self._fitting) + found[2]


def _deny(sentence: str, rng: np.random.Generator) -> str | None:
    found = _NONE.fullmatch(sentence)
    if found is None:
        return None
    what, lead, end = found["what"].strip(), found["lead"], found["end"]
    both = re.split(r",? or ", what)
    many = " or " in what or what.endswith("s")
    be = "are" if many else "is"
    frames = [f"no {what} {be} seen", f"there {be} no {what}", f"negative for {what}", f"no {what}",
              f"there is no evidence of {what}"]  # fmt: skip
    if " or " not in what and "," not in what:
        frames += [f"{what} {be} absent", f"{what} {be} not seen"]
    elif len(both) == 2 and "," not in what:
        frames.append(f"neither {both[0]} nor {both[1]} is seen")
    return lead + _cased(str(rng.choice(frames)), sentence) + end


def _affirm(sentence: str, rng: np.random.Generator) -> str | None:
    found = _THERE.fullmatch(sentence)
    if found is None:
        return None
    what, rest, be = found["what"].strip(), found["rest"], found["be"].lower()
    frames = [
        f"{what} {be} seen{rest}",
        f"{what}{rest} {be} present",
        f"{what}{rest} {be} noted",
        f"the image shows {what}{rest}",
    ]
    return found["lead"] + _cased(str(rng.choice(frames)), sentence) + found["end"]


def _call(sentence: str, rng: np.random.Generator) -> str | None:
    found = _NORMAL.fullmatch(sentence)
    if found is None:
        return None
    organ, be, what = found["organ"].lower(), found["be"].lower(), found["what"].lower()
    frames = [
        f"{what} {organ}",
        f"the {organ} appear{'s' if be == 'is' else ''} {what}",
        f"{organ} {what}",
        f"the {organ} {be} {what}",
    ]
    return found["lead"] + _cased(str(rng.choice(frames)), sentence) + found["end"]


def _size(sentence: str, rng: np.random.Generator) -> str | None:
    found = _SIZE.fullmatch(sentence)
    if found is None:
        return None
    frames = ["heart size is normal", "the heart is normal in size", "normal heart size", "the heart is of normal size",
              "the heart is not enlarged", "heart size is within normal limits"]  # fmt: skip
    return found["lead"] + _cased(str(rng.choice(frames)), sentence) + found["end"]


def _cased(words: str, original: str) -> str:
    return words[0].upper() + words[1:] if original.strip()[:1].isupper() else words


_FRAMES: Final[tuple[Callable[[str, np.random.Generator], str | None], ...]] = (_size, _call, _deny, _affirm)
