"""An installed wheel finds its recipes, schemas and cards, far from any checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_wheel_brings_its_recipes_schemas_and_cards(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(home), str(wheel)]
    subprocess.run(install, check=True)
    code = (
        f"import sys; sys.path.insert(0, {str(home)!r})\n"
        "import medprefkit.resources as r, medprefkit.recipe as c\n"
        f"assert r.__file__.startswith({str(home)!r}), r.__file__\n"
        "for name in ('schemas', 'data_cards'): print(len(list(r.resource_dir(name).iterdir())), end=' ')\n"
        "print()\n"
        "print(*c.shipped_recipes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    counts, names = done.stdout.splitlines()
    assert all(int(count) > 0 for count in counts.split())
    assert {"quickstart", "real/cxr_lesions"} <= set(names.split())
