"""docs/images.md tells the truth: its settings are accepted, its command exists, its Python runs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from medprefkit.imaging.limits import MAX_FILE_BYTES, MAX_PIXELS, MAX_VOLUME_BYTES
from medprefkit.imaging.names import IMAGE_SUFFIXES
from medprefkit.recipe import parse_recipe

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/images.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


def test_every_setting_is_one() -> None:
    settings = [yaml.safe_load(text) for language, text in BLOCKS if language == "yaml"]
    source = {
        "format": "image_folder", "name": "n", "licence": "l", "images": "i", "references": "r.csv", "masks": "m",
        "reference_column": "c", "prompt": "p",
    }  # fmt: skip
    corrupt: dict[str, Any] = {}
    for part in settings:
        (corrupt if "use" in part else source).update(part)
    assert corrupt
    for boxes in (corrupt["boxes"], "ellipse", {"model": "facebook/sam-vit-base", "device": "cuda", "batch_size": 4}):
        recipe = {"recipe_version": "1.0", "name": "n", "sources": [source], "publish": {"title": "t"}}
        assert parse_recipe(recipe | {"corrupt": corrupt | {"boxes": boxes}}, where="docs").corrupt is not None


def test_the_command_and_its_options_are_there() -> None:
    help_text = (ROOT / "tests/golden/help.txt").read_text("utf-8")
    (command,) = [text for language, text in BLOCKS if not language]
    assert f"$ {' '.join(command.split()[:3])} --help" in help_text
    assert all(option in help_text for option in re.findall(r"--\w+", command))


def test_the_limits_and_endings_are_the_code_s() -> None:
    assert f"more than {MAX_FILE_BYTES // 2**20} MiB" in PAGE
    assert f"more than {MAX_PIXELS // 10**6} million pixels" in PAGE
    assert f"more than {MAX_VOLUME_BYTES // 2**30} GiB" in PAGE
    assert f"`{' '.join(IMAGE_SUFFIXES)}`" in PAGE


def test_the_python_runs() -> None:
    (code,) = [text for language, text in BLOCKS if language == "python"]
    image = np.random.default_rng(0).integers(90, 140, (96, 96, 3), np.uint8)
    mask = np.zeros((96, 96), np.uint8)
    mask[30:40, 30:44] = 1
    image[mask > 0] = 230
    names: dict[str, Any] = {"image": image, "mask": mask}
    exec(code, names)
    assert names["pair"].lesion_mask.sum() == mask.sum()
    assert (names["healthy"] != image).any()
