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
_PERSON = r"(?:(?:the |this )?patient|he|she)"
"""Who a report is about."""

# A row is what it is, what it needs, its pattern. No sentence matches without one of the words that it needs, or a word
# that holds one: most sentences have none, and looking for a word is far quicker than for a pattern.
_PARTS: tuple[tuple[AsideKind, str, str], ...] = (
    (
        "comparison",
        "prior previous earlier last old comparison original",
        r"(?:,? (?:which|that) (?:has|have|is|are|was|were|appears?) (?:been )?|, )(?:\w+ly )?(?:worsened|worse|"
        r"improved|increased|decreased|progressed|enlarged|unchanged|stable|similar|resolved|larger|smaller|new) "
        rf"(?:since|from|to|than|compared (?:to|with)|in comparison (?:to|with)) (?:the |a |any )?{_STUDY}",
    ),
    ("comparison", "compared", rf",? (?:when |as )?compared (?:to|with) (?:the |his |her |a |any )?{_STUDY}"),
    (
        "comparison",
        "prior previous earlier last old comparison original",
        rf",? (?:since|from|relative to|in comparison (?:to|with)) (?:the |a |"
        rf"any )?{_STUDY}",
    ),
    (
        "comparison",
        "prior previous",
        r",? (?:since|compared (?:to|with)) (?:the )?(?:prior|previous)\b(?=\s*[,.;]|\s*$)",
    ),
    (
        "comparison",
        "stable unchanged",
        r",? and (?:(?:is|are|remains?|appears?) )?(?:\w+ly )?(?:stable|unchanged)(?=\s*(?:[.,;]|$))",
    ),
    (
        "comparison",
        "stable unchanged",
        r"(?:(?<=\bis\s)|(?<=\bare\s)|(?<=remain\s)|(?<=remains\s)|(?<=appear\s)|(?<=appears\s))"
        r"(?:\w+ly )?(?:stable|unchanged)(?: in (?:size|appearance|contour|configuration))?"
        rf"(?: (?:since|from|compared (?:to|with)) (?:the )?{_STUDY})?"
        r"(?=\s*(?:[.,;]|$))",
    ),
    (
        "comparison",
        "stable unchanged",
        r"\b(?:stable|unchanged)(?= (?:heart|cardiac|cardio ?mediastinal|mediastinal|mediastinum|hilar|osseous|bony) "
        r"(?:and (?:heart|cardiac|mediastinal|hilar) )?(?:size|silhouettes?|contours?|structures?)\b)",
    ),
    ("comparison", "contrary", rf",? (?:a )?contrary to (?:the )?{_STUDY}"),
    (
        "comparison",
        "stable unchanged similar",
        r"(?<!\bis)(?<!\bare)(?<!remain)(?<!remains)(?<!appear)(?<!appears)(?<!\bbe)(?<!\band),? (?:\w+ly )?"
        r"(?:stable|unchanged|similar) "
        rf"(?:in|on|to|with|from|since) (?:the |a )?{_STUDY}",
    ),
    (
        "comparison",
        "again",
        r" (?:once )?again(?= (?:seen|noted|demonstrated|identified|visualized|present|observed)\b)",
    ),
    (
        "context",
        "taken obtained performed acquired captured",
        rf" (?:that was |which was )?(?:taken|obtained|performed|acquired|"
        rf"captured) (?:after|before|during|at the time|on (?:the )?(?:\d+|day|first|second|"
        rf"third|admission|postoperative)|\d+|for (?:a )?(?:patient|follow|evaluation)|"
        rf"as part of|from a patient|upon|following){_UNTIL}",
    ),
    (
        "context",
        "surg operation procedure treatment admission",
        rf" (?:after|before|following) (?:the |a |his |her |"
        rf"their )?(?:patient's )?(?:surg(?:ery|ical)|operation|procedure|treatment|"
        rf"admission){_UNTIL}",
    ),
    (
        "context",
        "patient man person male individual",
        rf" of a (?:\d+[-\s]year[-\s]old )?(?:patient|man|woman|male|female|person|"
        rf"individual) (?:with|who) (?:a )?(?:history|has|had|is|was|known|presented|"
        rf"complain){_UNTIL}",
    ),
    (
        "context",
        "patient",
        rf",? (?:given|due to|based on|because of|"
        rf"considering) (?:the )?patient's (?:known )?(?:history|symptoms|age|clinical|medical|"
        rf"condition){_UNTIL}",
    ),
    (
        "recommendation",
        "warranted recommended required needed necessary advised suggested",
        r"(?<!correlation)(?<!evaluation)(?<!follow-up)(?<!imaging),? "
        r"(?:and|so|which) (?:immediate|urgent|further|prompt|additional|medical|"
        r"close)\s[^.;]*\b(?:warranted|recommended|required|needed|necessary|advised|"
        r"suggested)\b[^.;]*",
    ),
    (
        "recommendation",
        "requir need warrant necessitat",
        r",? (?:and |which |that )?(?:would |may |might )?(?:requires?|requiring|needs?|needing|"
        r"warrants?|warranting|necessitating|necessitates?) (?:immediate|further|urgent|prompt|"
        r"additional|medical|close)\s[^.;]*",
    ),
    (
        "recommendation",
        "further",
        r",? (?:for|and) further (?:evaluation|investigation|testing|assessment|"
        r"diagnosis) and (?:treatment|management)",
    ),
)  # fmt: skip

_WHOLE: tuple[tuple[AsideKind, str, str], ...] = (
    (
        "comparison",
        "interval",
        r"\binterval (?:removal|placement|insertion|development|resolution|improvement|worsening|progression|increase|"
        r"decrease|clearing|extubation|intubation)\b",
    ),
    (
        "meta_text",
        "ai language sorry unable not can",
        r"\bas an ai\b|\blanguage model\b|\bi(?:'m| am) (?:sorry|unable|not able)|\bi (?:cannot|can't|"
        r"can not) (?:see|view|provide|determine|diagnose|analy[sz]e|access)",
    ),
    (
        "meta_text",
        "contradict original candidate dispreferred ground answer description report",
        r"\b(?:this|which|it|the answer|these?) (?:\w+ )?contradicts?\b|\boriginal (?:findings?|"
        r"answer|report|image description)\b|\bcandidate answers?\b|\bdispreferred\b|\bground truth\b|"
        r"\bthe (?:above|given|provided) (?:answer|description|report)\b",
    ),
    (
        "meta_text",
        "hope question ask concern know happy",
        r"^\W*(?:i hope|hopefully,?) (?:that )?(?:this|these|it|my)\b|^\W*(?:please )?let me know\b|"
        r"^\W*(?:if you have|feel free)\b[^.;]*\b(?:questions?|ask|concerns?)\b|"
        r"\bi(?:'m| am| would be|'d be) happy to\b",
    ),
    (
        "meta_text",
        "answer interpretation description analysis response assessment note remember mind",
        r"\bmy (?:answer|interpretation|description|analysis|response|assessment) (?:is|may|might|can|could|should)\b|"
        r"^\W*(?:please )?(?:note|remember|keep in mind) that [^.;]*\b(?:qualified|licensed|trained|board-certified|"
        r"medical|healthcare|professional)\b[^.;]*\b(?:confirm|interpret\w*|review|verify|diagnos\w*)|"
        r"\b(?:this|the|these|my|above) (?:answer|interpretation|description|analysis|response|assessment)s? "
        r"(?:is|are) (?:\w+ )?(?:based (?:\w+ )?on the (?:\w+ )?(?:image|picture|scan|radiograph|information)|helpful|"
        r"not a substitute|not intended|for (?:informational|educational))",
    ),
    (
        "recommendation",
        "should must",
        r"^\W*(?:\w+ ){0,4}?(?:treatment|therapy|antibiotics?|medications?|surgery|biopsy|drainage|anticoagulation|"
        r"chemotherapy|consultation) (?:should|must) be\b",
    ),
    (
        "recommendation",
        "should must need advised",
        rf"^\W*{_PERSON} (?:should|must|needs? to|is advised to|may need|will need) (?:\w+ )?(?:consult|see|seek|"
        r"undergo|receive|have|be (?:referred|treated|admitted|started|followed|evaluated|monitored)|follow|visit|"
        r"contact|surgery|treatment)\b",
    ),
    (
        "recommendation",
        "recommended advis warranted suggested",
        r"\b(?:is|are|be|would be) (?:\w+ )?(?:recommended|advised|warranted|suggested|"
        r"advisable)\b",
    ),
    (
        "recommendation",
        "important essential crucial advisable necessary recommended best",
        r"\b(?:important|essential|crucial|advisable|necessary|recommended|best) to (?:consult|"
        r"seek|note|remember|consider|have|correlate|follow|perform|discuss|get)\b",
    ),
    (
        "recommendation",
        "please should must recommend suggest advise consider correlate",
        r"\b(?:please|should|must|recommend(?:ed)?|suggest|advise) (?:consult|seek|see|correlate|"
        r"be (?:further|evaluated|considered|followed|performed|correlated)|follow|"
        r"clinical correlation|xxxx for|further|a follow|ct|repeat|dedicated|correlation|"
        r"comparison)\b|^\W*(?:recommend|consider|correlate|suggest)\b",
    ),
    (
        "recommendation",
        "further additional immediate urgent prompt",
        r"\b(?:further|additional|immediate|urgent|prompt) (?:\w+ ){0,3}?(?:evaluation|"
        r"investigation|testing|tests|imaging|attention|assessment|intervention|workup|"
        r"analysis)\b[^.;]*\b(?:needed|required|necessary|warranted|recommended|indicated|help|"
        r"determine|confirm)\b",
    ),
    (
        "context",
        "patient he she",
        rf"^\W*{_PERSON} (?:has been|has|had|is|was) (?:\w+ly )?(?:a |an )?(?:(?:known|past|prior|long|previous|"
        r"significant|medical|clinical) ){0,3}(?:history|undergone|admitted|diagnosed|presenting|complaining|scheduled|"
        r"being treated|being evaluated|receiving|taking|suffering|known to have|hospitali[sz]ed|referred)\b",
    ),
    (
        "context",
        "patient he she",
        rf"^\W*{_PERSON} (?:\w+ly )?(?:presented|presents|complained|complains|reported|reports|underwent|suffers|"
        r"suffered|smokes|smoked|takes|received|denies|was treated) (?!no\b)",
    ),
    (
        "context",
        "year",
        r"^\W*(?:(?:the )?(?:patient|individual|person) is|he is|she is|this is) (?:a |an )\d+[-\s]years?[-\s]old\b",
    ),
)  # fmt: skip


class _Row(NamedTuple):
    kind: AsideKind
    needs: tuple[str, ...]
    pattern: re.Pattern[str]

    def may_match(self, lower: str) -> bool:
        """Tell whether a sentence, in lower case, has a word that the pattern needs."""
        return any(map(lower.__contains__, self.needs))


_PART_ROWS = tuple(_Row(kind, tuple(needs.split()), _compile(pattern)) for kind, needs, pattern in _PARTS)
_WHOLE_ROWS = tuple(_Row(kind, tuple(needs.split()), _compile(pattern)) for kind, needs, pattern in _WHOLE)
_META_OPENING = _compile(
    r"^\W*(?:based (?:solely )?on|according to|from|given) the (?:(?:provided|given|presented) (?:\w+ ){0,2}?\w+|"
    r"(?:image|information|picture|question|data)s?(?: (?:provided|given|alone|you provided|shown|above))?),\s*"
)


def find_asides(sentence: str) -> list[Aside]:
    """Return the asides of one sentence, disjoint and in order of position."""
    lower = sentence.lower()
    found: list[Aside] = []
    opening = _META_OPENING.match(sentence)
    if opening:
        found.append(Aside(0, opening.end(), "meta_text"))
    for row in _PART_ROWS:
        for match in row.pattern.finditer(sentence) if row.may_match(lower) else ():
            aside = Aside(match.start(), match.end(), row.kind)
            if all(aside.end_char <= other.start_char or other.end_char <= aside.start_char for other in found):
                found.append(aside)
    rest = sentence
    for aside in found:
        rest = rest[: aside.start_char] + " " * (aside.end_char - aside.start_char) + rest[aside.end_char :]
    for row in _WHOLE_ROWS:
        if row.may_match(lower) and row.pattern.search(rest):
            return [Aside(0, len(sentence), row.kind, is_sentence=True)]
    return sorted(found)
