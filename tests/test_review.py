"""Review: a decision is about what was seen, a rejected pair goes, a corrected text must hold when judged again."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from made_pairs import make_case

from medprefkit import pipeline, products
from medprefkit.build.pairs import make_pair
from medprefkit.errors import DatasetError, RunError
from medprefkit.offsets import apply_edits
from medprefkit.recipe import Recipe, parse_recipe
from medprefkit.records import Case, Dropped, Edit, Edits, PreferencePair
from medprefkit.review import Decision, edits_of_text, pair_digest, read_decisions, reviewed
from medprefkit.store import RunDir

WORDS = st.lists(st.sampled_from(["left", "right", "no", "a", "large", "effusion", ".", ",", " "]), max_size=12)


def make(case: Case) -> PreferencePair | Dropped:
    return make_pair(case, recipe_hash="0123abcd", package_version="0.1.0")


def made(case: Case) -> PreferencePair:
    pair = make(case)
    assert isinstance(pair, PreferencePair)
    return pair


def holds(case: Case, edits: tuple[Edit, ...]) -> Edits | Dropped:
    assert case.answer is not None
    return Edits(id=case.example.id, edits=edits, chosen=apply_edits(case.answer.text, edits).text)


def refuses(case: Case, edits: tuple[Edit, ...]) -> Edits | Dropped:
    return Dropped(id=case.example.id, stage="edit", reason="edit_incomplete", detail=f"{len(edits)} edits")


def decision(case: Case, kind: str, chosen: str = "") -> Decision:
    values = {"id": case.example.id, "digest": pair_digest(made(case)), "decision": kind, "chosen": chosen}
    return Decision.model_validate(values)


def decided(case: Case, one: Decision, *, verify: object = holds) -> PreferencePair | Dropped:
    (outcome,) = reviewed([case], {one.id: one}, make=make, verify=verify)  # type: ignore[arg-type]  # one of the two
    return outcome


def test_an_accepted_pair_and_one_without_a_decision_are_made_as_ever() -> None:
    cases = [make_case("a"), make_case("b")]
    accepted = decision(cases[0], "accept")
    assert list(reviewed(cases, {"a": accepted}, make=make, verify=refuses)) == [make(case) for case in cases]


def test_a_rejected_pair_is_dropped_by_its_own_reason() -> None:
    outcome = decided(make_case(), decision(make_case(), "reject"))
    assert isinstance(outcome, Dropped)
    assert (outcome.stage, outcome.reason) == ("build", "review_rejected")


def test_a_corrected_text_becomes_edits_of_its_own() -> None:
    case = make_case()
    outcome = decided(case, decision(case, "fix", "The right lung shows no pleural effusion. The heart is normal."))
    assert isinstance(outcome, PreferencePair)
    assert outcome.chosen == "The right lung shows no pleural effusion. The heart is normal."
    assert case.answer is not None
    assert outcome.rejected == case.answer.text
    right = [outcome.chosen[span.start_char : span.end_char] for span in outcome.chosen_spans]
    assert right == ["right", "no pleural effusion"]
    assert [span.error_type for span in outcome.chosen_spans] == ["wrong_laterality", "false_finding"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("The left lung shows a large effusion. The heart is normal.", "the model's own answer"),
        ("The right lung shows no effusion. The heart is enlarged.", "'normal' becomes 'enlarged'"),
        ("The right lung shows no effusion. The heart is normal. A nodule.", "no verdict found that wrong"),
    ],
)
def test_a_corrected_text_that_changes_what_nobody_found_wrong_is_refused(text: str, why: str) -> None:
    outcome = decided(make_case(), decision(make_case(), "fix", text))
    assert isinstance(outcome, Dropped)
    assert outcome.reason == "edit_not_verified"
    assert why in outcome.detail


def test_a_corrected_text_that_does_not_hold_is_dropped_with_what_the_judge_said() -> None:
    case = make_case()
    outcome = decided(case, decision(case, "fix", "The right lung shows a large effusion. The heart is normal."),
                      verify=refuses)  # fmt: skip
    assert isinstance(outcome, Dropped)
    assert (outcome.stage, outcome.reason) == ("build", "edit_incomplete")
    assert outcome.detail == "a reviewer's text: 1 edits"


def test_a_decision_on_another_text_or_on_no_pair_is_an_error() -> None:
    case = make_case()
    seen = decision(case, "accept")
    other = make_case(changes=[("left", "right", "wrong_laterality")])
    with pytest.raises(DatasetError, match="about another text"):
        decided(other, seen)
    with pytest.raises(DatasetError, match="about no pair of this run, such as 'a'"):
        list(reviewed([make_case("b")], {"a": seen}, make=make, verify=holds))


@given(WORDS)
def test_the_edits_of_a_text_make_that_text(words: list[str]) -> None:
    case = make_case()
    assert case.answer is not None
    text = " ".join(words)
    edits = edits_of_text(case, text)
    if not isinstance(edits, str):
        assert apply_edits(case.answer.text, edits).text == text


@given(st.data())
def test_any_change_of_what_was_found_wrong_is_cut_into_edits(data: st.DataObject) -> None:
    case = make_case()
    assert case.answer is not None
    side = data.draw(st.sampled_from(["right", "upper right", "", "left"]))
    seen = data.draw(st.sampled_from(["no effusion", "effusion", "a small effusion", "no pleural effusion"]))
    text = f"The {side} lung shows {seen}. The heart is normal."
    edits = edits_of_text(case, text)
    assert not isinstance(edits, str), edits
    assert apply_edits(case.answer.text, edits).text == text
    assert [edit.phrase_id for edit in edits] == list(range(1, len(edits) + 1))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "line 1: no decision"),
        ('{"id":"a","digest":"x","decision":"maybe"}', "line 1: no decision"),
        ('{"id":"a","digest":"x","decision":"fix"}', "a text goes with"),
        ('{"id":"a","digest":"x","decision":"accept","extra":1}', "line 1: no decision"),
        ('{"id":"a","digest":"x","decision":"accept"}\n\n' * 2, "line 3: a second"),
    ],
)  # fmt: skip
def test_a_damaged_file_of_decisions_is_named_by_its_line(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(DatasetError, match=why):
        read_decisions(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    root = tmp_path_factory.mktemp("reviewed") / "run"
    recipe = parse_recipe(
        {
            "recipe_version": "1.0",
            "name": "reviewed",
            "shards": 1,
            "max_dropped_share": 0.5,
            "sources": [{"format": "phantom", "n": 8}],
            "publish": {"title": "Reviewed"},
        },
        where="test",
    )
    pipeline.run(recipe, root)
    return recipe, root


def test_a_build_heeds_decisions_and_a_resumed_run_keeps_them(run: tuple[Recipe, Path], tmp_path: Path) -> None:
    recipe, root = run
    store = RunDir(root, n_shards=1)
    rejected, invented, kept, *_ = (one.pair for one in products.built(store))
    decided_on = [(rejected, "reject", ""), (invented, "fix", f"{invented.chosen} A fracture."), (kept, "accept", "")]
    path = tmp_path / "decisions.jsonl"
    path.write_text(
        "".join(
            Decision.model_validate(
                {"id": pair.id, "digest": pair_digest(pair), "decision": kind, "chosen": text}
            ).model_dump_json() + "\n"
            for pair, kind, text in decided_on
        ),
        "utf-8",
    )  # fmt: skip
    for _ in range(2):  # the second time without the file: the run has it
        pipeline.run(recipe, root, resume=True, decisions=path if path.exists() else None)
        left = {one.pair.id for one in products.built(store)}
        assert left.isdisjoint({rejected.id, invented.id})
        assert kept.id in left
        path.unlink(missing_ok=True)
    reasons = {drop.id: drop.reason for drop in products.dropped(store) if drop.stage == "build"}
    assert reasons == {rejected.id: "review_rejected", invented.id: "edit_not_verified"}
    assert "review_rejected" in (root / "view" / "index.html").read_text("utf-8")


def test_decisions_after_training_ask_for_another_run(run: tuple[Recipe, Path], tmp_path: Path) -> None:
    recipe, root = run
    (root / "train").mkdir()
    path = tmp_path / "none.jsonl"
    path.write_text("", "utf-8")
    with pytest.raises(RunError, match="was trained before this review"):
        pipeline.run_stage("build", recipe, root, decisions=path)
    (root / "train").rmdir()
