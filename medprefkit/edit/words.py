"""The closed classes of English that an edit must get right: articles, number, capitals, and words that die under "no".

Knows words, not sentences. A word that is not listed here is treated as carrying meaning, and stays.
"""

import re

INDEFINITE = frozenset({"a", "an", "some", "any", "another"})

COUNTING = frozenset(
    {"multiple", "several", "numerous", "many", "few", "various", "two", "three", "four", "five", "six", "both",
     "scattered", "innumerable"}
)  # fmt: skip

DEFINITE = frozenset(
    {"the", "this", "that", "these", "those", "its", "his", "her", "their", "such", "each", "every", "which"}
)

_SIZE = frozenset(
    {"tiny", "trace", "minimal", "small", "mild", "moderate", "large", "severe", "massive", "huge", "extensive",
     "marked", "significant", "prominent", "pronounced", "substantial", "considerable", "notable", "noticeable",
     "subtle", "slight", "minor", "major", "gross", "excessive", "advanced", "widespread", "sizable", "sizeable",
     "dramatic", "striking", "intense", "profound", "great", "serious", "critical", "dense", "heavy", "moderate-sized",
     "small-sized", "large-sized", "mild-to-moderate", "small-to-moderate", "overt", "frank"}
)  # fmt: skip

_SHOWING = frozenset(
    {"clear", "visible", "obvious", "evident", "apparent", "distinct", "definite", "possible", "probable", "potential",
     "likely", "suspected", "presumed", "questionable", "new", "persistent", "ongoing", "increasing", "worsening",
     "abnormal-appearing", "strong", "xxxx", "noted", "observed", "identified", "detected", "associated",
     "accompanying", "concomitant", "coexisting", "underlying", "further", "additional", "certain", "unmistakable"}
)  # fmt: skip

_SHAPE = frozenset(
    {"round", "rounded", "oval", "irregular", "well-defined", "ill-defined", "well-circumscribed", "circumscribed",
     "homogenous", "homogeneous", "heterogeneous", "spiculated", "lobulated", "patchy", "hazy", "diffuse", "confluent",
     "fluffy", "smooth", "nodular-appearing", "wedge-shaped", "volume",
     "classic", "typical", "characteristic", "solitary", "single", "isolated", "large-scale"}
)  # fmt: skip

_SIDE = frozenset(
    {"left", "right", "left-sided", "right-sided", "left-side", "right-side", "bilateral", "unilateral", "left-lateral"}
)

EMPTY_UNDER_NO = _SIZE | _SHOWING | _SHAPE | _SIDE | COUNTING
"""Modifiers that would be nonsense, or would weaken the denial, in "no ... effusion"."""

_UNCOUNTED = frozenset(
    {"edema", "oedema", "atelectasis", "consolidation", "cardiomegaly", "emphysema", "hyperinflation", "scarring",
     "fibrosis", "pneumonia", "congestion", "air", "fluid", "thickening", "disease", "hemorrhage", "haemorrhage",
     "lymphadenopathy", "adenopathy", "enlargement", "opacification", "blunting", "ascites", "evidence", "widening",
     "calcification", "scoliosis", "kyphosis", "osteopenia", "osteoporosis", "hyperexpansion", "bronchiectasis",
     "pneumomediastinum", "pneumoperitoneum", "tuberculosis", "bleeding", "infection", "inflammation", "pathology",
     "swelling", "ischemia", "hydrocephalus", "dilation", "dilatation", "atherosclerosis", "tortuosity", "contrast",
     "cholelithiasis", "volume", "vascularity", "deviation", "displacement", "demineralization", "spondylosis",
     "effacement", "hydronephrosis", "steatosis", "cirrhosis", "malignancy", "metastasis", "necrosis", "gas",
     "hyperlucency", "prominence", "elevation", "narrowing", "stenosis", "degeneration", "arthritis", "obstruction",
     "haziness", "damage", "compression", "tissue", "crowding", "stranding", "matter", "debris", "mucus",
     "blood", "pus", "fat", "cuffing", "failure", "collapse", "appendicitis", "diverticulitis"}
)  # fmt: skip

_ABSTRACT = re.compile(r"(?:ation|osis|itis|emia|ence|ness|ology)$")
_SINGULAR_IN_S = re.compile(r"(?:ss|us|is|ax)$")
_PLURAL_LATIN = frozenset({"bullae", "granulomata", "metastases", "sulci", "gyri", "vertebrae", "bronchi", "emboli"})
_VOWEL_SOUND = re.compile(r"[aeio]|hour|honest|heir|u(?!ni|se|su|t[ei])", re.I)
_CONSONANT_SOUND = re.compile(r"eu|one\b|once\b|un(?:in|im|id)", re.I)
_SPELLED = re.compile(r"[A-Z]{2,}|[A-Z]\d?(?:-|\b)")
_VOWEL_LETTERS = frozenset("AEFHILMNORSX")


def is_empty_under_no(word: str) -> bool:
    """Tell whether a modifier may go when its noun is denied."""
    bare = word.strip(",;").lower()
    return bare in EMPTY_UNDER_NO or (bare.endswith("ly") and len(bare) > 4)


def is_plural(noun_phrase: str) -> bool:
    """Tell whether the head (the last word before any preposition) is plural."""
    head = _head(noun_phrase)
    return head in _PLURAL_LATIN or (head.endswith("s") and not _SINGULAR_IN_S.search(head))


def takes_article(noun_phrase: str) -> bool:
    """Tell whether the phrase needs "a" or "an": one thing that can be counted, without a determiner."""
    first = noun_phrase.split(" ", 1)[0].lower()
    if first in INDEFINITE | DEFINITE | COUNTING or first in {"no", "one"}:
        return False
    head = _head(noun_phrase)
    return not is_plural(noun_phrase) and head not in _UNCOUNTED and _ABSTRACT.search(head) is None


def article(phrase: str) -> str:
    """Return "a" or "an" by the first sound: "an MRI", "a CT", "an effusion", "a unilateral"."""
    first = phrase.split(" ", 1)[0]
    if _SPELLED.match(first):
        return "an" if first[0] in _VOWEL_LETTERS else "a"
    return "an" if _VOWEL_SOUND.match(first) and not _CONSONANT_SOUND.match(first) else "a"


def with_article(phrase: str) -> str:
    """Put "a" or "an" before the phrase where it needs one."""
    return f"{article(phrase)} {phrase}" if takes_article(phrase) else phrase


def capitalised_like(replacement: str, original: str) -> str:
    """Give the replacement the capital that the original began with; words with inner capitals keep theirs."""
    if not replacement or not original:
        return replacement
    if original[0].isupper():
        return replacement[0].upper() + replacement[1:]
    first = replacement.split(" ", 1)[0]
    if first[0].isupper() and first[1:2].isalpha() and first[1:].islower():
        return replacement[0].lower() + replacement[1:]
    return replacement


def _head(noun_phrase: str) -> str:
    before = re.split(r"\b(?:of|in|on|at|with|within|to|from|for|by|near|along|throughout|involving)\b", noun_phrase)[0]
    words = re.findall(r"[^\W\d_]+", before.lower())
    return words[-1] if words else ""
