"""Limits, shares, controls and placement, with numbers that can be worked out by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from medprefkit.corrupt.apply import apply_corruption
from medprefkit.corrupt.blend import HealthyBlend
from medprefkit.corrupt.blur import Blur
from medprefkit.corrupt.control import healthy_control
from medprefkit.corrupt.inpaint import Telea
from medprefkit.corrupt.noise import Noise
from medprefkit.corrupt.placement import moved, places_like, scene_of
from medprefkit.corrupt.region import box_of, feather, grow, parts_of
from medprefkit.corrupt.surface import grain_like, membrane
from medprefkit.corrupt.tissue import tissue_of
from medprefkit.errors import ImageError
from medprefkit.protocols import Image, Mask


@dataclass(frozen=True, slots=True)
class Add:
    """A fake: adds a number to the lesion, no margin."""

    levels: int

    def region(self, lesion_mask: Mask) -> Mask:
        return lesion_mask.copy()

    def __call__(self, image: Image, lesion_mask: Mask, rng: np.random.Generator) -> Image:
        return np.where(lesion_mask[..., None], image + np.uint8(self.levels), image)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def flat_noise(height: int, width: int, level: int = 120) -> Image:
    grain = np.random.default_rng(1).normal(0, 4, (height, width, 1))
    return np.repeat(np.clip(level + grain, 0, 255).astype(np.uint8), 3, axis=2)


def square(height: int, width: int, top: int, left: int, side: int) -> Mask:
    mask = np.zeros((height, width), np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


def test_shares_and_box_by_hand() -> None:
    # 10 x 10 of 40 x 50 pixels: 100 / 2000 = 0.05, all of them changed
    mask = square(40, 50, 5, 7, 10)
    result = apply_corruption(flat_noise(40, 50), mask, Add(20), rng(), control=False)
    assert result.lesion_share == result.changed_share == 0.05
    assert result.box == (5, 15, 7, 17)
    assert (result.control, result.no_control) == (None, "")


@pytest.mark.parametrize(("levels", "visible"), [(1, False), (2, True)])
def test_a_change_that_nobody_sees_is_refused(levels: int, visible: bool) -> None:
    mask = square(40, 50, 5, 7, 10)
    if visible:
        apply_corruption(flat_noise(40, 50), mask, Add(levels), rng(), control=False)
        return
    with pytest.raises(ImageError, match=r"1\.00 grey levels") as error:
        apply_corruption(flat_noise(40, 50), mask, Add(levels), rng(), control=False)
    assert error.value.reason == "corruption_invisible"


def test_a_lesion_larger_than_the_limit_is_refused_with_its_share() -> None:
    mask = square(40, 40, 0, 0, 20)  # a quarter
    apply_corruption(flat_noise(40, 40), mask, Add(20), rng(), control=False, max_lesion_share=0.25)
    with pytest.raises(ImageError, match=r"0\.25 of the image") as error:
        apply_corruption(flat_noise(40, 40), mask, Add(20), rng(), control=False, max_lesion_share=0.24)
    assert error.value.reason == "mask_too_large"


def test_a_missing_control_says_why_and_the_corrupted_image_stands() -> None:
    mask = square(60, 60, 2, 2, 40)
    result = apply_corruption(flat_noise(60, 60), mask, Add(20), rng(), control=True)
    assert result.control is None
    assert result.no_control.startswith("no_healthy_tissue: ")


def test_a_control_never_lies_on_background_text_or_the_lesion() -> None:
    image = flat_noise(200, 200)
    image[:, :80] = 0  # background
    image[10:40, 100:190] = 60
    image[14:36:6, 104:186:3] = 255  # strokes
    mask = square(200, 200, 120, 90, 24)
    result = apply_corruption(image, mask, Noise(), rng(), control=True)
    assert result.control is not None
    region = result.control.region
    assert not region[:, :80].any()
    assert not region[14:36, 104:186].any()
    assert not (region & result.region).any()


def test_a_control_of_paired_anatomy_is_on_the_other_side() -> None:
    rows, columns = np.mgrid[:160, :200]
    image = flat_noise(160, 200, 150)
    for centre in (55, 145):  # two dark lungs
        image[np.hypot((rows - 80) / 1.4, columns - centre) < 38] -= np.uint8(70)
    mask = square(160, 200, 70, 45, 12)
    image[mask] += np.uint8(90)
    control = healthy_control(image, mask, rng(), Noise())
    box = box_of(control.region)
    assert abs((box.left_px + box.right_px) / 2 - (199 - 51)) <= 0.07 * 200
    assert abs((box.top_px + box.bottom_px) / 2 - 76) <= 0.07 * 160


def test_a_control_copies_nothing_of_the_lesion() -> None:
    image = flat_noise(160, 160, 100)
    mask = square(160, 160, 60, 60, 20)
    image[mask] = 250
    control = healthy_control(image, mask, rng(), HealthyBlend())
    assert control.image[control.region].max() < 150


def test_a_control_needs_tissue_that_is_alike() -> None:
    image = flat_noise(100, 100, 40)
    image[:, 50:] = 0  # nothing but background beside a strip that the lesion fills
    mask = square(100, 100, 30, 5, 38)
    with pytest.raises(ImageError) as error:
        healthy_control(image, mask, rng(), Noise())
    assert error.value.reason == "no_healthy_tissue"


# --- the parts


def test_grow_is_a_euclidean_disc_and_stays_inside() -> None:
    one = square(9, 9, 4, 4, 1)
    assert grow(one, 0).sum() == 1
    assert grow(one, 1).sum() == 5
    assert grow(one, 2).sum() == 13  # lattice points with x^2 + y^2 <= 4
    assert grow(square(5, 5, 0, 0, 1), 2).sum() == 6


def test_feather_is_zero_outside_and_rises_inside() -> None:
    weight = feather(square(30, 30, 5, 5, 20), 3)
    assert not weight[:5].any()
    assert 0 < weight[5, 15] < weight[6, 15] < weight[7, 15] < weight[8, 15] == 1


def test_parts_are_sorted_by_size_and_few() -> None:
    mask = square(60, 60, 0, 0, 3) | square(60, 60, 20, 20, 9)
    assert [int(part.sum()) for part in parts_of(mask)] == [81, 9]
    scattered = np.zeros((60, 60), np.bool_)
    scattered[::4, ::4] = True
    parts = parts_of(scattered)
    assert len(parts) <= 16
    assert np.array_equal(np.logical_or.reduce(parts), scattered)
    assert sum(int(part.sum()) for part in parts) == scattered.sum()


def test_a_membrane_continues_a_slope_and_keeps_what_is_known() -> None:
    ramp = np.repeat(np.linspace(0, 200, 64, dtype=np.float32)[None, :, None], 64, axis=0)
    known = ~square(64, 64, 20, 20, 24)
    surface = membrane(np.where(known[..., None], ramp, 0).astype(np.float32), known)
    assert np.array_equal(surface[known], ramp[known])
    assert np.abs(surface - ramp).max() < 12


def test_grain_has_the_sample_s_strength_and_no_mean() -> None:
    sample = np.random.default_rng(2).normal(50, 6, (32, 32, 1)).astype(np.float32)
    grain = grain_like(sample, (700, 300), rng())
    assert grain.shape == (700, 300, 1)
    assert abs(float(grain.mean())) < 0.2
    assert float(grain.std()) == pytest.approx(6, rel=0.15)


@pytest.mark.parametrize("shape", [(60, 90), (700, 530)])
def test_a_place_moves_every_pixel_onto_healthy_tissue(shape: tuple[int, int]) -> None:
    image = flat_noise(*shape)
    image[:, : shape[1] // 5] = 0
    hole = square(*shape, shape[0] // 2, shape[1] // 2, shape[0] // 6)
    healthy = tissue_of(image) & ~grow(hole, 2)
    box = box_of(hole)
    places = places_like(scene_of(image, healthy, hole), box, hole[box.slices], match_rim=False)
    assert {place.mirrored for place in places} == {False, True}
    for place in places:
        target = moved(hole, place)
        assert target.sum() == hole.sum()
        assert not (target & ~healthy).any()


def test_black_and_flat_surrounds_are_no_tissue() -> None:
    image = flat_noise(120, 120)
    image[:30] = 0
    image[90:] = 166
    tissue = tissue_of(image)
    assert not tissue[:30].any()
    assert not tissue[91:].any()
    assert tissue[34:86].all()


def test_inpainting_does_not_pull_the_background_in() -> None:
    image = flat_noise(120, 120)
    image[:, :40] = 0
    mask = square(120, 120, 50, 40, 16)  # touches the black
    image[mask] = 240
    painted = Telea()(image, mask, rng())
    assert painted[mask].min() > 80
    assert not painted[:, :40].any(), "the margin outside the body stays black"


def test_noise_is_graded_and_keeps_the_surround_s_mean() -> None:
    image = flat_noise(80, 80)
    mask = square(80, 80, 30, 30, 20)
    image[mask] = 200
    full = Noise(strength=1.0)(image, mask, rng())[mask].astype(float)
    half = Noise(strength=0.5)(image, mask, rng())[mask].astype(float)
    assert full.mean() == pytest.approx(120, abs=4)
    assert full.std() == pytest.approx(32, rel=0.1)
    assert half.mean() == pytest.approx(160, abs=3)
    for wrong in ({"strength": 0.0}, {"strength": 1.5}, {"deviation": -1.0}):
        with pytest.raises(ValueError, match="|".join(wrong)):
            Noise(**wrong)


def test_a_wider_blur_leaves_less() -> None:
    image = flat_noise(120, 120)
    mask = square(120, 120, 50, 50, 20)
    image[mask] = 220
    left = [abs(float(Blur(sigma_px=sigma)(image, mask, rng())[60, 60, 0]) - 120) for sigma in (2.0, 10.0, 40.0)]
    assert left[0] > left[1] > left[2]
    with pytest.raises(ValueError, match="sigma_px"):
        Blur(sigma_px=0.0)


def test_a_blend_uses_the_other_side_and_leaves_no_edge() -> None:
    rows, columns = np.mgrid[:160, :200]
    clean = flat_noise(160, 200, 150)
    for centre in (55, 144):  # the mirror image of column 55 is 144
        clean[np.hypot(rows - 80, columns - centre) < 30] -= np.uint8(70)
    mask = square(160, 200, 60, 40, 30)  # hides most of the left one
    image = clean.copy()
    image[mask] = 240
    blended = HealthyBlend()(image, mask, rng()).astype(float)
    assert np.abs(blended[mask] - clean[mask]).mean() < 12


def test_nothing_healthy_is_said_so() -> None:
    image = flat_noise(30, 30)
    mask = square(30, 30, 1, 1, 28)
    for corruption in (Telea(), HealthyBlend()):
        with pytest.raises(ImageError) as error:
            corruption(image, mask, rng())
        assert error.value.reason == "no_healthy_tissue"
