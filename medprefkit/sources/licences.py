"""What the known datasets may be used for, in their own licences' names.

Indiana University's reports may be shared unmodified and non-commercially only: an edited report is a derivative.
"""

from typing import Literal

from medprefkit.records import Source

MmedpoSubset = Literal["iuxray", "slake", "vqa_rad"]

VQA_RAD = Source(name="vqa_rad", licence="CC0-1.0")
"""VQA-RAD (Lau et al. 2018): clinicians' questions on MedPix images."""

IU_XRAY = Source(name="iu_xray", licence="CC-BY-NC-ND-4.0", no_derivatives=True)
"""Indiana University chest X-ray collection (Demner-Fushman et al. 2016), Open-i."""

MMEDPO: dict[MmedpoSubset, Source] = {
    "iuxray": Source(name="mmedpo_iuxray", licence="Apache-2.0 over CC-BY-NC-ND-4.0", no_derivatives=True),
    "slake": Source(name="mmedpo_slake", licence="Apache-2.0 over CC-BY-4.0"),
    "vqa_rad": Source(name="mmedpo_vqa_rad", licence="Apache-2.0 over CC0-1.0"),
}
"""MMedPO's preference pairs (Zhu et al. 2025), over the licences of the datasets that they are made from."""
