"""The method and its ancestors as settings of the one objective. A preset is here only if its loss is exact.

What an ancestor does before its loss, to make its data, is not here: MMedPO's row weights and TIS-DPO's token weights
come from further models, and are read from the dataset's columns.
"""

from dataclasses import replace
from typing import Any

from medprefkit.errors import TrainError
from medprefkit.train.settings import ObjectiveSettings

_DPO = ObjectiveSettings(
    beta=0.1,
    edited_weight=1.0,
    unedited_weight=1.0,
    edit_weights="equal",
    alpha_forward=0.0,
    alpha_reverse=0.0,
    kl_edited_weight=1.0,
    grounding_weight=0.0,
)

PRESETS: dict[str, ObjectiveSettings] = {
    # After the abstract of arXiv 2606.12590; what it leaves open is `ObjectiveSettings`' defaults.
    "medpref": ObjectiveSettings(),
    # Rafailov et al. 2023, arXiv 2305.18290, eq. 7.
    "dpo": _DPO,
    # RLHF-V, Yu et al. 2023, arXiv 2312.00849: edited tokens count gamma = 5 times, normalised by that count.
    "ddpo": replace(_DPO, beta=0.5, edited_weight=5.0, rank_normalise="weight_total"),
    # Sarkar et al. 2025, arXiv 2504.12083: edited tokens rank, forward KL summed over the whole chosen answer.
    "rrpo": replace(_DPO, unedited_weight=0.0, alpha_forward=0.01, kl_reduction="sum"),
    # HALVA, Sarkar et al. 2024, arXiv 2405.18654. Differs: the KL is on the chosen answers, where HALVA takes it on a
    # separate set of reference answers; the mean over phrases is taken within a row, not over the batch.
    "dpa": replace(
        _DPO,
        beta=1.0,
        rank_form="phrases",
        rank_reference=False,
        unedited_weight=0.0,
        alpha_forward=0.4,
        kl_reduction="sum",
    ),
    # Zeng et al. 2024, arXiv 2404.11999: the difference of the sequences' forward KL inside the sigmoid.
    "tdpo1": replace(_DPO, sequence_kl_weight=1.0),
    "tdpo2": replace(_DPO, sequence_kl_weight=0.5, sequence_kl_stop="chosen"),
    # mDPO, Wang et al. 2024, arXiv 2406.11839. Differs: its image without evidence is our corrupted image.
    "mdpo": replace(_DPO, grounding_weight=1.0, ground_tokens="all", anchor_weight=1.0),
    # MMedPO, Zhu et al. 2024, arXiv 2412.06141: DPO times the row's weight, on two kinds of pairs; the second has the
    # rejected answer on the corrupted image. Differs: both kinds stand in one row and share its weight.
    "mmedpo": replace(_DPO, grounding_weight=1.0, ground_tokens="all", ground_against="rejected"),
    # TIS-DPO, Liu et al. 2024, arXiv 2410.04350, without its KL. Every token's weight comes from the columns
    # `chosen_token_weights` and `rejected_token_weights`.
    "tisdpo": replace(_DPO, edit_weights="tokens"),
}


def objective_settings(preset: str, **changes: Any) -> ObjectiveSettings:
    """Return a preset's settings, some of them changed.

    Raises:
        TrainError: If there is no such preset or no such setting (what there is, is listed), or a value is refused.
    """
    if preset not in PRESETS:
        raise TrainError(f"no preset named {preset!r}; there are: {', '.join(sorted(PRESETS))}")
    known = set(ObjectiveSettings.__dataclass_fields__)
    if unknown := sorted(set(changes) - known):
        raise TrainError(f"no setting named {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    return replace(PRESETS[preset], **changes)
