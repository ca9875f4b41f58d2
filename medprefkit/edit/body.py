"""The body of a yes/no answer, turned with its first word: the verb is denied or affirmed, and the rest stays.

Also turns statements about organs, planes and modalities, which have no "no" of their own ("contains the kidneys").
"""

import re
from collections.abc import Sequence

from medprefkit.edit.change import Change, Refusal, change
from medprefkit.edit.clause import VerbFlip, affirm_verb, deny_verb, last_verb, predicate_before
from medprefkit.edit.words import capitalised_like, with_article
from medprefkit.records import Claim

_THERE_IS = re.compile(
    r"(?P<keep>\bthere\s+(?:is|are|was|were)\s+)(?P<lead>(?:(?:clear|some|any|an?|multiple|several|significant|obvious|visible|"
    r"large|small|strong)\s+)+)",
    re.I,
)
_THERE_IS_NO = re.compile(
    r"(?P<keep>\bthere\s+(?:is|are|was|were)\s+)(?P<no>no\s+(?:visible\s+|clear\s+|apparent\s+)?)", re.I
)
_COPULA = re.compile(r"\b(?:is|are|was|were|appears\s+to\s+be|appear\s+to\s+be)\s+$", re.I)
_NOT = re.compile(r"\bnot\s+$", re.I)
_ABNORMAL = re.compile(r"(?:\w+ly\s+)?abnormal$", re.I)
_ANY = re.compile(r"\s+any\s+(?P<noun>[\w-]+(?:\s+(?!in\b|of\b|on\b|that\b|at\b|or\b|and\b|which\b)[\w-]+){0,3})", re.I)
_ABNORMAL_ATTRIBUTE = re.compile(r"(?P<article>an?\s+)?(?:\w+ly\s+|very\s+)*abnormal(?=\s+\w)", re.I)
_STOP = frozenset(
    {"a", "an", "the", "is", "are", "was", "were", "be", "been", "do", "does", "did", "can", "could", "will",
     "would", "has", "have", "had", "this", "that", "these", "those", "there", "in", "on", "at", "of", "to",
     "for", "from", "with", "by", "and", "or", "any", "some", "it", "its", "image", "picture", "scan",
     "shown", "seen", "see", "show", "shows", "you", "please"}
)  # fmt: skip
_SUBJECT_OF = re.compile(r"\s+(?:is|are|was|were|can|appears?|exists?)\b", re.I)
_PREDICATE_WORDS = 4
_NEGATIVES = re.compile(r"\b(?:not|no|cannot|without|nor|neither)\b|n't\b", re.I)
_RESTATED_SHARE = 0.6
_SENTENCE = re.compile(r"[.!?;](?=\s|$)")


def flip_body(text: str, claim: Claim, claims: Sequence[Claim], truth: str) -> Change | Refusal:
    """Turn a statement that is neither a finding nor an affirmed normality.

    Args:
        text: The answer.
        claim: The statement.
        claims: All claims of the answer; none may stand between the verb and the statement.
        truth: The reference's words, for a structure that is normal after all.
    """
    ids = (claim.claim_id,)
    start, end = claim.phrase.start_char, claim.phrase.end_char
    floor = claim.sentence.start_char
    if claim.kind == "normality":
        return _normal_after_all(text, claim, truth)
    if claim.polarity == "denied":
        flip = affirm_verb(text, floor, end, last=True)
        if flip is None:
            flip = affirm_verb(text, end, claim.sentence.end_char)
            if flip is not None and text[end : flip.start].strip():
                flip = None  # the verb is another's
            return (
                Refusal(ids, f"the words that deny {claim.span.text!r} are not known")
                if flip is None
                else change(flip.start, flip.end, flip.replacement, ids)
            )
        if _between(claims, flip.end, start, claim):
            return Refusal(ids, f"the words that deny {claim.span.text!r} are not known")
        return _without_any(text, flip, ids)
    if _COPULA.search(text[floor:start]) is not None:
        return change(start, end, f"not {claim.phrase.text}", ids)
    if (after := _SUBJECT_OF.match(text, end)) is not None:
        flip = deny_verb(text, end, after.end())
        if flip is not None and not text[end : flip.start].strip():
            return change(flip.start, flip.end, flip.replacement, ids)
    verb = last_verb(text, floor, start)
    if verb is None or _between(claims, verb.end, start, claim):
        return Refusal(ids, f"the verb that governs {claim.phrase.text!r} is not certain")
    return change(verb.start, end, f"{verb.replacement}{text[verb.end : end]}", ids)


def flip_restated(
    text: str, question: Claim, claims: Sequence[Claim], prompt: str, truth: str
) -> Change | Refusal | None:
    """Turn the body's main verb, or return None where there is no body.

    Args:
        text: The answer.
        question: Its yes/no claim, which is wrong.
        claims: All claims of the answer.
        prompt: The question.
        truth: "Yes" or "No", whichever is right.
    """
    ids = (question.claim_id,)
    start = question.span.end_char
    stop = found.start() if (found := _SENTENCE.search(text, start)) else len(text)
    body = text[start:stop]
    if not re.search(r"\w", body):
        return None
    if not _restates(body, prompt):
        return Refusal(ids, "the body gives a reason that cannot be turned with the first word")
    if not _only_glosses(text, stop, claims):
        return Refusal(ids, "further sentences rest on the first word")
    if truth.lower() == "no":
        return _deny(text, start, stop, ids)
    if len(_NEGATIVES.findall(body)) > 1:
        return Refusal(ids, "the body denies more than one thing")
    return _affirm(text, start, stop, ids)


def _deny(text: str, start: int, stop: int, ids: tuple[str, ...]) -> Change | Refusal:
    if (there := _THERE_IS.search(text[start:stop])) is not None:
        at = start + there.start("lead")
        return change(at, start + there.end("lead"), "no ", ids)
    flip = deny_verb(text, start, stop)
    if flip is None:
        return Refusal(ids, "the verb of the body is not known")
    # the predicate is what is wrong, not its verb alone; a long one is not
    predicate = re.match(r"[^,;:]*", text[flip.end : stop])
    rest = predicate[0] if predicate is not None and len(predicate[0].split()) <= _PREDICATE_WORDS else ""
    return change(flip.start, flip.end + len(rest), f"{flip.replacement}{rest}", ids)


def _affirm(text: str, start: int, stop: int, ids: tuple[str, ...]) -> Change | Refusal:
    if (there := _THERE_IS_NO.search(text[start:stop])) is not None:
        at = start + there.start("no")
        rest = text[start + there.end("no") : stop]
        noun = re.split(r"[,.;]|\b(?:in|on|of|at|present|seen|visible|near)\b", rest)[0].strip()
        article = with_article(noun).removesuffix(noun) if noun else ""
        if " or " in noun or not noun:
            return Refusal(ids, "the body denies more than one thing")
        return change(at, at + len(there["no"]) + len(noun), f"{article}{noun}", ids)
    flip = affirm_verb(text, start, stop)
    if flip is None:
        return Refusal(ids, "the verb of the body is not known")
    return _without_any(text, flip, ids)


def _without_any(text: str, flip: VerbFlip, ids: tuple[str, ...]) -> Change:
    """Affirm the verb, and its "any" with it: "does not show any mass" -> "shows a mass"."""
    found = _ANY.match(text, flip.end)
    if found is None:
        return change(flip.start, flip.end, flip.replacement, ids)
    noun = found["noun"].strip()
    article = with_article(noun).removesuffix(noun)
    return change(flip.start, found.start("noun"), f"{flip.replacement} {article}", ids)


def _normal_after_all(text: str, claim: Claim, truth: str) -> Change | Refusal:
    """Take back "not clear" and "abnormal"."""
    ids = (claim.claim_id,)
    floor, start, end = claim.sentence.start_char, claim.span.start_char, claim.phrase.end_char
    if (denied := _NOT.search(text[floor:start])) is not None:
        at = floor + denied.start()
        return change(at, end, text[start:end], ids)
    if (attributive := _ABNORMAL_ATTRIBUTE.match(claim.phrase.text)) is not None:
        at = claim.phrase.start_char
        words = capitalised_like(f"{'a ' if attributive['article'] else ''}normal", text[at])
        return change(at, at + attributive.end(), words, ids)
    if (abnormal := _ABNORMAL.search(text[floor:end])) is not None:
        at = floor + abnormal.start()
        predicate = predicate_before(text, floor, at)
        at = predicate.start if predicate is not None else at
        return change(at, end, truth if truth in {"unremarkable", "clear"} else "normal", ids)
    flip = affirm_verb(text, floor, end)
    if flip is None:
        return Refusal(ids, f"the words that deny {claim.span.text!r} are not known")
    return change(flip.start, flip.end, flip.replacement, ids)


def _only_glosses(text: str, stop: int, claims: Sequence[Claim]) -> bool:
    """Tell whether nothing but definitions comes after the first sentence."""
    after = [c for c in claims if c.span.start_char >= stop]
    return not re.search(r"\w", text[stop:]) or (bool(after) and all(c.role == "definition" for c in after))


def _between(claims: Sequence[Claim], start: int, end: int, claim: Claim) -> bool:
    return any(start <= c.span.start_char < end for c in claims if c is not claim)


def _restates(body: str, prompt: str) -> bool:
    """Tell whether the body repeats most of the question's content words, by their first letters."""
    asked = {_stem(w) for w in re.findall(r"[a-z]+", prompt.lower()) if w not in _STOP}
    said = {_stem(w) for w in re.findall(r"[a-z]+", body.lower())}
    return bool(asked) and len(asked & said) / len(asked) >= _RESTATED_SHARE


def _stem(word: str) -> str:
    return word[:5]
