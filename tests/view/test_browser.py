"""The page in a real browser: filters, search, keys, slider, review, hostile texts, thousands of pairs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Tab, browser, needs_chromium
from made_pairs import corrupt, draw, make

from medprefkit.records import Dropped, ErrorType, Source
from medprefkit.review import Decision, pair_digest, read_decisions
from medprefkit.view.page import write_page
from medprefkit.view.pictures import Trio, trios_of
from medprefkit.view.shown import ShownPair

pytestmark = [pytest.mark.slow, needs_chromium]

HOSTILE = (
    "</script></template><script>window.hit=1</script><img src=x onerror='window.hit=1'><svg onload=window.hit=1> "
    "</textarea>[x](javascript:window.hit=1) \u202e"
)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


def write(tmp_path: Path, pairs: list[ShownPair], *, beside: bool = False, dropped: tuple[Dropped, ...] = ()) -> Path:
    def read(shown: ShownPair) -> list[Trio]:
        return trios_of(shown.pair, data_root=tmp_path / "data", run_dir=tmp_path / "run")

    folder = tmp_path / "pictures" if beside else None
    if folder is not None:
        folder.mkdir()
    page = tmp_path / "index.html"
    write_page(page, pairs, title="Pairs", read=read, n_pairs=10_000, folder=folder, dropped=dropped)
    return page


def many(n: int) -> list[ShownPair]:
    kinds: tuple[ErrorType, ...] = ("wrong_laterality", "wrong_severity")
    return [
        ShownPair(
            make(
                f"r{number}",
                answer=f"The left lung of {number} shows a large effusion.",
                changes=[("left", "right", kinds[number % 2])],
                source=Source(name="odd" if number % 2 else "even", licence="CC0-1.0"),
            ),
            "train",
        )
        for number in range(n)
    ]


def count(tab: Tab) -> str:
    return str(tab.run("document.querySelector('#count').textContent"))


def choose(tab: Tab, control: str, value: str) -> str:
    tab.run(f"{{ const one = document.querySelector('#{control}'); one.value = {json.dumps(value)};"
            " one.dispatchEvent(new Event('change')); }")  # fmt: skip
    return count(tab)


def test_pairs_are_filtered_searched_and_turned(tab: Tab, tmp_path: Path) -> None:
    drops = tuple(Dropped(id=f"d{n}", stage="edit", reason="edit_refused", detail="cannot") for n in range(3))
    tab.open(write(tmp_path, many(60), dropped=drops))
    assert count(tab) == "60 pairs"
    assert tab.run("document.querySelectorAll('article').length") == 24
    assert choose(tab, "type", "wrong_severity") == "30 pairs"
    assert choose(tab, "source", "even") == "0 pairs"
    choose(tab, "type", "")
    assert choose(tab, "checker", "reference") == "30 pairs"
    choose(tab, "source", "")
    assert choose(tab, "drop", "edit_refused") == "3 left out"
    assert "d2" in str(tab.run("document.querySelector('#pairs').textContent"))
    choose(tab, "drop", "")
    tab.press("/")
    tab.call("Input.insertText", text="lung of 57 ")
    time.sleep(0.4)
    assert count(tab) == "1 pair"
    assert tab.run("document.querySelector('article').id") == "p58"
    tab.run("search.value = ''; search.blur(); filter()")
    for key in "nnpj":
        tab.press(key)
    assert tab.run("document.querySelector('.current').id") == "p25"
    assert tab.problems() == []


def test_decisions_are_kept_saved_and_read_by_a_build(tab: Tab, tmp_path: Path) -> None:
    pairs = many(5)
    page = write(tmp_path, pairs)
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    tab.open(page)
    for key in ("j", "a", "j", "r", "j", "r", "u", "j", "f"):
        tab.press(key)
    assert tab.run("document.activeElement.value") == pairs[3].pair.chosen
    tab.run("document.activeElement.value = 'The right lung is clear.';"
            "document.activeElement.dispatchEvent(new Event('input'))")  # fmt: skip
    tab.open(page)  # a reviewer comes back
    assert tab.run("document.querySelector('#decided').textContent") == "3 of 5 reviewed"
    tab.run("document.querySelector('#save').click()")
    saved = tmp_path / "decisions.jsonl"
    for _ in range(50):
        if saved.exists():
            break
        time.sleep(0.1)
    wanted = [(0, "accept", ""), (1, "reject", ""), (3, "fix", "The right lung is clear.")]
    assert list(read_decisions(saved).values()) == [
        Decision.model_validate({"id": f"r{n}", "digest": pair_digest(pairs[n].pair), "decision": kind, "chosen": text})
        for n, kind, text in wanted
    ]
    assert choose(tab, "reviewed", "open") == "2 pairs"
    assert tab.problems() == []


@pytest.mark.parametrize("beside", [False, True])
def test_pictures_are_compared_from_the_file_system(tab: Tab, tmp_path: Path, beside: bool) -> None:
    image = draw(tmp_path / "data/a.png", 0)
    pair = make("a", images=[image], corrupted=corrupt(tmp_path / "run", "a"))
    tab.open(write(tmp_path, [ShownPair(pair, "train")], beside=beside))
    tab.run("document.querySelector('.compare').scrollIntoView()")
    assert (
        tab.run(
            "Promise.all([...document.images].map((one) => { one.loading = 'eager'; return one.decode(); }))"
            ".then(() => document.images.length)"
        )
        == 7
    )
    tab.run(
        "{ const one = document.querySelector('.compare input'); one.value = 20;"
        " one.dispatchEvent(new Event('input')); }"
    )
    assert tab.run("getComputedStyle(document.querySelector('.compare .over')).clipPath") == "inset(0px 80% 0px 0px)"
    tab.press("j")
    tab.press("d")
    assert tab.run("getComputedStyle(document.querySelector('.compare .over')).mixBlendMode") == "difference"
    tab.press("m")
    assert tab.run("getComputedStyle(document.querySelector('img.changed')).opacity") == "0.55"
    assert all(url.startswith(("file:", "data:")) for url in tab.requests())
    assert tab.problems() == []


def test_no_text_of_the_data_runs(tab: Tab, tmp_path: Path) -> None:
    changes: list[tuple[str, str, ErrorType]] = [("left", HOSTILE, "wrong_laterality")]
    pairs = [
        ShownPair(
            make(
                f"{n}{HOSTILE}", answer=f"{HOSTILE} left {HOSTILE}", changes=changes, evidence=HOSTILE, prompt=HOSTILE,
                modality=HOSTILE, source=Source(name=HOSTILE, licence=HOSTILE),
            ),
            HOSTILE,
            HOSTILE,
        )
        for n in range(30)
    ]  # fmt: skip
    drop = Dropped(id=HOSTILE, stage="edit", reason="edit_refused", detail=HOSTILE)
    tab.open(write(tmp_path, pairs, dropped=(drop,)))
    for key in ("j", "f", "Escape", "n"):
        tab.press(key)
    tab.run("document.activeElement.blur()")
    tab.press("n")
    assert tab.run("document.querySelectorAll('article').length") == 6
    choose(tab, "drop", "edit_refused")
    assert HOSTILE[:9] in str(tab.run("document.querySelector('article').textContent"))
    assert tab.run("window.hit") is None
    assert tab.run("document.querySelectorAll('#pairs script, #pairs svg, #pairs [onerror], #pairs img').length") == 0
    assert tab.problems() == []


def test_five_thousand_pairs_open_in_seconds_and_little_memory(tab: Tab, tmp_path: Path) -> None:
    page = write(tmp_path, many(5000))
    began = time.monotonic()
    tab.open(page)
    opened_s = time.monotonic() - began
    assert count(tab) == "5000 pairs"
    began = time.monotonic()
    tab.run("search.value = 'lung of 4999 '; filter()")
    searched_s = time.monotonic() - began
    assert count(tab) == "1 pair"
    tab.run("search.value = ''; filter(); location.hash = '#p4321'")
    time.sleep(0.3)
    assert tab.run("document.querySelector('.current').id") == "p4321"
    tab.call("HeapProfiler.collectGarbage")
    found = tab.metrics()
    assert opened_s < 10
    assert searched_s < 2
    assert found["JSHeapUsedSize"] < 200e6
    assert found["Nodes"] < 20_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_down_only(tab: Tab, tmp_path: Path, scheme: str) -> None:
    image = draw(tmp_path / "data/a.png", 0)
    pair = make("a" * 90, images=[image], corrupted=corrupt(tmp_path / "run", "a"))
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    tab.resize(390, 844, phone=True)
    tab.open(write(tmp_path, [ShownPair(pair, "train"), *many(30)]))
    assert tab.run("document.documentElement.scrollWidth") == 390
    dark = tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 23)"
    assert dark == (scheme == "dark")
    tab.call("Emulation.clearDeviceMetricsOverride")
