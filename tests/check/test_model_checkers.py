"""Models as checkers: what they say becomes a verdict only where it fits the claim and quotes the reference."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import case, context
from loopback import Raw, completion, images_of, serve, text_of, top_logprobs

from medprefkit.check.llm import LlmChecker
from medprefkit.check.panel import PanelChecker
from medprefkit.check.vlm import VlmChecker
from medprefkit.errors import ModelError, RecipeError
from medprefkit.records import Case, Verdict

Answering = Callable[[dict[str, Any]], Any]

ANSWER = "There is a large left pleural effusion. The heart is enlarged."
REFERENCE = "Right  pleural effusion. Heart size\nis normal."


def said(**changes: Any) -> str:
    one = {"claim_id": "c0", "label": "unverifiable", "quote": "", "error_type": "", "truth": ""} | changes
    return json.dumps({"verdicts": [one]})


def judge(folder: Path, answer: Answering, judged: Case, *, kind: Any = LlmChecker, **options: Any) -> list[Verdict]:
    with serve(answer) as server:
        checker = kind(model="judge", base_url=server.base_url, **options)
        checker.attach(context(folder))
        (verdicts,) = checker([judged])
    return list(verdicts)


@pytest.mark.parametrize(
    ("reply", "label", "rule"),
    [
        (said(label="supported", quote="right pleural effusion"), "supported", "model_says"),
        (said(label="supported", quote="a pleural effusion"), "unverifiable", "quote_not_in_reference"),
        (said(label="contradicted", error_type="wrong_laterality", truth="right"), "unverifiable", "no_quote"),
        (said(), "unverifiable", "model_abstains"),
        (said(claim_id="c9", label="supported", quote="Right"), "unverifiable", "not_judged"),
        (said(label="contradicted", quote="Right", error_type="", truth=""), "unverifiable", "no_error_type"),
        (
            said(label="contradicted", quote="Right", error_type="wrong_temporal", truth="Right"),
            "unverifiable",
            "no_words_to_change",
        ),
        (
            said(label="contradicted", quote="Right", error_type="wrong_laterality", truth="bilateral"),
            "unverifiable",
            "truth_not_in_reference",
        ),
        (
            said(label="contradicted", quote="Right", error_type="false_negation", truth=""),
            "unverifiable",
            "error_type_does_not_fit",
        ),
        ("I think it is fine.", "unverifiable", "reply_not_json"),
        ('{"verdicts": [{"claim_id": "c0"}]}', "unverifiable", "reply_not_the_schema"),
        (said(label="maybe"), "unverifiable", "reply_not_the_schema"),
        (f"```json\n{said(label='supported', quote='Right')}\n```", "supported", "model_says"),
        (f"Sure! {said()}", "unverifiable", "reply_not_json"),
    ],
)
def test_a_reply_counts_only_where_it_is_whole_and_quotes(tmp_path: Path, reply: str, label: str, rule: str) -> None:
    first = judge(tmp_path, lambda _: completion(reply), case(ANSWER, REFERENCE))[0]
    assert (first.label, first.rule, first.checker) == (label, rule, "llm")


def test_evidence_is_the_reference_s_own_bytes_and_a_correction_its_own_words(tmp_path: Path) -> None:
    reply = said(label="contradicted", quote="RIGHT pleural", error_type="wrong_laterality", truth="RIGHT")
    first = judge(tmp_path, lambda _: completion(reply), case(ANSWER, REFERENCE))[0]
    assert (first.evidence, first.truth) == ("Right  pleural", "Right")
    assert first.target is not None
    assert (first.target.text, first.error_type) == ("left", "wrong_laterality")


def test_the_question_names_every_claim_and_carries_the_schema(tmp_path: Path) -> None:
    asked = []

    def answer(body: dict[str, Any]) -> Any:
        asked.append(body)
        return completion(said())

    judge(tmp_path, answer, case(ANSWER, REFERENCE))
    (body,) = asked
    words = text_of(body)
    assert all(part in words for part in (ANSWER, REFERENCE, "- c0:", "- c1:", "wrong_laterality"))
    assert body["response_format"]["json_schema"]["schema"]["additionalProperties"] is False


def test_a_failed_or_cut_reply_leaves_every_claim_alone(tmp_path: Path) -> None:
    cut = completion(said(label="supported", quote="Right"), finish_reason="length")
    for number, (reply, rule) in enumerate([(cut, "reply_truncated"), (Raw(400, b"{}"), "call_refused")]):
        (tmp_path / str(number)).mkdir()
        verdicts = judge(tmp_path / str(number), lambda _, reply=reply: reply, case(ANSWER, REFERENCE))
        assert {v.rule for v in verdicts} == {rule}


def test_the_same_question_is_paid_for_once(tmp_path: Path) -> None:
    with serve(lambda _: completion(said())) as server:
        for _ in range(2):
            checker = LlmChecker(model="judge", base_url=server.base_url)
            checker.attach(context(tmp_path))
            checker([case(ANSWER, REFERENCE), case(ANSWER, REFERENCE, record_id="other")])
    assert len(server.asked) == 1
    (counts,) = context(tmp_path).calls.counts()
    assert (counts.requests, counts.calls, counts.sent, counts.cached_share) == (2, 1, 1, 0.5)


def test_a_credentialed_source_stays_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDPREFKIT_KEY_API_EXAMPLE_ORG", "k")
    checker = LlmChecker(model="judge", base_url="https://api.example.org/v1")
    checker.attach(context(tmp_path))
    with pytest.raises(ModelError, match=r"e: its source is credentialed, and https://api.example.org/v1 is not this"):
        checker([case(ANSWER, REFERENCE, credentialed=True)])
    local = judge(tmp_path, lambda _: completion(said()), case(ANSWER, REFERENCE, credentialed=True))
    assert local[0].rule == "model_abstains"


def seen(yes_clean: float, yes_removed: float) -> Answering:
    """Answer by log-odds of yes on the clean image and on the one whose lesion was removed, which is brighter."""
    by_image: dict[str, float] = {}

    def answer(body: dict[str, Any]) -> Any:
        url = images_of(body)[0]
        by_image.setdefault(url, yes_removed if by_image else yes_clean)
        return completion("Yes", logprobs=top_logprobs(Yes=by_image[url] - 10.0, No=-10.0))

    return answer


@pytest.mark.parametrize(
    ("words", "clean", "removed", "label", "rule"),
    [
        ("There is a pleural effusion.", 4.0, -1.0, "supported", "yes_no_logps"),
        ("There is a pleural effusion.", 4.0, 5.0, "unverifiable", "yes_without_the_lesion"),
        ("There is a pleural effusion.", -4.0, -4.0, "contradicted", "yes_no_logps"),
        ("There is a pleural effusion.", 1.0, -4.0, "unverifiable", "not_sure"),
        ("There is no pleural effusion.", 4.0, -1.0, "contradicted", "yes_no_logps"),
        ("There is no pleural effusion.", -4.0, -1.0, "supported", "yes_no_logps"),
    ],
)
def test_the_image_decides_and_a_yes_must_go_with_the_lesion(
    tmp_path: Path, words: str, clean: float, removed: float, label: str, rule: str
) -> None:
    (verdict,) = judge(tmp_path, seen(clean, removed), case(words, lesion=True), kind=VlmChecker, concurrency=1)
    assert (verdict.label, verdict.rule) == (label, rule)
    assert verdict.grounding == pytest.approx(clean - removed)
    if label == "contradicted":
        # 1 / (1 + e^-4) = 0.9820
        assert verdict.score == pytest.approx(0.9820, abs=1e-4)
        assert verdict.error_type == ("false_negation" if " no " in words else "false_finding")


def test_a_bare_word_counts_as_unsure_evidence_and_other_words_as_none(tmp_path: Path) -> None:
    for number, (words, label, rule) in enumerate(
        [("No.", "contradicted", "yes_no_word"), ("Maybe", "unverifiable", "neither_yes_nor_no")]
    ):
        (tmp_path / str(number)).mkdir()
        made = case("There is a pleural effusion.", image=True)
        (verdict,) = judge(tmp_path / str(number), lambda _, w=words: completion(w), made, kind=VlmChecker)
        assert (verdict.label, verdict.rule) == (label, rule)
        assert verdict.grounding is None


def test_what_no_image_shows_is_not_asked(tmp_path: Path) -> None:
    def refuse(_: dict[str, Any]) -> Any:
        raise AssertionError("nothing should be asked")

    history = judge(tmp_path, refuse, case("There may be a history of pneumonia.", image=True), kind=VlmChecker)
    assert {v.label for v in history} <= {"unverifiable"}
    (verdict,) = judge(tmp_path, refuse, case("There is a pleural effusion."), kind=VlmChecker)
    assert verdict.rule == "no_image"


@pytest.mark.parametrize("folder", ["tiny", "qwen"])
def test_a_model_in_this_process_judges_too(tmp_path: Path, folder: str, model_folders: dict[str, Path]) -> None:
    checker = VlmChecker(
        model=str(model_folders[folder]), precision="fp32", contradicted_below=0.0, supported_above=1.0
    )
    lent = context(tmp_path)
    checker.attach(lent)
    (verdicts,) = checker([case("There is a pleural effusion. No pneumothorax.", lesion=True)])
    assert [(v.label, v.rule) for v in verdicts] == [("unverifiable", "not_sure")] * 2
    assert all(v.grounding is not None for v in verdicts)
    (counts,) = lent.calls.counts()
    assert (counts.model, counts.calls) == (folder, 4)


def test_labelled_answers_measure_a_model_and_no_measurement_is_paid_for_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medprefkit.measure import Tool, measure_labelled, read_labels

    monkeypatch.chdir(tmp_path)
    row = {
        "id": "a", "task": "report", "prompt": "Describe the image.", "response": "There is a left pleural effusion.",
        "reference": "Right pleural effusion.", "unverifiable": [],
        "errors": [{"start": 11, "end": 15, "text": "left", "type": "wrong_laterality", "correction": "right"}],
    }  # fmt: skip
    (tmp_path / "gold.jsonl").write_text(json.dumps(row) + "\n")
    reply = said(label="contradicted", quote="Right", error_type="wrong_laterality", truth="Right")

    def answer(body: dict[str, Any]) -> Any:
        wrong = "There is a left" in text_of(body)
        return completion(reply if wrong else said(label="supported", quote="Right pleural effusion"))

    with serve(answer) as server:
        for _ in range(2):
            options = ["model=judge", f"base_url={server.base_url}"]
            tool = Tool(detect="lexicon", check="llm", edit="minimal", check_with=options)
            (reading,) = measure_labelled(tool, read_labels(tmp_path / "gold.jsonl"))
        n_calls = len(server.asked)
    assert [(e.span.text, e.replacement.lower()) for e in reading.answer.kept] == [("left", "right")]
    assert n_calls == len({text_of(body) for body in server.asked})


def test_thresholds_out_of_order_are_one_line() -> None:
    with pytest.raises(RecipeError, match=r"0 <= contradicted_below <= supported_above <= 1, got 0.9 and 0.1"):
        VlmChecker(model="m", contradicted_below=0.9, supported_above=0.1)


def panel(folder: Path, base_url: str, **options: Any) -> PanelChecker:
    made = PanelChecker(
        members=[{"use": "reference"}, {"use": "llm", "with": {"model": "judge", "base_url": base_url}}], **options
    )
    made.attach(context(folder))
    return made


def test_a_panel_asks_models_only_what_rules_leave_open(tmp_path: Path) -> None:
    answer = "The heart is enlarged. There is a hiatal hernia."
    reply = said(claim_id="c1", label="contradicted", quote="stomach is below", error_type="false_finding")
    judged = case(answer, "Heart size is normal. The stomach is below the diaphragm.")
    assert judged.verdicts is not None
    asked = []

    def answering(body: dict[str, Any]) -> Any:
        asked.append(text_of(body))
        return completion(reply)

    with serve(answering) as server:
        (verdicts,) = panel(tmp_path, server.base_url)([judged])
    assert [v.claim_id for v in verdicts] == ["c0", "c1"]
    assert verdicts[0] == judged.verdicts.verdicts[0]
    assert verdicts[0].label == "contradicted"
    assert "- c0:" not in asked[0]
    assert (verdicts[1].checker, verdicts[1].label) == ("llm", "contradicted")


def test_a_panel_takes_no_contradiction_below_its_price_and_can_ask_for_a_second_opinion(tmp_path: Path) -> None:
    judged = case("There is a hiatal hernia.", "The stomach is below the diaphragm.")
    reply = said(label="contradicted", quote="the stomach is below the diaphragm", error_type="false_finding")
    with serve(lambda _: completion(reply)) as server:
        (cheap,) = panel(tmp_path, server.base_url, false_edit_cost=3.0)([judged])
        (dear,) = panel(tmp_path, server.base_url, false_edit_cost=9.0)([judged])
    assert (cheap[0].label, dear[0].label) == ("contradicted", "unverifiable")
    assert dear[0].rule == "contradicted_by_llm_not_surely_enough"
    wrong = case("The heart is enlarged.", "Heart size is normal.")
    (tmp_path / "second").mkdir()
    reply = said(label="supported", quote="Heart size is normal")
    with serve(lambda _: completion(reply)) as server:
        (stands,) = panel(tmp_path / "second", server.base_url)([wrong])
        (asked,) = panel(tmp_path / "second", server.base_url, contradicted_by_rules="confirmed")([wrong])
    assert (stands[0].label, len(server.asked)) == ("contradicted", 1)
    assert asked[0].rule == "contradicted_by_reference_supported_by_llm"
