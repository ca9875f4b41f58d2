"""The reference checker: every claim of an answer against what its reference says, by rules that a reader can look
up.

Knows claims, not texts: both sides were read by one detector. Where the reference is silent, uncertain or of two
minds the verdict is `unverifiable`, which is never edited.

Source: the taxonomy of chest report metrics (CheXpert, GREEN, ReXErr). Differs: verdicts are per claim, with a
quotation of the reference, and abstaining is a verdict.
"""

import re
from collections.abc import Sequence

from medprefkit.check import ruling
from medprefkit.check.attributes import judge_attributes
from medprefkit.check.beyond_image import judge_beyond_image
from medprefkit.check.existence import judge_existence
from medprefkit.check.facts import Facts
from medprefkit.check.normality import judge_normality
from medprefkit.check.questions import judge_body, judge_instead, judge_yes_no
from medprefkit.check.ruling import Wrong, contradicted, supported, unverifiable
from medprefkit.check.slots import exclusive, judge_slot, names_a_side
from medprefkit.lexicon import Lexicon, lexicon
from medprefkit.records import Case, Claim, ErrorType, Verdict

_BEYOND_IMAGE = frozenset({"context", "comparison", "recommendation", "meta_text"})
_GENERIC = re.compile(r"(?:the\s+(?:presence|occurrence|development)\s+of\s+)?an?\s", re.I)
"""A phrase that speaks of the thing in general, not of the one named before."""
_IN_GENERAL = re.compile(
    r"\s*(?:this|it|these|they)\b(?:\s+[\w-]+){0,3}\s+(?:can|could|may|might)\s+(?:be\s+(?:caused|due|associated|related)|"
    r"cause|result|lead|occur)\b",
    re.I,
)
"""What such a thing can come from or lead to is knowledge, and stays true."""
_LONG_WORD = re.compile(r"[a-z]{4,}|\d{2,}")
_OF_ANY_PATIENT = frozenset(
    {
        "patient", "image", "this", "that", "with", "from", "have", "been", "were", "taken", "after", "before",
        "during", "show", "shows", "shown", "what", "which", "there", "seen", "describe", "chest", "findings",
        "finding", "report", "study", "does", "please",
    }
)  # fmt: skip
_RADIOGRAPH = re.compile(r"\b(?:radiographs?|x-rays?)$", re.I)
_OTHER_STUDY = re.compile(
    r"\b(?:recommend\w*|further|could|would|should|may|might|can|follow\w*|suggest\w*|correlat\w*|consider\w*|evaluat\w*|"
    r"prior|previous\w*|recent\w*|old|outside|earlier|compar\w*|since|history|known|additional|subsequent\w*|better|"
    r"abdom\w*|than|unlike|such as|need\w*|require\w*)\b",
    re.I,
)
"""Where another study is asked for, compared with or remembered, its name says nothing of this image."""
_IMAGE = re.compile(
    r"^\W*(?:(?:the|this|an?|provided|given|presented|image|picture|scan|study|is|shows?|of|are|normal|unremarkable|limited|"
    r"examination|consists|frontal|lateral|supine|upright|portable|single|two|three|and|pa|ap|views?|chest|brain|head|"
    r"abdominal|abdomen|stable|axial|coronal|sagittal|plane|xxxx|\d+\.)\W+)*$",
    re.I,
)
"""What may stand before the name of the image's kind: "The image shows a chest ...", "Normal chest ..."."""
_THINGS = frozenset({"finding", "device"})


class ReferenceChecker:
    """Compares the answer's claims with the reference's claims.

    Args:
        closed_world: A finding that a report does not mention is absent. Off by default, since reports leave things
            out; it never applies to short answers, and a finding that the report merely suspects is not silent.
    """

    def __init__(self, *, closed_world: bool = False) -> None:
        self._closed_world = closed_world
        self._lexicon = lexicon()

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Verdict, ...]]:
        """Judge each case; a case without claims gets no verdicts."""
        return [judge_case(case, self._lexicon, closed_world=self._closed_world) for case in batch]


def judge_case(case: Case, concepts: Lexicon, *, closed_world: bool) -> tuple[Verdict, ...]:
    """Return one verdict per claim of the answer, in order.

    Raises:
        ValueError: If the case has claims but no answer.
    """
    if case.claims is None:
        return ()
    if case.answer is None:
        raise ValueError(f"{case.example.id}: claims without the answer that they index")
    facts = Facts.of(case.example.reference, case.claims.reference, concepts)
    judge = _Judge(case, case.claims.answer, case.answer.text, facts, closed_world=closed_world)
    return tuple(judge.all())


class _Judge:
    """The rules in their order, over the claims of one answer."""

    def __init__(self, case: Case, claims: tuple[Claim, ...], answer: str, facts: Facts, *, closed_world: bool) -> None:
        self._claims = claims
        self._answer = answer
        self._facts = facts
        self._prompt = case.example.prompt
        self._closed_world = closed_world and case.example.task == "report"

    def all(self) -> list[Verdict]:
        question = next((c for c in self._claims if c.role == "yes_no"), None)
        ruled = self._one(question, None, None) if question is not None else None
        first = [self._one(c, question, ruled) for c in self._claims]
        kept = self._depend([self._close(v, c) for v, c in zip(first, self._claims, strict=True)])
        return [self._name_self_contradiction(v, kept) for v in kept]

    def _one(self, claim: Claim, question: Claim | None, ruled: Verdict | None) -> Verdict:
        if (rule := _not_judged(claim)) is not None:
            return unverifiable(claim, rule)
        if claim.kind == "context" and _telling(claim.phrase.text) & _telling(self._prompt):
            return unverifiable(claim, "said_in_the_prompt")
        if claim.kind in _BEYOND_IMAGE:
            return judge_beyond_image(claim, self._facts)
        if claim.role == "yes_no":
            body = [c for c in self._claims if c is not claim]
            verdict = judge_yes_no(claim, body, self._facts, self._prompt)
            return verdict if verdict is not None else self._statement(claim)
        if question is not None and ruled is not None:
            verdict = judge_body(claim, question, ruled, self._facts, self._prompt)
            if verdict is not None:
                return self._attributes_of(claim, verdict)
            verdict = judge_instead(claim, question, ruled, self._facts, self._prompt)
            if verdict is not None:
                return verdict
        if claim.role == "slot_answer":
            others = [c for c in self._claims if c.role == "slot_answer" and c is not claim]
            verdict = judge_slot(claim, others, self._facts, self._answer, self._prompt)
            if verdict is not None:
                return self._attributes_of(claim, verdict)
        return self._statement(claim)

    def _statement(self, claim: Claim) -> Verdict:
        if claim.kind in _THINGS:
            verdict = judge_existence(claim, self._facts, self._answer)
            return self._subject(claim) or verdict if verdict.rule == "reference_silent" else verdict
        if claim.kind == "normality":
            return judge_normality(claim, self._facts)
        return self._labelled(claim)

    def _subject(self, claim: Claim) -> Verdict | None:
        """Judge where the thing is that the question asks after, by a reference that gives the place alone."""
        filled = [c for c in self._facts.claims if c.role == "slot_answer"]
        places = [c for c in filled if c.kind == "location" or names_a_side(c)]
        asked = claim.span.text.split()[-1].lower() in self._prompt.lower()
        if not places or not asked or claim.polarity == "denied":
            return None
        if any(c.role == "slot_answer" and c.kind == "location" for c in self._claims):
            return None  # the answer's own place is judged instead
        return judge_attributes(claim, places, self._answer)

    def _labelled(self, claim: Claim) -> Verdict:
        """Judge a modality, plane or organ by its like in the reference: it is the same, or nothing can be said."""
        same = [c for c in self._facts.claims if c.kind == claim.kind and c.concept == claim.concept]
        for other in same:
            if other.polarity == claim.polarity:
                return supported(claim, "same_concept", ruling.SAME_CONCEPT, other.sentence.text)
            if other.role == "yes_no" or (other.role == claim.role == "slot_answer" and claim.polarity == "denied"):
                truth = "no" if claim.polarity == "affirmed" else ""
                error = _label_error(claim)
                wrong = Wrong(error, claim.phrase, truth)
                return contradicted(claim, "same_concept", ruling.SAME_CONCEPT, other.sentence.text, wrong)
        return self._other_label(claim) or unverifiable(claim, "reference_silent")

    def _other_label(self, claim: Claim) -> Verdict | None:
        """Judge a modality or plane that the image cannot have beside the one that the reference gives it."""
        if not _names_the_image(claim):
            return None
        ours = [c for c in self._claims if c.kind == claim.kind and _names_the_image(c)]
        theirs = [c for c in self._facts.claims if c.kind == claim.kind and _names_the_image(c)]
        if any(c.concept == t.concept for c in ours for t in theirs if c.sentence == claim.sentence):
            theirs = [t for t in theirs if not any(c.concept == t.concept for c in ours)]
        elif len({c.concept for c in ours}) > 1:
            return None  # a list of views, of which no one stands for one of the reference's
        said = {c.concept for c in (*self._facts.claims, *self._facts.doubtful) if c.kind == claim.kind}
        others = {t.concept: t for t in theirs}
        if claim.kind == "modality" and not said <= set(others):
            return None  # of two kinds of image it may be the one that the reference compares with
        if not others and claim.kind == "modality" and not self._facts.related(claim.concept, "radiograph"):
            return self._radiograph(claim)
        truth = next(iter(others.values()), None)
        if truth is None or len(others) > 1 or not exclusive(claim, truth, self._facts):
            return None
        wrong = Wrong(_label_error(claim), claim.span, truth.span.text)
        return contradicted(claim, "other_label", ruling.HIERARCHY, truth.sentence.text, wrong)

    def _radiograph(self, claim: Claim) -> Verdict | None:
        """Judge against a kind of image that the reference names with its view: "frontal and lateral radiographs"."""
        for other in self._facts.claims:
            named = _RADIOGRAPH.search(other.span.text)
            if named is not None and other.kind in {"view_plane", "normality"} and _speaks_of_the_image(other):
                wrong = Wrong("wrong_modality", claim.span, named[0].lower())
                return contradicted(claim, "other_label", ruling.HIERARCHY, other.sentence.text, wrong)
        return None

    def _attributes_of(self, claim: Claim, verdict: Verdict) -> Verdict:
        """Look at the attributes of a claim that is right as such."""
        if verdict.label != "supported" or claim.polarity != "affirmed":
            return verdict
        named = [c for c in self._facts.claims if c.polarity == "affirmed" and self._like(c, claim)]
        return judge_attributes(claim, named, self._answer) or verdict

    def _like(self, other: Claim, claim: Claim) -> bool:
        return other.kind == claim.kind and self._facts.related(other.concept, claim.concept)

    def _close(self, verdict: Verdict, claim: Claim) -> Verdict:
        """Apply the closed world to a finding that nothing in the reference speaks of."""
        if not self._closed_world or verdict.rule != "reference_silent" or claim.kind != "finding":
            return verdict
        if claim.polarity != "affirmed" or claim.certainty != "certain" or not self._facts.claims:
            return verdict
        if any(self._facts.related(c.concept, claim.concept) for c in self._facts.claims):
            return verdict
        wrong = Wrong("false_finding", claim.phrase, "no")
        return contradicted(claim, "closed_world", ruling.CLOSED_WORLD, "", wrong)

    def _depend(self, verdicts: list[Verdict]) -> list[Verdict]:
        """Rule out what is said further of a finding that is not there ("This mass is ...")."""
        ruled = {v.claim_id: v for v in verdicts}
        kept: list[Verdict] = []
        for claim, verdict in zip(self._claims, verdicts, strict=True):
            basis = ruled.get(claim.refers_to) if claim.refers_to is not None else None
            generic = claim.role == "definition" or _GENERIC.match(claim.phrase.text) is not None
            generic = generic or verdict.rule == "in_general"
            if basis is None or basis.error_type != "false_finding" or generic:
                kept.append(verdict)
                continue
            wrong = Wrong("false_finding", claim.phrase, "")
            kept.append(contradicted(claim, "depends_on_absent_finding", basis.score, basis.evidence, wrong))
        return kept

    def _name_self_contradiction(self, verdict: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
        """Call an existence error a self-contradiction where the answer also says the opposite, which is true."""
        if verdict.error_type not in {"false_finding", "false_negation"} or verdict.rule == "yes_no":
            return verdict
        by_id = {c.claim_id: c for c in self._claims}
        claim = by_id[verdict.claim_id]
        for other in verdicts:
            said = by_id[other.claim_id]
            opposite = said.polarity != claim.polarity and said.kind == claim.kind and said.role == "statement"
            if other.label == "supported" and opposite and said.concept == claim.concept:
                return verdict.model_copy(update={"error_type": "self_contradiction"})
        return verdict


def _not_judged(claim: Claim) -> str | None:
    """Return why a claim says nothing of this patient's image now, or None."""
    if claim.role == "definition":
        return "definition"
    if _IN_GENERAL.match(claim.sentence.text) is not None:
        return "in_general"
    if claim.experiencer != "patient":
        return "other_experiencer"
    if claim.certainty == "hypothetical":
        return "hypothetical"
    if not claim.current and claim.kind not in _BEYOND_IMAGE:
        return "history"
    return None


def _telling(text: str) -> frozenset[str]:
    """Return the words that tell of one patient rather than of any."""
    return frozenset(_LONG_WORD.findall(text.lower())) - _OF_ANY_PATIENT


def _names_the_image(claim: Claim) -> bool:
    """Tell whether a modality or plane is given to this image and to no other study."""
    return claim.kind in {"modality", "view_plane"} and _speaks_of_the_image(claim)


def _speaks_of_the_image(claim: Claim) -> bool:
    if claim.polarity != "affirmed" or claim.role != "statement":
        return False
    before = claim.sentence.text[: max(0, claim.span.start_char - claim.sentence.start_char)]
    certain = claim.certainty == "certain" and claim.current
    return certain and _IMAGE.match(before) is not None and _OTHER_STUDY.search(claim.sentence.text) is None


def _label_error(claim: Claim) -> ErrorType:
    if claim.kind == "modality":
        return "wrong_modality"
    if claim.kind == "view_plane":
        return "wrong_view_plane"
    return "false_finding" if claim.polarity == "affirmed" else "false_negation"
