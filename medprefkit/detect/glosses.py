"""Stretches that explain a term or speak of images in general, and say nothing of this patient.

"A pleural effusion is an abnormal accumulation of fluid", "..., which is a collapsed lung", "normal chest X-rays
typically show ...", "such as" lists of a general sentence. Every claim inside carries the role `definition`.
"""

from medprefkit.detect.tokens import Words
from medprefkit.detect.words import GENERAL_ADVERBS, SEEN, bag

Subject = tuple[int, int, str]
"""Tokens [start, end) that name something, and its kind."""

_ARTICLES = frozenset({"a", "an", "the"})
_INDEFINITE = frozenset({"a", "an"})
_BE = frozenset({"is", "are"})
_KINDS = bag("""condition conditions disease diseases disorder term type kind form abnormal accumulation collection
    buildup accumulations substances infection inflammation medical imaging procedure technique plane planes muscle
    organ organs part region process state situation presence layer type accumulation enlargement collapse result lesion
    growth structure central compartment device line abnormalities areas used known defined characterized called
    referred caused another small fluid tissue air cavity lung space mass one when where typically usually commonly
    often""")
_TERMS = bag("condition disease disorder term type accumulation collection buildup inflammation infection")
_SPECIFIC = bag("""located seen visible present causing consistent compatible likely also noted suggestive measuring
    evident not significantly clearly larger smaller most in on at within concerning indicating indicative displaced
    being""")
_GENERAL_VERBS = frozenset({"refers", "occurs", "involves", "describes"})
_THIS = frozenset({"this", "these", "there", "it", "image", "patient"})
_CAUSING = {(m, v) for m in ("can", "may", "could") for v in ("cause", "lead", "result", "occur")} | {("can", "be")}
_RESUMING = bag("and with along as indicating suggesting")


def find_glosses(words: Words, sentence: tuple[int, int], subjects: list[Subject]) -> list[tuple[int, int]]:
    """Return the explaining stretches of one sentence as ranges of tokens, in order."""
    first, last = sentence
    if _is_general(words, sentence, subjects):
        return [sentence]
    found: list[tuple[int, int]] = []
    for i in range(first + 1, last - 1):
        if words.lower[i] == "which" and _explains(words, i + 1, last):
            found.append((i, _end_of_gloss(words, i + 1, last)))
        elif words.lower[i] == "(" and words.lower[i + 1] in _INDEFINITE:
            found.append((i, _closing(words, i, last)))
        elif words.lower[i : i + 3] == ("also", "known", "as") or words.lower[i : i + 3] == ("referred", "to", "as"):
            found.append((i, _end_of_gloss(words, i, last)))
    return found


def _is_general(words: Words, sentence: tuple[int, int], subjects: list[Subject]) -> bool:
    first, last = sentence
    inside = words.lower[first:last]
    if "term" in inside[:2] or _is_about_causes(inside):
        return True
    subject = next((s for s in subjects if first <= s[0] <= first + 3), None)
    if subject is None:
        return False
    verb = next((i for i in range(subject[1], min(subject[1] + 9, last)) if _opens_definition(words, i)), None)
    if verb is None or any(word in {"this", "these"} for word in words.lower[first : subject[0]]):
        return _general_adverb(words, subject, last, first)
    starts = words.lower[first : subject[0]]
    named_by_article = not starts or set(starts) <= {"a", "an"} or (subject[2] in {"view_plane", "modality", "organ"})
    plain = subject[2] in {"finding", "view_plane", "device", "modality"} or (
        subject[2] == "organ" and "the" in starts and not _speaks_of_image(words, sentence)
    )
    if "image" in starts or "picture" in starts or not plain:
        return _general_adverb(words, subject, last, first)
    verb_word = words.lower[verb]
    if verb_word in _GENERAL_VERBS:
        return True
    if subject[2] == "organ" and words.lower[verb + 1 : verb + 2] and words.lower[verb + 1] not in _ARTICLES:
        return False
    if starts == ("the",) and subject[2] == "finding":  # "The mass is a ..." may be about this patient
        kinds = words.lower[verb + 1 : min(verb + 4, last)]
        return bool(kinds) and kinds[0] in _ARTICLES and bool(_TERMS.intersection(kinds))
    return (named_by_article or starts == ("the",)) and _explains(words, verb, last)


def _is_about_causes(inside: tuple[str, ...]) -> bool:
    """Tell whether a sentence lists what a finding may come from or lead to: "It can be caused by ..."."""
    if inside[:3] == ("the", "presence", "of") and inside[3:4] and inside[3] in _INDEFINITE:
        return "can" in inside[:10] or "may" in inside[:10]
    pronoun = bool(inside) and inside[0] in {"it", "they", "this", "these", "such"}
    return pronoun and inside[1:3] in _CAUSING and inside[3:4] not in {(word,) for word in SEEN}


def _speaks_of_image(words: Words, sentence: tuple[int, int]) -> bool:
    return bool({"image", "picture", "scan", "seen", "visible", "shown", "x"} & set(words.lower[slice(*sentence)]))


def _general_adverb(words: Words, subject: Subject, last: int, first: int) -> bool:
    """Tell whether a sentence speaks of a kind: "a normal chest x-ray typically shows", "chest x-rays are used to"."""
    if words.lower[first] in _THIS or "this" in words.lower[first : subject[0]]:
        return False
    window = words.lower[subject[1] : min(subject[1] + 5, last)]
    adverb = any(word in GENERAL_ADVERBS for word in window)
    caused = any(
        window[k : k + 2] == ("can", v)
        for k in range(len(window))
        for v in ("be", "cause", "lead", "result", "occur", "help")
    )
    article = words.lower[first] in _INDEFINITE or subject[0] == first
    specific = any(word in {"seen", "visible", "visualized", "observed", "identified"} for word in window)
    return article and (adverb or caused) and not specific


def _opens_definition(words: Words, i: int) -> bool:
    return words.lower[i] in _BE or words.lower[i] in _GENERAL_VERBS


def _explains(words: Words, i: int, last: int) -> bool:
    """Tell whether "is a collection of", "refers to", "are abnormal substances" begins at token i."""
    if i + 1 >= last:
        return False
    word = words.lower[i]
    if word in _GENERAL_VERBS:
        return True
    if word in {"can", "may"}:
        seen = i + 2 < last and words.lower[i + 2] in SEEN | {"located", "due"}
        return words.lower[i : i + 2] in _CAUSING and not seen
    if word not in _BE:
        return False
    j = i + 1
    if words.lower[j] in _SPECIFIC:
        return False
    if words.lower[j] in _KINDS and words.lower[j] not in _INDEFINITE:
        return True
    return words.lower[j] in _ARTICLES and j + 1 < last


def _end_of_gloss(words: Words, i: int, last: int) -> int:
    """Return the end of a relative clause: the sentence's, or a comma behind which the sentence goes on."""
    for j in range(i, last - 1):
        resumed = words.lower[j] == "," and words.lower[j + 1] in _RESUMING and _resumes(words, j + 1, last)
        if words.lower[j] == ";" or resumed:
            return j
        if words.lower[j] == "," and words.lower[j + 1] in {"is", "are", "in", "on"}:
            return j
    return last


def _resumes(words: Words, i: int, last: int) -> bool:
    after = words.lower[i + 1 : min(i + 4, last)]
    return bool(after) and (
        after[0] in {"a", "an", "the", "there", "evidence", "multiple", "that", "no"}
        or words.lower[i] in {"with", "along", "as"}
    )


def _closing(words: Words, i: int, last: int) -> int:
    return next((j + 1 for j in range(i, last) if words.lower[j] == ")"), last)
