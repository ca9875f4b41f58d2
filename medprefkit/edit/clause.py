"""A clause's verb: is the phrase a predicate ("the heart is enlarged"), an object, a subject, and how is the verb
negated.

Knows a closed list of verbs that reports use. A verb that is not listed has unknown grammar, and its clause is
not edited.
"""

import re
from typing import NamedTuple

_ADVERBS = r"(?:(?:\w+ly|all|both|otherwise|also|quite|very|now|still|rather|somewhat|too|more|most|well)\s+)*"

_COPULA = re.compile(
    rf"(?:^|\s)(?P<verb>(?:(?:is|are|was|were)\s+being|is|are|was|were|be|been|remains?|becomes?|(?:appears?|appeared|seems?|looks?)(?:\s+to\s+be)?))"
    rf"\s+(?P<adverbs>{_ADVERBS})$",
    re.I,
)
_THERE = re.compile(
    rf"\bthere(?:\s+|(?=['’]))(?:{_ADVERBS})(?:['’]s|is|are|was|were|may\s+be|might\s+be|appears?\s+to\s+be|seems?\s+to\s+be)\s+{_ADVERBS}$",
    re.I,
)
_SHOWS = re.compile(
    rf"\b(?:shows?|showed|showing|demonstrat(?:es?|ed|ing)|reveal(?:s|ed|ing)?|display(?:s|ed|ing)?|depict(?:s|ed|ing)?|"
    rf"exhibit(?:s|ed|ing)?|has|have|had|having|with|presents?\s+with|contain(?:s|ed|ing)?|showcas(?:es?|ed|ing)|"
    rf"highlight(?:s|ed|ing)?|illustrat(?:es?|ed|ing)|confirm(?:s|ed)?|see|see\s+that)\s+{_ADVERBS}$",
    re.I,
)
_IMAGE_INDICATES = re.compile(
    rf"\b(?:image|x-?ray|radiograph|scan|ct|mri|film|study|examination|ultrasound|picture)\b[^,.;:]*"
    rf"\b(?:indicat(?:es?|ed)|suggest(?:s|ed)?|identif(?:ies|y|ied)|reports?)\s+{_ADVERBS}$",
    re.I,
)
_IS_CAUSING = re.compile(
    rf"(?<!which )(?<!that )\b(?:is|are|be|and)\s+{_ADVERBS}(?:causing|leading\s+to|producing|resulting\s+in)\s+$",
    re.I,
)
"""A finite verb, whose object can be denied where it stands: "is causing no shift". A clause that only adds a
consequence (", which is leading to ...") goes instead."""
_CLAUSE_START = re.compile(
    r"(?:^|[;,]|,?\s+(?:and|but|while|whereas)|(?:Additionally|Furthermore|Moreover|Also|Finally|Lastly|However|"
    r"Specifically|In addition|Overall),)\s*$",
    re.I,
)
_EXISTS = re.compile(
    r"\s*(?:(?:in|of|on|at|within|throughout|involving)\s+[\w\s-]{1,50}?\s+)?"
    r"(?:(?:is|are|was|were|(?:can|may|could|might)(?:\s+(?:also|\w+ly))?\s+be)(?P<also>\s+also)?\s+(?:\w+ly\s+|also\s+)*"
    r"(?:present|seen|noted|evident|visible|identified|observed|visuali[sz]ed|detected|found|demonstrated|apparent|"
    r"appreciated|noticed|shown|suspected|noticeable|indicated|scattered|distributed)\b|(?:seen|noted|present|identified|observed)\b|"
    r"(?:exists?)\b)",
    re.I,
)
_ENDS = re.compile(r"\s*(?:[.;]|$)")
_INFERS = re.compile(
    r"(?P<cut>,?\s+(?:(?:which|that)\s+(?:(?:appears?\s+to\s+be|may|might|could|can|would|is|are|also)\s+)*"
    r"(?:suggests?|indicates?|causes?|causing|leading\s+to|resulting\s+in|represents?|reflects?|indicative\s+of|suggestive\s+of|consistent\s+with)|"
    r"suggesting|suggestive\s+of|indicating|indicative\s+of|consistent\s+with|compatible\s+with|concerning\s+for|"
    r"suspicious\s+for|worrisome\s+for|representing|reflecting|likely\s+due\s+to|due\s+to|related\s+to|"
    r"secondary\s+to|causing|leading\s+to|resulting\s+in|"
    r"raising\s+(?:the\s+)?(?:concern|suspicion|possibility)\s+(?:for|of)|pointing\s+to(?:wards?)?)"
    r"\s+)(?:(?!that\b|is\b|are\b|the\b)[\w-]+\s+){0,2}$",
    re.I,
)
_INCLUDES = re.compile(r"(?P<cut>,?\s+(?:including|such\s+as|namely|specifically)\s+)$", re.I)


_JOINT = re.compile(
    r"(?:(?P<comma>,)\s+|\s+)(?:(?P<word>and|as\s+well\s+as|along\s+with|alongside|together\s+with|accompanied\s+by|plus)\s+(?:also\s+)?"
    r"|(?<=,\s))$",
    re.I,
)
_OPENS_LIST = re.compile(
    r"\b(?:there\s+(?:\w+\s+){0,2}(?:is|are|was|were|be)|there['’]s|shows?|showed|showing|demonstrat(?:es?|ed|ing)|reveal(?:s|ed|ing)?|"
    r"display(?:s|ed|ing)?|depict(?:s|ed|ing)?|exhibit(?:s|ed|ing)?|has|have|having|with|presents?\s+with|contain(?:s|ing)?|"
    r"indicates?|including|includes?|such\s+as|namely)\b",
    re.I,
)
_FRAGMENT_TAIL = re.compile(
    r"\s*(?:[.;,]|$)|\s+(?:in|of|at|on|within|along|throughout|over|overlying|without|with|near|involving|bilaterally|stable|noted|"
    r"seen|present|which)\b",
    re.I,
)
_FINITE = re.compile(r"\b(?:is|are|was|were|appears?|seems?|can|could|may|might|which|that)\b|;", re.I)


class Joint(NamedTuple):
    """A coordinator of a list.

    Attributes:
        start: First character, the comma or space before it included.
        comma: Whether it has a comma.
        plain: Whether it is "and" or a comma alone, after which a conjunct may stand as it is.
    """

    start: int
    comma: bool
    plain: bool


class Predicate(NamedTuple):
    """Where a predicate begins after its copula, and the copula itself.

    Attributes:
        start: First character after the copula, adverbs included.
        verb_start: First character of the copula.
        plural: Whether the copula is plural.
    """

    start: int
    verb_start: int
    plural: bool


def predicate_before(text: str, sentence_start: int, position: int) -> Predicate | None:
    """Return the copula that ends right before `position`, or None. "There is" is not one."""
    left = text[sentence_start:position]
    if _THERE.search(left) is not None or (found := _COPULA.search(left)) is None:
        return None
    verb = found["verb"].lower().split()[0]
    return Predicate(
        sentence_start + found.start("adverbs"),
        sentence_start + found.start("verb"),
        verb in {"are", "were", "appear", "remain", "seem", "look", "become"},
    )


def is_shown(text: str, sentence_start: int, position: int) -> bool:
    """Tell whether the noun phrase at `position` is what a verb of showing, "with" or "there is" introduces."""
    left = text[sentence_start:position]
    return any(pattern.search(left) is not None for pattern in (_THERE, _SHOWS, _IMAGE_INDICATES, _IS_CAUSING))


def image_indicates(text: str, sentence_start: int, position: int) -> bool:
    """Tell whether the image itself indicates the phrase ("the X-ray suggests ..."): it is shown, not inferred."""
    return _IMAGE_INDICATES.search(text[sentence_start:position]) is not None


def is_said_to_exist(text: str, sentence_start: int, start: int, end: int, sentence_end: int) -> bool:
    """Tell whether [start, end) is the subject of "is seen" or its like, or a whole sentence without a verb."""
    if _CLAUSE_START.search(text[sentence_start:start]) is None:
        return False
    right = text[end:sentence_end]
    return _EXISTS.match(right) is not None or (
        _ENDS.match(right) is not None and not text[sentence_start:start].strip()
    )


def is_fragment(text: str, sentence_start: int, start: int, end: int, sentence_end: int) -> bool:
    """Tell whether the phrase at [start, end) opens a sentence without a verb: "scarring in the left base ."."""
    relative = re.search(r"\s(?:which|that)\s", text[end:sentence_end], re.I)
    main_end = end + relative.start() if relative is not None else sentence_end
    if text[sentence_start:start].strip() or has_verb(text, sentence_start, main_end):
        return False
    return _FRAGMENT_TAIL.match(text, end) is not None


def inference_before(text: str, sentence_start: int, position: int) -> int | None:
    """Return where ", suggesting ..." begins, if the phrase at `position` is what it infers; else None."""
    left = text[sentence_start:position]
    found = _INFERS.search(left)
    return None if found is None or _IS_CAUSING.search(left) is not None else sentence_start + found.start("cut")


def joint_before(text: str, sentence_start: int, position: int) -> Joint | None:
    """Return the coordinator right before `position` that goes on with a list of things shown or included, or None."""
    left = text[sentence_start:position]
    joint = _JOINT.search(left)
    if joint is None:
        return None
    before = left[: joint.start()]
    opened = [found.end() for found in _OPENS_LIST.finditer(before)]
    if not opened or _FINITE.search(before, opened[-1]) is not None:
        return None
    listed = joint["word"] is None or joint["word"].lower() == "and"
    return Joint(sentence_start + joint.start(), comma=joint["comma"] is not None, plain=listed)


def has_verb(text: str, start: int, end: int) -> bool:
    """Tell whether [start, end) holds a finite verb of the closed list."""
    return _FINITE.search(text, start, end) is not None or _VERB.search(text, start, end) is not None


def inclusion_before(text: str, sentence_start: int, position: int) -> int | None:
    """Return where ", including ..." begins, if the phrase at `position` is the first thing included; else None."""
    found = _INCLUDES.search(text[sentence_start:position])
    return None if found is None else sentence_start + found.start("cut")


_NEGATIVE_VERB = re.compile(
    r"\b(?P<aux>does|do|did)(?:\s+not|n't)\s+(?P<adverbs>(?:\w+ly\s+)*)(?P<verb>[a-z]+)\b", re.I
)
_NEGATIVE_BE = re.compile(r"\b(?P<be>is|are|was|were|can|could|has|have)(?:\s+not|n't|not)\b", re.I)
_BE = re.compile(r"\b(?P<be>is|are|was|were|can|could)\b(?!\s+(?:not\b|no\b))", re.I)
_VERB = re.compile(
    r"\b(?P<verb>shows?|contains?|includes?|appears?|exists?|belongs?|has|have|depicts?|displays?|reveals?|demonstrates?|"
    r"exhibits?|indicates?|represents?|highlights?|looks?|seems?)\b",
    re.I,
)


class VerbFlip(NamedTuple):
    """Where a verb stands and what it reads with the opposite polarity."""

    start: int
    end: int
    replacement: str


def affirm_verb(text: str, start: int, end: int, *, last: bool = False) -> VerbFlip | None:
    """Return the first (or last) denied verb of [start, end) affirmed ("does not show" -> "shows"), or None."""
    flips = [
        VerbFlip(start + found.start(), start + found.end(), _inflected(found["verb"], found["aux"]))
        for found in _NEGATIVE_VERB.finditer(text[start:end])
    ]
    flips += [
        VerbFlip(start + found.start(), start + found.end(), found["be"])
        for found in _NEGATIVE_BE.finditer(text[start:end])
    ]
    return (max(flips) if last else min(flips)) if flips else None


def deny_verb(text: str, start: int, end: int) -> VerbFlip | None:
    """Return the first finite verb of [start, end) denied ("contains" -> "does not contain"), or None."""
    region = text[start:end]
    verb, be = _VERB.search(region), _BE.search(region)
    if be is not None and (verb is None or be.start() < verb.start()):
        joined = "" if be["be"].lower() == "can" else " "
        return VerbFlip(start + be.start(), start + be.end(), f"{be['be']}{joined}not")
    if verb is not None:
        return VerbFlip(start + verb.start(), start + verb.end(), _denied(verb["verb"]))
    return None


def last_verb(text: str, start: int, end: int) -> VerbFlip | None:
    """Return the last finite verb of [start, end) denied, or None where it is denied already."""
    last: VerbFlip | None = None
    at = start
    while (flip := deny_verb(text, at, end)) is not None:
        last, at = flip, flip.end
    if last is None or affirm_verb(text, last.start, end) is not None:
        return None
    return last


def _inflected(verb: str, aux: str) -> str:
    if aux.lower() == "do":
        return verb
    if aux.lower() == "did":
        return "had" if verb == "have" else f"{verb}d" if verb.endswith("e") else f"{verb}ed"
    if verb == "have":
        return "has"
    return f"{verb}es" if verb.endswith(("s", "sh", "ch", "x", "o")) else f"{verb}s"


def _denied(verb: str) -> str:
    lowered = verb.lower()
    if lowered == "has":
        return "does not have"
    return f"does not {lowered[:-1]}" if lowered.endswith("s") else f"do not {lowered}"
