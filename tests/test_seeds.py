"""Randomness belongs to a record."""

from medprefkit.seeds import rng_for, share_for


def test_the_same_three_inputs_give_the_same_stream() -> None:
    assert rng_for(1, "corrupt", "a").integers(1 << 60) == rng_for(1, "corrupt", "a").integers(1 << 60)


def test_each_input_matters() -> None:
    inputs = [(1, "corrupt", "a"), (2, "corrupt", "a"), (1, "split", "a"), (1, "corrupt", "b")]
    streams = {int(rng_for(*given).integers(1 << 60)) for given in inputs}
    assert len(streams) == 4


def test_shares_are_uniform_enough_to_split_by() -> None:
    shares = [share_for(0, "split", str(i)) for i in range(2000)]
    assert all(0 <= share < 1 for share in shares)
    assert 0.08 < sum(share < 0.1 for share in shares) / len(shares) < 0.12
