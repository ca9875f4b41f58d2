"""How well a lesion is gone: what is left of it, whether the place shows, and whether anything else changed.

Every number compares a region with the ring of untouched tissue around it, on the mean of the three channels. Knows
arrays; does not know how they were made.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medprefkit.protocols import Image, Mask

Grey = NDArray[np.float64]
"""(height, width), 0 to 255."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """What a place shows in one image; all are near 0 where it looks like its surround.

    Attributes:
        contrast: Difference of mean brightness between place and ring, in the ring's standard deviations, 0 or more.
        texture: Log of the place's fine contrast over the ring's; below 0 it is smoother, above 0 busier.
        seam: Log of the mean step across the place's border over the mean step between neighbours around.
    """

    contrast: float
    texture: float
    seam: float

    @property
    def worst(self) -> float:
        """The most telling of the three; a border without a step tells nothing."""
        return max(self.contrast, abs(self.texture), self.seam)


@dataclass(frozen=True, slots=True)
class Removal:
    """One image and one corruption.

    Attributes:
        before: Of the lesion's region in the clean image.
        after: The same in the corrupted image.
        control: Of the control's region in the control image; None where there is no control.
        healthy: Of the control's region in the clean image: what chance alone shows.
        n_outside: Pixels that changed outside the region; a corruption's law is 0.
        change: Mean absolute change inside, grey levels.
    """

    before: Visibility
    after: Visibility
    control: Visibility | None
    healthy: Visibility | None
    n_outside: int
    change: float


def visibility_of(image: Image, region: Mask, ring: Mask) -> Visibility:
    """Measure how a region stands out from a ring.

    Args:
        image: (height, width, 3) RGB, uint8.
        region: (height, width), at least one True.
        ring: (height, width), tissue around it; where it is empty everything outside the region is.
    """
    grey = image.mean(axis=2)
    ring = ring if ring.any() else ~region
    around = grey[ring] if ring.any() else grey[region]
    contrast = abs(float(grey[region].mean()) - float(around.mean())) / (float(around.std()) + 2.0)
    down, across = np.abs(np.diff(grey, axis=0)), np.abs(np.diff(grey, axis=1))
    both = region | ring
    own = _mean_step(down, across, region[1:] & region[:-1], region[:, 1:] & region[:, :-1])
    near = _mean_step(down, across, ring[1:] & ring[:-1], ring[:, 1:] & ring[:, :-1])
    border = _mean_step(
        down,
        across,
        (region[1:] != region[:-1]) & both[1:] & both[:-1],
        (region[:, 1:] != region[:, :-1]) & both[:, 1:] & both[:, :-1],
    )
    usual = max(own, near)
    return Visibility(
        contrast=contrast,
        texture=float(np.log((own + 0.5) / (near + 0.5))),
        seam=float(np.log((border + 0.5) / (usual + 0.5))),
    )


def count_outside(clean: Image, changed: Image, region: Mask) -> int:
    """Return how many pixels outside the region are not what they were."""
    return int(np.count_nonzero((clean != changed).any(axis=2) & ~region))


def mean_change(clean: Image, changed: Image, region: Mask) -> float:
    """Return the mean absolute change of the region, grey levels; 0 for an empty region."""
    if not region.any():
        return 0.0
    return float(np.abs(clean[region].astype(np.int16) - changed[region]).mean())


def _mean_step(down: Grey, across: Grey, pairs_down: Mask, pairs_across: Mask) -> float:
    n = int(np.count_nonzero(pairs_down) + np.count_nonzero(pairs_across))
    return float(down[pairs_down].sum() + across[pairs_across].sum()) / n if n else 0.0
