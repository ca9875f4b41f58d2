"""What albumentations 2.0 and this package do for each other. The only place that knows that package.

`Albumentations` is a corruption: one of its transforms, kept inside the lesion's region. `RemoveLesion` is a transform:
any corruption of ours, in anybody's `Compose`. `PairedAugmentation` moves clean, corrupted and control image alike.
"""

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import cv2
import numpy as np

from medprefkit.corrupt.region import box_of, grow, margin_for
from medprefkit.images import image_of, is_grey
from medprefkit.protocols import Corruption, Image, Mask
from medprefkit.registry import load

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network at import otherwise
import albumentations
from albumentations.augmentations.crops.transforms import CropSizeError
from albumentations.core.composition import BaseCompose
from albumentations.core.transforms_interface import BasicTransform, DualTransform
from albumentations.core.type_definitions import Targets

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


class RemoveLesion(DualTransform):  # type: ignore[misc]  # albumentations has no types
    """A corruption as a transform: removes from `image` what `mask` marks, in anybody's `albumentations.Compose`.

    The mask passes through as it is, and so do boxes and key points. An empty mask leaves the image as it is. What the
    corruption refuses (`no_healthy_tissue`) is raised. Its chance is the pipeline's: `Compose(..., seed=0)`.

    Targets: image, mask, bboxes, keypoints. Image types: uint8, one or three channels.

    Example:
        `A.Compose([RemoveLesion("healthy_blend", {"margin_px": 5}), A.HorizontalFlip()], seed=0)(image=x, mask=m)`
    """

    _targets = (Targets.IMAGE, Targets.MASK, Targets.BBOXES, Targets.KEYPOINTS)

    class InitSchema(DualTransform.InitSchema):  # type: ignore[misc]  # as above
        """What albumentations checks the arguments by."""

        corruption: str
        options: dict[str, Any] | None

    def __init__(
        self, corruption: str = "healthy_blend", options: Mapping[str, Any] | None = None, *, p: float = 1.0
    ) -> None:
        """Build the corruption.

        Args:
            corruption: A registered name.
            options: Of the corruption.
            p: How often it is applied.

        Raises:
            RecipeError: If nothing of that name is installed.
            TypeError: If it has no such option.
        """
        super().__init__(p=p)
        self.corruption = corruption
        self.options = dict(options or {})
        self._remover = cast("Callable[..., Corruption]", load("corruptions", corruption))(**self.options)

    @property
    def targets_as_params(self) -> list[str]:
        """Targets that every call has to bring."""
        return ["image", "mask"]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Draw a seed and take the mask, (height, width) or (height, width, 1), True where not 0."""
        mask = np.asarray(data["mask"]) != 0
        lesion = mask if mask.ndim == 2 else mask.any(axis=2)
        return {"lesion": lesion, "seed": int(self.random_generator.integers(2**31))}

    def apply(self, img: Any, lesion: Mask, seed: int, **params: Any) -> Any:  # noqa: ARG002
        """Return a copy of the image without the lesion, of the same shape."""
        if not lesion.any():
            return img
        changed = self._remover(image_of(img.squeeze()), lesion, np.random.default_rng(seed))
        return changed if img.ndim == 3 and img.shape[2] == 3 else changed[..., 0].reshape(img.shape)

    def apply_to_mask(self, mask: Any, **params: Any) -> Any:  # noqa: ARG002
        """Return the mask as it is."""
        return mask

    def apply_to_bboxes(self, bboxes: Any, **params: Any) -> Any:  # noqa: ARG002
        """Return the boxes as they are."""
        return bboxes

    def apply_to_keypoints(self, keypoints: Any, **params: Any) -> Any:  # noqa: ARG002
        """Return the points as they are."""
        return keypoints


class AugmentedPair(NamedTuple):
    """Images of a pair after one and the same augmentation."""

    clean: Image
    corrupted: Image
    control: Image | None
    lesion_mask: Mask | None


class PairedAugmentation:
    """Augments clean, corrupted and control image and the mask of a pair by the same draw.

    Augmented one by one, the three would differ everywhere, and a model could tell them apart by that. Where they were
    equal they stay equal: exactly so for transforms that move or map single pixels, and away from the border of the
    region for those that mix neighbours. A transform that changes a pixel by what the rest of the image shows
    (equalization, noise scaled by the image's contrast) would break that, and is refused.
    """

    def __init__(self, transforms: Sequence[BasicTransform], *, seed: int | None = None) -> None:
        """Check the transforms on a probe, one by one.

        Args:
            transforms: Of albumentations, as `Compose` takes them, `OneOf` and other groups included.
            seed: Of all draws; None for a fresh one.

        Raises:
            ValueError: Names the transform that would tell a clean image from a corrupted one.
        """
        for transform in _leaves(transforms):
            _refuse_telltale(transform)
        targets = {"corrupted": "image", "control": "image"}
        self._compose = albumentations.Compose(list(transforms), additional_targets=targets, seed=seed)

    def __call__(
        self, clean: Image, corrupted: Image, *, control: Image | None = None, lesion_mask: Mask | None = None
    ) -> AugmentedPair:
        """Augment a pair; each call draws anew.

        Args:
            clean: (height, width, 3) RGB, uint8, like the other images.
            corrupted: As `clean`.
            control: As `clean`; None where there is none.
            lesion_mask: (height, width); None where it is not wanted.

        Raises:
            ValueError: If the sizes differ.
        """
        given: dict[str, Any] = {"image": clean, "corrupted": corrupted}
        given |= {} if control is None else {"control": control}
        given |= {} if lesion_mask is None else {"mask": lesion_mask.astype(np.uint8)}
        if len(shapes := {name: value.shape[:2] for name, value in given.items()}) and len(set(shapes.values())) > 1:
            raise ValueError(f"a pair's images differ in size: {shapes}; give the ones that were made together")
        made = self._compose(**given)
        mask = made["mask"] > 0 if lesion_mask is not None else None
        return AugmentedPair(made["image"], made["corrupted"], made.get("control"), mask)


_PROBE_PX = 256
_PROBE_SPOT = slice(88, 168)
_PROBE_REACH_PX = 48  # further away than this from what differs, nothing may differ: no blur reaches so far
_PROBE_DRAWS = 4


def _leaves(transforms: Sequence[Any]) -> list[BasicTransform]:
    """Return the transforms of all groups, whatever their order and chance."""
    found: list[BasicTransform] = []
    for transform in transforms:
        found += _leaves(transform.transforms) if isinstance(transform, BaseCompose) else [transform]
    return found


def _refuse_telltale(transform: BasicTransform) -> None:
    """Apply a transform to two images that differ in one spot, and see whether they differ elsewhere.

    Raises:
        ValueError: If they do.
    """
    rng = np.random.default_rng(0)
    clean = rng.integers(40, 160, (_PROBE_PX, _PROBE_PX, 3), np.uint8)
    corrupted = clean.copy()
    corrupted[_PROBE_SPOT, _PROBE_SPOT] = (255, 0, 250)
    spot = np.zeros((_PROBE_PX, _PROBE_PX), np.uint8)
    spot[_PROBE_SPOT, _PROBE_SPOT] = 1
    certain = copy.deepcopy(transform)
    certain.p = 1.0
    for seed in range(_PROBE_DRAWS):
        compose = albumentations.Compose([certain], additional_targets={"corrupted": "image"}, seed=seed)
        try:
            made = compose(image=clean, corrupted=corrupted, mask=spot)
        except (
            CropSizeError,
            ValueError,
        ):  # a crop larger than the probe changes no pixel; or it wants what no pair has
            return
        far = ~grow(made["mask"] > 0, _PROBE_REACH_PX)
        if not np.array_equal(made["image"][far], made["corrupted"][far]):
            name = type(transform).__name__
            problem = f"{name} changes pixels by what the rest of the image shows, so a pair would differ everywhere"
            raise ValueError(f"{problem}; leave it out")
