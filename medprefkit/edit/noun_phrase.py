"""A finding's noun phrase in its sentence: where it begins, which of its words carry the concept, what it reads denied.

"clear evidence of a large left-sided pleural effusion" -> "evidence of a pleural effusion", to be put after "no".
"""

import re
from dataclasses import dataclass

from medprefkit.edit.words import COUNTING, DEFINITE, INDEFINITE, is_empty_under_no
from medprefkit.records import Attribute, Claim

_OF_PHRASE = re.compile(
    r"(?P<lead>(?:[\w-]+,?\s+){0,4})"
    r"(?P<noun>evidence|signs?|indications?|findings?|presence|existence|areas?|amounts?|degrees?|accumulations?|"
    r"presentations?|patterns?|manifestations?|features?|foci|focus|regions?|patches|collections?|development|"
    r"appearance|volumes?|levels?|cases?|suggestions?)\s+(?:of|for)\s+$",
    re.I,
)
_OF_INSIDE = re.compile(_OF_PHRASE.pattern.removesuffix("$"), re.I)
_CARRIES_NOTHING = frozenset(
    {"presentation", "pattern", "manifestation", "presence", "existence", "amount", "amounts", "degree", "degrees",
     "development", "appearance", "volume", "volumes", "level", "levels", "case", "cases"}
)  # fmt: skip
"""Nouns before "of" that only say that the thing is there: "no presence of X" is "no X"."""

_SHARED_NOUN = re.compile(
    r"(?:^|(?<!enlarged)(?<!normal)(?<!sized)\s)(?P<organ>heart|cardiac|mediastin(?:um|al)|lungs?|pulmonary|pleural|hilar|bony|osseous|"
    r"vascular|renal|hepatic)\s+(?:and|or)\s+$",
    re.I,
)
"""The first of two structures that share a noun: "cardiac and [mediastinal enlargement]"."""
_WORD_BEFORE = re.compile(r"([\w'-]+),?\s+$")
_BOTH = re.compile(
    r"(?P<in>\s+(?:in|of|on|throughout|within|at|involving|affecting|across)\s+)both\s+(?P<what>[\w-]+(?:\s+(?:fields|"
    r"zones|bases|lobes|hila|spaces|sides|apices|hemithoraces|lungs|angles))?)",
    re.I,
)
_UNCHANGED = re.compile(r"\s+(?:grossly\s+|overall\s+)?(?:stable|unchanged)(?=\s*(?:[.,;]|$))", re.I)
_ONE_SIDE = re.compile(r"\s+(?:present\s+)?(?:on|at)\s+(?:the\s+)?(?:left|right)(?:\s+side)?$|\s+bilaterally$", re.I)
_WITH_LOOKS = re.compile(r"^\s+with\s+[\w\s,-]*(?:edges?|margins?|borders?|contours?|density|appearance)$", re.I)
_SIDE_WORDS = frozenset({"left", "right"})
_PLACE_NEXT = re.compile(
    r"[\s-]+(?:upper|middle|lower|mid\w*|lung|lobe|base|basilar|apical|apex|hilar|perihilar|suprahilar|infrahilar|lingular)\b",
    re.I,
)
"""After a side: "left lower lobe" is one place, which stays true without the finding."""
_KEPT_KINDS = frozenset({"location"})
_KEPT_AGES = frozenset({"acute", "recent", "chronic", "old"})


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """One finding's noun phrase.

    Attributes:
        claim: The claim that it states.
        start: First character, determiner included.
        end: One past its last character, trailing place included.
        determiner: Its first word in lower case where that is a determiner, else empty.
        denied: What follows "no" when it is denied.
    """

    claim: Claim
    start: int
    end: int
    determiner: str
    denied: str


def noun_phrase(text: str, claim: Claim) -> NounPhrase:
    """Find the claim's noun phrase in `text`: what the detector marked, and what of it stands before that."""
    floor = claim.sentence.start_char
    start = _leftmost(text, claim.phrase.start_char, floor)
    of_noun, inner = "", start
    if (found := _OF_PHRASE.search(text, floor, start)) is not None:
        noun_start = found.start("noun")
        inner = start
        start = _leftmost(text, noun_start, floor)
        of_noun = text[noun_start:inner]
    elif (found := _OF_INSIDE.search(text[start : claim.span.start_char])) is not None:
        # the detector took "evidence of" into the phrase
        noun_start = start + found.start("noun")
        inner = start + found.end()
        of_noun = text[noun_start:inner]
    shared = _SHARED_NOUN.search(text, floor, start)
    if shared is not None and (of_noun or shared.end() != start or not _shares(text, shared, claim)):
        shared = None
    if shared is not None:
        inner, start = start, _leftmost(text, shared.start("organ"), floor)
    end = _rightmost(text, claim)
    first = re.match(r"\s*(?P<word>[\w'-]+)", text[start:end])
    word = first["word"].lower() if first else ""
    determiner = word if word in INDEFINITE | DEFINITE | COUNTING or word in {"one"} else ""
    denied = _denied(text, claim, of_noun, inner, end)
    if shared is not None:
        denied = f"{shared['organ'].lower()} or {denied}"
    return NounPhrase(claim, start, end, determiner, denied)


def _leftmost(text: str, start: int, floor: int) -> int:
    """Step over determiners and empty modifiers to the left."""
    while (found := _WORD_BEFORE.search(text, floor, start)) is not None and found.end() == start:
        word = found[1].lower()
        if word in INDEFINITE | DEFINITE:
            return found.start()
        if not is_empty_under_no(word) or word.endswith("ly"):
            break
        start = found.start()
    return start


def _rightmost(text: str, claim: Claim) -> int:
    end = claim.phrase.end_char
    stable = _UNCHANGED.match(text, end)
    if stable is not None:
        return stable.end()
    both = _BOTH.match(text, end)
    if both is not None and both.end() <= claim.sentence.end_char:
        return both.end()
    return end


def _denied(text: str, claim: Claim, of_noun: str, inner: int, end: int) -> str:
    concept_start, concept_end = claim.span.start_char, claim.span.end_char
    kept = _kept_modifiers(text, claim, min(inner, concept_start), concept_start, keep_article=bool(of_noun))
    head = _lowered(text[concept_start:concept_end])
    tail = _denied_tail(text[concept_end:end])
    lead = ""
    if of_noun and of_noun.split()[0].lower() not in _CARRIES_NOTHING:
        lead = of_noun.lower()
    elif kept and kept[0].lower() in INDEFINITE:
        kept = kept[1:]
    if kept and kept[0].lower() in {"a", "an"} and len(kept) == 1:
        kept = ["an" if head[:1].lower() in "aeiou" else "a"]
    return lead + " ".join([*kept, head]) + tail


def _shares(text: str, shared: re.Match[str], claim: Claim) -> bool:
    """Tell whether the noun is one that the structure before the coordinator lacks."""
    first = shared["organ"].lower()
    adjective = first.endswith(("al", "ac", "ary", "ar", "ony", "eous", "ic"))
    general = re.search(r"abnormalit|enlarge|change|contour|problem|issue|widening", claim.span.text, re.I) is not None
    return text[claim.span.start_char : claim.span.end_char].count(" ") > 0 and (general or adjective)


def _lowered(head: str) -> str:
    """Lower the capital that the head of a phrase had at the start of a sentence; "CABG" and "T12" keep theirs."""
    return head[0].lower() + head[1:] if head[:1].isupper() and head[1:2].islower() else head


def _kept_modifiers(text: str, claim: Claim, start: int, end: int, *, keep_article: bool) -> list[str]:
    kept: list[str] = []
    for found in re.finditer(r"[^\s,;]+", text[start:end]):
        word, at = found[0], start + found.start()
        lowered = word.lower()
        if lowered in INDEFINITE:
            if keep_article and lowered in {"a", "an"}:
                kept.append(word)
            continue
        if lowered in _SIDE_WORDS and _PLACE_NEXT.match(text, at + len(word)):
            kept.append(lowered)
            continue
        if lowered in DEFINITE | COUNTING or lowered in {"and", "or", "to"} or is_empty_under_no(word):
            continue
        if _dies(claim.attributes, at):
            continue
        kept.append(_lowered(word))
    return kept


def _dies(attributes: tuple[Attribute, ...], at: int) -> bool:
    """Tell whether the word at this character is an attribute that a denial of the whole thing must not keep."""
    for attribute in attributes:
        if attribute.span.start_char <= at < attribute.span.end_char:
            if attribute.kind in _KEPT_KINDS or attribute.kind == "descriptor":
                return False
            return not (attribute.kind == "temporal" and attribute.value in _KEPT_AGES)
    return False


def _denied_tail(tail: str) -> str:
    if _WITH_LOOKS.match(tail):
        return ""
    tail = _ONE_SIDE.sub("", _UNCHANGED.sub("", tail))
    tail = _BOTH.sub(_either, tail)
    return re.sub(r"\bone of the\b", "any of the", tail)


def _either(found: re.Match[str]) -> str:
    preposition = re.sub(r"throughout|across", "in", found["in"])
    return f"{preposition}either {_singular(found['what'])}"


def _singular(noun: str) -> str:
    for plural, singular in (("apices", "apex"), ("bases", "base"), ("hila", "hilum"), ("hemithoraces", "hemithorax")):
        if noun.endswith(plural):
            return noun[: -len(plural)] + singular
    return noun.removesuffix("s")
