"""Splits: nothing leaks, and neither the order of rows nor other rows decide a side."""

import random

import hypothesis.strategies as st
from hypothesis import given

from medprefkit.build.split import Member, assign_splits

MEMBERS = st.lists(
    st.tuples(st.sampled_from("ABCDEFGH"), st.lists(st.sampled_from("uvwxyz"), max_size=2)), min_size=1, max_size=25
).map(lambda rows: [Member(str(n), group, tuple(keys)) for n, (group, keys) in enumerate(rows)])


@given(MEMBERS, st.integers(0, 50), st.floats(0, 0.99), st.randoms())
def test_no_group_and_no_image_is_on_both_sides_in_any_order(
    members: list[Member], seed: int, share: float, random_: random.Random
) -> None:
    sides = assign_splits(members, run_seed=seed, eval_share=share)
    for side, other in (("train", "eval"), ("eval", "train")):
        ours = [row for row in members if sides[row.id] == side]
        theirs = [row for row in members if sides[row.id] == other]
        assert not {row.group_id for row in ours} & {row.group_id for row in theirs}
        assert not {key for row in ours for key in row.image_keys} & {key for row in theirs for key in row.image_keys}
    assert "train" in sides.values()
    shuffled = random_.sample(members, len(members))
    assert assign_splits(shuffled, run_seed=seed, eval_share=share) == sides


def test_a_patient_keeps_its_side_when_others_come() -> None:
    few = [Member(str(n), f"p{n}") for n in range(200)]
    more = [Member(str(n), f"p{n}") for n in range(400)]
    before = assign_splits(few, run_seed=3, eval_share=0.25)
    after = assign_splits(more, run_seed=3, eval_share=0.25)
    assert all(after[row.id] == before[row.id] for row in few)
    assert 60 < list(after.values()).count("eval") < 140  # 100 expected of 400, sd 8.7


def test_both_sides_have_rows_where_there_are_two_groups() -> None:
    two = [Member("0", "p"), Member("1", "q")]
    for share in (0.001, 0.5, 0.99):
        assert set(assign_splits(two, run_seed=0, eval_share=share).values()) == {"train", "eval"}
    assert set(assign_splits(two, run_seed=0, eval_share=0.0).values()) == {"train"}
    assert set(assign_splits(two[:1], run_seed=0, eval_share=0.9).values()) == {"train"}


def test_a_chain_of_shared_images_is_one_component() -> None:
    chain = [Member(str(n), f"p{n}", (f"i{n}", f"i{n + 1}")) for n in range(300)]
    assert len(set(assign_splits(chain, run_seed=1, eval_share=0.5).values())) == 1
