"""Stretches that an image cannot support or that nobody asked for: comparisons, patient context, advice, meta text.

Each becomes a claim whose phrase may be deleted as it stands, with its leading space or comma. Written as patterns on
the text of one sentence; what cannot be deleted without breaking the sentence takes the whole sentence.
"""

import re
from typing import Literal, NamedTuple

AsideKind = Literal["comparison", "context", "recommendation", "meta_text"]


class Aside(NamedTuple):
    """Characters [start_char, end_char) of a sentence, leading space or comma included.

    Attributes:
        start_char: First character.
        end_char: Character after the last.
        kind: What it is.
        is_sentence: It is the whole sentence, which goes with the spaces before it.
    """

    start_char: int
    end_char: int
    kind: AsideKind
    is_sentence: bool = False


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which a space stands for any white space, and case does not count."""
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)


_STUDY = (
    r"(?:prior|previous|earlier|last|old|comparison|original) (?:\w+ ){0,3}?(?:stud(?:y|ies)|"
    r"exams?|examinations?|images?|imaging|scans?|x-?\s?rays?|radiographs?|films?|reports?|"
    r"findings|chest x-rays?|ct|observations?|visits?)\b"
)
_UNTIL = r"[^,.;]*"

_PARTS: tuple[tuple[AsideKind, str], ...] = (
    ("comparison", rf",? (?:when |as )?compared (?:to|with) (?:the |his |her |a |any )?{_STUDY}"),
    (
        "comparison",
        rf",? (?:since|from|relative to|in comparison (?:to|with)) (?:the |a |"
        rf"any )?{_STUDY}",
    ),
    ("comparison", r",? (?:since|compared (?:to|with)) (?:the )?(?:prior|previous)\b(?=\s*[,.;]|\s*$)"),
    ("comparison", r",? and (?:(?:is|are|remains?|appears?) )?(?:\w+ly )?(?:stable|unchanged)(?=\s*(?:[.,;]|$))"),
    (
        "comparison",
        r"(?:(?<=\bis\s)|(?<=\bare\s)|(?<=remain\s)|(?<=remains\s)|(?<=appear\s)|(?<=appears\s))"
        r"(?:\w+ly )?(?:stable|unchanged)(?: in (?:size|appearance|contour|configuration))?"
        rf"(?: (?:since|from|compared (?:to|with)) (?:the )?{_STUDY})?"
        r"(?=\s*(?:[.,;]|$))",
    ),
    (
        "comparison",
        r"\b(?:stable|unchanged)(?= (?:heart|cardiac|cardio ?mediastinal|mediastinal|mediastinum|hilar|osseous|bony) "
        r"(?:and (?:heart|cardiac|mediastinal|hilar) )?(?:size|silhouettes?|contours?|structures?)\b)",
    ),
    ("comparison", rf",? (?:a )?contrary to (?:the )?{_STUDY}"),
    (
        "comparison",
        r"(?<!\bis)(?<!\bare)(?<!remain)(?<!remains)(?<!appear)(?<!appears)(?<!\bbe)(?<!\band),? (?:\w+ly )?"
        r"(?:stable|unchanged|similar) "
        rf"(?:in|on|to|with|from|since) (?:the |a )?{_STUDY}",
    ),
    ("comparison", r" (?:once )?again(?= (?:seen|noted|demonstrated|identified|visualized|present|observed)\b)"),
    (
        "context",
        rf" (?:that was |which was )?(?:taken|obtained|performed|acquired|"
        rf"captured) (?:after|before|during|at the time|on (?:the )?(?:\d+|day|first|second|"
        rf"third|admission|postoperative)|\d+|for (?:a )?(?:patient|follow|evaluation)|"
        rf"as part of|from a patient|upon|following){_UNTIL}",
    ),
    (
        "context",
        rf" (?:after|before|following) (?:the |a |his |her |"
        rf"their )?(?:patient's )?(?:surg(?:ery|ical)|operation|procedure|treatment|"
        rf"admission){_UNTIL}",
    ),
    (
        "context",
        rf" of a (?:\d+[-\s]year[-\s]old )?(?:patient|man|woman|male|female|person|"
        rf"individual) (?:with|who) (?:a )?(?:history|has|had|is|was|known|presented|"
        rf"complain){_UNTIL}",
    ),
    (
        "context",
        rf",? (?:given|due to|based on|because of|"
        rf"considering) (?:the )?patient's (?:known )?(?:history|symptoms|age|clinical|medical|"
        rf"condition){_UNTIL}",
    ),
    (
        "recommendation",
        r",? (?:and|so|which) (?:immediate|urgent|further|prompt|additional|medical|"
        r"close)\s[^.;]*\b(?:warranted|recommended|required|needed|necessary|advised|"
        r"suggested)\b[^.;]*",
    ),
    (
        "recommendation",
        r",? (?:and |which |that )?(?:would |may |might )?(?:requires?|requiring|needs?|needing|"
        r"warrants?|warranting|necessitating|necessitates?) (?:immediate|further|urgent|prompt|"
        r"additional|medical|close)\s[^.;]*",
    ),
    (
        "recommendation",
        r",? (?:for|and) further (?:evaluation|investigation|testing|assessment|"
        r"diagnosis) and (?:treatment|management)",
    ),
)  # fmt: skip

_WHOLE: tuple[tuple[AsideKind, str], ...] = (
    (
        "comparison",
        r"\binterval (?:removal|placement|insertion|development|resolution|improvement|worsening|progression|increase|"
        r"decrease|clearing|extubation|intubation)\b",
    ),
    (
        "meta_text",
        r"\bas an ai\b|\blanguage model\b|\bi(?:'m| am) (?:sorry|unable|not able)|\bi (?:cannot|can't|"
        r"can not) (?:see|view|provide|determine|diagnose|analy[sz]e|access)",
    ),
    (
        "meta_text",
        r"\b(?:this|which|it|the answer|these?) (?:\w+ )?contradicts?\b|\boriginal (?:findings?|"
        r"answer|report|image description)\b|\bcandidate answers?\b|\bdispreferred\b|\bground truth\b|"
        r"\bthe (?:above|given|provided) (?:answer|description|report)\b",
    ),
    (
        "recommendation",
        r"\b(?:is|are|be|would be) (?:\w+ )?(?:recommended|advised|warranted|suggested|"
        r"advisable)\b",
    ),
    (
        "recommendation",
        r"\b(?:important|essential|crucial|advisable|necessary|recommended|best) to (?:consult|"
        r"seek|note|remember|consider|have|correlate|follow|perform|discuss|get)\b",
    ),
    (
        "recommendation",
        r"\b(?:please|should|must|recommend(?:ed)?|suggest|advise) (?:consult|seek|see|correlate|"
        r"be (?:further|evaluated|considered|followed|performed|correlated)|follow|"
        r"clinical correlation|xxxx for|further|a follow|ct|repeat|dedicated|correlation|"
        r"comparison)\b|^\W*(?:recommend|consider|correlate|suggest)\b",
    ),
    (
        "recommendation",
        r"\b(?:further|additional|immediate|urgent|prompt) (?:\w+ ){0,3}?(?:evaluation|"
        r"investigation|testing|tests|imaging|attention|assessment|intervention|workup|"
        r"analysis)\b[^.;]*\b(?:needed|required|necessary|warranted|recommended|indicated|help|"
        r"determine|confirm)\b",
    ),
    (
        "context",
        r"^\W*(?:the )?patient (?:has been|has|had|is|was) (?:a )?(?:(?:known|past|"
        r"prior) )?(?:history|undergone|admitted|diagnosed|presenting|complaining|scheduled|"
        r"being treated)",
    ),
)  # fmt: skip

_PART_PATTERNS = tuple((kind, _compile(pattern)) for kind, pattern in _PARTS)
_WHOLE_PATTERNS = tuple((kind, _compile(pattern)) for kind, pattern in _WHOLE)
_META_OPENING = _compile(
    r"^\W*(?:based (?:solely )?on|according to|from|given) the (?:(?:provided|given|presented) (?:\w+ ){0,2}?\w+|"
    r"(?:image|information|picture|question|data)s?(?: (?:provided|given|alone|you provided|shown|above))?),\s*"
)


def find_asides(sentence: str) -> list[Aside]:
    """Return the asides of one sentence, disjoint and in order of position."""
    found: list[Aside] = []
    opening = _META_OPENING.match(sentence)
    if opening:
        found.append(Aside(0, opening.end(), "meta_text"))
    for kind, pattern in _PART_PATTERNS:
        for match in pattern.finditer(sentence):
            aside = Aside(match.start(), match.end(), kind)
            if all(aside.end_char <= other.start_char or other.end_char <= aside.start_char for other in found):
                found.append(aside)
    rest = sentence
    for aside in found:
        rest = rest[: aside.start_char] + " " * (aside.end_char - aside.start_char) + rest[aside.end_char :]
    for kind, pattern in _WHOLE_PATTERNS:
        if pattern.search(rest):
            return [Aside(0, len(sentence), kind, is_sentence=True)]
    return sorted(found)
