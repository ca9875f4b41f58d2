"""The laws on real images and masks, where they are at hand; nothing of them is kept."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from medprefkit.corrupt.apply import apply_corruption
from medprefkit.images import read_image, read_lesion_mask
from medprefkit.protocols import Corruption
from medprefkit.registry import load

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "images"
CASES = {
    "mri_brain_brisc/images/10055.png": "mri_brain_brisc/masks/10055.png",
    "endoscopy_kvasir_seg/images/76.png": "endoscopy_kvasir_seg/masks/76.png",
    "endoscopy_kvasir_seg_orig/images/cju0rx1idathl0835detmsp84.jpg":
        "endoscopy_kvasir_seg_orig/masks/cju0rx1idathl0835detmsp84.jpg",
    "ct_head_hemorrhage_sich/images/11210.png": "ct_head_hemorrhage_sich/masks/11210.png",
    "us_breast_usg/images/10108.png": "us_breast_usg/masks/10108.png",
    "cxr_covid_gb/images/cavitating-pneumonia-4-day0-PA.jpg":
        "cxr_covid_gb/lesion_masks_fullsize/cavitating-pneumonia-4-day0-PA.png",
}  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not beside this checkout"),
]


@pytest.mark.parametrize("image_path", CASES)
@pytest.mark.parametrize("name", ["telea", "navier_stokes", "healthy_blend", "exemplar", "texture"])
def test_a_real_lesion_goes_and_the_rest_stays(name: str, image_path: str) -> None:
    image = read_image(DATA / image_path)
    height, width = image.shape[:2]
    mask = read_lesion_mask(DATA / CASES[image_path], (height, width))
    corruption = cast("Corruption", load("corruptions", name)())
    result = apply_corruption(image, mask, corruption, np.random.default_rng(0), control=True)
    assert np.array_equal(result.image[~result.region], image[~result.region])
    assert result.changed_share < 2.5 * result.lesion_share + 0.01
    if result.control is not None:
        assert np.array_equal(result.control.image[mask], image[mask])
        assert not (result.control.region & result.region).any()
