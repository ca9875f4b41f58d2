"""`load_pairs` of a Hub repository, whole and as a stream, gives the rows that were written."""

from pathlib import Path

from hub_server import Client, HubServer
from made_pairs import corrupt, draw, make

from medprefkit.build.write import write_dataset

CARD = b"""---
configs:
- config_name: default
  data_files: [{split: train, path: parquet/train-*.parquet}, {split: eval, path: parquet/eval-*.parquet}]
---

# Pairs
"""

LOADS = """
from medprefkit import load_pairs
from medprefkit.errors import DatasetError

written = {out!r}
for name in ("user/pictured", "user/texts"):
    here, whole = load_pairs(f"{{written}}/{{name.split('/')[1]}}"), load_pairs(name)
    streams = [load_pairs(name, streaming=True), load_pairs(f"{{written}}/{{name.split('/')[1]}}", streaming=True)]
    for split in ("train", "eval"):
        assert whole[split].column_names == here[split].column_names
        for stream in streams:
            assert list(stream[split]) == list(whole[split]) == list(here[split]), (name, split)
            assert stream[split].features == whole[split].features
from medprefkit.formats.read import read_pairs

for name in ["user/texts"]:
    there, here = read_pairs(name), read_pairs(f"{{written}}/{{name.split('/')[1]}}")
    assert there.format == here.format == "medprefkit"
    assert sorted(row.id for row in there.rows) == sorted(row.id for row in here.rows)
for name, config in (("user/nothing", None), ("user/texts", "nothing")):
    for streaming in (False, True):
        try:
            load_pairs(name, config=config, streaming=streaming)
        except DatasetError as error:
            assert "\\n" not in str(error) and "could the Hub give it" in str(error)
        else:
            raise SystemExit(f"{{name}} {{config}} was loaded")
"""


def test_a_repository_loads_and_streams_as_it_was_written(tmp_path: Path, hub: HubServer, client: Client) -> None:
    pictured = [
        make(
            f"r{number}",
            images=[draw(tmp_path / f"data/i{number}.png", number)],
            corrupted=corrupt(tmp_path / "run", f"r{number}") if number % 2 else None,
        )
        for number in range(5)
    ]
    for name, pairs in (("pictured", pictured), ("texts", [make(f"t{number}") for number in range(5)])):
        out = tmp_path / "out" / name
        out.mkdir(parents=True)
        write_dataset(
            pairs, out, data_root=tmp_path / "data", run_dir=tmp_path / "run", run_seed=0, eval_share=0.3
        )  # fmt: skip
        files = {f"parquet/{file.name}": file.read_bytes() for file in (out / "parquet").iterdir()}
        hub.put_files(f"user/{name}", {"README.md": CARD, **files}, private=True)
    done = client.python(LOADS.format(out=str(tmp_path / "out")))
    assert (done.returncode, done.stderr.replace("\r", "\n").count("Error")) == (0, 0), done.stderr
