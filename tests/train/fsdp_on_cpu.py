"""`medprefkit`, with FSDP on although there is no accelerator: accelerate 1.15 heeds it on accelerators only."""

import sys
from typing import Any

from accelerate.state import AcceleratorState, DistributedType

from medprefkit.cli.app import main

begin = AcceleratorState.__init__


def begin_with_fsdp(self: Any, *arguments: Any, fsdp_plugin: Any = None, **options: Any) -> None:
    begin(self, *arguments, fsdp_plugin=fsdp_plugin, **options)
    if fsdp_plugin is not None:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin


AcceleratorState.__init__ = begin_with_fsdp

if __name__ == "__main__":
    sys.argv[0] = "medprefkit"
    main()
