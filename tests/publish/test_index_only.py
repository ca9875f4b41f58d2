"""The index: nothing of a source or an answer is in it, and its owner makes the rows again byte for byte."""

from pathlib import Path

import pytest
from made_pairs import ANSWER, corrupt, make_case

from medprefkit.build.pairs import make_pair
from medprefkit.errors import DatasetError
from medprefkit.publish.index_only import IndexedPair, index_of, read_index_only, rebuild, rebuild_pair, write_index
from medprefkit.records import Case, PreferencePair

REFERENCE = "The lungs: Right-sided lung is clear. Nothing else is said."


def made(record_id: str = "a", **options: object) -> tuple[Case, PreferencePair]:
    case = make_case(record_id, **{"reference": REFERENCE, **options})  # type: ignore[arg-type]  # fields of an example
    pair = make_pair(case, recipe_hash="0123abcd", package_version="0.1.0")
    assert isinstance(pair, PreferencePair)
    return case, pair


def indexed(case: Case, pair: PreferencePair) -> IndexedPair:
    return index_of(case.example, pair, "train")


def test_the_owner_of_source_and_answers_has_the_same_rows_again(tmp_path: Path) -> None:
    rows = [made("a", corrupted=corrupt(tmp_path, "a"), images=["a.png"]), made("b")]
    named = [(split, case.example, pair) for split, (case, pair) in zip(("train", "eval"), rows, strict=True)]
    assert write_index(tmp_path / "index.jsonl", named) == 2
    again = list(read_index_only(tmp_path / "index.jsonl"))
    assert [(row.id, row.split) for row in again] == [("a", "train"), ("b", "eval")]
    assert [rebuild(row, ANSWER) for row in again] == [pair.chosen for _, pair in rows]
    for row, (case, pair) in zip(again, rows, strict=True):
        assert case.answer is not None
        assert rebuild_pair(row, case.example, case.answer, case.corrupted) == pair
    assert again[0].corruption_seed == 2**63 + 1


def test_no_word_of_the_answer_the_prompt_or_the_reference_is_in_it() -> None:
    line = indexed(*made(prompt="Secret question.")).model_dump_json()
    for words in ("lung shows", "a large effusion", "Secret", "lung is clear", "Nothing else"):
        assert words not in line


def test_a_checker_whose_words_are_not_in_the_reference_shares_none_of_them() -> None:
    case, pair = made(evidence="The model thinks that the patient is well.")
    row = indexed(case, pair)
    assert "thinks" not in row.model_dump_json()
    assert case.answer is not None
    assert [verdict.evidence for verdict in rebuild_pair(row, case.example, case.answer, None).verdicts] == ["", ""]


def test_another_answer_is_refused() -> None:
    with pytest.raises(DatasetError, match="not the one that was edited"):
        rebuild(indexed(*made()), f"{ANSWER} ")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"prompt": "Another question."}, "your prompt is not"),
        ({"reference": "Right-sided lung is clear. It was written anew."}, "your reference is not"),
        ({"images": ("other.png",)}, "names other images"),
    ],
)
def test_another_release_of_the_source_is_refused(changed: dict[str, object], says: str) -> None:
    case, pair = made(images=["a.png"])
    other, _ = made(images=["a.png"], **{k: v for k, v in changed.items() if k != "images"})
    example = (
        make_case("a", images=["other.png"], reference=REFERENCE).example if "images" in changed else other.example
    )
    assert case.answer is not None
    with pytest.raises(DatasetError, match=says):
        rebuild_pair(indexed(case, pair), example, case.answer, None)


def test_a_missing_corruption_is_refused(tmp_path: Path) -> None:
    case, pair = made(corrupted=corrupt(tmp_path, "a"), images=["a.png"])
    assert case.answer is not None
    with pytest.raises(DatasetError, match="not the one that was indexed"):
        rebuild_pair(indexed(case, pair), case.example, case.answer, None)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.jsonl").write_text('{"id": "a"}\n', "utf-8")
    with pytest.raises(DatasetError, match="line 1"):
        list(read_index_only(tmp_path / "index.jsonl"))
    with pytest.raises(DatasetError, match="is missing"):
        list(read_index_only(tmp_path / "no.jsonl"))
