"""Laws over every registered corruption, found through the registry so that a new one cannot dodge them."""

import contextlib
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medprefkit.corrupt.albumentations import TransformName
from medprefkit.corrupt.apply import apply_corruption
from medprefkit.corrupt.control import healthy_control
from medprefkit.corrupt.region import grow
from medprefkit.errors import ImageError
from medprefkit.protocols import Corruption, Image, Mask
from medprefkit.registry import installed, load

NAMES = sorted(set(installed("corruptions")) - {"diffusion"})  # that one needs a model: test_diffusion.py
RANDOM = {"telea", "navier_stokes", "noise", "exemplar", "texture"}
BUILTIN = {"telea", "navier_stokes", "healthy_blend", "exemplar", "texture", "noise", "blur", "albumentations"}
CUTTERS = {"healthy_blend", "exemplar", "texture"}
"""They need tissue to cut from, and refuse where there is too little."""


def build(name: str, **options: Any) -> Corruption:
    return cast("Corruption", load("corruptions", name)(**options))


def tissue(height: int, width: int, *, grey: bool = False, seed: int = 0) -> Image:
    """Smooth shading with grain, nowhere black."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    shade = 120 + 40 * np.sin(rows / 17) * np.cos(columns / 23)
    channels = shade[..., None] * np.array([1.0, 1.0, 1.0] if grey else [1.2, 0.9, 0.8])
    grain = rng.normal(0, 5, (height, width, 1) if grey else (height, width, 3))
    return np.clip(channels + grain, 20, 250).astype(np.uint8)


def disc(height: int, width: int, row: int, column: int, radius: float) -> Mask:
    rows, columns = np.mgrid[:height, :width]
    return np.hypot(rows - row, columns - column) <= radius


def with_lesion(image: Image, mask: Mask) -> Image:
    bright = image.copy()
    bright[mask] = np.clip(bright[mask].astype(int) + 80, 0, 255)
    return bright


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


MASKS = {
    "disc": disc(96, 128, 40, 40, 10),
    "one pixel": disc(96, 128, 50, 60, 0),
    "corner": disc(96, 128, 0, 0, 8),
    "edge": disc(96, 128, 95, 64, 9),
    "two parts": disc(96, 128, 30, 30, 6) | disc(96, 128, 60, 90, 9),
    "specks": disc(96, 128, 20, 20, 1) | disc(96, 128, 24, 30, 1) | disc(96, 128, 60, 60, 2),
    "ring": disc(96, 128, 45, 60, 14) & ~disc(96, 128, 45, 60, 9),
    "stripe": np.pad(np.ones((96, 6), np.bool_), ((0, 0), (60, 62))),
}


def test_the_built_in_corruptions_are_registered() -> None:
    assert set(NAMES) >= BUILTIN


def check_laws(corruption: Corruption, image: Image, mask: Mask) -> Image:
    """Outside the region nothing changes, inputs stay, the same seed gives the same bytes."""
    image_before, mask_before = image.copy(), mask.copy()
    image.flags.writeable = mask.flags.writeable = False
    region = corruption.region(mask)
    changed = corruption(image, mask, rng(1))
    image.flags.writeable = mask.flags.writeable = True
    assert (changed.shape, changed.dtype) == (image.shape, np.uint8)
    assert (region.shape, region.dtype) == (mask.shape, np.bool_)
    assert np.array_equal(image, image_before)
    assert np.array_equal(mask, mask_before)
    assert not np.shares_memory(changed, image)
    assert np.array_equal(changed[~region], image[~region])
    assert not (mask & ~region).any()
    assert np.array_equal(changed, corruption(image, mask, rng(1)))
    return changed


@pytest.mark.parametrize("grey", [True, False], ids=["grey", "colour"])
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("name", NAMES)
def test_laws_hold_for_every_shape_of_lesion(name: str, kind: str, grey: bool) -> None:
    mask = MASKS[kind].copy()
    image = with_lesion(tissue(96, 128, grey=grey), mask)
    changed = check_laws(build(name), image, mask)
    assert (changed[mask] != image[mask]).any()
    if grey:
        assert np.array_equal(changed[..., 0], changed[..., 1])
        assert np.array_equal(changed[..., 0], changed[..., 2])


@pytest.mark.parametrize("name", NAMES)
def test_the_region_is_the_lesion_and_its_margin(name: str) -> None:
    for margin in (0, 1, 7):
        region = build(name, margin_px=margin).region(MASKS["two parts"])
        assert np.array_equal(region, grow(MASKS["two parts"], margin))
    assert not build(name).region(np.zeros((9, 9), np.bool_)).any()
    with pytest.raises(ValueError, match="-1"):
        build(name, margin_px=-1).region(MASKS["disc"])


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 24), st.integers(1, 24)).flatmap(
        lambda shape: st.tuples(arrays(np.uint8, (*shape, 3)), arrays(np.bool_, shape))
    ),
    st.sampled_from(NAMES),
)
def test_laws_hold_for_any_small_image_and_mask_or_it_is_refused(case: tuple[Image, Mask], name: str) -> None:
    image, mask = case
    if build(name, margin_px=1).region(mask).all():
        with contextlib.suppress(ImageError):  # nothing is left to continue or to copy
            check_laws(build(name, margin_px=1), image, mask)
    elif name in CUTTERS:
        with contextlib.suppress(ImageError):  # what is left may be background, or too small
            check_laws(build(name, margin_px=1), image, mask)
    else:
        check_laws(build(name, margin_px=1), image, mask)


@pytest.mark.parametrize("name", sorted(RANDOM))
def test_another_seed_gives_other_bytes(name: str) -> None:
    mask = MASKS["disc"]
    image = with_lesion(tissue(96, 128), mask)
    corruption = build(name)
    assert not np.array_equal(corruption(image, mask, rng(1)), corruption(image, mask, rng(2)))


@pytest.mark.parametrize("transform", TransformName.__args__)
def test_every_transform_of_albumentations_keeps_the_laws(transform: str) -> None:
    for grey in (True, False):
        mask = MASKS["edge"].copy()
        image = with_lesion(tissue(96, 128, grey=grey), mask)
        changed = check_laws(build("albumentations", transform=transform), image, mask)
        assert np.abs(changed[mask].astype(int) - image[mask]).mean() > 2
        assert not grey or np.array_equal(changed[..., 0], changed[..., 2])
    tiny = disc(12, 12, 6, 6, 0)
    check_laws(build("albumentations", transform=transform, margin_px=0), tissue(12, 12), tiny)


@pytest.mark.parametrize("name", sorted(BUILTIN - {"albumentations"}))
def test_the_lesion_s_contrast_is_gone(name: str) -> None:
    mask = MASKS["disc"]
    image = with_lesion(tissue(96, 128, grey=True), mask)
    healthy = tissue(96, 128, grey=True)
    left = build(name)(image, mask, rng())[mask].mean() - healthy[mask].mean()
    assert abs(left) < 20, "of 80 grey levels"


@pytest.mark.parametrize("kind", ["disc", "edge", "two parts", "ring"])
@pytest.mark.parametrize("name", NAMES)
def test_a_control_has_the_lesion_s_area_and_keeps_away_from_it(name: str, kind: str) -> None:
    mask = MASKS[kind]
    image = with_lesion(tissue(96, 128), mask)
    before = image.copy()
    corruption = build(name)
    control = healthy_control(image, mask, rng(3), corruption)
    assert np.array_equal(image, before)
    assert np.array_equal(control.image[~control.region], image[~control.region])
    assert not (control.region & grow(corruption.region(mask), 3)).any()
    assert np.array_equal(control.image[mask], image[mask]), "the lesion stays"
    assert (control.image != image).any()
    again = healthy_control(image, mask, rng(3), corruption)
    assert np.array_equal(again.image, control.image)
    inside = kind != "edge"  # the region of a lesion at the border is cut off there
    assert not inside or control.region.sum() == corruption.region(mask).sum()


@pytest.mark.parametrize("name", NAMES)
def test_limits_refuse_what_cannot_be_corrupted(name: str) -> None:
    image, everything = tissue(40, 50), np.ones((40, 50), np.bool_)
    for mask, reason in [
        (~everything, "mask_empty"),
        (everything, "mask_too_large"),
        (disc(40, 50, 20, 20, 1) & (np.arange(50) == 20), "mask_empty"),
        (disc(50, 40, 20, 20, 9), "mask_size_mismatch"),
    ]:
        with pytest.raises(ImageError) as error:
            apply_corruption(image, mask, build(name), rng(), control=False)
        assert error.value.reason == reason
