"""The audit finds planted faults, says nothing of clean sets, and counts as one counts by hand."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medprefkit.audit.audit import audit
from medprefkit.audit.duplicates import RowTexts, find_duplicates
from medprefkit.audit.pictures import compare, look_at
from medprefkit.audit.plots import plot_of
from medprefkit.audit.report import LIMITS, AuditReport, Check, Histogram, limits_with
from medprefkit.audit.separability import bag_of_words
from medprefkit.audit.spans import span_faults
from medprefkit.audit.texts import edited_share, leftovers, length_only, prompt_leak, yes_or_no
from medprefkit.audit.write import render_markdown, render_page, write_audit
from medprefkit.errors import DatasetError
from medprefkit.formats.pair import FormatPair, Mark, Picture, Turn, Unreadable

SIDES = ("left", "right")
ORGANS = ("lung", "kidney", "lobe", "breast", "hip", "knee", "ankle", "hilum", "apex", "base")


def pair(row_id: str = "a", **fields: Any) -> FormatPair:
    given_fields = {"prompt": (Turn("user", f"Question {row_id}?"),), "chosen": "The heart is normal.",
                    "rejected": "The heart is large.", "split": "train", "where": f"row {row_id}"}  # fmt: skip
    return FormatPair(id=row_id, **{**given_fields, **fields})


def balanced(n: int = 60) -> list[FormatPair]:
    """Pairs that nothing gives away: each side is chosen as often as it is rejected."""
    rows = []
    for number in range(n):
        side, other = SIDES[number % 2], SIDES[1 - number % 2]
        organ = ORGANS[number // 2 % len(ORGANS)]
        text = f"Finding {number} lies in the {{}} {organ} of the patient."
        rows.append(pair(str(number), chosen=text.format(side), rejected=text.format(other), group_id=f"p{number}",
                         weight=1.0))  # fmt: skip
    return rows


def report_of(rows: list[FormatPair | Unreadable] | list[FormatPair]) -> AuditReport:
    return audit(rows, dataset="made", format_name="jsonl", limits=LIMITS)


def checks_of(rows: list[FormatPair | Unreadable] | list[FormatPair]) -> dict[str, Check]:
    return {check.name: check for check in report_of(rows).checks}


def png(shade: int, *, hole: int = 0, size: tuple[int, int] = (40, 48), kind: str = "PNG") -> Picture:
    rng = np.random.default_rng(shade)
    pixels = rng.integers(0, 200, (*size, 3), dtype=np.uint8)
    pixels[:hole, :hole] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return Picture(f"{shade}.{kind.lower()}", buffer.getvalue())


def test_a_clean_set_passes() -> None:
    report = report_of(balanced())
    assert report.beyond == ()
    assert report.n_by_split == {"train": 60}
    assert {check.name for check in report.checks} == set(LIMITS)


def test_length_by_hand() -> None:
    # longer 1, shorter 2, equal 1: "shorter" is right for 2 + 1/2 of 4
    assert length_only([(3, 1), (1, 2), (1, 5), (4, 4)]) == (2.5 / 4, "shorter", 1)
    assert length_only([]).accuracy == 0.5


@pytest.mark.parametrize(
    ("chosen", "rejected", "share"),
    [
        ("The heart is normal.", "the heart is normal", 0.0),
        ("a b c d", "a x c d", 2 / 8),  # one word of each four
        ("yes", "There is no mass", 1.0),
        ("", "", 0.0),
        ("", "word", 1.0),
    ],
)
def test_edited_share_by_hand(chosen: str, rejected: str, share: float) -> None:
    assert edited_share(chosen, rejected) == pytest.approx(share)


@given(st.text(max_size=60), st.text(max_size=60))
def test_edited_share_is_a_share(one: str, other: str) -> None:
    assert 0 <= edited_share(one, other) <= 1
    assert edited_share(one, one) == 0
    assert (edited_share(one, other) == 0) == (edited_share(other, one) == 0)


def test_traces_and_leaks() -> None:
    assert leftovers("ASSISTANT: the lungs are clear") == "ASSISTANT:"
    assert leftovers("Candidate answer: yes") == "Candidate answer"
    assert leftovers("The assistant surgeon saw <5 mm.") == ""
    asked = "Report: there is a large mass in the left upper lobe. What is seen?"
    assert prompt_leak(asked, "There is a large mass in the left lobe.", "There is a fracture.")
    assert (
        prompt_leak("Is it in the left upper lobe or the right?", "The left upper lobe", "Right")
        == "the left upper lobe"
    )
    assert prompt_leak("Choose from yes, no.", "Yes", "No") == ""
    assert prompt_leak(asked, "Nothing of the kind is seen here today.", "No.") == ""
    assert (yes_or_no("Yes, there is."), yes_or_no("Nothing")) == ("yes", "")


def test_planted_faults_are_counted() -> None:
    rows: list[FormatPair | Unreadable] = [
        *balanced(),
        pair("same", rejected="The heart is normal."),
        pair("zero", weight=0.0),
        pair("twin"), pair("twin2", prompt=(Turn("user", "Question twin?"),)),
        pair("turned", prompt=(Turn("user", "Question twin?"),), chosen="The heart is large.",
             rejected="The heart is normal."),
        Unreadable("row 70", "no chosen"),
    ]  # fmt: skip
    checks = checks_of(rows)
    n = 65
    assert checks["identical_pairs"].examples == ("same",)
    assert checks["identical_pairs"].value == pytest.approx(1 / n)
    assert checks["zero_weights"].value == pytest.approx(1 / 61)  # of the rows that have a weight
    assert checks["exact_duplicates"].examples == ("twin2",)
    assert checks["contradicting_rows"].examples == ("turned",)
    assert checks["unreadable_rows"].value == pytest.approx(1 / (n + 1))
    assert checks["identical_pairs"].verdict == "beyond"


def test_near_duplicates_are_of_one_picture() -> None:
    text = "There is a large mass in the left upper lobe with a small effusion at the base of the lung today"
    rows = [
        RowTexts("a", "What is seen?", text, "Nothing.", "one"),
        RowTexts("b", "What is seen?", text + " again", "Nothing.", "one"),
        RowTexts("c", "What is seen?", text + " again", "Nothing.", "two"),
        RowTexts("d", "Where is it?", "In the lobe", "Elsewhere", "one"),
    ]
    assert find_duplicates(rows).near == ("b",)


def test_leaks_between_splits() -> None:
    picture = png(1)
    again = Image.open(io.BytesIO(picture.content or b""))
    buffer = io.BytesIO()
    again.save(buffer, "PNG", compress_level=1)
    recoded = Picture("other.png", buffer.getvalue())
    assert recoded.content != picture.content
    rows = [pair("a", images=(picture,), group_id="p1"), pair("b", images=(recoded,), split="eval", group_id="p1")]
    checks = checks_of([*rows, pair("c", images=(png(2),), group_id="p2")])
    assert checks["picture_leaks"].verdict == "beyond"
    assert checks["picture_leaks"].examples == ("a",)
    assert checks["group_leaks"].value == pytest.approx(1 / 2)
    other = pair("b", images=(png(2),), split="eval", group_id="p2")
    apart = checks_of([pair("a", images=(png(1),), group_id="p1"), other])
    assert apart["picture_leaks"].value == apart["group_leaks"].value == 0


@pytest.mark.parametrize(
    ("chosen_marks", "rejected_marks", "fault"),
    [
        ([Mark(13, 19, 1)], [Mark(13, 18, 1)], ""),
        ([Mark(13, 99, 1)], [Mark(13, 18, 1)], "leaves the text"),
        ([Mark(13, 16, 1), Mark(15, 19, 2)], [Mark(13, 15, 1), Mark(15, 18, 2)], "overlap"),
        ([Mark(13, 19, 1)], [Mark(13, 18, 2)], "no partner"),
        ([Mark(14, 19, 1)], [Mark(13, 18, 1)], "differ outside"),
        ([Mark(13, 15, 1), Mark(15, 19, 1)], [Mark(13, 18, 1)], "one phrase id"),
    ],
)
def test_spans(chosen_marks: list[Mark], rejected_marks: list[Mark], fault: str) -> None:
    row = pair(chosen_marks=tuple(chosen_marks), rejected_marks=tuple(rejected_marks))
    found = span_faults(row)
    assert (found == ()) == (fault == "")
    assert fault in " ".join(found)


def test_pictures() -> None:
    clean = png(1)
    share = compare(clean, png(1, hole=12)).changed_share
    assert share == pytest.approx(144 / (40 * 48))
    assert compare(clean, clean).problem == "identical"
    assert compare(clean, png(1, size=(40, 40))).problem == "size_differs"
    assert compare(clean, png(1, hole=12, kind="BMP")).problem == "codec_differs"
    assert compare(clean, Picture("x", None)).problem == "missing"
    assert look_at(Picture("x.png", b"no picture")).problem == "image_unreadable"
    cut = Picture("b.png", (clean.content or b"")[:200])
    broken = checks_of([pair("a", images=(clean,)), pair("b", images=(cut,))])
    assert broken["broken_pictures"].value == 0.5
    nowhere = checks_of([pair("a", images=(Picture("a.png", None),))])
    assert nowhere["broken_pictures"].verdict == "unknown"
    corrupted = checks_of(
        [pair("a", images=(clean,), corrupted=(png(1, hole=12),)), pair("b", images=(clean,), corrupted=(clean,))]
    )
    assert corrupted["bad_corruptions"].examples == ("b",)


def test_words_that_give_the_answer_away() -> None:
    chosen = [f"Finding {n} is seen." for n in range(60)]
    rejected = [f"Finding {n} is certainly seen." for n in range(60)]
    groups = [str(n) for n in range(60)]
    found = bag_of_words(chosen, rejected, groups)
    assert found is not None
    assert found.accuracy == 1.0
    assert found.telling_rejected[0][0] == "certainly"
    same = bag_of_words(chosen, chosen, groups)
    assert same is not None
    assert same.accuracy == 0.5
    assert bag_of_words(chosen[:10], rejected[:10], groups[:10]) is None
    assert bag_of_words(chosen, rejected, ["one"] * 60) is None


def test_yes_bias() -> None:
    rows = [pair(str(n), chosen="Yes, it is.", rejected="No, it is not.", group_id=str(n)) for n in range(50)]
    assert checks_of(rows)["yes_no_accuracy"].value == 1.0


def test_no_rows_at_all_have_nothing_to_measure() -> None:
    report = report_of([])
    assert report.beyond == ()
    assert "0 pairs" in render_markdown(report)
    assert "</html>" in render_page(report)


def test_limits() -> None:
    assert limits_with(["length_only_accuracy=0.9"])["length_only_accuracy"] == 0.9
    for change in ("length_only_accuracy", "nothing=1", "near_duplicates=many"):
        with pytest.raises(DatasetError, match="--limit"):
            limits_with([change])


HOSTILE = "<script>alert(1)</script>|`x`\n# heading {{ 7*7 }} <img src=x onerror=1>"


def test_nothing_of_the_data_becomes_markup(tmp_path: Path) -> None:
    rows = [
        *balanced(),
        pair(HOSTILE, rejected="The heart is normal.", split=HOSTILE, error_types=(HOSTILE,)),
        Unreadable(HOSTILE, HOSTILE),
    ]
    report = audit(rows, dataset=HOSTILE, format_name="jsonl", limits=LIMITS)
    write_audit(report, tmp_path)
    page = (tmp_path / "audit.html").read_text("utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert not re.search(r"<[^>]*(?:src|href)=|url\(|@import", page)
    assert "default-src 'none'" in page
    markdown = (tmp_path / "audit.md").read_text("utf-8")
    assert "<script" not in markdown.replace("\\<", "")
    assert "\n# heading" not in markdown
    assert AuditReport.model_validate_json((tmp_path / "audit.json").read_text("utf-8")) == report
    assert json.loads((tmp_path / "audit.json").read_text("utf-8"))["n_pairs"] == 61


def test_a_plot_holds_every_count() -> None:
    plot = plot_of(Histogram(title="t", axis="words", edges=(-2.0, 0.0, 2.0), counts=(1, 3)))
    assert [bar.height for bar in plot.bars] == [40.0, 120.0]
    assert plot.zero_x == pytest.approx(160)
    assert [tick.text for tick in plot.ticks] == ["-2", "0", "2"]
    assert plot_of(Histogram(title="t", axis="x", edges=(0.0, 1.0), counts=(0,))).bars[0].height == 0
