"""Steps: what the pipeline hands to an engine. Each joins one stage's verb to the records that flow past it.

A step takes `Case`s and returns one record or `Dropped` per case, so a loop and a cluster run the same object.
"""

from collections.abc import Callable, Collection, Sequence

from medprefkit.edit.verify import keep_edits, verify_edits
from medprefkit.offsets import apply_edits
from medprefkit.protocols import Checker, Detector, Editor, Generator
from medprefkit.records import (
    Answer,
    Case,
    Claim,
    Claims,
    Dropped,
    Edit,
    Edits,
    Passage,
    Record,
    Span,
    Verdict,
    Verdicts,
)

Step = Callable[[Sequence[Case]], Sequence[Record]]


class GenerateStep:
    """Case with an example -> Answer."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def __call__(self, batch: Sequence[Case]) -> list[Answer | Dropped]:
        """Answer every example."""
        return self._generator([case.example for case in batch])


class DetectStep:
    """Case with an answer -> Claims of the answer and of the reference, read by the same detector."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, batch: Sequence[Case]) -> list[Claims]:
        """Read answers and references in one call."""
        answers = [_passage(case, _answer(case)) for case in batch]
        references = [_passage(case, case.example.reference) for case in batch]
        read = self._detector(answers + references)
        return [
            Claims(id=case.example.id, answer=answer, reference=reference)
            for case, answer, reference in zip(batch, read[: len(batch)], read[len(batch) :], strict=True)
        ]


class CheckStep:
    """Case with claims -> Verdicts."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker

    def __call__(self, batch: Sequence[Case]) -> list[Verdicts]:
        """Judge every claim."""
        return [
            Verdicts(id=case.example.id, verdicts=verdicts)
            for case, verdicts in zip(batch, self._checker(batch), strict=True)
        ]


def judge_cases(cases: Sequence[Case], detect: DetectStep, check: CheckStep) -> list[Case]:
    """Return the cases, each with an answer, with their claims and the verdicts on them."""
    read = [Case(c.example, c.answer, claims) for c, claims in zip(cases, detect(cases), strict=True)]
    return [Case(c.example, c.answer, c.claims, said) for c, said in zip(read, check(read), strict=True)]


class EditStep:
    """Case with verdicts -> Edits that hold when the edited text is read and judged again.

    An edit that changes a claim it was not made for, leaves its target wrong, or breaks the sentence is taken back, and
    the text is read again without it, until every edit that is left holds. A record with none left is dropped, and so
    is one whose edited text still says what the checker knows to be significantly wrong: `chosen` is never that.
    """

    def __init__(self, editor: Editor, detector: Detector, checker: Checker) -> None:
        self._editor = editor
        self._detector = detector
        self._checker = checker

    def __call__(self, batch: Sequence[Case]) -> list[Edits | Dropped]:
        """Edit, read again, take back."""
        return [
            proposed if isinstance(proposed, Dropped) else self._settle(case, proposed)
            for case, proposed in zip(batch, self._editor(batch), strict=True)
        ]

    def verify(self, case: Case, edits: tuple[Edit, ...]) -> Edits | Dropped:
        """Tell whether edits that a person made hold, all of them: none is taken back.

        Beyond what an edit of the tool's must be, words that are a person's own must be of a claim that the checker
        supports: it is asked what stands there now, not only whether the old error is gone.

        Args:
            case: With answer, claims, verdicts and the tool's own edits.
            edits: Sorted and disjoint.

        Returns:
            The edits; `Dropped` with `edit_not_verified` where one does not hold, and with `edit_incomplete` where the
            edited text still says what the checker knows to be significantly wrong.
        """
        chosen = apply_edits(_answer(case), edits)
        claims = self._read(case, chosen.text)
        reasons = [reason for _, reason in verify_edits(case, claims, edits)]
        if not reasons:
            whole = self._complete(case, Edits(id=case.example.id, edits=edits, chosen=chosen.text), claims, [])
            if isinstance(whole, Dropped):
                return whole
            own = {(edit.span, edit.replacement) for edit in (case.edits.edits if case.edits is not None else ())}
            labels = {verdict.claim_id: verdict.label for verdict in self._judge(case, chosen.text, claims)}
            for edit, span in zip(edits, chosen.spans, strict=True):
                said = {labels.get(c.claim_id) for c in claims if _meet(c.phrase, span)}
                if span.text and (edit.span, edit.replacement) not in own and _unsupported(said):
                    reasons.append(f"the reference does not support {span.text!r}")
            if not reasons:
                return whole
        detail = "; ".join(dict.fromkeys(reasons))
        return Dropped(id=case.example.id, stage="edit", reason="edit_not_verified", detail=detail)

    def _settle(self, case: Case, edits: tuple[Edit, ...]) -> Edits | Dropped:
        if not edits:
            return _nothing_to_edit(case)
        reasons: list[str] = []
        while edits:
            chosen = apply_edits(_answer(case), edits).text
            claims = self._read(case, chosen)
            refused = verify_edits(case, claims, edits)
            if not refused:
                return self._complete(case, Edits(id=case.example.id, edits=edits, chosen=chosen), claims, reasons)
            reasons += [reason for _, reason in refused]
            edits = keep_edits(edits, {phrase_id for phrase_id, _ in refused})
        detail = "; ".join(dict.fromkeys(reasons))
        return Dropped(id=case.example.id, stage="edit", reason="edit_not_verified", detail=detail)

    def _complete(self, case: Case, edits: Edits, claims: tuple[Claim, ...], reasons: list[str]) -> Edits | Dropped:
        """Judge the edited text as if the model had written it."""
        verdicts = self._judge(case, edits.chosen, claims)
        left = [v.target.text for v in verdicts if v.target is not None and v.severity == "significant"]
        if not left:
            return edits
        why = f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""
        detail = f"still wrong after {len(edits.edits)} edits: {', '.join(map(repr, left))}{why}"
        return Dropped(id=edits.id, stage="edit", reason="edit_incomplete", detail=detail)

    def _judge(self, case: Case, text: str, claims: tuple[Claim, ...]) -> tuple[Verdict, ...]:
        answer = _given(case).model_copy(update={"text": text})
        reference = case.claims.reference if case.claims is not None else ()
        read = Claims(id=case.example.id, answer=claims, reference=reference)
        (verdicts,) = self._checker([Case(case.example, answer, read)])
        return verdicts

    def _read(self, case: Case, text: str) -> tuple[Claim, ...]:
        return self._detector([_passage(case, text)])[0]


def _unsupported(labels: Collection[str | None]) -> bool:
    return "supported" not in labels or "contradicted" in labels


def _meet(one: Span, other: Span) -> bool:
    return one.start_char < other.end_char and other.start_char < one.end_char


def _nothing_to_edit(case: Case) -> Dropped:
    labels = {verdict.label for verdict in case.verdicts.verdicts} if case.verdicts else set()
    if "supported" in labels:
        return Dropped(id=case.example.id, stage="edit", reason="no_error_found", detail="every checkable claim holds")
    detail = "the reference speaks to none of the answer's claims"
    return Dropped(id=case.example.id, stage="edit", reason="nothing_checkable", detail=detail)


def _given(case: Case) -> Answer:
    if case.answer is None:
        raise ValueError(f"{case.example.id}: this step comes after `generate`")
    return case.answer


def _answer(case: Case) -> str:
    return _given(case).text


def _passage(case: Case, text: str) -> Passage:
    return Passage(id=case.example.id, prompt=case.example.prompt, text=text)
