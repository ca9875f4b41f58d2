"""The learned checker: a natural language inference model reads each claim against the reference.

Source: claim verification as inference (FEVER; SummaC, arXiv:2111.09525). Differs: the whole reference is the premise
where it fits, a verdict is given only above calibrated probabilities, its evidence is the one sentence of the reference
that alone decides most, and a contradiction becomes an edit only where the claims on both sides say what is wrong.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medprefkit.check.attributes import judge_attributes
from medprefkit.check.label_map import CheckerSettings, read_settings
from medprefkit.check.selection import Subject, select_sentences, split_reference
from medprefkit.check.statements import LABELS
from medprefkit.errors import ModelError
from medprefkit.lexicon import lexicon
from medprefkit.records import Case, Claim, ErrorType, Span, Verdict

CHECKER = "nli"

_CHECKED = frozenset({"finding", "normality", "device"})
"""What a report can support or contradict; questions' slots, context, advice and the like are for rules."""


class Reading(NamedTuple):
    """What the model makes of one claim.

    Attributes:
        probabilities: Of supported, contradicted, unverifiable.
        evidence: The reference's sentence that decides most; empty where it abstains or nothing was read.
        sentence: Its characters in the reference; None likewise.
    """

    probabilities: tuple[float, float, float]
    evidence: str
    sentence: Span | None


class NliChecker:
    """Judges claims by a fine-tuned encoder, or any three-way NLI model.

    Args:
        model: A folder that `medprefkit train-checker` wrote, or the folder or Hub name of an NLI model.
        min_confidence: Abstain below this probability; the folder's own thresholds where None.
        device: Where the model runs.
        batch_size: Pairs the model reads at a time.

    Raises:
        ModelError: If the model cannot be loaded, or its labels are not the three of inference.
    """

    def __init__(
        self,
        *,
        model: str,
        min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
        batch_size: Annotated[int, Field(ge=1)] = 32,
    ) -> None:
        try:
            from medprefkit.check.cross_encoder import CrossEncoder  # heavy: torch and transformers
        except ModuleNotFoundError as error:
            raise ModelError(
                f"a learned checker needs the package {error.name!r}: pip install 'medprefkit[train]'"
            ) from error
        self._settings: CheckerSettings = read_settings(model)
        self._thresholds = {
            label: threshold if min_confidence is None else min_confidence
            for label, threshold in self._settings.thresholds.items()
        }
        self._encoder = CrossEncoder(model, self._settings, device=device, batch_size=batch_size)
        self._lexicon = lexicon()

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Verdict, ...]]:
        """Judge each case; a case without claims gets no verdicts."""
        return self.verdicts(batch, self.read(batch))

    def verdicts(
        self, batch: Sequence[Case], readings: Sequence[Sequence[Reading | None]]
    ) -> list[tuple[Verdict, ...]]:
        """Return the verdicts that follow from what the model read, one a claim."""
        return [
            tuple(self._verdict(case, claim, reading) for claim, reading in zip(_claims(case), of_case, strict=True))
            for case, of_case in zip(batch, readings, strict=True)
        ]

    def read(self, batch: Sequence[Case]) -> list[list[Reading | None]]:
        """Return what the model makes of every claim; None for those that are not its matter."""
        places = [(k, i) for k, case in enumerate(batch) for i, claim in enumerate(_claims(case)) if is_checked(claim)]
        claims = [_claims(batch[k])[i] for k, i in places]
        texts = [self._hypothesis(claim, _claims(batch[k])) for (k, _), claim in zip(places, claims, strict=True)]
        read = [self._premise(batch[k], claim) for (k, _), claim in zip(places, claims, strict=True)]
        whole = self._encoder.probabilities(
            [(text, " ".join(s.text for s in sentences)) for text, sentences in zip(texts, read, strict=True)]
        )
        found = self._evidence(texts, read, whole)
        out: list[list[Reading | None]] = [[None] * len(_claims(case)) for case in batch]
        for (k, i), row, sentence in zip(places, whole, found, strict=True):
            evidence = sentence.text if sentence is not None else ""
            out[k][i] = Reading((float(row[0]), float(row[1]), float(row[2])), evidence, sentence)
        return out

    def _evidence(
        self, texts: Sequence[str], read: Sequence[tuple[Span, ...]], whole: NDArray[np.float64]
    ) -> list[Span | None]:
        """Return of each decided claim's sentences the one that alone makes the decision likeliest."""
        decided = [k for k, row in enumerate(whole) if row.argmax() != 2 and read[k]]
        single = [(k, sentence) for k in decided for sentence in read[k]]
        alone = self._encoder.probabilities([(texts[k], sentence.text) for k, sentence in single])
        best: dict[int, tuple[float, Span]] = {}
        for (k, sentence), row in zip(single, alone, strict=True):
            sure = float(row[int(whole[k].argmax())])
            if k not in best or sure > best[k][0]:
                best[k] = (sure, sentence)
        return [best[k][1] if k in best else None for k in range(len(texts))]

    def _premise(self, case: Case, claim: Claim) -> tuple[Span, ...]:
        reference = case.claims.reference if case.claims is not None else ()
        sentences = split_reference(case.example.reference, reference)
        subject = Subject(claim.concept, claim.anatomy, claim.sentence.text)
        return select_sentences(
            subject, sentences, reference, self._lexicon, max_words=self._settings.max_reference_words
        )

    def _hypothesis(self, claim: Claim, claims: Sequence[Claim]) -> str:
        return claim_text(claim, claims, form=self._settings.claim_form)

    def _verdict(self, case: Case, claim: Claim, reading: Reading | None) -> Verdict:
        if reading is None:
            return abstain(claim, CHECKER, "not_for_a_model", 1.0)
        best = int(np.argmax(reading.probabilities))
        label, sure = LABELS[best], reading.probabilities[best]
        if label == "unverifiable":
            return abstain(claim, CHECKER, "reference_silent", sure)
        if reading.sentence is None:
            return abstain(claim, CHECKER, "nothing_to_read", 1.0)
        if sure < self._thresholds[label]:
            return abstain(claim, CHECKER, "not_sure_enough", 1.0 - sure, reading.evidence)
        if label == "supported":
            return Verdict(
                claim_id=claim.claim_id, label="supported", checker=CHECKER, rule="entailed", score=sure,
                evidence=reading.evidence,
            )  # fmt: skip
        return self._contradicted(case, claim, reading, sure)

    def _contradicted(self, case: Case, claim: Claim, reading: Reading, sure: float) -> Verdict:
        """Name the error by the claims that the deciding sentence makes; abstain where they do not show it."""
        against = [c for c in _reference(case) if reading.sentence is not None and _meet(c, reading.sentence)]
        wrong = name_error(claim, against, _answer(case))
        if wrong is None:
            return abstain(claim, CHECKER, "error_not_named", 1.0 - sure, reading.evidence)
        return Verdict(
            claim_id=claim.claim_id, label="contradicted", checker=CHECKER, rule="contradicted_by_sentence", score=sure,
            evidence=reading.evidence, error_type=wrong.error_type, target=wrong.target, truth=wrong.truth,
        )  # fmt: skip


class Named(NamedTuple):
    """What is wrong with a claim, where, and what should stand there."""

    error_type: ErrorType
    target: Span
    truth: str


def is_checked(claim: Claim) -> bool:
    """Tell whether a claim is one that a report can support or contradict as a sentence."""
    return (
        claim.kind in _CHECKED
        and claim.role == "statement"
        and claim.experiencer == "patient"
        and claim.current
        and claim.certainty != "hypothetical"
    )


def claim_text(claim: Claim, claims: Sequence[Claim], *, form: Literal["focus", "sentence"]) -> str:
    """Return the claim as the model reads it.

    `focus` puts the words that name it before its sentence. `sentence` is the sentence alone where it makes one claim,
    and otherwise a sentence of its own ("There is no pneumothorax."), since an NLI model judges all that it is told.
    """
    sentence = " ".join(claim.sentence.text.split())
    alone = all(c is claim or not _meet(c, claim.sentence) for c in claims)
    if form == "focus":
        whole = alone and claim.kind == "normality"  # "normal" alone does not say of what
        return f"{sentence.rstrip(' .') if whole else claim.span.text}: {sentence}"
    if alone or claim.kind == "normality":
        return sentence
    phrase = " ".join(claim.phrase.text.split())
    bare = phrase.lower().removeprefix("no ").removeprefix("not ")
    return f"There is no {bare}." if claim.polarity == "denied" else f"There is {bare}."


def name_error(claim: Claim, against: Sequence[Claim], answer: str) -> Named | None:
    """Return what is wrong with a contradicted claim by the reference's claims that contradict it, or None.

    The opposite polarity, a normality that excludes the finding, and a finding that a normality excludes change what is
    there; the same finding with another attribute changes the attribute's word.
    """
    known = lexicon()
    for other in against:
        same = known.is_a(claim.concept, other.concept) or known.is_a(other.concept, claim.concept)
        if claim.kind == "normality" and claim.polarity == "affirmed":
            there = other.kind == "finding" and other.polarity == "affirmed" and other.certainty == "certain"
            if there and (other.concept in known.denied_by(claim.concept) or set(other.anatomy) & set(claim.anatomy)):
                return Named("false_negation", claim.phrase, other.phrase.text)
            continue
        if claim.polarity == "affirmed":
            excluded = other.kind == "normality" and other.polarity == "affirmed"
            if excluded and claim.concept in known.denied_by(other.concept):
                return Named("false_finding", claim.phrase, other.span.text)
            if same and other.polarity == "denied":
                return Named("wrong_device" if claim.kind == "device" else "false_finding", claim.phrase, "no")
        elif same and other.polarity == "affirmed" and other.kind == claim.kind:
            return Named("false_negation", claim.phrase, other.phrase.text)
    if claim.polarity == "denied" or claim.kind == "normality":
        return None
    like = [c for c in against if c.polarity == "affirmed" and c.kind == claim.kind and c.concept == claim.concept]
    verdict = judge_attributes(claim, like, answer)
    if verdict is None or verdict.error_type is None or verdict.target is None:
        return None
    return Named(verdict.error_type, verdict.target, verdict.truth)


def abstain(claim: Claim, checker: str, rule: str, score: float, evidence: str = "") -> Verdict:
    """Return that nothing decides."""
    return Verdict(
        claim_id=claim.claim_id, label="unverifiable", checker=checker, rule=rule, score=score, evidence=evidence
    )


def _claims(case: Case) -> tuple[Claim, ...]:
    return case.claims.answer if case.claims is not None else ()


def _reference(case: Case) -> tuple[Claim, ...]:
    return case.claims.reference if case.claims is not None else ()


def _answer(case: Case) -> str:
    if case.answer is None:
        raise ValueError(f"{case.example.id}: claims without the answer that they index")
    return case.answer.text


def _meet(claim: Claim, span: Span) -> bool:
    return claim.sentence.start_char < span.end_char and span.start_char < claim.sentence.end_char
