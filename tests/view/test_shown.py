"""What is shown: pieces that make the text, edits with their verdicts, a fair choice; the terminal and the sheet."""

import io
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from made_pairs import ANSWER, corrupt, draw, make
from PIL import Image
from rich.console import Console

from medprefkit.records import Dropped, Source
from medprefkit.view.sheet import write_sheet
from medprefkit.view.shown import ShownPair, choose, edits_of, segments, visible
from medprefkit.view.terminal import marked_text, print_pairs


def test_segments_make_the_text_again() -> None:
    pair = make()
    for text, spans in ((pair.rejected, pair.rejected_spans), (pair.chosen, pair.chosen_spans)):
        pieces = segments(text, spans)
        assert "".join(piece.text for piece in pieces) == text
        assert [piece.span for piece in pieces if piece.span] == list(spans)


def test_an_edit_knows_its_words_and_the_verdict_behind_it() -> None:
    first, second = edits_of(make())
    assert (first.wrong, first.right) == ("left", "right")
    assert (second.wrong, second.right) == ("a large effusion", "no effusion")
    assert [[verdict.claim_id for verdict in edit.verdicts] for edit in (first, second)] == [["c1"], ["c2"]]


def test_a_choice_sees_every_kind_before_any_twice() -> None:
    common = [ShownPair(make(f"c{n}", changes=[("left", "right", "wrong_laterality")])) for n in range(8)]
    rare = ShownPair(make("rare", changes=[("a large", "no", "false_finding")]))
    other = ShownPair(
        make("other", changes=[("left", "right", "wrong_laterality")], source=Source(name="s", licence="l"))
    )
    chosen = choose([*common, rare, other], 4)
    assert [shown.pair.id for shown in chosen] == ["c0", "c1", "rare", "other"]
    assert choose([*common, rare], 100) == [*common, rare]
    assert choose(common, 0) == []


@given(st.text())
def test_a_visible_text_steers_nothing(text: str) -> None:
    shown = visible(text)
    assert not {"\x1b", "\x07", "\r", "\u202e", "\u2066", "\x9b"} & set(shown)
    assert visible(shown) == shown


def test_plain_marks_can_be_searched() -> None:
    plain = marked_text(ShownPair(make()), plain=True).plain
    assert plain == "The [-left-]{+right+} lung shows [-a large effusion-]{+no effusion+}. The heart is normal."


def printed(shown: list[ShownPair], **options: object) -> str:
    console = Console(file=io.StringIO(), width=60)
    print_pairs(shown, console=console, **options)  # type: ignore[arg-type]  # a test's own options
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert isinstance(text, str)
    return text


def test_a_pipe_gets_whole_lines_without_colours() -> None:
    text = printed([ShownPair(make(), "train")], dropped=[Dropped(id="d", stage="edit", reason="edit_refused")])
    assert "\x1b" not in text
    assert "The [-left-]{+right+} lung shows [-a large effusion-]{+no effusion+}. The heart is normal.\n" in text
    assert 'reference: "Right-sided lung is clear."' in text
    assert "edit_refused  (edit)" in text


def test_a_terminal_gets_colours_and_no_sequence_of_a_text() -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system="standard", highlight=False)
    hostile = ShownPair(make("a", answer=f"\x1b]0;title\x07[bold]{ANSWER}", prompt="\x1b[2J"))
    assert print_pairs([hostile], console=console) == 1
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert "\x1b[9;31mleft\x1b[0m" in text
    assert "\x1b]0" not in text
    assert "\x1b[2J" not in text
    assert "[bold]" in text


@pytest.mark.parametrize(("error_type", "n"), [("wrong_laterality", 1), ("false_finding", 2), ("wrong_organ", 0)])
def test_pairs_are_found_by_error_type(error_type: str, n: int) -> None:
    pairs = [ShownPair(make("a")), ShownPair(make("b", changes=[("a large", "no", "false_finding")]))]
    text = printed(pairs, error_type=error_type)
    assert text.count("Describe it.") == n
    assert ("no pair with an edit" in text) == (n == 0)


def test_the_sheet_has_a_row_for_each_pair_with_a_lesion_removed(tmp_path: Path) -> None:
    pairs = [ShownPair(make("text")), ShownPair(make("lost", images=["no.png"], corrupted=corrupt(tmp_path, "lost")))]
    for name in "abc":
        image = draw(tmp_path / f"{name}.png", 0)
        pairs.append(ShownPair(make(name, images=[image], corrupted=corrupt(tmp_path, name, control=name != "b"))))
    path = tmp_path / "pictures.png"
    assert write_sheet(path, pairs, data_root=tmp_path, run_dir=tmp_path, n_rows=2) == 2
    first = path.read_bytes()
    with Image.open(path) as sheet:
        assert sheet.size == (940, 34 + 2 * 334)
    write_sheet(path, pairs, data_root=tmp_path, run_dir=tmp_path, n_rows=2)
    assert path.read_bytes() == first
    assert write_sheet(tmp_path / "none.png", pairs[:2], data_root=tmp_path, run_dir=tmp_path) == 0
    assert not (tmp_path / "none.png").exists()
