"""The shipped recipes on real input, where it lies beside the repository: they run, and others load the result."""

from pathlib import Path

import pytest
from trl_steps import train_two_steps

from medprefkit import load_pairs, pipeline
from medprefkit.recipe import find_recipe, read_recipe

DATA = Path(__file__).parents[2] / "shared" / "data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # TRL's are not ours to mend
    pytest.mark.skipif(not DATA.is_dir(), reason="the real input is not distributed with the project"),
]


@pytest.mark.parametrize("name", ["vqa_rad_mmedpo", "iu_xray_mmedpo", "cxr_lesions"])
def test_a_real_recipe_runs_and_its_dataset_loads_everywhere(name: str, tmp_path: Path) -> None:
    from datasets import load_dataset, load_from_disk

    recipe = read_recipe(find_recipe(Path(f"real/{name}")), [f"data_root={DATA}"])
    root = tmp_path / "run"
    pipeline.run(recipe, root)
    saved = load_from_disk(str(root / "build" / "dataset"))
    files = {split: str(root / "build" / "parquet" / f"{split}-*.parquet") for split in saved}
    shared = load_dataset("parquet", data_files=files)
    ours = load_pairs(root)
    assert {split: rows.num_rows for split, rows in shared.items()} == {s: rows.num_rows for s, rows in saved.items()}
    assert ours["train"].num_rows == saved["train"].num_rows > 0
    for row in ours["train"]:
        chosen, rejected = row["chosen"][-1]["content"], row["rejected"][-1]["content"]
        assert chosen != rejected
        assert _outside(chosen, row["chosen_spans"]) == _outside(rejected, row["rejected_spans"])
    assert (root / "view" / "index.html").stat().st_size > 10_000
    assert train_two_steps(shared["train"], tmp_path) == 2


def _outside(text: str, spans: list[dict[str, int]]) -> list[str]:
    edges = [0, *(edge for span in spans for edge in (span["start_char"], span["end_char"])), len(text)]
    return [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
