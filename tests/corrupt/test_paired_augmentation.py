"""Corruptions as transforms of albumentations, and one augmentation for all images of a pair."""

import albumentations as A
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medprefkit.corrupt.albumentations import PairedAugmentation, RemoveLesion
from medprefkit.corrupt.region import grow
from medprefkit.errors import RecipeError
from medprefkit.protocols import Image, Mask


def film(height: int = 96, width: int = 128, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    shade = 110 + 30 * np.sin(rows / 15)[..., None] * np.cos(columns / 19)[..., None] * np.array([1.0, 0.8, 0.6])
    return np.clip(shade + rng.normal(0, 5, (height, width, 3)), 0, 255).astype(np.uint8)


LESION = np.zeros((96, 128), np.bool_)
LESION[30:50, 40:62] = True


def with_lesion() -> Image:
    image = film()
    image[LESION] = np.clip(image[LESION].astype(int) + 70, 0, 255)
    return image


# --- a corruption in anybody's pipeline


@pytest.mark.parametrize("name", ["telea", "healthy_blend", "noise"])
def test_a_corruption_is_a_transform_that_takes_a_mask(name: str) -> None:
    image = with_lesion()
    made = [
        A.Compose([RemoveLesion(name, {"margin_px": 4})], seed=seed)(image=image, mask=LESION.astype(np.uint8))
        for seed in (0, 0, 1)
    ]
    region = grow(LESION, 4)
    assert np.array_equal(made[0]["image"][~region], image[~region])
    assert (made[0]["image"][LESION] != image[LESION]).any()
    assert np.array_equal(made[0]["image"], made[1]["image"])
    assert name != "noise" or not np.array_equal(made[0]["image"], made[2]["image"])
    assert np.array_equal(made[0]["mask"], LESION)
    assert np.array_equal(image, with_lesion())


def test_it_stands_in_a_pipeline_with_boxes_and_grey_images() -> None:
    pipeline = A.Compose(
        [RemoveLesion("telea"), A.HorizontalFlip(p=1)],
        bbox_params=A.BboxParams("pascal_voc", label_fields=["labels"]), seed=0,
    )  # fmt: skip
    made = pipeline(image=with_lesion(), mask=LESION.astype(np.uint8) * 255, bboxes=[[40, 30, 62, 50]], labels=["x"])
    assert np.allclose(made["bboxes"], [[128 - 62, 30, 128 - 40, 50]])
    assert np.array_equal(made["mask"] > 0, LESION[:, ::-1])
    assert np.array_equal(made["image"][:20], film()[:20, ::-1])
    for grey in (film()[..., 0], film()[..., :1]):
        alone = A.Compose([RemoveLesion("telea")])(image=grey, mask=LESION.astype(np.uint8))["image"]
        assert alone.shape == grey.shape
        assert np.array_equal(alone.squeeze()[:20], film()[:20, :, 0])


def test_an_empty_mask_leaves_the_image_and_wrong_names_are_refused() -> None:
    made = A.Compose([RemoveLesion()])(image=film(), mask=np.zeros((96, 128), np.uint8))
    assert np.array_equal(made["image"], film())
    with pytest.raises(RecipeError, match="no corruption named"):
        RemoveLesion("telly")
    with pytest.raises(TypeError, match="margin"):
        RemoveLesion("telea", {"margin": 3})


def test_it_is_written_down_and_read_back() -> None:
    pipeline = A.Compose([RemoveLesion("telea", {"margin_px": 4}, p=0.5)])
    again = A.from_dict(A.to_dict(pipeline))
    assert repr(again.transforms[0]) == repr(pipeline.transforms[0])


# --- one draw for a pair

LOSSLESS = {
    "flip": A.HorizontalFlip(p=1),
    "turn": A.RandomRotate90(p=1),
    "transpose": A.Transpose(p=1),
    "any of eight": A.D4(p=1),
    "crop": A.RandomCrop(64, 80, p=1),
    "pad": A.PadIfNeeded(150, 150, p=1),
    "shift": A.Affine(translate_px=(-9, 9), interpolation=0, p=1),
    "light": A.RandomBrightnessContrast(p=1),
    "gamma": A.RandomGamma(p=1),
    "noise": A.GaussNoise(p=1),
    "holes": A.CoarseDropout(p=1),
    "either": A.OneOf([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], p=1),
}


def pair() -> tuple[Image, Image, Image, Mask]:
    clean = with_lesion()
    corrupted, control = clean.copy(), clean.copy()
    region = grow(LESION, 3)
    corrupted[region] = film(seed=1)[region]
    elsewhere = np.roll(region, (30, 40), axis=(0, 1))
    control[elsewhere] = film(seed=2)[elsewhere]
    return clean, corrupted, control, region


@settings(max_examples=24, deadline=None)
@given(st.sampled_from(sorted(LOSSLESS)), st.integers(0, 2**31 - 1))
def test_what_is_equal_outside_the_region_stays_equal(name: str, seed: int) -> None:
    clean, corrupted, control, region = pair()
    made = PairedAugmentation([LOSSLESS[name]], seed=seed)(clean, corrupted, control=control, lesion_mask=region)
    assert made.lesion_mask is not None
    assert made.control is not None
    assert made.clean.shape == made.corrupted.shape == made.control.shape == (*made.lesion_mask.shape, 3)
    assert np.array_equal(made.clean[~made.lesion_mask], made.corrupted[~made.lesion_mask])
    assert np.array_equal(made.control[made.lesion_mask], made.clean[made.lesion_mask])
    again = PairedAugmentation([LOSSLESS[name]], seed=seed)(clean, corrupted, control=control, lesion_mask=region)
    assert np.array_equal(made.corrupted, again.corrupted)


def test_a_mix_of_neighbours_reaches_no_further_than_itself() -> None:
    clean, corrupted, _, region = pair()
    augment = PairedAugmentation([A.Rotate(20, p=1), A.GaussianBlur(sigma_limit=(1, 2), p=1)], seed=3)
    made = augment(clean, corrupted, lesion_mask=region)
    assert made.lesion_mask is not None
    assert made.control is None
    far = ~grow(made.lesion_mask, 12)
    assert np.array_equal(made.clean[far], made.corrupted[far])
    assert (made.clean != made.corrupted).any()


@pytest.mark.parametrize(
    "transform", [A.CLAHE(p=0.1), A.Equalize(), A.AutoContrast(), A.ISONoise(), A.ShotNoise(), A.FancyPCA()],
    ids=["CLAHE", "Equalize", "AutoContrast", "ISONoise", "ShotNoise", "FancyPCA"],
)  # fmt: skip
def test_a_transform_that_would_tell_the_images_apart_is_refused(transform: A.BasicTransform) -> None:
    name = type(transform).__name__
    with pytest.raises(ValueError, match=f"{name} changes pixels by what the rest"):
        PairedAugmentation([A.HorizontalFlip(), A.OneOf([transform, A.NoOp()])])


def test_images_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in size"):
        PairedAugmentation([A.HorizontalFlip()])(film(), film(90))
