"""A frontal chest film of nobody: an anatomy and its findings, projected as attenuation, exposed and developed.

Attenuation adds up along the beam, so ribs cross lungs and the heart hides what lies behind it. A finding's mask is not
drawn but measured: the pixels that differ from the film of the same patient without that finding.

Limits: one projection (PA, erect) of flat shapes, no devices, no scatter; every lung is as deep as its neighbour and
textures are smooth noise. At a glance it is a chest film; nothing that is learned on it holds for patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from medprefkit.lab.anatomy import (
    Body,
    Chest,
    Side,
    dome_of,
    draw_chest,
    draw_heart,
    hilum_y,
    lung_outline,
    sample_body,
    sign,
)
from medprefkit.lab.shapes import GRID_PX, Field, Points, filled
from medprefkit.protocols import Mask

SIZE_PX = 256
"""Height and width of a film."""

CM_PER_PX = 0.15
"""A chest is about 30 cm wide inside the ribs, and 200 px here."""

_VISIBLE_GREY = 2.0  # a pixel is in a finding's mask when the finding changes it by at least this, of 255

Kind = Literal["nodule", "mass", "consolidation", "pleural_effusion", "pneumothorax", "cardiomegaly"]
Lobe = Literal["upper", "middle", "lower"]
Severity = Literal["small", "moderate", "large"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong, and where in the patient.

    Attributes:
        severity: Extent; of the heart mild, moderate and severe enlargement; unused for a nodule or a mass.
        side: The patient's side; None for the heart.
        lobe: Of what lies in the lung; None for pleura and heart. The left lung has no middle lobe.
        size_cm: Diameter of a nodule (below 3) or a mass (3 and more); else 0.
        seed: Of position and shape, within lobe and severity.
    """

    kind: Kind
    severity: Severity = "moderate"
    side: Side | None = None
    lobe: Lobe | None = None
    size_cm: float = 0.0
    seed: int = 0


class Film(NamedTuple):
    """A film and where its findings are.

    Attributes:
        image: (256, 256) uint8, grey.
        masks: (256, 256) of each finding, in their order; True where the finding changes the film visibly.
    """

    image: NDArray[np.uint8]
    masks: tuple[Mask, ...]


class _Change(NamedTuple):
    """What findings do to a chest: `solid` is the share of air gone, the rest is added to the attenuation."""

    solid: Field
    more_air: Field
    vessels: Field
    line: Field
    heart: Field


def expose(seed: int, findings: Sequence[Finding]) -> Film:
    """Take a film of the patient that a seed stands for, with these findings; the same arguments, the same film."""
    rng = np.random.default_rng(seed)
    body = sample_body(rng)
    chest = draw_chest(body, rng)
    develop = _Darkroom(body, chest, rng)
    changes = [_change(body, chest, finding) for finding in findings]
    film = develop.grey(changes)
    masks = tuple(
        develop.mask(film, develop.grey([*changes[:position], *changes[position + 1 :]]))
        for position in range(len(changes))
    )
    return Film(develop.film(film), masks)


class _Darkroom:
    """One exposure: the same rays, the same grain, whatever the findings are."""

    def __init__(self, body: Body, chest: Chest, rng: np.random.Generator) -> None:
        self._body, self._chest = body, chest
        self._air = np.maximum(chest.air["right"], chest.air["left"]) * chest.torso
        self._air = self._air * (1 - 1.5 * _texture(rng))
        self._heart = draw_heart(body, body.heart_share)
        centre = (GRID_PX / 2, GRID_PX / 2)
        turn = cv2.getRotationMatrix2D(centre, rng.normal(0, 1.3), rng.uniform(0.94, 1.05))
        self._turn = turn + np.array([[0, 0, 1], [0, 0, 1]]) * rng.normal(0, 0.012 * GRID_PX, (2, 1))
        self._gain, self._curve = rng.uniform(0.70, 0.88), rng.uniform(1.3, 1.65)
        self._grain = _grain(rng, rng.uniform(1.5, 3.2))
        self._marker = _marker("left" if rng.random() < 0.6 else "right")

    def grey(self, changes: Sequence[_Change]) -> NDArray[np.float32]:
        """Return the film without its grain, (256, 256), 0 to 255."""
        chest = self._chest
        heart = np.maximum.reduce([self._heart, *(change.heart for change in changes)])
        middle = 1 - (1 - chest.mediastinum) * (1 - 0.90 * heart)
        solid, vessels = middle, chest.vessels * (1 - 0.7 * middle)
        rays = chest.torso + chest.bones + chest.other - chest.airways * middle
        for change in changes:
            solid = 1 - (1 - solid) * (1 - change.solid)
            vessels = vessels * change.vessels
            rays = rays + change.line - change.more_air * (1 - middle)
        rays = np.maximum(rays + vessels - self._air * (1 - solid), 0.02) * np.minimum(1, 8 * chest.torso)
        value = 255 * (1 - np.exp(-((rays / np.float32(self._gain)) ** np.float32(self._curve))))
        turned = cv2.warpAffine(
            value, self._turn, (GRID_PX, GRID_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(cv2.resize(turned, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA), np.float32)

    def film(self, grey: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the film with its grain and its side marker, (256, 256) uint8."""
        noisy = grey + self._grain * (0.5 + grey / 255)
        return np.asarray(np.clip(np.rint(np.maximum(noisy, self._marker)), 0, 255), np.uint8)

    def mask(self, film: NDArray[np.float32], without: NDArray[np.float32]) -> Mask:
        """Return where two films differ visibly, its small gaps closed."""
        changed = (np.abs(film - without) >= _VISIBLE_GREY).astype(np.uint8)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
        return np.asarray(cv2.morphologyEx(changed, cv2.MORPH_CLOSE, kernel) > 0)


def _change(body: Body, chest: Chest, finding: Finding) -> _Change:
    none = np.zeros((GRID_PX, GRID_PX), np.float32)
    plain = _Change(solid=none, more_air=none, vessels=none + 1, line=none, heart=none)
    rng = np.random.default_rng(finding.seed)
    if finding.kind == "cardiomegaly":
        # a cardiothoracic ratio of 0.5 is the limit of normal
        low, high = {"small": (0.53, 0.56), "moderate": (0.58, 0.62), "large": (0.65, 0.70)}[finding.severity]
        return plain._replace(heart=draw_heart(body, rng.uniform(low, high)))
    if finding.side is None:
        raise ValueError(f"a {finding.kind} lies on a side; give it one")
    if finding.kind == "pleural_effusion":
        fluid = _fluid(body, finding.side, finding.severity, rng)
        return plain._replace(solid=fluid, vessels=1 - fluid)
    if finding.kind == "pneumothorax":
        return _collapse(plain, body, chest, finding.side, finding.severity, rng)
    centre = _place(body, finding.side, finding.lobe, rng)
    if finding.kind == "consolidation":
        hilum = (body.midline + sign(finding.side) * 0.085, hilum_y(finding.side))
        cloud = _cloud(chest.lungs[finding.side], centre, hilum, finding.severity, rng)
        return plain._replace(solid=cloud, vessels=1 - 0.85 * cloud)
    lump = _lump(centre, finding.size_cm, rng) * chest.lungs[finding.side]
    return plain._replace(solid=(0.66 if finding.kind == "mass" else 0.52) * lump)


def _place(body: Body, side: Side, lobe: Lobe | None, rng: np.random.Generator) -> tuple[float, float]:
    """Return a point of the lung that shows this lobe in frontal view, clear of the heart."""
    top, dome, wide = body.apex_y, dome_of(body, side), body.half_width
    clear = 0.36 if side == "right" else 0.56  # the heart lies left
    if lobe == "upper":
        y = rng.uniform(top + 0.10, top + 0.22)
        return body.midline + sign(side) * wide * rng.uniform(0.40, 0.60), y
    if lobe == "middle":
        y = rng.uniform(dome - 0.17, dome - 0.10)
        return body.midline + sign(side) * wide * rng.uniform(0.42, 0.55), y
    y = rng.uniform(dome - 0.14, dome - 0.06)
    return body.midline + sign(side) * wide * rng.uniform(clear + 0.18, 0.80), y


def _lump(centre: tuple[float, float], size_cm: float, rng: np.random.Generator) -> Field:
    """Draw a round shadow with a slightly lobed border: denser in its middle, where the ball is thickest."""
    radius = size_cm / CM_PER_PX / SIZE_PX / 2
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    lobes = sum(rng.normal(0, 0.11 / k) * np.cos(k * angle + rng.uniform(0, 6.28)) for k in (2, 3, 4, 5))
    outline = np.column_stack(
        [centre[0] + radius * (1 + lobes) * np.cos(angle), centre[1] + radius * (1 + lobes) * np.sin(angle)]
    )
    shape = filled(outline, soft_px=2.6)
    distance = cv2.distanceTransform((shape > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    depth = np.clip(distance / max(float(distance.max()), 1.0), 0, 1)
    return np.asarray(shape * (0.55 + 0.45 * np.sqrt(1 - (1 - depth) ** 2)), np.float32)


def _cloud(
    lung: Field, centre: tuple[float, float], hilum: tuple[float, float], severity: Severity, rng: np.random.Generator
) -> Field:
    """Draw an airspace opacity: patchy, with soft edges, and bronchi from the hilum that stay black in it."""
    reach, dense = {"small": (0.055, 0.50), "moderate": (0.085, 0.68), "large": (0.125, 0.85)}[severity]
    rows = np.linspace(0, 1, GRID_PX, dtype=np.float32)[:, None] - np.float32(centre[1])
    columns = np.linspace(0, 1, GRID_PX, dtype=np.float32)[None, :] - np.float32(centre[0])
    stretch = np.float32(rng.uniform(0.8, 1.15))
    away = np.sqrt((columns / stretch) ** 2 + (rows * stretch) ** 2) / np.float32(reach)
    patchy = _smooth_noise(rng, 14, 0.28) + _smooth_noise(rng, 40, 0.16)
    body = 1 / (1 + np.exp(np.clip((away - 1 + patchy) / 0.20, -30, 30)))
    bronchi = np.zeros((GRID_PX, GRID_PX), np.uint8)
    outwards = np.arctan2(centre[1] - hilum[1], centre[0] - hilum[0])
    for _ in range(3):
        slope = outwards + rng.normal(0, 0.35)
        start = np.array(centre) + rng.normal(0, 0.3 * reach, 2)
        step = np.array([np.cos(slope), np.sin(slope)]) * reach * 0.45
        ends = np.round(np.array([start - step, start + step]) * GRID_PX * 8).astype(np.int32).tolist()
        cv2.line(bronchi, ends[0], ends[1], (255,), 2, cv2.LINE_AA, 3)
    black = cv2.GaussianBlur(bronchi.astype(np.float32) / 255, (0, 0), 1.2)
    return np.asarray(dense * body * (1 - 0.22 * black) * (1 + 0.35 * patchy).clip(0.5, 1.2) * lung, np.float32).clip(
        0, 1
    )


def _fluid(body: Body, side: Side, severity: Severity, rng: np.random.Generator) -> Field:
    """Draw free fluid: it hides angle and dome, and its upper border climbs to the side wall (meniscus)."""
    rise = {"small": rng.uniform(0.055, 0.085), "moderate": rng.uniform(0.15, 0.20), "large": rng.uniform(0.32, 0.42)}
    height = rise[severity]
    rows = np.linspace(0, 1, GRID_PX, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, GRID_PX, dtype=np.float32)[None, :]
    across = np.float32(sign(side)) * (columns - np.float32(body.midline)) / np.float32(body.half_width)
    lateral = np.clip(across, 0, 1.05)
    corner = dome_of(body, side) + 0.115
    if severity == "small":
        level = corner - height * (0.30 + 0.70 * lateral**3)
    else:
        level = corner - 0.10 - (height - 0.10) * (0.55 + 0.35 * lateral**2) - 0.11 * lateral**6
    soft = np.float32(0.006 if severity == "small" else 0.013)
    wet = 1 / (1 + np.exp(np.clip((level - rows) / soft, -30, 30)))
    # past the midline there is none; past the lung's own edge it meets soft tissue that hides it
    return np.asarray(wet / (1 + np.exp(np.clip(-across * 120, -30, 30))), np.float32)


def _collapse(
    plain: _Change, body: Body, chest: Chest, side: Side, severity: Severity, rng: np.random.Generator
) -> _Change:
    """Let the lung fall towards its hilum: a fine pleural line, and beyond it air without any markings."""
    low, high = {"small": (0.86, 0.90), "moderate": (0.72, 0.78), "large": (0.48, 0.58)}[severity]
    shrink = rng.uniform(low, high)
    hilum = np.array([body.midline + sign(side) * 0.06, hilum_y(side) + 0.06])
    outline = lung_outline(body, side)
    fall = np.column_stack([np.full(len(outline), shrink), _vertical_fall(outline, hilum[1], shrink)])
    lung = filled(hilum + (outline - hilum) * fall, soft_px=1.0)
    space = chest.lungs[side] * (1 - lung)
    edge = cv2.GaussianBlur(cv2.morphologyEx(lung, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), (0, 0), 0.8)
    # what is left of the lung stays as grey as it was: less air in it, and less blood
    return plain._replace(
        more_air=np.asarray(0.10 * space, np.float32),
        vessels=np.asarray(1 - space, np.float32),
        line=np.asarray(0.085 * edge * chest.lungs[side], np.float32),
    )


def _vertical_fall(outline: Points, hilum: float, shrink: float) -> NDArray[np.float64]:
    """Return how far each point of the outline comes down or up: the apex falls, the base stays on the diaphragm."""
    above = np.clip((hilum - outline[:, 1]) / 0.25, 0, 1)
    return 1 - (1 - shrink) * (0.35 + 0.65 * above)


def _texture(rng: np.random.Generator) -> Field:
    """Return what vessels too fine to draw do to a lung: noise of three grains, about 0."""
    return _smooth_noise(rng, 12, 0.014) + _smooth_noise(rng, 40, 0.016) + _smooth_noise(rng, 120, 0.020)


def _smooth_noise(rng: np.random.Generator, cells: int, deviation: float) -> Field:
    coarse = rng.normal(0, deviation, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (GRID_PX, GRID_PX), interpolation=cv2.INTER_CUBIC), np.float32)


def _grain(rng: np.random.Generator, deviation: float) -> NDArray[np.float32]:
    fine = rng.normal(0, deviation, (SIZE_PX, SIZE_PX)).astype(np.float32)
    return np.asarray(0.6 * fine + 1.2 * cv2.GaussianBlur(fine, (0, 0), 0.8), np.float32)


def _marker(side: Side) -> NDArray[np.float32]:
    """Return the lead letter that says which side of the patient is which."""
    letter, x = ("R", 14) if side == "right" else ("L", SIZE_PX - 28)
    canvas = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    cv2.putText(canvas, letter, (x, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (235,), 1, cv2.LINE_AA)
    return canvas.astype(np.float32)
