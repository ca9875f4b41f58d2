"""The page of a dataset without its run: folder or Parquet, pictures in the page or beside it."""

from pathlib import Path

import pytest
from made_pairs import corrupt, draw, make

from medprefkit.build.write import write_dataset
from medprefkit.errors import DatasetError
from medprefkit.looking import view


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    image = draw(tmp_path / "data/a.png", 0)
    pairs = [make("pictured", images=[image], corrupted=corrupt(tmp_path / "run", "a", clean=True)), make("text")]
    out = tmp_path / "pairs"
    out.mkdir()
    write_dataset(
        pairs, out, data_root=tmp_path / "data", run_dir=tmp_path / "run", run_seed=0, eval_share=0.0
    )  # fmt: skip
    return out


@pytest.mark.parametrize("form", ["dataset", "parquet"])
@pytest.mark.parametrize("beside", [False, True])
def test_a_dataset_is_shown_without_its_run(dataset: Path, tmp_path: Path, form: str, beside: bool) -> None:
    done = view(str(dataset / form), tmp_path / "look", n_pairs=10, beside=beside)
    html = done.page.read_text("utf-8")
    assert done.n_pairs == 2
    assert "<title>pairs</title>" in html
    assert html.count("<article") == 2
    for words in ("Right-sided lung is clear.", "laterality differs", "telea, 6.0% of the pixels"):
        assert words in html
    assert html.count('src="data:image') == (0 if beside else 5)
    if beside:
        names = ["changed.png", "clean.jpg", "control.jpg", "corrupted.jpg"]
        assert sorted(path.name for path in (tmp_path / "look/pictures").iterdir()) == [f"000001-1-{n}" for n in names]


def test_what_is_no_dataset_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no dataset"):
        view(str(tmp_path), tmp_path / "look", n_pairs=10, beside=None)
