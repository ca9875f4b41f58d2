"""What every filling shares, margins in millimetres and strengths, and pieces of tissue that continue what is there."""

import time

import numpy as np
import pytest

from medprefkit.corrupt.apply import apply_corruption
from medprefkit.corrupt.blend import HealthyBlend
from medprefkit.corrupt.exemplar import Exemplar, Texture
from medprefkit.corrupt.ground import ground_of
from medprefkit.corrupt.inpaint import Telea
from medprefkit.corrupt.noise import Noise
from medprefkit.corrupt.region import grow
from medprefkit.errors import ImageError
from medprefkit.protocols import Corruption, Image, Mask


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def disc(height: int, width: int, row: int, column: int, radius: float) -> Mask:
    rows, columns = np.mgrid[:height, :width]
    return np.hypot(rows - row, columns - column) <= radius


def speckle(height: int, width: int, seed: int = 3) -> Image:
    grain = rng(seed).normal(110, 16, (height, width, 1))
    return np.repeat(np.clip(grain, 30, 220).astype(np.uint8), 3, axis=2)


def test_a_margin_in_millimetres_is_divided_by_the_spacing() -> None:
    mask = disc(60, 80, 30, 40, 6)
    # 2 mm at 0.5 mm a pixel are 4 pixels
    assert np.array_equal(Telea(margin_mm=2.0, spacing_mm=0.5).region(mask), grow(mask, 4))
    with pytest.raises(ImageError, match="spacing_mm or margin_px") as error:
        Telea(margin_mm=2.0).region(mask)
    assert error.value.reason == "spacing_missing"


@pytest.mark.parametrize(
    "wrong",
    [
        {"margin_mm": -1.0},
        {"margin_mm": 1.0, "margin_px": 3},
        {"spacing_mm": 0.0},
        {"strength": 0.0},
        {"margin_px": -2},
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Exemplar(**wrong)  # type: ignore[arg-type]  # one option at a time


@pytest.mark.parametrize("corruption", [Telea, Exemplar, Texture, HealthyBlend])
def test_half_the_strength_changes_half_as_much_and_says_so(corruption: type[Telea]) -> None:
    image, mask = speckle(96, 128), disc(96, 128, 48, 64, 12)
    image[mask] = 230
    change = [
        apply_corruption(image, mask, corruption(strength=strength), rng(), control=False).change
        for strength in (0.25, 0.5, 1.0)
    ]
    assert change[1] == pytest.approx(2 * change[0], rel=0.03)
    assert change[2] == pytest.approx(2 * change[1], rel=0.03)


def test_a_filling_fades_in_over_the_margin_and_is_whole_on_the_lesion() -> None:
    image, mask = np.full((60, 80, 3), 100, np.uint8), disc(60, 80, 30, 40, 8)
    image += rng().integers(0, 3, (60, 80, 1), np.uint8)
    image[grow(mask, 6)] = 200  # the lesion was drawn too small
    painted = Noise(deviation=0.0, margin_px=3)(image, mask, rng()).astype(int)
    assert np.abs(painted[mask] - painted[30, 40]).max() <= 1
    rim = grow(mask, 3) & ~grow(mask, 2)
    assert painted[rim].mean() > painted[mask].mean() + 20, "the outermost pixels still hold what they held"
    hard = Noise(deviation=0.0, margin_px=3, feather_px=0)(image, mask, rng()).astype(int)
    assert np.abs(hard[grow(mask, 3)] - hard[30, 40]).max() <= 1


def test_ground_and_detail_add_up_and_the_ground_runs_on_under_a_hole() -> None:
    ramp = np.repeat(np.linspace(50, 150, 96, dtype=np.float32)[None, :, None], 80, axis=0)
    hole = disc(80, 96, 40, 48, 14)
    patch = np.where(hole[..., None], 255, ramp).astype(np.float32)
    ground = ground_of(patch, ~hole, 6.0)
    assert np.abs((ground.base + ground.detail - patch)[~hole]).max() < 1e-3
    assert not ground.detail[hole].any()
    assert np.abs(ground.base - ramp)[hole].max() < 12


@pytest.mark.parametrize("corruption", [Exemplar(), Texture()])
def test_speckle_keeps_its_strength_and_its_brightness(corruption: Corruption) -> None:
    clean, mask = speckle(160, 200), disc(160, 200, 80, 100, 34)
    image = clean.copy()
    image[mask] = 20
    painted = corruption(image, mask, rng())[mask].astype(float)
    assert painted.mean() == pytest.approx(clean[mask].mean(), abs=4)
    assert painted.std() == pytest.approx(clean[mask].astype(float).std(), rel=0.15)


def test_an_edge_grows_through_the_lesion() -> None:
    rows = np.mgrid[:120, :160][0]
    clean = np.where(rows < 60, 80, 160)[..., None] + rng(5).normal(0, 3, (120, 160, 1))
    clean = np.repeat(np.clip(clean, 0, 255).astype(np.uint8), 3, axis=2)
    mask = disc(120, 160, 60, 80, 16)
    image = clean.copy()
    image[mask] = 240
    painted = Exemplar()(image, mask, rng()).astype(int)
    wrong = np.abs(painted - clean)[mask] > 40
    assert wrong.mean() < 0.12, "the edge is where it was, but for a pixel or two"


def test_letters_are_never_copied() -> None:
    clean, mask = speckle(160, 200), disc(160, 200, 80, 100, 20)
    image = clean.copy()
    image[60:76:4, 20:60:2] = 255  # strokes, as bright as no tissue
    image[mask] = 20
    for corruption in (Exemplar(), Texture(), HealthyBlend()):
        assert corruption(image, mask, rng())[mask].max() < 215


def test_hundreds_of_specks_are_filled_one_by_one() -> None:
    image = speckle(800, 1000)
    mask = np.zeros((800, 1000), np.bool_)
    centres = [(row, column) for row in range(40, 780, 50) for column in range(40, 980, 60)]
    for row, column in centres:
        mask[row - 3 : row + 4, column - 3 : column + 4] = True
    image[mask] = 15
    started = time.process_time()
    painted = Telea()(image, mask, rng())
    assert time.process_time() - started < 4, f"{len(centres)} specks"
    assert np.array_equal(painted[~grow(mask, 12)], image[~grow(mask, 12)])
    assert abs(float(painted[mask].mean()) - 110) < 8


def test_too_little_tissue_to_cut_from_is_said_so() -> None:
    image, mask = speckle(40, 40), disc(40, 40, 20, 20, 17)
    for corruption in (Exemplar(), Texture()):
        with pytest.raises(ImageError) as error:
            corruption(image, mask, rng())
        assert error.value.reason == "no_healthy_tissue"
