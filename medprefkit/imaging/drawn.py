"""Lesion masks that are drawn: which pixels of a decoded mask picture are lesion. Knows arrays, not files.

A grey mask is lesion above half of white, so that resampling and JPEG noise fall away; a colour mask wherever it is
not dark. A class is a number (a value of a label map, an index of a palette) or a colour (`#rrggbb`).
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medprefkit.errors import ImageError
from medprefkit.protocols import Image, Mask

GREY_THRESHOLD = 127
"""A grey mask is True above this: half of white, so that resampling and JPEG noise fall away."""

COLOUR_THRESHOLD = 60
"""A colour mask is True where any channel is above this; two channels this far apart make a mask a colour mask."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_HUE_APART = 0.25  # of the brightest channel: nearer than this, two colours are one class, lighter or darker
_DARK, _LIGHT = 32, 223  # between them a grey is neither the black nor the white of a mask
_FEW_VALUES = 48
_GREY_SHARE = 0.15
_FEW_COLOURS = 256
_MAIN_BINS, _MAIN_SHARE = 8, 0.8


def lesion_of(rgb: Image, numbers: NDArray[Any] | None, classes: Sequence[str]) -> Mask:
    """Return where a mask picture shows lesion.

    Args:
        rgb: (height, width, 3) uint8; what is transparent is black.
        numbers: (height, width) the stored values of a grey or palette picture; None where there is no single one.
        classes: Numbers and colours; everything that is not background where empty.

    Raises:
        ImageError: `mask_unreadable` for a class that is neither, and for a picture that is a photograph, no mask.
    """
    brightest = rgb.max(axis=2)
    coloured = int((brightest - rgb.min(axis=2)).max()) > COLOUR_THRESHOLD
    lesion: Mask
    if classes:
        lesion = np.zeros(brightest.shape, np.bool_)
        for wanted in classes:
            lesion |= _of_class(rgb, brightest if numbers is None else numbers, wanted)
        return lesion
    greys = brightest if not coloured else brightest[brightest - rgb.min(axis=2) <= COLOUR_THRESHOLD]
    values = np.flatnonzero(np.bincount(greys.ravel(), minlength=256))
    between = np.count_nonzero((greys > _DARK) & (greys < _LIGHT))
    if len(values) > _FEW_VALUES and between > _GREY_SHARE * brightest.size:
        raise ImageError("mask_unreadable", _PHOTOGRAPH)
    if coloured:
        _refuse_photograph(rgb, brightest)
        lesion = brightest > COLOUR_THRESHOLD
        return lesion
    is_label_map = len(values) == 2 and values[0] == 0
    lesion = brightest > (0 if is_label_map else GREY_THRESHOLD)
    return lesion


def numbers_of(classes: Sequence[str]) -> list[int]:
    """Return classes of a label volume as numbers.

    Raises:
        ImageError: `mask_unreadable` for one that is none.
    """
    for wanted in classes:
        if not wanted.isdecimal():
            raise ImageError("mask_unreadable", f"class {wanted!r} is no number, and the mask holds numbers; name one")
    return [int(wanted) for wanted in classes]


_PHOTOGRAPH = "a photograph rather than a mask; are image and mask swapped?"


def _of_class(rgb: Image, numbers: NDArray[Any], wanted: str) -> Mask:
    if wanted.isdecimal():
        labelled: Mask = numbers == int(wanted)
        return labelled
    if not _COLOUR.fullmatch(wanted):
        problem = f"class {wanted!r} is neither a number nor a colour such as #ffff00"
        raise ImageError("mask_unreadable", f"{problem}; those are what a drawn mask has")
    colour = np.array([int(wanted[k : k + 2], 16) for k in (1, 3, 5)], np.int16)
    exact: Mask = (rgb == colour).all(axis=2)
    if exact.any() and _is_flat(rgb):
        return exact
    brightest = rgb.max(axis=2).astype(np.float32)
    hue = rgb / np.maximum(brightest, 1)[..., None]
    apart = np.abs(hue - colour / max(1, int(colour.max()))).max(axis=2)
    like: Mask = (apart <= _HUE_APART) & (brightest > COLOUR_THRESHOLD)
    return like


def _is_flat(rgb: Image) -> bool:
    """Tell whether a picture has the few exact colours of a class map, not those of JPEG or resampling."""
    packed = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    return len(np.unique(packed)) <= _FEW_COLOURS


def _refuse_photograph(rgb: Image, brightest: NDArray[np.uint8]) -> None:
    """Refuse a colour picture whose colours are not a few: a mask has one for each class, noise apart."""
    if _is_flat(rgb):
        return
    coarse = (rgb >> 4).astype(np.intp) @ np.array([256, 16, 1])
    counts = np.sort(np.bincount(coarse[brightest > COLOUR_THRESHOLD], minlength=4096))[::-1]
    if counts[:_MAIN_BINS].sum() < _MAIN_SHARE * counts.sum():
        raise ImageError("mask_unreadable", _PHOTOGRAPH)
