"""Faults of English that an edit made: words doubled, phrases cut off, articles and verbs that do not fit.

Counts what the edited text has and the answer had not, so that a model's own slips, a telegram's missing verbs and a
tokenized report's spaces are not held against the edit. Knows no medicine beyond which nouns take no article.
"""

import re
from collections import Counter
from types import MappingProxyType
from typing import Final

_MASS = (
    "atelectasis|edema|oedema|consolidation|cardiomegaly|emphysema|fluid|air|fibrosis|scarring|stranding|congestion|"
    "pneumonia|ascites|hydronephrosis|hydrocephalus|hemorrhage|haemorrhage|thickening|tissue|matter|gas|evidence|"
    "lymphadenopathy|osteopenia|scoliosis|kyphosis|hyperinflation|cholelithiasis|inflammation|swelling|dilatation"
)
_PATTERNS: Final = MappingProxyType(
    {
        "a word is doubled": re.compile(r"\b(?!had\b|that\b|xxxx\b)([a-z]+) \1\b", re.I),
        "two marks meet": re.compile(r"[,;:]\s*[,.;:]|\.\s*,|\.\s*\.(?!\.)"),
        "a space is doubled": re.compile(r"\S {2,}\S"),
        "the article does not fit": re.compile(
            r"\ba\s+(?:[aeio](?!ne\b|nce\b)\w|MRI\b|X-ray)|\ban\s+(?![aeioux8h]|[A-Z]{2,}|[A-Z]-)[a-zA-Z]"
        ),
        "a mass noun has an article": re.compile(
            rf"\ban?\s+(?:[a-z]+(?:al|ic|ar|ous|ary|ed|ent)\s+)?(?:{_MASS})\b(?!\s+(?:fluid|level|space|bubble|collection))",
            re.I,
        ),
        "a phrase is cut off": re.compile(
            r"\b(?:an?|the|and|or|but|with|of|(?<=[a-z,] )no|is|are|was|were|which|that|to|from|by|in|shows?)"
            r"\s*[.;,](?!\w)",
            re.I,
        ),
        "a coordinator is doubled": re.compile(
            r"\b(?:and|or|but)\s+(?:and|or|but)\b|\bbut\b[^.;:]{0,60}\bbut\b|\bwith\s+with\b", re.I
        ),
        "a denial is doubled": re.compile(r"\b(?:no|not|without)\s+(?:no|not|without)\b", re.I),
        "the verb does not agree": re.compile(
            r"\bthere\s+is\s+(?:multiple|several|two|three|many|numerous|no\s+[a-z]+(?<!s)ies\b)|\bthere\s+are\s+an?\b|"
            r"\b(?:lungs|hearts|structures|contours|bones)\s+(?:is|appears|shows)\b|"
            r"\b(?:heart|mediastinum|aorta|spine)\s+(?:are|appear|show)\b(?<!and)",
            re.I,
        ),
        "a determiner follows a denial": re.compile(r"\bno\s+(?:an?|the|some|any|several|multiple)\b", re.I),
    }
)
_SENTENCE = re.compile(r"(?:^|[.!?]\s+)([a-z])")
_STOP = re.compile(r"[a-z)]\s+[.,;](?=\s|$)")


def fluency_faults(answer: str, edited: str) -> tuple[str, ...]:
    """Return the faults of the edited text that the answer did not have, each named once; empty where it reads well.

    Args:
        answer: The model's own text.
        edited: The text that its edits make; empty only if nothing is left, which is a fault.
    """
    if not edited.strip():
        return ("nothing is left",)
    answer, edited = answer.strip(), edited.strip()
    found = [name for name, pattern in _PATTERNS.items() if _more(pattern, answer, edited)]
    prose = answer[:1].isupper() or not answer[:1].isalpha()
    if prose and _more(_SENTENCE, answer, edited):
        found.append("a sentence begins without its capital")
    if not _STOP.search(answer) and _STOP.search(edited):
        found.append("a space stands before a mark")
    return tuple(found)


def _more(pattern: re.Pattern[str], answer: str, edited: str) -> bool:
    """Tell whether the edited text holds a match that the answer does not, or one oftener."""
    before = Counter(found[0].lower() for found in pattern.finditer(answer))
    after = Counter(found[0].lower() for found in pattern.finditer(edited))
    return bool(after - before)
