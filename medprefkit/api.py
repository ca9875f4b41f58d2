"""The whole tool in one call: correct an answer, without a recipe or a run."""

import functools
from typing import NamedTuple

from medprefkit.check.reference import ReferenceChecker
from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.edit.minimal import MinimalEditor
from medprefkit.records import Answer, Case, Claim, Dropped, Edit, Example, Source, Verdict
from medprefkit.steps import CheckStep, DetectStep, EditStep, judge_cases


class Correction(NamedTuple):
    """An answer made right.

    Attributes:
        chosen: The edited text; the answer itself where nothing is edited.
        edits: What was changed, with offsets into the answer; empty where nothing is.
        claims: What the answer says.
        verdicts: What the reference says of each claim, in the order of `claims`.
        abstained: Why nothing was edited although the answer was read; empty where there are edits.
    """

    chosen: str
    edits: tuple[Edit, ...]
    claims: tuple[Claim, ...]
    verdicts: tuple[Verdict, ...]
    abstained: str


def correct(*, prompt: str, answer: str, reference: str) -> Correction:
    """Make an answer agree with its reference by the smallest edits, and abstain where the reference does not speak.

    Args:
        prompt: The question, or the request for a report; yes/no questions are read with their answers.
        answer: A model's own words.
        reference: What is known to be true: a report, a short answer.

    Returns:
        The correction. An empty or blank answer or reference has no claims to judge, so nothing is edited.
    """
    detect, check, edit = _steps()
    example = Example(
        id="answer",
        group_id="answer",
        task="report",
        prompt=prompt,
        reference=reference,
        source=Source(name="given", licence="unknown"),
    )
    (case,) = judge_cases([Case(example, Answer(id="answer", text=answer, model="given"))], detect, check)
    claims = case.claims.answer if case.claims is not None else ()
    verdicts = case.verdicts.verdicts if case.verdicts is not None else ()
    (edits,) = edit([case])
    if isinstance(edits, Dropped):
        return Correction(answer, (), claims, verdicts, f"{edits.reason}: {edits.detail}")
    return Correction(edits.chosen, edits.edits, claims, verdicts, "")


@functools.cache
def _steps() -> tuple[DetectStep, CheckStep, EditStep]:
    detector, checker = LexiconDetector(), ReferenceChecker()
    return DetectStep(detector), CheckStep(checker), EditStep(MinimalEditor(), detector, checker)
