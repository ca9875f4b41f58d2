"""A model's edit: taken only where the rest stays, the target is right and another judge agrees; else refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from asking import DETECTOR, RULES, case, context
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import Raw, completion, serve, text_of

from medprefkit.check.llm import LlmChecker
from medprefkit.edit.change import Change
from medprefkit.edit.model import ModelEditor
from medprefkit.edit.rewriting import Part, Refused, change_of, clause_around
from medprefkit.errors import RecipeError
from medprefkit.models.calls import Rewrite
from medprefkit.offsets import span_of
from medprefkit.records import Case, Dropped, Edit, Edits, Verdict
from medprefkit.steps import EditStep

ANSWER = "There is a large left pleural effusion. The heart is enlarged."
REFERENCE = "There is a right pleural effusion. The heart is enlarged."


def edit(
    folder: Path, reply: Any, judged: Case, **options: Any
) -> tuple[tuple[Edit, ...] | Dropped, list[Rewrite], list[str]]:
    answer = reply if callable(reply) else lambda _: completion(json.dumps({"rewrite": reply}))
    with serve(answer) as server:
        lent = context(folder, stage="edit")
        editor = ModelEditor(model="writer", base_url=server.base_url, **{"first": "model", **options})
        editor.attach(lent)
        (outcome,) = editor([judged])
    return outcome, list(lent.calls.rewrites()), [text_of(body) for body in server.asked]


def test_the_smallest_change_of_the_rewrite_is_the_edit(tmp_path: Path) -> None:
    outcome, rewrites, asked = edit(tmp_path, "There is a large right pleural effusion.", case(ANSWER, REFERENCE))
    assert isinstance(outcome, tuple)
    (made,) = outcome
    assert (made.span.text, made.replacement, made.error_type) == ("left", "right", "wrong_laterality")
    assert [(r.outcome, r.before) for r in rewrites] == [("accepted", "There is a large left pleural effusion.")]
    assert "<<There is a large left pleural effusion.>> The heart is enlarged." in asked[0]
    assert '"left" (wrong laterality)' in asked[0]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("There is a large left pleural effusion.", "nothing_changed"),
        ("There is a huge left pleural effusion.", "wrong_words_kept"),
        ("There is a large right pleural effusion and a pneumothorax.", "not_verified"),
        ("No pleural effusion.", "checker_contradicts"),
        ("There is a large bilateral pleural effusion.", "checker_contradicts"),
        ("There is a large right pleural effusion. The heart is enlarged.", "text_outside_changed"),
        ("There is a large right pleural effusion.\nNote: changed.", "text_outside_changed"),
        ("<<There is a large right pleural effusion.>>", "text_outside_changed"),
        ("  ", "rewrite_empty"),
        ("There is and pleural effusion.", "not_known_to_be_true"),
        ("And.", "not_known_to_be_true"),
        ("There is " + "a very " * 20 + "large right pleural effusion.", "rewrite_too_long"),
        (lambda _: completion("There is a large right pleural effusion."), "reply_not_json"),
        (lambda _: completion('{"text": "x"}'), "reply_not_the_schema"),
        (lambda _: completion('{"rewrite": "There', finish_reason="length"), "reply_truncated"),
        (lambda _: Raw(400, b"{}"), "call_refused"),
    ],
)
def test_every_refusal_has_a_name_and_the_template_stands_in(tmp_path: Path, reply: Any, reason: str) -> None:
    outcome, rewrites, _ = edit(tmp_path, reply, case(ANSWER, REFERENCE))
    assert [rewrite.outcome for rewrite in rewrites] == [reason]
    assert isinstance(outcome, tuple)
    assert [(e.span.text, e.replacement) for e in outcome] == [("left", "right")]


def test_a_half_fix_that_makes_the_rest_wrong_is_refused(tmp_path: Path) -> None:
    judged = case("Yes, there is a mediastinal shift.", "No", prompt="Is there a mediastinal shift?")
    outcome, rewrites, _ = edit(tmp_path, "No, there is a mediastinal shift.", judged)
    assert [rewrite.outcome for rewrite in rewrites] == ["not_verified"]
    assert isinstance(outcome, tuple)
    (tmp_path / "whole").mkdir()
    outcome, rewrites, _ = edit(tmp_path / "whole", "No, there is no mediastinal shift.", judged)
    assert [rewrite.outcome for rewrite in rewrites] == ["accepted"]


def test_templates_go_first_and_the_model_is_asked_for_what_they_leave(tmp_path: Path) -> None:
    outcome, rewrites, asked = edit(tmp_path, "unused", case(ANSWER, REFERENCE), first="template")
    assert isinstance(outcome, tuple)
    assert (rewrites, asked) == ([], [])


def refused_by_template(folder: Path) -> Case:
    """Return a case with an error that a template cannot phrase: a truth that is no word of a lexicon."""
    judged = case("The mass causes atelectasis.", "The mass abuts the fissure.")
    assert judged.claims is not None
    (claim, *_) = [c for c in judged.claims.answer if c.concept == "atelectasis"]
    wrong = Verdict(
        claim_id=claim.claim_id,
        label="contradicted",
        checker="other",
        rule="model_says",
        score=0.9,
        error_type="wrong_diagnosis",
        target=claim.span,
        truth="",
    )
    assert judged.verdicts is not None
    verdicts = tuple(wrong if v.claim_id == claim.claim_id else v for v in judged.verdicts.verdicts)
    return Case(judged.example, judged.answer, judged.claims, judged.verdicts.model_copy(update={"verdicts": verdicts}))


def test_what_neither_can_edit_is_dropped_with_both_reasons(tmp_path: Path) -> None:
    outcome, rewrites, _ = edit(tmp_path, "The mass causes pneumonia.", refused_by_template(tmp_path), first="template")
    assert isinstance(outcome, Dropped)
    assert outcome.reason == "edit_refused"
    assert "template: " in outcome.detail
    assert "model: " in outcome.detail
    assert [rewrite.outcome for rewrite in rewrites] != ["accepted"]


def test_the_step_reads_and_judges_a_model_s_edit_again(tmp_path: Path) -> None:
    with serve(lambda _: completion('{"rewrite": "There is a large right pleural effusion."}')) as server:
        editor = ModelEditor(model="writer", base_url=server.base_url, first="model")
        editor.attach(context(tmp_path, stage="edit"))
        (outcome,) = EditStep(editor, DETECTOR, RULES)([case(ANSWER, REFERENCE)])
    assert isinstance(outcome, Edits)
    assert outcome.chosen == "There is a large right pleural effusion. The heart is enlarged."


def test_nobody_judges_their_own_edits(tmp_path: Path) -> None:
    place = "http://localhost:9/v1"
    judge = LlmChecker(model="one", base_url=place)
    editor = ModelEditor(model="one", base_url=place)
    with pytest.raises(RecipeError, match="edit and check both ask 'one': a model must not judge its own edits"):
        editor.attach(context(tmp_path, checker=judge))
    ModelEditor(model="two", base_url=place).attach(context(tmp_path, checker=judge))


def test_a_clause_ends_where_its_sentence_turns() -> None:
    text = "The heart is large, but the lungs are clear; no effusion. Next."
    sentence = span_of(text, 0, 57)

    def clause(words: str) -> str:
        at = text.index(words)
        start, end = clause_around(text, sentence, span_of(text, at, at + len(words)))
        return text[start:end]

    assert clause("lungs") == "but the lungs are clear"
    assert clause("large") == "The heart is large"
    assert clause("effusion") == "no effusion."
    assert clause("large, but the lungs") == "The heart is large, but the lungs are clear"


WORDS = st.lists(st.sampled_from(["no", "left", "right", "effusion", "İ", "é", ",", "a"]), min_size=1, max_size=7).map(
    " ".join
)


@settings(max_examples=80, deadline=None)
@given(WORDS, WORDS, WORDS, WORDS)
def test_a_change_makes_the_clause_into_its_rewrite_and_touches_nothing_else(
    before: str, old: str, after: str, new: str
) -> None:
    new = new.strip()
    text = f"{before}. {old}. {after}"
    start = len(before) + 2
    target = span_of(text, start, start + len(old.split()[0]))
    verdict = Verdict(
        claim_id="c0",
        label="contradicted",
        checker="k",
        rule="r",
        score=1.0,
        error_type="wrong_location",
        target=target,
    )
    part = Part(start, start + len(old), (verdict,))
    made = change_of(text, part, new)
    if isinstance(made, Refused):
        assert made.reason in {"nothing_changed", "wrong_words_kept", "text_outside_changed", "rewrite_too_long"}
        return
    assert isinstance(made, Change)
    assert text[: made.start] + made.replacement + text[made.end :] == f"{before}. {new}. {after}"
    assert part.start <= made.start <= made.claim_start <= made.claim_end <= made.end <= part.end
