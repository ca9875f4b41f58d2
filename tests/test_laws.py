"""Laws over every registered editor and detector, on texts that a model could have written."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medprefkit.offsets import apply_edits, invert_edits
from medprefkit.records import Answer, Case, Dropped, Edits, Example, Passage, Source
from medprefkit.registry import installed, load
from medprefkit.steps import CheckStep, DetectStep, EditStep

NEED_A_MODEL = {"ner", "nli", "ensemble", "vlm", "llm", "panel", "model"}  # need a model; their own tests make one

SENTENCES = st.sampled_from(
    [
        "There is a large left-sided pleural effusion.",
        "No pneumothorax or effusion.",
        "The heart is markedly enlarged.",
        "The lungs are clear.",
        "Yes, there is a mass in the right upper lobe.",
        "This mass is causing atelectasis.",
        "No.",
        "MRI, T2-weighted",
        "Consolidation, edema and multiple nodules are seen; a chest tube is in place.",
        "Émphysème possible — İ 👩\u200d⚕️ e\u0301dema, 3.2 cm.",
        "XXXX opacity in the left base, XXXX scarring.",
        "there is no evidence of focal airspace disease pleural effusion or pneumothorax .",
    ]
)
TEXTS = st.lists(st.one_of(SENTENCES, st.text(max_size=20)), min_size=1, max_size=4).map(" ".join)
PROMPTS = st.sampled_from(["Describe the image.", "Is there a pleural effusion?", "What modality is this?", ""])


def case_of(prompt: str, answer: str, reference: str) -> Case:
    source = Source(name="test", licence="CC0")
    example = Example(id="e", group_id="g", task="report", prompt=prompt, reference=reference, source=source)
    return Case(example, answer=Answer(id="e", text=answer, model="m"))


def build(kind: Any, name: str) -> Any:
    return load(kind, name)()


@pytest.mark.parametrize("name", sorted(set(installed("detectors")) - NEED_A_MODEL))
def test_every_detector_s_spans_are_the_text_s(name: str) -> None:
    detector = build("detectors", name)

    @settings(max_examples=60, deadline=None)
    @given(PROMPTS, TEXTS)
    def law(prompt: str, text: str) -> None:
        (claims,) = detector([Passage(id="p", prompt=prompt, text=text)])
        for claim in claims:
            spans = [claim.span, claim.phrase, claim.sentence, *(a.span for a in claim.attributes)]
            for span in [*spans, *([claim.cue] if claim.cue else [])]:
                assert text[span.start_char : span.end_char] == span.text
        assert len({claim.claim_id for claim in claims}) == len(claims)
        assert detector([Passage(id="p", prompt=prompt, text=text)]) == [claims]

    law()


@pytest.mark.parametrize("editor", sorted(set(installed("editors")) - NEED_A_MODEL))
@pytest.mark.parametrize("checker", sorted(set(installed("checkers")) - NEED_A_MODEL))
def test_every_editor_changes_only_its_edits_and_can_be_undone(checker: str, editor: str) -> None:
    detector, judge = build("detectors", "lexicon"), build("checkers", checker)
    detect, check = DetectStep(detector), CheckStep(judge)
    edit = EditStep(build("editors", editor), detector, judge)

    @settings(max_examples=80, deadline=None)
    @given(PROMPTS, TEXTS, TEXTS)
    def law(prompt: str, answer: str, reference: str) -> None:
        case = case_of(prompt, answer, reference)
        claims = detect([case])[0]
        verdicts = check([Case(case.example, case.answer, claims)])[0]
        assert not isinstance(claims, Dropped)
        assert not isinstance(verdicts, Dropped)
        assert [v.claim_id for v in verdicts.verdicts] == [c.claim_id for c in claims.answer]
        assert all(v.evidence in reference for v in verdicts.verdicts), "evidence is quoted from the reference"
        outcome = edit([Case(case.example, case.answer, claims, verdicts)])[0]
        if not isinstance(outcome, Edits):
            return
        edited = apply_edits(answer, outcome.edits)
        assert edited.text == outcome.chosen != answer
        assert apply_edits(outcome.chosen, invert_edits(answer, outcome.edits)).text.encode() == answer.encode()
        assert [e.phrase_id for e in outcome.edits] == list(range(1, len(outcome.edits) + 1))
        unverifiable = {v.claim_id for v in verdicts.verdicts if v.label == "unverifiable"}
        assert not any(set(e.claim_ids) <= unverifiable for e in outcome.edits if e.claim_ids)

    law()


def test_a_reference_corrects_nothing_in_itself() -> None:
    """The truth compared with itself has no error: a false alarm here would be a wrong correction of a right text."""
    detector, judge = build("detectors", "lexicon"), build("checkers", "reference")
    detect, check = DetectStep(detector), CheckStep(judge)

    @settings(max_examples=80, deadline=None)
    @given(PROMPTS, SENTENCES)
    def law(prompt: str, text: str) -> None:
        case = case_of(prompt, text, text)
        claims = detect([case])[0]
        verdicts = check([Case(case.example, case.answer, claims)])[0]
        wrong = [v for v in verdicts.verdicts if v.label == "contradicted" and v.evidence]  # type: ignore[union-attr]
        assert not wrong

    law()
