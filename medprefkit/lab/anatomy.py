"""A healthy chest in frontal projection: outlines, and what each organ adds to or takes from the attenuation.

All lengths are shares of the image's side, x to the right and y downwards; the patient's left is on the right of the
image. One tissue-thick torso attenuates 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np

from medprefkit.lab.shapes import (
    GRID_PX,
    Band,
    Field,
    Points,
    blurred,
    curve,
    disc,
    domed,
    drawn_bands,
    filled,
    rounded,
)

Side = Literal["right", "left"]

SIDES: tuple[Side, ...] = ("right", "left")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One patient's build.

    Attributes:
        midline: x of the spine.
        half_width: From the midline to the lung's lateral wall at its widest.
        apex_y: Top of the lungs.
        dome_y: Top of the right diaphragm's dome.
        dome_step: How much lower the left dome stands.
        heart_share: Heart's width over the chest's, the cardiothoracic ratio.
        heart_left_share: Part of the heart's width that lies left of the midline.
        fat: 0 thin to 1 stout: how much the soft tissue attenuates.
        breast: Density of breast shadows, 0 for none.
        stomach_gas: Size of the gas bubble under the left dome, 0 for none.
        rib_slope: Fall of a rib from spine to its front end.
        rib_step: From a rib to the next.
        vessel_share: Density of lung vessels, 1 on average.
    """

    midline: float
    half_width: float
    apex_y: float
    dome_y: float
    dome_step: float
    heart_share: float
    heart_left_share: float
    fat: float
    breast: float
    stomach_gas: float
    rib_slope: float
    rib_step: float
    vessel_share: float


def sample_body(rng: np.random.Generator) -> Body:
    """Return a patient whose lungs are clear and whose heart is of normal size."""
    return Body(
        midline=rng.normal(0.5, 0.008),
        half_width=rng.uniform(0.365, 0.405),
        apex_y=rng.uniform(0.075, 0.115),
        dome_y=rng.uniform(0.685, 0.755),
        dome_step=rng.uniform(0.012, 0.035),
        heart_share=rng.uniform(0.40, 0.475),
        heart_left_share=rng.uniform(0.63, 0.70),
        fat=rng.uniform(0.0, 1.0),
        breast=float(rng.random() < 0.45) * rng.uniform(0.5, 1.0),
        stomach_gas=float(rng.random() < 0.7) * rng.uniform(0.4, 1.0),
        rib_slope=rng.uniform(0.23, 0.30),
        rib_step=rng.uniform(0.068, 0.078),
        vessel_share=rng.uniform(0.75, 1.15),
    )


class Chest(NamedTuple):
    """The organs of a body, drawn.

    Attributes:
        torso: Soft tissue, 0 outside the patient to about 1.
        lungs: Of each side, 1 inside the lung's outline, also behind the heart.
        air: Of each side, the share of the torso that air takes the place of.
        bones: Ribs, clavicles, spine, shoulder.
        vessels: Lung vessels and hila.
        mediastinum: Great vessels and other soft tissue of the middle, without the heart.
        airways: Air of trachea and main bronchi.
        other: Breasts, stomach bubble (negative).
    """

    torso: Field
    lungs: dict[Side, Field]
    air: dict[Side, Field]
    bones: Field
    vessels: Field
    mediastinum: Field
    airways: Field
    other: Field


def sign(side: Side) -> float:
    """Return the direction in the image from the midline to a side of the patient."""
    return -1.0 if side == "right" else 1.0


def draw_chest(body: Body, rng: np.random.Generator) -> Chest:
    """Draw everything but the heart."""
    lungs = {side: filled(lung_outline(body, side), soft_px=1.2) for side in SIDES}
    return Chest(
        torso=_torso(body),
        lungs=lungs,
        air={side: _air(lungs[side]) for side in SIDES},
        bones=_bones(body, rng),
        vessels=_vessels(body, lungs, rng),
        mediastinum=_mediastinum(body),
        airways=_airways(body),
        other=_other(body),
    )


def lung_outline(body: Body, side: Side) -> Points:
    """Return a lung's outline: apex, lateral wall, costophrenic angle, dome, medial border."""
    top, wide = body.apex_y, body.half_width
    dome = dome_of(body, side)
    corner = dome + 0.115
    points = [
        (0.042, top + 0.10), (0.075, top + 0.022), (0.13, top), (0.20, top + 0.026), (0.262, top + 0.098),
        (0.84 * wide, top + 0.205), (0.92 * wide, top + 0.33), (0.975 * wide, dome - 0.20), (wide, dome - 0.06),
        (1.005 * wide, corner - 0.035), (0.985 * wide, corner), (0.93 * wide, corner - 0.030),
        (0.80 * wide, dome + 0.034), (0.60 * wide, dome + 0.003), (0.45 * wide, dome), (0.27 * wide, dome + 0.012),
        (0.12 * wide, dome + 0.045), (0.030, dome + 0.055), (0.028, dome - 0.1), (0.03, top + 0.30),
    ]  # fmt: skip
    return np.array([(body.midline + sign(side) * dx, y) for dx, y in rounded(points)])


def dome_of(body: Body, side: Side) -> float:
    """Return the y of a side's diaphragm: the right stands higher, over the liver."""
    return body.dome_y + (body.dome_step if side == "left" else 0.0)


def draw_heart(body: Body, heart_share: float) -> Field:
    """Draw a heart whose width is this share of the chest's: 0 outside, 1 where it is thickest."""
    width = heart_share * 2 * body.half_width
    left, right = body.heart_left_share * width, (1 - body.heart_left_share) * width
    floor = body.dome_y + 0.045
    tall = floor - 0.36
    points = [
        (-0.035, 0.355), (-0.058, 0.37 + 0.12 * tall), (-0.88 * right, floor - 0.60 * tall),
        (-right, floor - 0.36 * tall), (-0.93 * right, floor - 0.14 * tall), (-0.62 * right, floor),
        (0.1 * left, floor + 0.03), (0.62 * left, floor + 0.045), (0.92 * left, floor + 0.012),
        (left, floor - 0.10 * tall), (0.93 * left, floor - 0.26 * tall), (0.72 * left, floor - 0.47 * tall),
        (0.064 + 0.16 * left, floor - 0.68 * tall), (0.068, floor - 0.86 * tall), (0.045, 0.36),
    ]  # fmt: skip
    outline = np.array([(body.midline + dx, y) for dx, y in rounded(points)])
    return domed(filled(outline, soft_px=1.6), reach=0.11)


def _torso(body: Body) -> Field:
    half = [
        (0.0, -0.3), (0.085, -0.03), (0.092, 0.02), (0.15, 0.052), (0.29, 0.076), (0.40, 0.105), (0.50, 0.165),
        (0.62, 0.30), (0.68, 0.45), (0.65, 0.60), (0.62, 0.75), (0.61, 0.90), (0.61, 1.3),
    ]  # fmt: skip
    right = [(body.midline - dx, y) for dx, y in half]
    left = [(body.midline + dx, y) for dx, y in reversed(half)]
    outline = np.array(rounded(right + left))
    depth = domed(filled(outline, soft_px=1.5), reach=0.36)
    rows = np.linspace(0, 1, GRID_PX, dtype=np.float32)[:, None]
    thickness = 0.86 + 0.24 * np.clip(rows / 0.85, 0, 1) + 0.06 * body.fat  # the upper chest is thinner
    return (depth * thickness).astype(np.float32)


def _air(lung: Field) -> Field:
    return np.asarray(0.66 * lung * (0.62 + 0.38 * domed(lung, reach=0.075)), np.float32)


def _bones(body: Body, rng: np.random.Generator) -> Field:
    backs, fronts = [], []
    for side in SIDES:
        for number in range(1, 11):
            back, front = _rib(body, side, number, rng)
            backs.append(back)
            fronts.append(front)
    clavicles = [_clavicle(body, side, rng) for side in SIDES]
    # each layer is drawn on its own and added: the bones of one layer do not cross
    layers = drawn_bands(backs) + drawn_bands(fronts) + drawn_bands(clavicles)
    return np.asarray(layers + _shoulders(body) + _spine(body), np.float32)


_RIB_HALF_WIDTHS = (0.46, 0.68, 0.83, 0.92, 0.97, 1.0, 1.015, 1.02, 1.02, 1.0)
"""Of each rib's loop, in shares of the chest's half width: the first is short, they widen to the eighth."""


def _rib(body: Body, side: Side, number: int, rng: np.random.Generator) -> tuple[Band, Band]:
    """Return a rib's back and front: a tilted loop from the spine over the side to the breastbone."""
    half_width = _RIB_HALF_WIDTHS[number - 1] * body.half_width
    start_y = body.apex_y + 0.004 + (number - 1) * body.rib_step * (0.84 + 0.016 * number) + rng.normal(0, 0.002)
    slope = body.rib_slope * (0.75 + 0.05 * number)
    end = 2.75 if number < 8 else 2.0  # where bone turns to cartilage, which does not show
    angle = np.linspace(0.06, end, 70)  # 0 at the spine, pi / 2 at the side, pi at the breastbone
    x = body.midline + sign(side) * (0.012 + half_width * np.sin(angle))
    y = start_y + slope * (1 - np.cos(angle)) / 2 - 0.022 * np.sin(2 * angle) * (angle < np.pi / 2)
    line = np.column_stack([x, y])
    wide_px = (0.0185 + 0.0007 * number) * GRID_PX
    behind = angle < np.pi / 2
    # the beam crosses a rib's back broadside and grazes its side; the front is thinner and fades into cartilage
    dense = np.where(behind, 0.115 + 0.05 * np.sin(angle) ** 6, 0.105 * np.clip((end - angle) / 0.45, 0.05, 1))
    below = np.clip((dome_of(body, side) + 0.05 - y) / 0.08, 0.10, 1)  # little of a rib shows through the liver
    dense = dense * below * rng.uniform(0.9, 1.1)
    return Band(line[behind], dense[behind], wide_px), Band(line[~behind], dense[~behind], 1.15 * wide_px)


def _clavicle(body: Body, side: Side, rng: np.random.Generator) -> Band:
    tilt = rng.normal(0, 0.007)
    points = [(0.026, 0.228), (0.070, 0.203), (0.13, 0.177), (0.20, 0.162), (0.28, 0.135 + tilt), (0.40, 0.102 + tilt)]
    line = np.array([(body.midline + sign(side) * dx, y + 0.8 * (body.apex_y - 0.09)) for dx, y in curve(points)])
    return Band(line, np.linspace(0.19, 0.13, len(line)), 0.0235 * GRID_PX)


def _shoulders(body: Body) -> Field:
    """Draw the shoulder blades' edges and the heads of the upper arms."""
    blade = [
        (0.345, 0.16), (0.31, 0.21), (0.318, 0.30), (0.345, 0.40), (0.365, 0.45), (0.405, 0.40), (0.43, 0.27),
        (0.42, 0.18),
    ]  # fmt: skip
    plates = np.zeros((GRID_PX, GRID_PX), np.float32)
    for side in SIDES:
        shift = body.half_width - 0.375
        outline = np.array([(body.midline + sign(side) * (dx + shift), y) for dx, y in rounded(blade)])
        plates += filled(outline, soft_px=0.8) + 3.0 * disc(body.midline + sign(side) * 0.485, 0.175, 0.052, soft_px=2)
    edges = np.abs(cv2.Sobel(plates, cv2.CV_32F, 1, 0, ksize=3))
    return np.asarray(0.05 * blurred(plates, 2) + 0.04 * blurred(edges, 2), np.float32)


def _spine(body: Body) -> Field:
    """Draw vertebral bodies, their discs, pedicles and spinous processes, in one column."""
    height = np.linspace(0, 1, GRID_PX, dtype=np.float32)[:, None]
    across = (np.linspace(0, 1, GRID_PX, dtype=np.float32)[None, :] - np.float32(body.midline)) / (
        0.030 + 0.010 * height
    )
    step = 0.058
    phase = (height / step) % 1.0
    column = 1 / (1 + np.exp(np.minimum((np.abs(across) - 1) / 0.09, 30)))
    gap = np.exp(-(((phase - 0.5) / 0.10) ** 2))
    pedicles = np.exp(-(((np.abs(across) - 0.62) / 0.16) ** 2) - ((phase - 0.12) / 0.10) ** 2)
    process = np.exp(-((across / 0.13) ** 2) - ((phase - 0.25) / 0.16) ** 2)
    return np.asarray(column * (0.10 - 0.04 * gap) + 0.04 * pedicles + 0.04 * process, np.float32)


def _mediastinum(body: Body) -> Field:
    mid = body.midline
    column = [
        (mid - 0.062, 0.02), (mid - 0.054, 0.14), (mid - 0.055, 0.24), (mid - 0.063, 0.34), (mid - 0.06, 0.46),
        (mid - 0.04, 0.72), (mid + 0.05, 0.74), (mid + 0.060, 0.46), (mid + 0.060, 0.36), (mid + 0.052, 0.24),
        (mid + 0.048, 0.14), (mid + 0.062, 0.02),
    ]  # fmt: skip
    middle = filled(np.array(rounded(column)), soft_px=2)
    arch = disc(mid + 0.042, 0.292, 0.043, soft_px=1.5)  # aortic knob
    trunk = disc(mid + 0.045, 0.375, 0.040, soft_px=2.5)  # pulmonary trunk
    return np.asarray(np.maximum.reduce([0.92 * middle, 0.95 * arch, 0.9 * trunk]), np.float32)


def _airways(body: Body) -> Field:
    mid = body.midline - 0.004  # the arch pushes the trachea a little to the right
    carina = 0.345
    tubes = [
        Band(np.array([(mid, -0.02), (mid - 0.001, 0.15), (mid - 0.005, carina)]), np.full(3, 1.0), 0.040 * GRID_PX),
        Band(np.array([(mid - 0.004, carina), (mid - 0.055, carina + 0.072)]), np.full(2, 0.7), 0.028 * GRID_PX),
        Band(np.array([(mid - 0.004, carina), (mid + 0.080, carina + 0.072)]), np.full(2, 0.6), 0.025 * GRID_PX),
    ]
    return 0.30 * blurred(drawn_bands(tubes, rim=0.0), 2.5)


def _vessels(body: Body, lungs: dict[Side, Field], rng: np.random.Generator) -> Field:
    """Draw arteries and veins that leave the hila, branch, and taper to nothing before the pleura."""
    canvas = np.zeros((GRID_PX, GRID_PX), np.uint8)
    segments = [segment for side in SIDES for segment in _branches(body, side, rng)]
    for segment in sorted(segments, key=_width):  # the widest last, so that it covers the joints
        grey = min(255, int(36 + 26 * segment.width_px))
        cv2.line(
            canvas, _fixed(segment.start), _fixed(segment.end), (grey,), max(1, round(segment.width_px)), cv2.LINE_AA, 3
        )
    tree = blurred(canvas.astype(np.float32) / 255, 1.1)
    hila = np.zeros((GRID_PX, GRID_PX), np.float32)
    for side in SIDES:
        for dx, dy, radius in ((0.0, 0.0, 0.030), (0.012, 0.035, 0.026), (0.018, 0.07, 0.018), (0.004, -0.03, 0.020)):
            hila += disc(body.midline + sign(side) * (0.088 + dx), hilum_y(side) + dy, radius, soft_px=4)
    inside = np.maximum(lungs["right"], lungs["left"])
    dense = 0.26 * tree * inside + 0.10 * np.minimum(blurred(hila, 5), 1.2)
    return np.asarray(body.vessel_share * dense, np.float32)


def _fixed(point: tuple[float, float]) -> tuple[int, int]:
    """Return a point in eighths of a grid pixel, as OpenCV's lines take them."""
    return round(point[0] * GRID_PX * 8), round(point[1] * GRID_PX * 8)


def hilum_y(side: Side) -> float:
    """Return the y of a side's hilum: the left stands higher, over its main bronchus."""
    return 0.415 if side == "right" else 0.392


class _Segment(NamedTuple):
    start: tuple[float, float]
    end: tuple[float, float]
    width_px: float


def _width(segment: _Segment) -> float:
    return segment.width_px


def _branches(body: Body, side: Side, rng: np.random.Generator) -> Iterator[_Segment]:
    root = (body.midline + sign(side) * 0.085, hilum_y(side))
    # angles from lateral, positive downwards; the bases get more blood than the apices when erect
    angles = np.concatenate([rng.uniform(-1.35, -0.5, 4), rng.uniform(-0.5, 0.35, 4), rng.uniform(0.35, 1.45, 8)])
    for angle in angles:
        width = rng.uniform(4.5, 8.0) if angle > -0.2 else rng.uniform(3.2, 5.5)
        yield from _branch(root, float(angle), width, 0.34 if angle > 0 else 0.27, sign(side), rng)


def _branch(
    start: tuple[float, float], angle: float, width_px: float, length: float, direction: float, rng: np.random.Generator
) -> Iterator[_Segment]:
    gone = 0.0
    bend = rng.normal(0, 0.09)
    while gone < length and width_px > 0.55:
        step = 0.022
        angle += bend + rng.normal(0, 0.07)
        end = (start[0] + direction * step * math.cos(angle), start[1] + step * math.sin(angle))
        yield _Segment(start, end, width_px)
        start, gone = end, gone + step
        width_px *= 0.89
        if width_px > 0.9 and rng.random() < 0.38:
            turn = rng.choice([-1.0, 1.0]) * rng.uniform(0.35, 0.8)
            yield from _branch(start, angle + turn, 0.72 * width_px, 0.7 * (length - gone), direction, rng)
            width_px *= 0.86


def _other(body: Body) -> Field:
    other = np.zeros((GRID_PX, GRID_PX), np.float32)
    for side in SIDES:
        if body.breast:
            x, y = body.midline + sign(side) * 0.55 * body.half_width, body.dome_y - 0.045
            shape = np.array(
                rounded(
                    [
                        (x - 0.15, y - 0.02),
                        (x - 0.1, y - 0.17),
                        (x + 0.1, y - 0.17),
                        (x + 0.15, y - 0.02),
                        (x, y + 0.10),
                    ]
                )
            )
            breast = filled(shape, soft_px=3)
            other += body.breast * (0.06 * breast + 0.12 * domed(breast, reach=0.13))
    if body.stomach_gas:
        x, y = body.midline + 0.45 * body.half_width, dome_of(body, "left") + 0.062
        size = 0.5 + 0.5 * body.stomach_gas
        ellipse = [(x + 0.085 * size * np.cos(a), y + 0.036 * size * np.sin(a)) for a in np.linspace(0, 6.28, 14)[:-1]]
        other -= 0.30 * domed(filled(np.array(rounded(ellipse)), soft_px=3), reach=0.04)
    return other
