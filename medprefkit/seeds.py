"""Randomness that belongs to a record, never to a worker, a shard or the order of work."""

import hashlib

import numpy as np


def rng_for(run_seed: int, stage: str, record_id: str) -> np.random.Generator:
    """Return the generator for one record in one stage.

    The same three inputs give the same stream on a laptop, in any shard and on a cluster.
    """
    digest = hashlib.blake2b(f"{run_seed}/{stage}/{record_id}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def share_for(run_seed: int, stage: str, record_id: str) -> float:
    """Return a number in [0, 1) that depends on these three inputs alone; splits are decided by it."""
    return float(rng_for(run_seed, stage, record_id).random())
