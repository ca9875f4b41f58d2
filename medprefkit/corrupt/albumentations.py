"""One transform of albumentations, kept inside the lesion's region. The only place that knows that package."""

import os
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from medprefkit.corrupt.region import box_of, grow, margin_for
from medprefkit.images import is_grey
from medprefkit.protocols import Image, Mask

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network at import otherwise
import albumentations

TransformName = Literal[
    "CLAHE",
    "CoarseDropout",
    "Defocus",
    "Downscale",
    "GaussNoise",
    "GaussianBlur",
    "GlassBlur",
    "ImageCompression",
    "MedianBlur",
    "MotionBlur",
    "PixelDropout",
    "RandomBrightnessContrast",
    "ShotNoise",
    "Solarize",
]

# Strong settings of pixel-level transforms: they keep the size, need no second image and read no file.
_SETTINGS: dict[TransformName, dict[str, object]] = {
    "CLAHE": {"clip_limit": (4.0, 8.0)},
    "CoarseDropout": {"num_holes_range": (8, 16), "hole_height_range": (0.1, 0.3), "hole_width_range": (0.1, 0.3)},
    "Defocus": {"radius": (15, 20)},
    "Downscale": {"scale_range": (0.05, 0.15)},
    "GaussNoise": {"std_range": (0.4, 0.6)},
    "GaussianBlur": {"sigma_limit": (15.0, 30.0)},
    "GlassBlur": {"sigma": 1.0, "max_delta": 8, "iterations": 2},
    "ImageCompression": {"quality_range": (1, 5)},
    "MedianBlur": {"blur_limit": (15, 31)},
    "MotionBlur": {"blur_limit": (31, 61)},
    "PixelDropout": {"dropout_prob": 0.5},
    "RandomBrightnessContrast": {"brightness_limit": (0.3, 0.5), "contrast_limit": (-0.6, -0.4)},
    "ShotNoise": {"scale_range": (0.5, 1.0)},
    "Solarize": {"threshold_range": (0.2, 0.5)},
}


_SURROUND_PX = 48  # tissue around the region that a transform sees, so that a blur mixes it in
_SMALLEST_PX = 32  # side below which some transforms fail; a smaller part is padded for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Albumentations:
    """Apply one strong pixel-level transform of albumentations 2.0 to the lesion.

    None of them removes a lesion as inpainting does: one much wider than the transform's reach stays as a blob. Meant
    for damage of another kind than inpainting leaves, not as the only corruption of a dataset.

    Attributes:
        transform: Its name; a closed list, since a recipe must not name code.
        margin_px: Dilate the mask this far first, so that the rim goes too (pixels); None for 1 % of the image's
            shorter side and at least 3.
    """

    transform: TransformName = "GaussianBlur"
    margin_px: int | None = None

    def region(self, lesion_mask: Mask) -> Mask:
        """Return the pixels that may change, (height, width): the lesion and its margin."""
        return grow(lesion_mask, margin_for(self.margin_px, lesion_mask.shape))

    def __call__(self, image: Image, lesion_mask: Mask, rng: np.random.Generator) -> Image:
        """Return a copy of `image` with the lesion's region transformed.

        Args:
            image: (height, width, 3) RGB, uint8. Not modified.
            lesion_mask: (height, width), True on the lesion.
            rng: Seeds the transform.
        """
        hole = self.region(lesion_mask)
        changed = image.copy()
        if not hole.any():
            return changed
        box = box_of(hole).padded(_SURROUND_PX, hole.shape)
        part = image[box.slices]
        height, width = part.shape[:2]
        pad = max(0, _SMALLEST_PX - height), max(0, _SMALLEST_PX - width)
        roomy = cv2.copyMakeBorder(part, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE)
        transform = getattr(albumentations, self.transform)(p=1.0, **_SETTINGS[self.transform])
        pipeline = albumentations.Compose([transform], seed=int(rng.integers(2**31)))
        painted = pipeline(image=roomy)["image"][:height, :width]
        if is_grey(part):
            painted = np.repeat(painted[..., :1], 3, axis=2)  # noise by channel would give a grey image colour
        changed[box.slices] = np.where(hole[box.slices][..., None], painted, part)
        return changed
