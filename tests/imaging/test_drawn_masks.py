"""Drawn masks by class, and photographs that are no masks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from medprefkit.errors import ImageError
from medprefkit.images import read_image, read_lesion_mask
from medprefkit.imaging.names import IMAGE_SUFFIXES, by_stem
from medprefkit.protocols import Mask

A, B = np.zeros((64, 80), np.bool_), np.zeros((64, 80), np.bool_)
A[8:24, 8:40] = B[40:56, 30:70] = True
YELLOW, CYAN = (255, 255, 0), (0, 255, 255)
DATA = Path(__file__).parents[2] / "../shared/data/images"


def saved(path: Path, values: np.ndarray[Any, Any], **options: Any) -> Path:
    Pillow.fromarray(values).save(path, **options)
    return path


def read(path: Path, *classes: str) -> Mask:
    return read_lesion_mask(path, (64, 80), classes=classes)


@pytest.mark.parametrize("kind", ["png", "resampled", "palette", "jpg"])
def test_colours_are_classes_also_where_noise_blurs_them(tmp_path: Path, kind: str) -> None:
    drawn = np.zeros((64, 80, 3), np.uint8)
    drawn[A], drawn[B] = YELLOW, CYAN
    path = tmp_path / f"m.{'jpg' if kind == 'jpg' else 'png'}"
    picture = Pillow.fromarray(drawn)
    if kind == "resampled":
        picture = picture.resize((160, 128), Pillow.Resampling.BICUBIC).resize((80, 64), Pillow.Resampling.BILINEAR)
    picture = picture.quantize(4) if kind == "palette" else picture
    picture.save(path, **({"quality": 60} if kind == "jpg" else {}))
    slack = 0 if kind in {"png", "palette"} else 2 * (16 + 40)  # a pixel of rim
    for classes, wanted in [(("#ffff00",), A), (("#00FFFF",), B), (("#ffff00", "#00ffff"), A | B), ((), A | B)]:
        assert np.count_nonzero(read(path, *classes) ^ wanted) <= slack * (1 + (len(classes) != 1))
    with pytest.raises(ImageError) as error:
        read(path, "#ff00ff")
    assert error.value.reason == "mask_empty"


def test_numbers_are_the_values_of_a_label_map_or_the_indices_of_a_palette(tmp_path: Path) -> None:
    numbers = (3 * A + 7 * B).astype(np.uint8)
    grey, deep = saved(tmp_path / "g.png", numbers), saved(tmp_path / "d.png", numbers.astype(np.uint16) * 100)
    assert np.array_equal(read(grey, "3"), A)
    assert np.array_equal(read(grey, "3", "7"), A | B)
    assert np.array_equal(read(deep, "700"), B)
    indexed = Pillow.fromarray(numbers)
    indexed = Pillow.frombytes("P", indexed.size, indexed.tobytes())
    indexed.putpalette([0, 0, 0] * 3 + [200, 0, 0] * 4 + [0, 200, 0])
    indexed.save(tmp_path / "p.png")
    assert np.array_equal(read(tmp_path / "p.png", "7"), B)
    assert np.array_equal(read(tmp_path / "p.png", "#c80000"), A)
    with pytest.raises(ImageError, match="neither a number nor a colour"):
        read(grey, "tumour")


def test_a_photograph_is_no_mask(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :80]
    shade = 120 + 60 * np.sin(rows / 9) * np.cos(columns / 11) + rng.normal(0, 6, (64, 80))
    grey = np.clip(shade, 0, 255).astype(np.uint8)
    colour = np.clip(shade[..., None] * [1.3, 0.8, 0.6] + rng.normal(0, 12, (64, 80, 3)), 0, 255).astype(np.uint8)
    marked = np.repeat(grey[..., None], 3, axis=2)
    marked[:6, :6] = (255, 0, 0)  # an arrow drawn on a film
    for name, values in {"grey": grey, "colour": colour, "marked": marked}.items():
        with pytest.raises(ImageError, match="are image and mask swapped") as error:
            read(saved(tmp_path / f"{name}.png", values))
        assert error.value.reason == "mask_unreadable"


def test_a_mask_on_its_side_is_named_as_that(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="it lies on its side"):
        read(saved(tmp_path / "m.png", np.where(A.T, 255, 0).astype(np.uint8)))


FOLDERS = {
    "ct_head_hemorrhage_sich": ("masks", 7), "cxr_covid_gb": ("lesion_masks_fullsize", 13),
    "endoscopy_kvasir_seg": ("masks", 14), "endoscopy_kvasir_seg_orig": ("masks", 5), "mri_brain_brisc": ("masks", 22),
    "skin_isic2017": ("masks", 3), "us_breast_usg": ("masks", 5),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_real_image_has_its_mask_and_is_refused_in_its_place(folder: str) -> None:
    if not DATA.is_dir():
        pytest.skip("the real images are not here")
    masks, n = FOLDERS[folder]
    images = by_stem(DATA / folder / "images", IMAGE_SUFFIXES)
    found = by_stem(DATA / folder / masks, IMAGE_SUFFIXES)
    assert len(images) == n
    for stem, name in images.items():
        shown = read_image(DATA / folder / "images" / name)
        suffix = "_segmentation" if folder == "skin_isic2017" else ""
        lesion = read_lesion_mask(DATA / folder / masks / found[stem + suffix], (shown.shape[0], shown.shape[1]))
        assert 0 < lesion.mean() < 0.65
        with pytest.raises(ImageError, match="swapped"):
            read_lesion_mask(DATA / folder / "images" / name, (shown.shape[0], shown.shape[1]))
