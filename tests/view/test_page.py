"""The page: hostile texts stay texts, nothing is loaded, pictures and boxes are where they belong."""

import re
from html.parser import HTMLParser
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from made_pairs import corrupt, draw, make

from medprefkit.records import Dropped, ErrorType, Source
from medprefkit.view.cards import FAMILIES
from medprefkit.view.curves import draw_curves
from medprefkit.view.page import write_page
from medprefkit.view.pictures import Trio, trios_of
from medprefkit.view.shown import Counts, ShownPair

HOSTILE = (
    "</style></script><script>alert(1)</script><img src=x onerror=alert(2)>"
    '" onmouseover="x\' \u202e\u0000 {{ 7 * 7 }} &'
)
VOID = {"meta", "img", "input", "link", "br"}


class Reader(HTMLParser):
    """Collects the tags of a page with their attributes, and refuses tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page(tmp_path: Path, pairs: list[ShownPair], **options: object) -> tuple[str, Counts]:
    path = tmp_path / "index.html"

    def read(shown: ShownPair) -> list[Trio]:
        return trios_of(shown.pair, data_root=tmp_path / "data", run_dir=tmp_path / "run")

    given_ = {"title": "Pairs", "read": read} | options
    counts = write_page(path, pairs, **given_)  # type: ignore[arg-type]  # a test's own options
    return path.read_text("utf-8"), counts


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def pictured(tmp_path: Path, record_id: str = "a") -> ShownPair:
    image = draw(tmp_path / f"data/{record_id}.png", 0)
    pair = make(record_id, images=[image], corrupted=corrupt(tmp_path / "run", record_id))
    return ShownPair(pair, "train", "No effusion.")


def test_a_pair_is_shown_with_its_marks_pictures_and_reasons(tmp_path: Path) -> None:
    html, counts = page(tmp_path, [pictured(tmp_path)])
    reader = read(html)
    marks = [attrs for tag, attrs in reader.tags if tag == "mark" and "data-k" in attrs]
    assert [mark["data-k"] for mark in marks] == ["1", "2", "1", "2"]
    assert sum(tag == "img" for tag, _ in reader.tags) == 5  # three pictures, and the changed pixels over two
    # the region is 6 to 12 of 24 pixels, 4 to 8 of 16
    assert html.count("left:25.0%;top:25.0%;width:25.0%;height:25.0%") == 2
    told = " ".join("".join(reader.texts).split())
    for words in ("Right-sided lung is clear.", "laterality differs", "confidence 0.90", "No effusion.", "telea, 6.0%"):
        assert words in told
    assert (counts.n_pairs, counts.n_corrupted, counts.error_types.total()) == (1, 1, 2)


def test_hostile_texts_become_neither_tags_nor_attributes(tmp_path: Path) -> None:
    def shown(text: str) -> ShownPair:
        answer = f"{text} left {text}"
        changes: list[tuple[str, str, ErrorType]] = [("left", text, "wrong_laterality")]
        source = Source(name=text, licence=text)
        pair = make(text, answer=answer, changes=changes, source=source, evidence=text, prompt=text, modality=text)
        return ShownPair(pair, text, text)

    def tags(text: str) -> list[tuple[str, frozenset[str]]]:
        drops = [Dropped(id=text, stage="edit", reason="edit_refused", detail=text)]
        html, _ = page(tmp_path, [shown(text)], title=text, dropped=drops, language=text)
        return [(tag, frozenset(attrs)) for tag, attrs in read(html).tags]

    assert tags(HOSTILE) == tags("calm")
    html, _ = page(tmp_path, [shown(HOSTILE)], title=HOSTILE, language=HOSTILE)
    assert "\u202e" not in html
    assert "\u0000" not in html
    assert "&lt;U+202E&gt;" in html
    assert "{{ 7 * 7 }}" in html


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.text(st.sampled_from("<>\"'&/ab\u202e\n= "), max_size=12))
def test_any_text_leaves_the_tags_as_they_are(tmp_path: Path, text: str) -> None:
    pair = make("x", answer=f"{text}left", changes=[("left", f"{text}right", "wrong_laterality")], prompt=text)
    html, _ = page(tmp_path, [ShownPair(pair, "train", "r")])
    calm, _ = page(
        tmp_path, [ShownPair(make("x", answer="aleft", changes=[("left", "right", "wrong_laterality")]), "train", "r")]
    )
    names = [[tag for tag, _ in read(text_).tags] for text_ in (html, calm)]
    assert names[0] == names[1]


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    html, _ = page(tmp_path, [pictured(tmp_path)])
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:image/(?:jpeg|png);base64,|#)", html)
    assert not re.search(r"https?:|url\(|@import|//[a-z]+\.", html)
    assert "default-src 'none'" in html


def test_the_same_pairs_give_the_same_page_and_the_order_is_kept(tmp_path: Path) -> None:
    pairs = [pictured(tmp_path, name) for name in "cab"]
    html, _ = page(tmp_path, pairs)
    assert page(tmp_path, pairs)[0] == html
    assert [html.index(f"<bdi>{name}</bdi>") for name in "cab"] == sorted(
        html.index(f"<bdi>{name}</bdi>") for name in "cab"
    )


def test_more_pairs_than_fit_are_counted_and_said(tmp_path: Path) -> None:
    html, counts = page(tmp_path, [ShownPair(make(str(n)), "train") for n in range(9)], n_pairs=2)
    assert counts.n_pairs == 9
    assert html.count("<article") == 2
    assert "2 of 9 pairs" in html


def test_a_lost_picture_leaves_the_texts(tmp_path: Path) -> None:
    html, _ = page(tmp_path, [ShownPair(make("a", images=["lost.png"]), "train")])
    assert "The pictures cannot be shown." in html
    assert html.count('<mark class="wrong significant"') == 2


def test_drops_are_counted_with_a_few_examples(tmp_path: Path) -> None:
    drops = [Dropped(id=f"d{n}", stage="edit", reason="edit_refused", detail=f"why {n}") for n in range(7)]
    html, _ = page(tmp_path, [], dropped=drops)
    assert [f"<bdi>why {n}</bdi>" in html for n in range(7)] == [True] * 4 + [False] * 3
    assert [html.count(f"why {n}") for n in range(7)] == [2] * 4 + [1] * 3  # all are listed for the script
    assert "There is no pair to show." in html


def test_every_error_type_has_a_colour() -> None:
    assert set(FAMILIES) == set(ErrorType.__args__)  # type: ignore[attr-defined]  # a Literal has them


def test_curves_draw_what_was_logged() -> None:
    history = [{"step": step, "loss/total": 1.0 / step, "margin": float(step)} for step in (1, 2, 4)]
    svg = draw_curves([*history, {"step": 4, "eval_loss": 0.3}])
    assert svg.count("<svg") == 2
    assert svg.count("<polyline") == 2
    # steps 1, 2, 4 of a plot from x = 46 to 350: a third of the way is 147.3
    assert re.search(r'points="46\.0,[\d.]+ 147\.3,[\d.]+ 350\.0,', svg)


@pytest.mark.parametrize(
    "history", [[], [{"step": 1, "loss/total": 1.0}], [{"step": 1, "x": 1.0}, {"step": 2, "loss/total": float("nan")}]]
)
def test_no_curve_without_two_steps(history: list[dict[str, float]]) -> None:
    assert draw_curves(history) == ""


def test_a_flat_curve_is_drawn() -> None:
    assert "<polyline" in draw_curves([{"step": step, "margin": 0.0} for step in (1, 2)])
