"""Which corruption suits which modality: where recipe authors may start; `medprefkit evaluate corruption` measures.

A corruption sees pixels and does not know its modality, so nothing is chosen in a run: write the row into the recipe's
`corrupt` section. Above `max_lesion_share` too little healthy tissue is left to rebuild the place from: both lungs
whole, a polyp that fills the view. The rows were chosen among the fillings (noise, blur and occlusion apart) on a few
dozen images by what shows, by the classifier and by eye; thresholds were set on the same images, so expect less on
yours. Fundus rests on one photograph with 250 planted lesions. In brain MRI `texture` has the better numbers, but draws
gaps that an eye finds. In no modality is a filled place quite like healthy tissue to a classifier: measure your own and
look at the contact sheets, before you trust a row.
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
        "brain_mri": Suited("exemplar", 0.1),
        "head_ct": Suited("healthy_blend", 0.1),
        "ultrasound": Suited("healthy_blend", 0.2),
        "endoscopy": Suited("texture", 0.3),
        "dermatoscopy": Suited("healthy_blend", 0.25),
        "fundus": Suited("exemplar", 0.1),
    }
)
