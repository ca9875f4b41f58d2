"""The published set's faults, where it lies beside the repository: two files, one rule each."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from medprefkit.cli.app import app

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real input is not distributed with the project")


@pytest.mark.parametrize(("name", "accuracy"), [("vqa-rad", "96.0%"), ("slake", "95.7%")])
@pytest.mark.slow
def test_length_alone_picks_the_published_answer(tmp_path: Path, name: str, accuracy: str) -> None:
    file = DATA / "text" / "mmedpo" / f"{name}_dpo_weighted.json"
    done = CliRunner().invoke(app, ["audit", str(file), "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert f"!   {accuracy}  length alone picks the chosen text" in done.output
    assert (tmp_path / "audit.html").stat().st_size > 5_000
