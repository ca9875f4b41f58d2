"""Readings by hand: two answers of which the tool finds what a test says, without running it."""

from medprefkit.evaluate.detection import GoldError, GoldRow, expected_text
from medprefkit.evaluate.readings import Judged, Labelled, Reading
from medprefkit.offsets import apply_edits, span_of
from medprefkit.records import Claim, Edit, ErrorType, Verdict

#            0         1         2         3         4
#            01234567890123456789012345678901234567890123456
HOSTILE = "A <b>mass</b> is seen. Left side. |No| fracture."
REFERENCE = 'No mass <script>alert("x")</script>. Right side. `Fracture`.'
PROMPT = "Is there <i>anything</i>?"


def edit(text: str, start: int, end: int, replacement: str, kind: ErrorType = "false_finding") -> Edit:
    span = span_of(text, start, end)
    return Edit(phrase_id=start + 1, span=span, claim_span=span, replacement=replacement, error_type=kind)


def claim(text: str, name: str, start: int, end: int) -> Claim:
    span = span_of(text, start, end)
    whole = span_of(text, 0, len(text))
    return Claim(claim_id=name, concept=name, kind="finding", span=span, phrase=span, sentence=whole)


def contradicted(text: str, name: str, start: int, end: int, kind: ErrorType = "false_finding") -> Verdict:
    return Verdict(
        claim_id=name,
        label="contradicted",
        checker="by hand",
        rule="hand_rule",
        score=1.0,
        evidence="No mass <script>",
        error_type=kind,
        target=span_of(text, start, end),
        truth="no",
    )


def judged(
    text: str,
    *,
    kept: tuple[Edit, ...] = (),
    proposed: tuple[Edit, ...] | None = None,
    claims: tuple[Claim, ...] = (),
    verdicts: tuple[Verdict, ...] = (),
    left_in_proposed: tuple[Verdict, ...] = (),
    abstained: str = "",
) -> Judged:
    proposed = kept if proposed is None else proposed
    return Judged(
        text=text,
        claims=claims,
        verdicts=verdicts,
        proposed=proposed,
        proposed_text=apply_edits(text, proposed).text,
        left_in_proposed=left_in_proposed,
        kept=kept,
        kept_text=apply_edits(text, kept).text,
        left_in_kept=(),
        abstained=abstained,
    )


def two_readings() -> list[Reading]:
    """Return one report with a match, a miss and a false alarm, and one question that is abstained from.

    Report, labels: "A <b>mass</b>" [0, 13), "Left" [23, 27). Kept: "A <b>mass</b>" and "|No|" [34, 38).
    Question, label: "Yes" [0, 3). Proposed: "Yes"; kept: nothing. Its labelled correction is edited.
    """
    report = GoldRow(
        "r<1>",
        "report",
        HOSTILE,
        (GoldError(0, 13, "false_finding", "No mass"), GoldError(23, 27, "wrong_laterality", "Right")),
        ((39, 47),),
    )
    mass, no = edit(HOSTILE, 0, 13, "No mass"), edit(HOSTILE, 34, 38, "A", "false_negation")
    answer = judged(
        HOSTILE,
        kept=(mass, no),
        claims=(claim(HOSTILE, "c0", 5, 9), claim(HOSTILE, "c1", 34, 47)),
        verdicts=(contradicted(HOSTILE, "c0", 0, 13), contradicted(HOSTILE, "c1", 34, 38, "false_negation")),
    )
    question = GoldRow("q", "vqa", "Yes.", (GoldError(0, 3, "false_finding", "No"),))
    yes = edit("Yes.", 0, 3, "No")
    refused = judged(
        "Yes.",
        proposed=(yes,),
        verdicts=(contradicted("Yes.", "c0", 0, 3),),
        left_in_proposed=(contradicted("No.", "c0", 0, 2),),
        abstained="edit_incomplete: still wrong",
    )
    corrected = expected_text(report)
    return [
        Reading(Labelled(report, PROMPT, REFERENCE), answer, judged(corrected)),
        Reading(Labelled(question, "Is there?", "No"), refused, judged("No.", kept=(edit("No.", 0, 2, "Yes"),))),
    ]
