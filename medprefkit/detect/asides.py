"""Stretches that an image cannot support or that nobody asked for: comparisons, patient context, advice, meta text.

Each becomes a claim whose phrase may be deleted as it stands, with its leading space or comma. Written as patterns on the
text of one sentence; what cannot be deleted without breaking the sentence takes the whole sentence.
"""

import re
from typing import Literal, NamedTuple

AsideKind = Literal["comparison", "context", "recommendation", "meta_text"]


class Aside(NamedTuple):
    """Characters [start_char, end_char) of the text, leading space or comma included."""

    start_char: int
    end_char: int
    kind: AsideKind


_STUDY = r"(?:prior|previous|earlier|last|old|comparison|original)\s+(?:\w+\s+){0,3}?(?:stud(?:y|ies)|exams?|examinations?|images?|imaging|scans?|x-?\s?rays?|radiographs?|films?|reports?|findings|chest\s+x-rays?|ct|observations?|visits?)"
_UNTIL = r"[^,.;]*"

_PARTS: tuple[tuple[AsideKind, str], ...] = (
    ("comparison", rf",?\s+(?:when\s+|as\s+)?compared\s+(?:to|with)\s+(?:the\s+|his\s+|her\s+|a\s+|any\s+)?{_STUDY}"),
    ("comparison", rf",?\s+(?:since|from|relative\s+to|in\s+comparison\s+(?:to|with))\s+(?:the\s+|a\s+|any\s+)?{_STUDY}"),
    ("comparison", r",?\s+(?:since|compared\s+(?:to|with))\s+(?:the\s+)?(?:prior|previous)\b(?=\s*[,.;]|\s*$)"),
    ("comparison", rf",?\s+(?:a\s+)?contrary\s+to\s+(?:the\s+)?{_STUDY}"),
    ("context", rf"\s+(?:that\s+was\s+|which\s+was\s+)?(?:taken|obtained|performed|acquired|captured)\s+(?:after|before|during|at\s+the\s+time|on\s+(?:the\s+)?(?:\d+|day|first|second|third|admission|postoperative)|\d+|for\s+(?:a\s+)?(?:patient|follow|evaluation)|as\s+part\s+of|from\s+a\s+patient|upon|following){_UNTIL}"),
    ("context", rf"\s+(?:after|before|following)\s+(?:the\s+|a\s+|his\s+|her\s+|their\s+)?(?:patient's\s+)?(?:surg(?:ery|ical)|operation|procedure|treatment|admission){_UNTIL}"),
    ("context", rf"\s+of\s+a\s+(?:\d+[-\s]year[-\s]old\s+)?(?:patient|man|woman|male|female|person|individual)\s+(?:with|who)\s+(?:a\s+)?(?:history|has|had|is|was|known|presented|complain){_UNTIL}"),
    ("context", rf",?\s+(?:given|due\s+to|based\s+on|because\s+of|considering)\s+(?:the\s+)?patient's\s+(?:known\s+)?(?:history|symptoms|age|clinical|medical|condition){_UNTIL}"),
    ("recommendation", r",?\s+(?:and|so|which)\s+(?:immediate|urgent|further|prompt|additional|medical|close)\s[^.;]*\b(?:warranted|recommended|required|needed|necessary|advised|suggested)\b[^.;]*"),
    ("recommendation", r",?\s+(?:and|which)?\s*(?:would\s+|may\s+|might\s+)?(?:requires?|requiring|needs?|needing|warrants?|warranting|necessitating|necessitates?)\s+(?:immediate|further|urgent|prompt|additional|medical|close)\s[^.;]*"),
    ("recommendation", r",?\s+(?:for|and)\s+further\s+(?:evaluation|investigation|testing|assessment|diagnosis)\s+and\s+(?:treatment|management)"),
)  # fmt: skip

_WHOLE: tuple[tuple[AsideKind, str], ...] = (
    ("meta_text", r"\bas an ai\b|\blanguage model\b|\bi(?:'m| am) (?:sorry|unable|not able)|\bi (?:cannot|can't|can not) (?:see|view|provide|determine|diagnose|analy[sz]e|access)"),
    ("meta_text", r"\b(?:this|which|it|the answer|these?)\s+(?:\w+\s+)?contradicts?\b|\boriginal (?:findings?|answer|report|image description)\b|\bcandidate answers?\b|\bdispreferred\b|\bground truth\b|\bthe (?:above|given|provided) (?:answer|description|report)\b"),
    ("recommendation", r"\b(?:is|are|be|would be)\s+(?:\w+\s+)?(?:recommended|advised|warranted|suggested|advisable)\b"),
    ("recommendation", r"\b(?:important|essential|crucial|advisable|necessary|recommended|best)\s+to\s+(?:consult|seek|note|remember|consider|have|correlate|follow|perform|discuss|get)\b"),
    ("recommendation", r"\b(?:please|should|must|recommend(?:ed)?|suggest|advise)\s+(?:consult|seek|see|correlate|be\s+(?:further|evaluated|considered|followed|performed|correlated)|follow|clinical correlation|xxxx for|further|a follow|ct|repeat|dedicated|correlation|comparison)\b|^\W*(?:recommend|consider|correlate|suggest)\b"),
    ("recommendation", r"\b(?:further|additional|immediate|urgent|prompt)\s+(?:\w+\s+){0,3}?(?:evaluation|investigation|testing|tests|imaging|attention|assessment|intervention|workup|analysis)\b[^.;]*\b(?:needed|required|necessary|warranted|recommended|indicated|help|determine|confirm)\b"),
    ("context", r"^\W*(?:the\s+)?patient\s+(?:has\s+been|has|had|is|was)\s+(?:a\s+)?(?:(?:known|past|prior)\s+)?(?:history|undergone|admitted|diagnosed|presenting|complaining|scheduled|being\s+treated)"),
)  # fmt: skip

_PART_PATTERNS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _PARTS)
_WHOLE_PATTERNS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _WHOLE)
_META_OPENING = re.compile(
    r"^\W*(?:based\s+(?:solely\s+)?on|according\s+to|from)\s+the\s+(?:\w+\s+)?(?:image|information|x-ray|picture|scan|data|findings|question)s?(?:\s+(?:provided|given|alone|you\s+provided|shown))?,\s*",
    re.IGNORECASE,
)


def find_asides(text: str, start_char: int, end_char: int) -> list[Aside]:
    """Return the asides of the sentence at [start_char, end_char), disjoint and in order of position."""
    sentence = text[start_char:end_char]
    found: list[Aside] = []
    opening = _META_OPENING.match(sentence)
    if opening:
        found.append(Aside(start_char, start_char + opening.end(), "meta_text"))
    for kind, pattern in _PART_PATTERNS:
        for match in pattern.finditer(sentence):
            aside = Aside(start_char + match.start(), start_char + match.end(), kind)
            if all(aside.end_char <= other.start_char or other.end_char <= aside.start_char for other in found):
                found.append(aside)
    rest = sentence
    for aside in found:
        blank = " " * (aside.end_char - aside.start_char)
        rest = rest[: aside.start_char - start_char] + blank + rest[aside.end_char - start_char :]
    for kind, pattern in _WHOLE_PATTERNS:
        if pattern.search(rest):
            first = start_char
            while first > 0 and text[first - 1] == " ":
                first -= 1
            return [Aside(first, end_char, kind)]
    return sorted(found)
