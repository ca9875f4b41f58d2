"""A structure that was called normal and is not: it gets the reference's words, and those beside it stay normal.

"The heart is normal" -> "the heart is mildly enlarged"; "normal heart size and mediastinal contours" -> "mild
cardiomegaly and normal mediastinal contours".
"""

import re
from collections.abc import Sequence

from medprefkit.edit.change import Change, Refusal, change
from medprefkit.edit.clause import Predicate, has_verb, predicate_before
from medprefkit.edit.conjuncts import Said, Shared, part, shared_predicate
from medprefkit.edit.words import capitalised_like, is_plural, with_article
from medprefkit.lexicon import lexicon
from medprefkit.records import Claim, Verdict

_ADJECTIVE = re.compile(
    r"(?:(?:mildly|moderately|severely|markedly|slightly|borderline|somewhat|minimally|significantly|mild|moderate|"
    r"moderate|severe)\s+)?(?:enlarged|widened|tortuous|calcified|elevated|displaced|dilated|blunted|abnormal|prominent|"
    r"flattened|hyperinflated|hyperexpanded|engorged|congested|ectatic|atherosclerotic|shifted|deviated|obscured|"
    r"large|fractured|collapsed|thickened|osteopenic|demineralized|tortuous and calcified|calcified and tortuous)",
    re.I,
)
_ORGAN_SAID = re.compile(rf"(?:an?\s+|the\s+)?(?P<adjective>{_ADJECTIVE.pattern})\s+(?P<organ>[\w-]+)", re.I)
_CARDIOMEGALY = re.compile(
    r"(?P<degree>mild|moderate|severe|marked|borderline|massive|minimal|slight)?\s*(?:cardiomegaly|cardiac enlargement)"
)
_CONGESTION = re.compile(
    r"(?P<degree>mild|moderate|severe|marked|minimal|slight)?\s*(?:(?:central|pulmonary|vascular|venous)\s+)*congestion"
)
_NORMAL_PREDICATE = re.compile(
    r"(?:perfectly\s+|completely\s+|entirely\s+|grossly\s+)?(?:at\s+)?(?:(?:the\s+)?upper\s+limits?\s+of\s+)?"
    r"(?:normal(?:\s+(?:in|for)\s+(?:size|contour|appearance|caliber|shape)(?:\s+and\s+(?:size|contour|appearance|"
    r"caliber|shape|configuration))?)?|clear|unremarkable(?:\s+in\s+(?:size|contour|appearance)(?:\s+and\s+(?:size|contour|appearance))?)?|"
    r"within\s+normal\s+limits(?:\s+(?:in|for)\s+(?:size|contour|appearance)(?:\s+and\s+(?:size|contour|appearance|configuration))?)?|"
    r"intact|healthy|sharp)$",
    re.I,
)
_NORMAL_ATTRIBUTE = re.compile(
    r"(?P<article>an?\s+)?(?:\w+ly\s+)?(?P<word>normal|healthy|clear|unremarkable)(?=\s+(?!in\b|for\b|without\b|with\b|and\b)\w)",
    re.I,
)
_OTHER_ORGAN = re.compile(
    r"\s+and\s+(?P<other>(?:the\s+)?(?:mediastin|hilar|pulmonary|vascul|lung|heart|cardiac|osseous|bony|soft)\w*(?:\s+(?:contours?|"
    r"silhouettes?|structures?|vascularity|vasculature|size|markings?|fields?|tissues?|thorax))?)",
    re.I,
)
_DENIES_ACUTE = re.compile(r"(?P<no>no|without|negative\s+for)\b", re.I)
_THERE = re.compile(r"\bthere\s+(?P<verb>is|are)\s+$", re.I)
_VERB_AFTER = re.compile(r"(?P<space>\s+)(?P<verb>is|are)\b")
_UNNAMED = frozenset({"", "abnormal", "no"})
"""A reference that says that something is wrong but not what."""
_NOT_PLAIN = re.compile(r"\bxxxx\b", re.I)
"""A subject whose words were taken out."""
_COMPARING = re.compile(
    r"\b(?:persistent|stable|unchanged|worsening|worsened|improved|improving|increasing|again)\s+", re.I
)
"""Words of the reference that compare with a study that the answer's reader does not have."""
_MOST_WORDS = 9
_SHOW = {"singular": "shows", "plural": "show"}


def affirm_against_normal(
    text: str, claims: Sequence[Claim], verdicts: dict[str, Verdict], beside: Sequence[Claim]
) -> Change | Refusal:
    """Say what is abnormal of structures that one word called normal: "is normal" -> "is enlarged" or "shows ...".

    Args:
        text: The answer.
        claims: Wrong claims that share their words, one a structure.
        verdicts: What is wrong with each, by claim id.
        beside: Claims of the same words that are not wrong.
    """
    ids = tuple(c.claim_id for c in claims)
    claim, truth = claims[0], verdicts[claims[0].claim_id].truth
    if claim.concept.startswith("no_"):
        return _acute_after_all(text, claim, truth, ids)
    attributive = _NORMAL_ATTRIBUTE.match(claim.phrase.text)
    if attributive is not None:
        return _attributive(text, claim, truth, attributive, ids)
    found = _NORMAL_PREDICATE.search(text[claim.sentence.start_char : claim.phrase.end_char])
    if found is None:
        return Refusal(ids, f"{claim.phrase.text!r} is not a plain predicate")
    start = claim.sentence.start_char + found.start()
    organs = [organ for c in (*claims, *beside) for organ in c.anatomy]
    shared = shared_predicate(text, claim.sentence.start_char, start, claim.phrase.end_char, organs)
    if shared is not None:
        return _parted(text, claims, verdicts, shared, ids)
    if beside or len(claims) > 1:
        return Refusal(ids, f"{claim.phrase.text!r} is said of other structures too")
    return _whole(text, claim, truth, start, ids)


def _acute_after_all(text: str, claim: Claim, truth: str, ids: tuple[str, ...]) -> Change | Refusal:
    """Say what is there instead of "no acute process"."""
    start, end = claim.phrase.start_char, claim.phrase.end_char
    denied = _DENIES_ACUTE.match(claim.phrase.text)
    words = _COMPARING.sub("", truth.strip().rstrip("."))
    if denied is None or words.lower() in _UNNAMED or len(words.split()) > _MOST_WORDS or _NOT_PLAIN.search(words):
        return Refusal(ids, f"{words!r} cannot stand for {claim.phrase.text!r}")
    verb = has_verb(text, claim.sentence.start_char, claim.sentence.end_char)
    words = with_article(words) if verb else words
    predicate = predicate_before(text, claim.sentence.start_char, start)
    if predicate is not None:  # "the chest is without acute disease"
        return change(
            predicate.verb_start, end, f"{'show' if predicate.plural else 'shows'} {words}", ids, wrong=(start, end)
        )
    if denied["no"].lower() != "no":
        return change(start, end, f"{'with' if denied['no'].lower() == 'without' else 'positive for'} {words}", ids)
    made = capitalised_like(words, text[start])
    many = is_plural(words)
    wrong = (start, end)
    if (there := _THERE.search(text[claim.sentence.start_char : start])) is not None:
        first = claim.sentence.start_char + there.start("verb")
        fitting = "are" if many else "is"
        return change(
            start if there["verb"] == fitting else first,
            end,
            made if there["verb"] == fitting else f"{fitting} {made}",
            ids,
            wrong=wrong,
        )
    if (after := _VERB_AFTER.match(text, end)) is not None and (after["verb"] == "are") != many:
        return change(start, after.end(), f"{made}{after['space']}{'are' if many else 'is'}", ids, wrong=wrong)
    return change(start, end, made, ids)


def _whole(text: str, claim: Claim, truth: str, start: int, ids: tuple[str, ...]) -> Change | Refusal:
    """Turn a predicate of one structure that starts at `start`."""
    floor, end = claim.sentence.start_char, claim.phrase.end_char
    sentence = text[floor:end]
    predicate = predicate_before(text, floor, start)
    if predicate is None and not has_verb(text, floor, claim.sentence.end_char):
        predicate = Predicate(start, start, plural=False)  # "cardiac silhouette within normal limits ."
    if predicate is None:
        return Refusal(ids, f"{text[start:end]!r} does not follow a copula")
    if _NOT_PLAIN.search(sentence):
        return Refusal(ids, f"{sentence.strip()!r} is not plainly said of one structure")
    said = _said(truth, sentence)
    if isinstance(said, str):
        return Refusal(ids, said)
    if said.copular:
        return change(predicate.start, end, said.words, ids)
    if (wide := re.match(r"\s+(?:bilaterally|in\s+both\s+lungs)\b", text[end:])) is not None:
        end += wide.end()  # clear on both sides, which the finding need not be
    verb = "with" if predicate.verb_start == predicate.start else _SHOW["plural" if predicate.plural else "singular"]
    return change(predicate.verb_start, end, f"{verb} {with_article(said.words)}", ids)


def _parted(
    text: str, claims: Sequence[Claim], verdicts: dict[str, Verdict], shared: Shared, ids: tuple[str, ...]
) -> Change | Refusal:
    said: dict[str, Said] = {}
    for claim in claims:
        verdict = verdicts[claim.claim_id]
        organ = _organ_of(claim, verdict.truth, shared)
        if organ is None:
            return Refusal(ids, f"which part of {' and '.join(shared.pieces)!r} is wrong is not certain")
        piece = next((p for p in shared.pieces if _names(p, organ)), "")
        if _NOT_PLAIN.search(piece):
            return Refusal(ids, f"{piece!r} is not plainly one structure")
        words = _said(verdict.truth, piece)
        if isinstance(words, str):
            return Refusal(ids, words)
        said[organ] = words if words.copular else Said(with_article(words.words), copular=False)
    made = part(shared, said, ids)
    if isinstance(made, Refusal):
        return made
    return change(made.start, made.end, capitalised_like(made.replacement, text[made.start]), ids)


def _organ_of(claim: Claim, truth: str, shared: Shared) -> str | None:
    """Return the structure that is wrong: the claim's own, or of a pair with one name that of the finding."""
    own = [organ for organ in claim.anatomy if any(_names(piece, organ) for piece in shared.pieces)]
    if len(own) == 1:
        return own[0]
    heart = _CARDIOMEGALY.search(truth.lower()) is not None or re.search(r"\b(?:heart|cardiac)\b", truth, re.I)
    return "heart" if heart and not own else None


def _names(piece: str, organ: str) -> bool:
    row = lexicon().concepts.get(organ)
    names = (row.name, *row.synonyms) if row is not None else (organ,)
    return re.search(rf"\b(?:{'|'.join(map(re.escape, names))})\b", piece, re.I) is not None


def _attributive(
    text: str, claim: Claim, truth: str, attributive: re.Match[str], ids: tuple[str, ...]
) -> Change | Refusal:
    """Turn "a normal heart", and part "normal heart size and mediastinal contours"."""
    start, end = claim.phrase.start_char, claim.phrase.end_char
    size = _CARDIOMEGALY.fullmatch(_COMPARING.sub("", truth).lower())
    if (other := _OTHER_ORGAN.match(text, end)) is not None:
        if size is None:
            return Refusal(ids, f"{claim.phrase.text!r} is said of another structure too")
        words = f"{_COMPARING.sub('', truth.lower())} and normal {other['other']}"
        return change(start, other.end(), capitalised_like(words, text[start]), ids, wrong=(start, end))
    floor, ceiling = claim.sentence.start_char, claim.sentence.end_char
    alone = not text[floor:start].strip() and not text[end:ceiling].strip(" .")
    if attributive["word"].lower() == "clear" and alone:  # "clear lungs ." gives way to what is there
        words = _COMPARING.sub("", truth.strip().rstrip("."))
        if words.lower() in _UNNAMED or _NOT_PLAIN.search(words) or not 1 < len(words.split()) <= _MOST_WORDS:
            return Refusal(ids, f"{words!r} cannot stand for {claim.phrase.text!r}")
        return change(start, end, capitalised_like(words, text[start]), ids)
    article = attributive["article"]
    stop = start + attributive.end()
    if size is not None and "size" in claim.phrase.text:
        first = start if article else start + (attributive.end() - len(attributive["word"]))
        return change(first, stop, capitalised_like(f"{'an ' if article else ''}enlarged", text[first]), ids)
    return change(start, stop, capitalised_like(f"{'an ' if article else ''}abnormal", text[start]), ids)


def _said(truth: str, subject: str) -> Said | str:
    """Return what is to be said of the subject by the reference's words, or why that is not certain."""
    if truth.lower() in _UNNAMED:
        return Said("abnormal", copular=True)
    words = _COMPARING.sub("", truth.strip().rstrip("."))
    if _ADJECTIVE.fullmatch(words):
        return Said(words.lower(), copular=True)
    if (said := _ORGAN_SAID.fullmatch(words)) is not None and said["organ"].lower()[:4] in subject.lower():
        return Said(said["adjective"].lower(), copular=True)
    for organ, noun, adjective in (
        ("heart|card", _CARDIOMEGALY, "enlarged"),
        ("vascul|vessel", _CONGESTION, "congested"),
    ):
        if re.search(organ, subject, re.I) and (found := noun.fullmatch(words.lower())) is not None:
            degree = found["degree"]
            adverb = "borderline " if degree == "borderline" else f"{degree}ly " if degree else ""
            return Said(f"{adverb}{adjective}", copular=True)
    words = _without_subject(words, subject)
    if words.split()[-1].lower() in subject.lower().split():
        return f"{words!r} would name its subject twice"
    if len(words.split()) > _MOST_WORDS or re.search(r"[.;:]|\b(?:is|are|was|were|which|that)\b", words):
        return f"the reference's words {words!r} do not fit after the subject"
    return Said(capitalised_like(words, "x") if words[:2].istitle() or words[0].isupper() else words, copular=False)


def _without_subject(words: str, subject: str) -> str:
    """Drop what the subject says already: a spine shows "degenerative changes", not "spine degenerative changes"."""
    said = set(re.findall(r"[a-z]+", subject.lower())) - {"the", "a", "an", "of", "and", "in"}
    pieces = words.split()
    kept = [w for k, w in enumerate(pieces) if w.lower() not in said or k == len(pieces) - 1]
    return " ".join(kept)
