"""Regions of boxes: ellipses, and GrabCut where the lesion shows."""

import numpy as np
import pytest

from medprefkit.annotations import Box, fill_ellipse
from medprefkit.imaging.boxes import GrabCut
from medprefkit.protocols import Image, Mask


def with_square(contrast: int, *, grey: bool = False) -> tuple[Image, Mask, Box]:
    rng = np.random.default_rng(0)
    lesion = np.zeros((120, 160), np.bool_)
    lesion[40:80, 60:110] = True
    tint = [1.0, 1.0, 1.0] if grey else [1.0, 0.6, 0.5]
    image = 100 + contrast * lesion[..., None] * np.array(tint) + rng.normal(0, 5, (120, 160, 1 if grey else 3))
    return np.broadcast_to(np.clip(image, 0, 255).astype(np.uint8), (120, 160, 3)).copy(), lesion, (60, 40, 50, 40)


def overlap(one: Mask, other: Mask) -> float:
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


@pytest.mark.parametrize("grey", [True, False])
def test_grabcut_finds_the_corners_that_the_ellipse_cuts_off(grey: bool) -> None:
    image, lesion, (left, top, width, height) = with_square(90, grey=grey)
    box = (left - 3, top - 3, width + 6, height + 6)  # annotators leave a little room
    found = GrabCut().fill_for(image)(box, (120, 160))
    ellipse = fill_ellipse(box, (120, 160))
    assert overlap(found, lesion) > 0.9 > overlap(ellipse, lesion)
    assert np.array_equal(found, GrabCut().fill_for(image.copy())(box, (120, 160)))


@pytest.mark.parametrize("box", [(60, 40, 50, 40), (60.5, 39.5, 51, 41), (-1, -1, 30, 20), (150, 110, 10, 10)])
def test_a_region_stays_in_its_box_and_holds_the_middle(box: Box) -> None:
    image, _, _ = with_square(0)
    found = GrabCut().fill_for(image)(box, (120, 160))
    left, top, width, height = box
    rows, columns = np.nonzero(found)
    assert rows.min() >= top - 1
    assert rows.max() <= top + height + 1
    assert columns.min() >= left - 1
    assert columns.max() <= left + width + 1
    middle = min(119, max(0, int(top + height / 2))), min(159, max(0, int(left + width / 2)))
    assert found[middle]


def test_a_tiny_box_is_an_ellipse() -> None:
    image, _, _ = with_square(90)
    box = (70.0, 50.0, 6.0, 6.0)
    assert np.array_equal(GrabCut().fill_for(image)(box, (120, 160)), fill_ellipse(box, (120, 160)))
