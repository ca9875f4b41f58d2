"""`medprefkit`, killed at its third step, as a preempted job is."""

import os
import sys
from typing import Any

from medprefkit.cli.app import main
from medprefkit.train.trainer import PreferenceTrainer

log = PreferenceTrainer.log


def die_at_the_third_step(self: Any, logs: dict[str, float], start_time: float | None = None) -> None:
    if self.state.global_step == 3:
        os._exit(9)
    log(self, logs, start_time)


PreferenceTrainer.log = die_at_the_third_step  # type: ignore[method-assign]  # what this file is for

if __name__ == "__main__":
    sys.argv[0] = "medprefkit"
    main()
