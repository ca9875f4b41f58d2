"""Inpainting by a diffusion model: anatomy that no part of the image shows. Needs the extra `diffusion`.

The model sees a square around the lesion at the size that it was trained for; what it paints is brought back to the
image's resolution, fitted to the brightness along the rim, and laid over the lesion alone. A general model has seen few
medical images: measure it, see `medprefkit evaluate corruption`, before it is trusted. A hosted name is fetched from
the Hugging Face Hub at first use; images never leave the machine.

Source: Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", sec. 4.5, as `diffusers`
has it. Differs: the rim.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from PIL.Image import fromarray

from medprefkit.corrupt.fill import Fill, Part, lay, widened
from medprefkit.corrupt.region import Box, Floats, floats
from medprefkit.corrupt.surface import low_pass, membrane, patch_of, resized
from medprefkit.corrupt.tissue import Body
from medprefkit.errors import RecipeError
from medprefkit.images import is_grey
from medprefkit.protocols import Image, Mask

_CONTEXT = 2.0  # sides of the lesion's box that the model sees
_RIM_SIGMA_PX = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Diffusion(Fill):
    """Let an inpainting pipeline of `diffusers` paint the lesion's place.

    Attributes:
        margin_px: As of `Fill`, like `margin_mm`, `spacing_mm`, `strength` and `feather_px`.
        model: Folder or Hub name of an inpainting pipeline, saved as safetensors.
        revision: Of a Hub name; a commit, so that a run can be repeated.
        prompt: What the place is to show, in words.
        negative_prompt: What it is not to show.
        steps: Of denoising.
        guidance: Scale of the prompt; 1 for none.
        side_px: Side of the square that the model works at (pixels), a multiple of 8.
        device: Where it runs; `cpu` gives the same bytes everywhere that the libraries do.
    """

    model: str
    revision: str | None = None
    prompt: str = "normal anatomy, no lesion"
    negative_prompt: str = "tumour, lesion, opacity, nodule, polyp, text"
    steps: int = 30
    guidance: float = 5.0
    side_px: int = 512
    device: Literal["cpu", "cuda", "mps"] = "cpu"

    def __post_init__(self) -> None:
        """Refuse what no pipeline takes, with ValueError, and what `Fill` refuses."""
        Fill.__post_init__(self)
        if self.steps < 1 or self.guidance < 0:
            raise ValueError(f"steps must be 1 or more, guidance 0 or more; got {self.steps}, {self.guidance}")
        if self.side_px < 8 or self.side_px % 8:
            raise ValueError(f"side_px must be a multiple of 8, got {self.side_px}")

    def _paint(self, painted: Image, part: Part, region: Mask, body: Body, rng: np.random.Generator) -> None:
        box = _square_around(part.box, region.shape)
        picture, hole = painted[box.slices], widened(part, box, part.hole)
        filling = self._dream(picture, hole, int(rng.integers(2**62)))
        patch = patch_of(picture)
        known = body.tissue[box.slices] & ~region[box.slices]
        if known.any():  # what is wrong at the rim is spread over the hole, so that no edge shows
            wrong = low_pass(patch - filling, known, _RIM_SIGMA_PX)
            filling = filling + membrane(np.where(known[..., None], wrong, 0).astype(np.float32), known)
        lay(painted, part, filling[part.box.within(box).slices])

    def _dream(self, picture: Image, hole: Mask, seed: int) -> Floats:
        """Return what the model paints, (height, width, 3), or one channel where the picture is grey."""
        import torch

        side = (self.side_px, self.side_px)
        small = cv2.resize(picture, side, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        mask = cv2.resize(hole.astype(np.uint8) * 255, side, interpolation=cv2.INTER_NEAREST).astype(
            np.uint8, copy=False
        )
        result = _pipeline(self.model, self.revision, self.device)(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            image=fromarray(small),
            mask_image=fromarray(mask),
            height=self.side_px,
            width=self.side_px,
            num_inference_steps=self.steps,
            guidance_scale=self.guidance,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="np",
        )
        dreamt = floats(255 * np.asarray(result.images[0]))
        whole = resized(dreamt, (picture.shape[1], picture.shape[0]), cv2.INTER_CUBIC)
        return floats(whole.mean(axis=2, keepdims=True)) if is_grey(picture) else whole


def _square_around(box: Box, shape: tuple[int, ...]) -> Box:
    """Return a square about a box, moved inside an image of `shape`, and no larger than it."""
    side = min(round(_CONTEXT * max(box.shape)), *shape[:2])
    top, left = (
        int(np.clip((low + high - side) // 2, 0, whole - side))
        for low, high, whole in ((box.top_px, box.bottom_px, shape[0]), (box.left_px, box.right_px, shape[1]))
    )
    square = Box(top, top + side, left, left + side)
    return Box(
        min(square.top_px, box.top_px),
        max(square.bottom_px, box.bottom_px),
        min(square.left_px, box.left_px),
        max(square.right_px, box.right_px),
    )


@functools.lru_cache(maxsize=1)
def _pipeline(model: str, revision: str | None, device: str) -> Callable[..., Any]:
    """Load a pipeline once a process.

    Raises:
        RecipeError: If `diffusers` is not installed, or the model cannot be loaded.
    """
    try:
        from diffusers import AutoPipelineForInpainting
    except ModuleNotFoundError as error:
        problem = f"corruption 'diffusion' needs the package {error.name!r}"
        raise RecipeError(f"{problem}: pip install 'medprefkit[diffusion]'") from error
    try:
        # its filter blackens what it takes for nakedness, which skin and mucosa are
        pipeline: Any = AutoPipelineForInpainting.from_pretrained(  # type: ignore[no-untyped-call]  # diffusers has none
            model, revision=revision, use_safetensors=True, safety_checker=None, requires_safety_checker=False
        )
    except (OSError, ValueError) as error:
        told = " ".join(str(error).split())[:200]
        raise RecipeError(
            f"corruption 'diffusion': no inpainting pipeline can be loaded from {model!r}: {told}"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    placed: Callable[..., Any] = pipeline.to(device)
    return placed
