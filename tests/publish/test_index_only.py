"""The index: nothing of a source or an answer is in it, and its owner rebuilds the rows byte for byte."""

from pathlib import Path

import pytest
from made_pairs import ANSWER, corrupt, make

from medprefkit.errors import DatasetError
from medprefkit.publish.index_only import index_of, read_index_only, rebuild, write_index


def test_the_owner_of_the_answers_rebuilds_the_rows(tmp_path: Path) -> None:
    pairs = [("train", make("a", corrupted=corrupt(tmp_path, "a"), images=["a.png"])), ("eval", make("b"))]
    assert write_index(tmp_path / "index.jsonl", pairs) == 2
    indexed = list(read_index_only(tmp_path / "index.jsonl"))
    assert [(row.id, row.split) for row in indexed] == [("a", "train"), ("b", "eval")]
    assert [rebuild(row, ANSWER) for row in indexed] == [pair.chosen for _, pair in pairs]
    assert indexed[0].corruption_seed == 2**63 + 1


def test_no_word_of_the_answer_the_prompt_or_the_reference_is_in_it() -> None:
    line = index_of(make("a", prompt="Secret question."), "train").model_dump_json()
    for words in ("lung shows", "a large effusion", "Secret", "Right-sided lung is clear"):
        assert words not in line


def test_another_answer_is_refused() -> None:
    with pytest.raises(DatasetError, match="not the one that was edited"):
        rebuild(index_of(make("a"), "train"), f"{ANSWER} ")


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.jsonl").write_text('{"id": "a"}\n', "utf-8")
    with pytest.raises(DatasetError, match="line 1"):
        list(read_index_only(tmp_path / "index.jsonl"))
