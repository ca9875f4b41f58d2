"""What a prompt asks: yes or no, a choice, a slot (which modality, where, how many ...), or only a description."""

import re
from dataclasses import dataclass
from typing import Literal

from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import vocabulary
from medprefkit.detect.words import bag

Slot = Literal[
    "modality",
    "view_plane",
    "organ",
    "location",
    "laterality",
    "quantity",
    "measurement",
    "descriptor",
    "finding",
    "other",
]

_AUXILIARIES = bag("""is are was were does do did can could has have had will would should isn't aren't doesn't don't
    wasn't weren't hasn't haven't didn't can't""")
_WH = bag("what which where how who when why whats name describe identify")
_INTERROGATIVE = bag("what which where how who when why whats")
_ADVICE = bag("treat treated treatment prevent prevention recommend recommended management therapy next followup")
_YES_NO = frozenset({"yes", "no", "yeah", "yep", "nope"})

_SLOTS: tuple[tuple[Slot, str], ...] = (
    ("other", r"\b(?:function|effect|purpose|role)\b|\bused for\b|\bhow to\b|\b(?:treat|prevent)\b"),
    ("quantity", r"\bhow many\b|\bnumber of\b|\bhow much\b(?!.*\bdamage)"),
    (
        "measurement",
        r"\bhow (?:big|large|long|wide|thick)\b|\bwhat (?:is|are) the (?:size|dimensions?|diameter)\b|"
        r"\bsize of\b|\bmeasure",
    ),
    (
        "view_plane",
        r"\bplanes?\b|\bviews?\b|\borient\w*\b|\bprojections?\b|\bweight\w*\b|\bsequences?\b|"
        r"\bwindows?\b|\b(?:what|which) (?:type of )?(?:section|cut|slice)\b|\bprotocol\b|\b(?:type|kind) of mri\b",
    ),
    (
        "modality",
        r"\bmodalit\w+\b|\b(?:type|kind|sort|form) of (?:\w+ )?(?:image|imaging|scan|study|picture|"
        r"test|exam\w*|radiograph|technology|media)\b|\bimaging (?:method|technique|type|study|test|"
        r"modality)\b|\bhow (?:was|is|were|are) (?:this|the|these)(?: \w+)? (?:image|picture|scan|"
        r"study|images) (?:taken|acquired|obtained|made|captured)\b|\b(?:technique|method|technology|"
        r"machine|device|tool) (?:was |is )?(?:used|being used|employed)\b|\bwhat (?:scan|imaging|"
        r"image) (?:is|was)\b|\bwhat is used to (?:take|create|capture)\b|\b(?:image|picture|"
        r"scan) (?:was )?(?:taken|acquired|obtained|created|captured) (?:with|using|by)\b|"
        r"\bcaptured? (?:the|this) image\b",
    ),
    (
        "laterality",
        r"\bwh(?:ich|at) (?:\w+ )?side\b|\bwh(?:ich|at) (?:lung|kidney|hemisphere|eye|breast|"
        r"hemidiaphragm|ventricle|leg|arm)\b",
    ),
    (
        "organ",
        r"\borgans?\b(?! system)|\b(?:which|what) (?:part|region|area) of (?:the |"
        r"this )?(?:human )?body\b|\bbody parts?\b|\bwhere does (?:the|this) (?:picture|image) show\b|"
        r"\b(?:which|what) (?:anatomical |anatomic )?structures?\b|\bwhat system\b|\borgan system\b|"
        r"\bbelongs? to\b",
    ),
    (
        "location",
        r"^\W*where\b|\bwhere (?:is|are|does|do)\b|\b(?:which|what) (?:\w+ )?(?:lobes?|part|parts|region|area|"
        r"areas|quadrants?|portion|place|location|zone|segment|hemisphere|level)\b|\blocat(?:ed|"
        r"ion)\b|\bin what (?!position|plane)\b|\bposition of\b",
    ),
    (
        "descriptor",
        r"\bcolou?rs?\b|\bdensit\w+\b|\bshapes?\b|\bhow would you describe\b|\bappearance\b|"
        r"\btextures?\b|\bmargins?\b|\bborders?\b|\bintensit\w+\b|\bsignal\b|\bechogenicity\b|"
        r"\bcharacteri\w+\b|\blooks? like\b|\bhow (?:does|do|is|are)\b|\bpattern\b|\bdescribe the\b|"
        r"\bbrightness\b",
    ),
    (
        "finding",
        r"\babnormal\w*\b|\bdiagnos\w+\b|\bdiseases?\b|\bpatholog\w+\b|\bfindings?\b|\bwrong\b|"
        r"\blesions?\b|\bconditions?\b|\bproblems?\b|\bcauses?\b|\betiolog\w+\b|\bprocess\b|\bmass\b|"
        r"\b(?:seen|shown|visible|present)\b|\bopacit\w+\b|\bkind of\b|\btype of\b|\bshow\b|\bmain\b|\bforeign\b",
    ),
)  # fmt: skip
_SLOT_PATTERNS = tuple((slot, re.compile(pattern, re.IGNORECASE)) for slot, pattern in _SLOTS)
_MARKER = re.compile(r"\bquestion\s*:", re.IGNORECASE)
_IMAGE_TAG = re.compile(r"<[a-z_]+>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """What a prompt asks for.

    Attributes:
        kind: `none` for a request to describe, or an empty prompt.
        slot: What fills the answer; `other` where the question is none of the known kinds.
        negative: It asks whether something is not so ("Is there no ...?", "Isn't ..."), so that yes and no are unclear.
        words: The question's words in lower case.
        concepts: What it names: the alternatives of "an AP or a PA film".
    """

    kind: Literal["yes_no", "either", "wh", "none"]
    slot: Slot
    negative: bool
    words: frozenset[str]
    concepts: frozenset[str] = frozenset()

    @property
    def asks_advice(self) -> bool:
        """Whether it asks what to do, so that advice is an answer and not an addition."""
        return not _ADVICE.isdisjoint(self.words)

    @property
    def choice(self) -> bool:
        """Whether it offers the answers ("heart or lung?"), so that an answer repeats its words."""
        return "or" in self.words and self.kind in {"either", "wh"}


def asked_text(prompt: str) -> str:
    """Return the question of a prompt that may hold image tags, instructions and a reference report before it."""
    text = _IMAGE_TAG.sub(" ", prompt)
    marked = list(_MARKER.finditer(text))
    if marked:
        text = text[marked[-1].end() :]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    asking = [line for line in lines if "?" in line]
    chosen = (asking or lines or [""])[-1]
    pieces = [piece.strip() for piece in re.split(r"(?<=[?])\s+|(?<=[.!])\s+(?=[A-Z])", chosen) if piece.strip()]
    questions = [piece for piece in pieces if "?" in piece]
    return (questions or pieces or [""])[-1]


def parse_question(words: Words) -> Question:
    """Return what the question asks; `none` for a request to describe."""
    lower = words.lower
    known = frozenset(lower)
    first = next((i for i, word in enumerate(lower) if word.isalpha() or "n't" in word), None)
    if first is None:
        return Question("none", "other", negative=False, words=known)
    opening = next((w for w in lower[first : first + 6] if w in _AUXILIARIES or w in _WH), "")
    slot = _slot_of(words.text)
    asks = "?" in lower or lower[first] in _AUXILIARIES or lower[first] in _INTERROGATIVE
    concepts = frozenset(m.concept for m in vocabulary().find(words)[0])
    if opening in _AUXILIARIES and (lower[first] == opening or lower[first] not in _WH):
        negative = "n't" in opening or "n’t" in opening or bool({"no", "not", "without"} & set(lower))
        if not asks:
            return Question("none", "other", negative=False, words=known)
        either = "or" in lower and lower[lower.index("or") + 1 : lower.index("or") + 2] != ("not",)
        return Question("either" if either else "yes_no", slot, negative, known, concepts)
    if opening in _WH and asks:
        return Question("wh", slot, negative=False, words=known, concepts=concepts)
    open_kind: Literal["wh", "none"] = "wh" if "?" in lower else "none"  # "Location of the infarcts?"
    return Question(open_kind, slot, negative=False, words=known)


def answer_word(words: Words, question: Question) -> int:
    """Return how many tokens at the start are the "yes" or "no" that answers the question; 0 where there is none.

    "No pneumothorax is seen" is a statement, "No, ..." and a lone "no" are answers.
    """
    if not len(words) or words.lower[0] not in _YES_NO or question.kind == "none":
        return 0
    alone = len(words) == 1 or not words.lower[1].isalnum()
    restarts = len(words) > 1 and words.lower[1] in {"there", "the", "it", "this", "i", "they", "he", "she"}
    return 1 if alone or restarts or words.lower[0] == "yes" else 0


def _slot_of(text: str) -> Slot:
    for slot, pattern in _SLOT_PATTERNS:
        if pattern.search(text):
            return slot
    return "other"
