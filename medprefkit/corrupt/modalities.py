"""Which corruption suits which modality: where recipe authors may start; `medprefkit evaluate corruption` measures.

A corruption sees pixels and does not know its modality, so nothing is chosen in a run: write the row into the recipe's
`corrupt` section. Above `max_lesion_share` too little healthy tissue is left to rebuild the place from: both lungs
whole, a polyp that fills the view. The rows were chosen on a few dozen images, by number and by eye, and the shares by
eye alone: measure your own images before you trust them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Suited(NamedTuple):
    """The `use` and `max_lesion_share` of a recipe's `corrupt` section; options stay at their defaults."""

    corruption: str
    max_lesion_share: float

    def as_recipe(self) -> str:
        """Return the section on one line, as YAML."""
        return f"corrupt: {{use: {self.corruption}, max_lesion_share: {self.max_lesion_share}}}"


SUITED: Mapping[str, Suited] = MappingProxyType(
    {
        "chest_xray": Suited("healthy_blend", 0.12),
        "brain_mri": Suited("healthy_blend", 0.1),
        "head_ct": Suited("healthy_blend", 0.1),
        "ultrasound": Suited("navier_stokes", 0.2),
        "endoscopy": Suited("healthy_blend", 0.15),
        "dermatoscopy": Suited("healthy_blend", 0.25),
    }
)
