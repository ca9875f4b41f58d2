"""The commands on real runs: rights first, then identities, then the Hub; an index becomes the same bytes again."""

import json
from pathlib import Path
from typing import Any

import pytest
from hub_server import Client, HubServer
from PIL import Image, ImageDraw, ImageFont

from medprefkit import pipeline, publishing
from medprefkit.errors import DatasetError, PublishError, RunError
from medprefkit.publish.index_only import INDEX, read_index_only
from medprefkit.publish.manifest import MANIFEST, read_manifest
from medprefkit.recipe import parse_recipe

DATA = Path(__file__).parents[3] / "shared" / "data"

CASES = (
    ("There is a large left pleural effusion.", "No pleural effusion. The heart is normal."),
    ("The heart is enlarged. No pneumothorax.", "Heart size is normal. No pneumothorax."),
    ("There is a right pneumothorax.", "No pneumothorax is seen. The lungs are clear."),
)


def made_run(tmp_path: Path, name: str = "run", *, stamp: str = "", answer: str = "", **source: Any) -> Path:
    """Run a small table through every stage up to the card."""
    root = tmp_path / f"{name}-data"
    root.mkdir()
    lines = []
    for number, (said, reference) in enumerate(CASES):
        picture = Image.new("L", (320, 200), 40 + number)
        if stamp:
            ImageDraw.Draw(picture).text((10, 10), stamp, fill=255, font=ImageFont.load_default(18))
        picture.save(root / f"{number}.png")
        lines.append({"id": str(number), "image": f"{number}.png", "prompt": "Describe the film.",
                      "answer": said + answer, "reference": reference})  # fmt: skip
    (root / "table.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    table = {"format": "table", "path": "table.jsonl", "name": "made", "licence": "CC0-1.0", "answer_model": "script",
             "columns": {"id": "id", "answer": "answer"}}  # fmt: skip
    recipe = parse_recipe(
        {
            "recipe_version": "1.0",
            "name": name,
            "shards": 2,
            "data_root": str(root),
            "sources": [table | source],
            "publish": {"title": "Three films"},
            "build": {"eval_share": 0.3},
        },
        where="test",
    )
    pipeline.run(recipe, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"credentialed": True}, "made (CC0-1.0): 3 rows, under a data use agreement"),
        pytest.param(
            {"no_redistribution": True}, "made (CC0-1.0): 3 rows, may not be passed on", marks=pytest.mark.slow
        ),
        pytest.param(
            {"licence": "CC-BY-NC-ND-4.0"}, "made (CC-BY-NC-ND-4.0): 3 rows, no derivatives", marks=pytest.mark.slow
        ),
    ],
)
def test_rows_that_may_not_be_shared_stay_here(tmp_path: Path, source: dict[str, Any], why: str) -> None:
    run = made_run(tmp_path, **source)
    with pytest.raises(PublishError) as caught:
        publishing.push(run, "somebody/pairs")
    assert why in str(caught.value)
    assert "--index-only" in str(caught.value)
    assert read_manifest(run / "publish").form == "index"
    assert not (run / "publish" / "parquet").exists()


def test_the_scan_stops_a_push_and_names_the_rows(tmp_path: Path) -> None:
    run = made_run(tmp_path, stamp="DOE JANE 1950", answer=" Told to Dr. House.")
    with pytest.raises(PublishError, match="--acknowledge-identity") as caught:
        publishing.push(run, "somebody/pairs")
    assert "burned_in_text 3" in str(caught.value)
    hits = [json.loads(line) for line in (run / publishing.IDENTITY).read_text("utf-8").splitlines()]
    assert {hit["row_id"] for hit in hits} == {"0", "1", "2"}
    assert {"rejected", "chosen", "images"} <= {hit["column"] for hit in hits}


@pytest.mark.slow
def test_the_commands(tmp_path: Path, hub: HubServer, client: Client) -> None:
    run = made_run(tmp_path, stamp="DOE JANE 1950")
    refused = client.medprefkit("push", str(run), "somebody/pairs")
    assert refused.returncode == 2
    assert "--acknowledge-identity" in refused.stderr
    assert hub.repos == {}
    pushed = client.medprefkit("push", str(run), "somebody/pairs", "--acknowledge-identity")
    assert pushed.returncode == 0, pushed.stderr
    assert hub.repos["somebody/pairs"].private
    assert {"README.md", "recipe.yaml", MANIFEST} <= set(hub.repos["somebody/pairs"].files)
    pulled = client.medprefkit("pull", "somebody/pairs", str(tmp_path / "pulled"))
    assert "every checksum right" in pulled.stdout
    for parquet in (run / "publish" / "parquet").iterdir():
        assert (tmp_path / "pulled" / "parquet" / parquet.name).read_bytes() == parquet.read_bytes()
    told = "".join(done.stdout + done.stderr for done in (refused, pushed, pulled))
    assert hub.token not in told


def test_an_index_is_made_into_the_same_bytes_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_run(tmp_path, no_redistribution=True)
    root = str(tmp_path / "run-data")
    rebuilt = publishing.rebuild(run / "publish", tmp_path / "again", [f"data_root={root}"])
    assert rebuilt.n_rows == 3
    assert rebuilt.differing == {}
    for parquet in (run / "build" / "parquet").iterdir():
        assert (tmp_path / "again/build/parquet" / parquet.name).read_bytes() == parquet.read_bytes()
    with pytest.raises(RunError, match="is not empty"):
        publishing.rebuild(run / "publish", tmp_path / "again", [f"data_root={root}"])
    table = tmp_path / "run-data" / "table.jsonl"
    table.write_text(table.read_text("utf-8").replace("enlarged", "large"), "utf-8")
    with pytest.raises(DatasetError, match="not the one that was edited"):
        publishing.rebuild(run / "publish", tmp_path / "other", [f"data_root={root}"])
    table.write_text(table.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    with pytest.raises(DatasetError, match="is not among your sources"):
        publishing.rebuild(run / "publish", tmp_path / "fewer", [f"data_root={root}"])


@pytest.mark.slow
def test_rows_that_may_be_shared_can_go_as_an_index_too(tmp_path: Path, hub: HubServer, client: Client) -> None:
    run = made_run(tmp_path, stamp="DOE JANE 1950")
    done = client.medprefkit("push", str(run), "somebody/index", "--index-only")
    assert done.returncode == 0, done.stderr  # an index has no pictures, so nothing of theirs to stop it
    assert INDEX in hub.repos["somebody/index"].files
    assert not any(path.endswith(".parquet") for path in hub.repos["somebody/index"].files)


def test_a_run_without_a_card_has_nothing_to_share(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        publishing.push(tmp_path, "somebody/pairs")


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real input is not distributed with the project")
@pytest.mark.parametrize("name", ["iu_xray_mmedpo", "cxr_lesions"])
def test_the_real_rows_are_made_again_byte_for_byte(tmp_path: Path, name: str) -> None:
    from medprefkit import products
    from medprefkit.recipe import find_recipe, read_recipe
    from medprefkit.store import RunDir

    recipe = read_recipe(find_recipe(Path(f"real/{name}")), [f"data_root={DATA}"])
    pipeline.run(recipe, tmp_path / "run")
    (tmp_path / "index").mkdir()
    store = RunDir(tmp_path / "run", n_shards=recipe.shards)
    products.share(recipe, store, tmp_path / "index", index_only=True)
    rebuilt = publishing.rebuild(tmp_path / "index", tmp_path / "again", [f"data_root={DATA}"])
    assert rebuilt.differing == {}
    assert rebuilt.n_rows == sum(1 for _ in read_index_only(tmp_path / "index" / INDEX)) > 0
