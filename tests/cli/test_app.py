"""The command line: light to import, every command with an example, one line and exit 2 for a user's mistake."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from medprefkit.cli import app as cli

COMMAND = [sys.executable, "-m", "medprefkit"]
GOLDEN = Path(__file__).parents[1] / "golden" / "help.txt"


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=cwd, check=False)


def commands() -> dict[str, Any]:
    """Return the words of every command -> the command; groups are walked into."""
    found: dict[str, Any] = {}
    waiting = [("", typer.main.get_command(cli.app))]
    while waiting:
        path, command = waiting.pop(0)
        nested = getattr(command, "commands", None)
        if nested is None:
            found[path] = command
        else:
            waiting += [(f"{path} {name}".strip(), child) for name, child in nested.items()]
    return found


def whole_help() -> str:
    runner = CliRunner(env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"})
    pages = []
    for path in ["", "recipes", "evaluate", *commands()]:
        shown = runner.invoke(cli.app, [*path.split(), "--help"], prog_name="medprefkit", terminal_width=100)
        assert shown.exit_code == 0
        pages.append(f"$ medprefkit {path} --help\n{shown.output}")
    return "\n".join(pages)


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    heavy = ["torch", "spacy", "cv2", "ray", "datasets", "pandas", "transformers", "pydantic", "numpy"]
    code = f"import medprefkit.cli.app, sys; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_help_is_as_documented() -> None:
    assert whole_help() == GOLDEN.read_text("utf-8"), "python -m tests.cli.test_app writes it anew"


def test_every_command_has_an_example() -> None:
    for path, command in commands().items():
        assert f"{command.epilog} ".startswith(f"Example: medprefkit {path} "), path


def test_a_typo_in_a_recipe_is_one_line_and_exit_2_before_any_work(tmp_path: Path) -> None:
    recipe = tmp_path / "small.yaml"
    recipe.write_text("recipe_version: '1.0'\nname: x\nsources: [{format: phantom}]\npublish: {title: x}\nchek: {}\n")
    done = run("run", str(recipe), "--run-dir", str(tmp_path / "run"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: small.yaml: chek: Extra inputs are not permitted; did you mean 'check'?\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["validate", "nowhere.yaml"], "error: no recipe nowhere.yaml"),
        (["validate", "quickstart", "--set", "seed"], "write key=value"),
        (["recipes", "copy", "quickstart", "."], "exists"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_recipes_are_listed_copied_and_validated(tmp_path: Path) -> None:
    assert "quickstart" in run("recipes", "list").stdout
    assert run("recipes", "copy", "quickstart", "mine.yaml", cwd=tmp_path).returncode == 0
    done = run("validate", "mine.yaml", "--set", "seed=3", cwd=tmp_path)
    assert "valid (quickstart" in done.stdout


def test_plugins_lists_what_a_recipe_may_name() -> None:
    lines = run("plugins").stdout.splitlines()
    assert any(line.split()[:2] == ["corruptions", "telea"] for line in lines)


if __name__ == "__main__":
    GOLDEN.write_text(whole_help(), "utf-8")
