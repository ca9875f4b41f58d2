"""Windows: which values of a deep image become black to white. Arithmetic only; knows no file.

A window is (center, width) in the image's own units, Hounsfield units for CT.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medprefkit.protocols import Image
from medprefkit.records import Axis, View

Floats = NDArray[np.floating[Any]]
Window = tuple[float, float]
Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

_TAIL_PERCENT = 0.5
"""Share of the values at each end that the window of an image without one leaves out: metal, markers, padding."""


class ViewChoice(NamedTuple):
    """Which picture of a DICOM or NIfTI file is asked for; `images.verify_image` makes a `View` of it.

    `frame` is a number from 0, or `middle`, or `lesion`: the slice on which the lesion mask is largest. None takes the
    lesion's slice where there is a mask of slices, else the first frame of a DICOM file and the middle slice of a
    NIfTI file. `window` None takes the file's own.
    """

    frame: int | Literal["middle", "lesion"] | None = None
    axis: Axis = "axial"
    window: Window | None = None


class Frame(NamedTuple):
    """A picture as it is shown, and the view that shows it so again."""

    image: Image
    view: View


def choice_of(view: View | None) -> ViewChoice:
    """Return the choice that a recorded view is; the default where there is none."""
    return ViewChoice() if view is None else ViewChoice(view.frame, view.axis, view.window)


def window_of_range(values: Floats) -> Window:
    """Return the window over nearly all finite values; (0, 1) for a constant image or none finite."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, (_TAIL_PERCENT, 100 - _TAIL_PERCENT)))
    if low == high:  # a small structure on a flat ground
        low, high = float(finite.min()), float(finite.max())
    return ((low + high) / 2, high - low) if high > low else (low, 1.0)


def apply_window(values: Floats, window: Window, function: Function = "LINEAR_EXACT") -> NDArray[np.uint8]:
    """Map values to grey levels, 0 to 255.

    Args:
        values: Any shape.
        window: `LINEAR` needs a width of at least 1, the others one above 0.
        function: As DICOM names it. Windows that are not the file's own are `LINEAR_EXACT`.

    Raises:
        ValueError: For a width that is too small.

    Source: DICOM PS3.3, C.11.2.1.2.1 (linear), C.11.2.1.3.1 (sigmoid) and C.11.2.1.3.2 (linear exact).
    """
    center, width = window
    if width < 1 if function == "LINEAR" else width <= 0:
        raise ValueError(f"window width {width:g} is too small for {function}")
    values = values.astype(np.float64, copy=False)
    if function == "SIGMOID":
        with np.errstate(over="ignore"):  # far below the window exp is infinite and the share 0, as it should be
            shares = 1 / (1 + np.exp(-4 * (values - center) / width))
    elif function == "LINEAR" and width > 1:
        shares = (values - (center - 0.5)) / (width - 1) + 0.5
    elif function == "LINEAR":  # a width of 1 is a threshold
        shares = (values > center - 0.5).astype(np.float64)
    else:
        shares = (values - center) / width + 0.5
    grey: NDArray[np.uint8] = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    return grey
