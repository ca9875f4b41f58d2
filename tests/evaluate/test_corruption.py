"""What is left of a lesion, measured on pictures whose answer is known."""

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from PIL import Image as Pillow
from typer.testing import CliRunner

from medprefkit.cli.app import app
from medprefkit.corrupt.modalities import SUITED
from medprefkit.errors import RecipeError, SourceError
from medprefkit.evaluate.corruption import count_outside, mean_change, visibility_of
from medprefkit.evaluate.corruption_separability import Place, place_of, separability_of
from medprefkit.evaluate.corruption_summary import Measured, Outcome, recommend
from medprefkit.measure_images import measure_corruptions, pair_files
from medprefkit.protocols import Image, Mask
from medprefkit.registry import installed


def picture(seed: int, height: int = 120, width: int = 140) -> Image:
    rng = np.random.default_rng(seed)
    grain = rng.normal(120, 8, (height, width, 1))
    return np.repeat(np.clip(grain, 0, 255).astype(np.uint8), 3, axis=2)


def square(top: int, left: int, side: int, height: int = 120, width: int = 140) -> Mask:
    mask = np.zeros((height, width), np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


REGION = square(40, 50, 40)
RING = square(28, 38, 64) & ~REGION


def test_contrast_and_seam_by_hand() -> None:
    # columns alternate 100 and 104 everywhere: mean 102, standard deviation 2, every step across is 4, down 0
    image = np.full((120, 140, 3), 100, np.uint8)
    image[:, 1::2] = 104
    same = visibility_of(image, REGION, RING)
    assert (same.contrast, same.texture) == (0, pytest.approx(0, abs=0.03))
    image[REGION] += 20
    lifted = visibility_of(image, REGION, RING)
    assert lifted.contrast == pytest.approx(20 / (2 + 2))
    assert lifted.texture == pytest.approx(same.texture)
    # left border: 104 -> 120 or 100 -> 124 ...: the sides step by 20 -+ 4, top and bottom by 20; near ones by about 2
    assert lifted.seam == pytest.approx(math.log(20.5 / 2.5), abs=0.1)
    assert lifted.worst == lifted.contrast


def test_a_smooth_place_has_less_texture_and_a_busy_one_more() -> None:
    image = picture(1)
    smooth, busy = image.copy(), image.copy()
    smooth[REGION] = 120
    busy[REGION] = np.random.default_rng(0).integers(0, 256, (1600, 1), np.uint8)
    assert visibility_of(smooth, REGION, RING).texture < -1
    assert visibility_of(busy, REGION, RING).texture > 1
    assert abs(visibility_of(image, REGION, RING).texture) < 0.1
    assert visibility_of(image, REGION, np.zeros_like(REGION)).contrast < 0.2, "no ring: everything else"


def test_what_changed_is_counted() -> None:
    image = picture(2)
    changed = image.copy()
    changed[REGION] += 3
    assert count_outside(image, changed, REGION) == 0
    assert mean_change(image, changed, REGION) == 3
    changed[0, 0] += 1
    assert count_outside(image, changed, REGION) == 1
    assert mean_change(image, changed, np.zeros_like(REGION)) == 0


def places(strength: float) -> list[Place]:
    found = []
    for seed in range(12):
        image = picture(seed).astype(float)
        image[REGION] = 120 + strength * (image[REGION] - 120)
        place = place_of(image.astype(np.uint8), REGION, RING, np.random.default_rng(seed))
        assert place is not None
        found.append(place)
    return found


def test_a_classifier_tells_smooth_places_from_grain_and_like_from_like_it_does_not() -> None:
    smoothed, untouched = separability_of(places(0.2)), separability_of(places(1.0))
    assert smoothed is not None
    assert untouched is not None
    assert smoothed > 0.95
    assert 0.35 < untouched < 0.65
    assert separability_of(places(1.0)[:1]) is None


def test_a_place_too_small_for_patches_says_nothing() -> None:
    assert place_of(picture(0), square(10, 10, 5), RING, np.random.default_rng(0)) is None


def test_a_recommendation_is_one_line_and_needs_an_image() -> None:
    refused = Measured("blur", (Outcome("a.png", None, refused="mask_empty: none"),), None, None, None)
    assert recommend([refused]) == "no recommendation: every image was refused"
    assert refused.hidden is None


# --- files and the command


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for k in range(3):
        image, mask = picture(k), square(40, 50, 20)
        image[mask] += 60
        Pillow.fromarray(image).save(images / f"{k}.png")
        Pillow.fromarray(mask).save(masks / f"{k}_m.png")
    Pillow.fromarray(picture(5)).save(images / "bad.png")
    Pillow.fromarray(square(40, 50, 20, 100, 100)).save(masks / "bad_m.png")
    return images, masks


def test_a_folder_is_measured_and_what_is_refused_is_counted(folders: tuple[Path, Path]) -> None:
    pairs = pair_files(*folders, mask_suffix="_m")
    assert [pair.name for pair in pairs] == ["0.png", "1.png", "2.png", "bad.png"]
    (one,) = measure_corruptions(pairs, ["telea"]).measured
    assert len(one.removals) == 3
    assert one.outcomes[3].refused.startswith("mask_size_mismatch: ")
    for removal in one.removals:
        assert removal.n_outside == 0
        assert removal.before.contrast > 3
        assert removal.after.worst < 0.6
        assert removal.healthy is not None
    again = measure_corruptions(pairs, ["telea"]).measured
    assert again == [one]
    with pytest.raises(SourceError, match="mask-suffix"):
        pair_files(*folders)


def test_a_weaker_corruption_leaves_more_of_the_lesion(folders: tuple[Path, Path]) -> None:
    pairs = pair_files(*folders, mask_suffix="_m")[:2]
    measured = measure_corruptions(pairs, ["telea", "albumentations"], strengths=(0.25, 0.5, 1.0)).measured
    assert [one.name for one in measured] == ["telea x 0.25", "telea x 0.5", "telea", "albumentations"]
    left = [np.mean([removal.after.contrast for removal in one.removals]) for one in measured[:3]]
    change = [np.mean([removal.change for removal in one.removals]) for one in measured[:3]]
    assert left[0] > left[1] > left[2]
    assert change[1] == pytest.approx(2 * change[0], rel=0.1)


def test_the_command_prints_and_writes(folders: tuple[Path, Path], tmp_path: Path) -> None:
    images, masks = folders
    report = tmp_path / "report"
    command = ["evaluate", "corruption", "--images", str(images), "--masks", str(masks), "--mask-suffix", "_m"]
    done = CliRunner().invoke(app, [*command, "--corruption", "blur", "--corruption", "telea", "--report", str(report)])
    assert done.exit_code == 0, done.output
    assert "recommended: telea" in done.stdout
    assert "mask_size_mismatch" in done.stdout
    assert sorted(path.name for path in report.iterdir()) == [
        "blur.png", "corruption.json", "summary.md", "summary.svg", "telea.png",
    ]  # fmt: skip
    plot = ElementTree.fromstring((report / "summary.svg").read_text("utf-8"))
    texts = [text.text for text in plot.iter("{http://www.w3.org/2000/svg}text")]
    assert {"blur", "telea", "3"} <= set(texts), "names, and how many images have a corrupted copy"
    with Pillow.open(report / "telea.png") as sheet:
        assert sheet.size[0] > 1000
    told = json.loads((report / "corruption.json").read_text("utf-8"))
    assert told["telea"]["images"]["0.png"]["removal"]["n_outside"] == 0
    assert "modality" not in done.stdout
    printed = CliRunner().invoke(app, [*command, "--corruption", "telea", "--json"])
    assert json.loads(printed.stdout)["telea"]["images"] == told["telea"]["images"]


def test_every_modality_names_an_installed_corruption_and_the_command_prints_it(folders: tuple[Path, Path]) -> None:
    assert {suited.corruption for suited in SUITED.values()} <= set(installed("corruptions"))
    for suited in SUITED.values():
        section = yaml.safe_load(suited.as_recipe())["corrupt"]
        assert section == {"use": suited.corruption, "max_lesion_share": suited.max_lesion_share}
    images, masks = (str(folder) for folder in folders)
    command = ["evaluate", "corruption", "--images", images, "--masks", masks, "--mask-suffix", "_m"]
    done = CliRunner().invoke(app, [*command, "--corruption", "noise", "--modality", "endoscopy"])
    assert "shipped for endoscopy: corrupt: {use: texture" in done.stdout
    refused = CliRunner().invoke(app, [*command, "--modality", "pet"])
    assert isinstance(refused.exception, RecipeError)
