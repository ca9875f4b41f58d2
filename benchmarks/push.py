"""How much memory a dataset takes on its way to the Hub and back, and how long, against a Hub on the loopback.

    python benchmarks/push.py --megabytes 2000

Draws rows with pictures of one megabyte, writes the dataset, scans it for identities, pushes it, pushes it again, pulls
it and streams it. Each phase is a process of its own, so its peak memory is its own; the first line is what the
imports alone take. Needs five times the size on disk.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PHASES = ("imports", "write", "scan", "push", "push_again", "pull", "stream")
REPO = "somebody/benchmark"


def draw(folder: Path, megabytes: int) -> None:
    """Write noise, which no codec makes smaller."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    for number in range(megabytes):
        pixels = np.random.default_rng(number).integers(0, 256, (590, 590, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=0)


def write(work: Path, megabytes: int) -> None:
    """Build the dataset, and what is shared of it."""
    from made_pairs import make

    from medprefkit.build.write import write_dataset
    from medprefkit.publish.manifest import write_manifest

    pairs = (make(str(number), images=[f"{number}.png"]) for number in range(megabytes))
    (work / "built").mkdir()
    write_dataset(pairs, work / "built", data_root=work / "data", run_dir=work, run_seed=0, eval_share=0.1)
    shared = work / "shared"
    shared.mkdir()
    (work / "built" / "parquet").rename(shared / "parquet")
    splits = "".join(f"  - {{split: {name}, path: parquet/{name}-*.parquet}}\n" for name in ("train", "eval"))
    card = f"---\nconfigs:\n- config_name: default\n  data_files:\n{splits}---\n\n# Noise\n"
    (shared / "README.md").write_text(card, "utf-8")
    write_manifest(shared, form="rows", package_version="0", recipe_hash="0")


def phase(name: str, work: Path, megabytes: int) -> None:
    """Do one phase and print what it took."""
    from medprefkit.build.features import load_pairs
    from medprefkit.publish.hub import pull_folder, push_folder
    from medprefkit.publish.identity import scan_parquet

    started = time.perf_counter()
    if name == "write":
        write(work, megabytes)
    elif name == "scan":
        assert not list(scan_parquet(sorted((work / "shared" / "parquet").iterdir()), pixels=False))
    elif name == "push":
        assert push_folder(work / "shared", REPO, visibility=None).n_bytes_sent > megabytes * 1_000_000
    elif name == "push_again":
        assert push_folder(work / "shared", REPO, visibility=None).n_sent == 0
    elif name == "pull":
        assert sum(file.n_rows or 0 for file in pull_folder(REPO, work / "pulled").files) == megabytes
    elif name == "stream":
        splits = load_pairs(REPO, streaming=True)
        assert sum(1 for rows in splits.values() for _ in rows.decode(False)) == megabytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"phase": name, "peak_mb": round(peak), "seconds": round(time.perf_counter() - started, 1)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--phase", choices=PHASES, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help="a folder for the files; else a temporary one")
    options = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    if options.phase:
        phase(options.phase, options.work, options.megabytes)
        return
    from hub_server import HubServer

    with tempfile.TemporaryDirectory(dir=options.work) as name, HubServer(Path(name) / "hub") as hub:
        work = Path(name)
        draw(work / "data", options.megabytes)
        for step in PHASES:
            command = [sys.executable, __file__, "--phase", step, "--work", name, "--megabytes", str(options.megabytes)]
            environment = hub.environment(work / "home") | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
            subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
