"""Laws of the editor over texts that the real detector and checker rule on."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from medprefkit.check.reference import ReferenceChecker
from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.edit.minimal import MinimalEditor
from medprefkit.edit.verify import keep_edits, verify_edits
from medprefkit.offsets import apply_edits, invert_edits, is_boundary
from medprefkit.records import Answer, Case, Claims, Dropped, Edit, Example, Passage, Source, Verdicts

FINDINGS = (
    "pleural effusion",
    "pneumothorax",
    "consolidation",
    "cardiomegaly",
    "opacity",
    "nodule",
    "rib fracture",
    "edema",
)
FRAMES = (
    "There is a large left-sided {}.",
    "There is no {} or {}.",
    "No evidence of {}.",
    "The X-ray shows {}, {}, and {}.",
    "The heart is enlarged.",
    "The lungs are clear.",
    "There is an opacity, suggesting {}.",
    "A small right {} is seen.",
    "This {} is causing a shift.",
    "The aorta is not tortuous.",
    "Further evaluation is recommended.",
    "Ẹ́ffusion – naïve ☢️ text, İstanbul.",
    "The heart size is normal, and there is {}.",
    "Lungs:\nclear.  {}",
)


@cache
def parts() -> tuple[LexiconDetector, ReferenceChecker, MinimalEditor]:
    return LexiconDetector(), ReferenceChecker(), MinimalEditor()


@st.composite
def texts(draw: st.DrawFn) -> str:
    frames = draw(st.lists(st.sampled_from(FRAMES), min_size=1, max_size=4))
    words = st.sampled_from(FINDINGS)
    return " ".join(frame.format(*(draw(words) for _ in range(3))) for frame in frames)


def checked(answer: str, reference: str) -> Case:
    detector, checker, _ = parts()
    example = Example(
        id="x",
        group_id="x",
        task="report",
        prompt="Describe.",
        reference=reference,
        source=Source(name="t", licence="t"),
    )
    found = detector([Passage(id="x", prompt="Describe.", text=text) for text in (answer, reference)])
    case = Case(
        example=example,
        answer=Answer(id="x", text=answer, model="m"),
        claims=Claims(id="x", answer=found[0], reference=found[1]),
    )
    (verdicts,) = checker([case])
    return Case(case.example, case.answer, case.claims, Verdicts(id="x", verdicts=verdicts))


def outside(text: str, edits: tuple[Edit, ...]) -> list[str]:
    starts = [0, *(e.span.end_char for e in edits)]
    ends = [*(e.span.start_char for e in edits), len(text)]
    return [text[a:b] for a, b in zip(starts, ends, strict=True)]


@given(texts(), texts())
@settings(max_examples=45, deadline=None)
def test_edits_are_disjoint_numbered_invertible_and_touch_what_is_wrong(answer: str, reference: str) -> None:
    case = checked(answer, reference)
    _, _, editor = parts()
    outcome = editor([case])[0]
    assert outcome == editor([case])[0]
    if isinstance(outcome, Dropped):
        assert outcome.stage == "edit"
        assert "\n" not in outcome.detail
        return
    assert [e.phrase_id for e in outcome] == list(range(1, len(outcome) + 1))
    chosen = apply_edits(answer, outcome)  # raises where two overlap
    assert apply_edits(chosen.text, invert_edits(answer, outcome)).text == answer
    kept = outside(answer, outcome)
    assert (
        "".join(p for pair in zip(kept, [*(e.replacement for e in outcome), ""], strict=True) for p in pair)
        == chosen.text
    )
    assert case.verdicts is not None
    wrong = {v.claim_id for v in case.verdicts.verdicts if v.label == "contradicted"}
    for edit in outcome:
        assert set(edit.claim_ids) <= wrong
        assert edit.span.text != edit.replacement
        assert edit.span.start_char <= edit.claim_span.start_char
        assert edit.claim_span.end_char <= edit.span.end_char
        assert is_boundary(answer, edit.span.start_char)
        assert is_boundary(answer, edit.span.end_char)


@given(texts(), texts())
@settings(max_examples=30, deadline=None)
def test_what_verification_keeps_is_no_longer_wrong(answer: str, reference: str) -> None:
    case = checked(answer, reference)
    detector, _, editor = parts()
    outcome = editor([case])[0]
    edits = () if isinstance(outcome, Dropped) else outcome
    while edits:
        chosen = apply_edits(answer, edits).text
        (claims,) = detector([Passage(id="x", prompt="Describe.", text=chosen)])
        refused = verify_edits(case, claims, edits)
        if not refused:
            break
        edits = keep_edits(edits, {r.phrase_id for r in refused})
    if not edits:
        return
    before = sum(v.label == "contradicted" for v in case.verdicts.verdicts) if case.verdicts is not None else 0
    again = checked(chosen, reference)
    after = sum(v.label == "contradicted" for v in again.verdicts.verdicts) if again.verdicts is not None else 0
    assert after < before
