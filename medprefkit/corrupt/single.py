"""One lesion of one image, from Python: what `medprefkit.corrupt_image` is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image as PillowImage

from medprefkit.corrupt.apply import apply_corruption
from medprefkit.errors import RecipeError
from medprefkit.images import image_and_lesion
from medprefkit.protocols import Corruption, Image, Mask
from medprefkit.registry import load
from medprefkit.seeds import rng_for


class CorruptedCopy(NamedTuple):
    """An image without its lesion, where it may have changed, and the matching control."""

    image: Image
    region: Mask
    """(height, width), the pixels that may have changed; all others are those of the image given."""
    control: Image | None
    """The same corruption on healthy tissue; None where no healthy tissue holds as much."""
    change: float
    """Mean absolute change of the lesion's pixels, grey levels: what the strength asked for came to."""


def corrupt_image(
    image: NDArray[np.uint8] | PillowImage | Path | str,
    lesion_mask: NDArray[np.generic] | PillowImage | Path | str | Mapping[str, Any],
    *,
    corruption: str = "healthy_blend",
    seed: int = 0,
    **options: object,
) -> CorruptedCopy:
    """Remove the lesion from an image.

    Args:
        image: uint8 array of (height, width, 3) RGB or (height, width), a Pillow image, or a file; of a volume the
            slice with the most lesion is taken.
        lesion_mask: Array of (height, width), True or not 0 on the lesion; a Pillow image, a file, or an annotation
            with COCO's `segmentation` or `bbox` or Kaggle's `rle`.
        corruption: A registered name: healthy_blend, exemplar, texture, telea, navier_stokes, blur, noise,
            albumentations, diffusion.
        seed: The same seed gives the same bytes.
        options: Of the corruption, for instance `margin_px=5`.

    Returns:
        New arrays, (height, width, 3) RGB uint8; the image given is not modified.

    Raises:
        ImageError: If the image, the mask or the corruption is refused; `error.reason` says why.
        RecipeError: If nothing of that name is installed, or it has no such option.
    """
    pixels, lesion = image_and_lesion(image, lesion_mask)
    factory = load("corruptions", corruption)
    try:
        remover = cast("Corruption", factory(**options))
    except (TypeError, ValueError) as error:
        raise RecipeError(f"corruption {corruption!r}: {error}") from error
    result = apply_corruption(pixels, lesion, remover, rng_for(seed, "corrupt", ""), control=True)
    control = result.control.image if result.control else None
    return CorruptedCopy(result.image, result.region, control, result.change)
