"""Many proofs from one pass are the proofs that the tree gives one by one."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.report.proofs import prove
from portal import merkle


def leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(str(index).encode()).digest() for index in range(count)]


@given(st.integers(1, 140), st.data())
def test_every_proof_is_the_one_of_rfc_9162(size: int, data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.integers(0, size - 1), max_size=12))
    tree = leaves(size)
    proven = prove(wanted, size, iter(tree))
    assert proven.root == merkle.root(tree)
    assert proven.size == size
    assert proven.paths.keys() == wanted
    for index in wanted:
        assert list(proven.paths[index]) == merkle.inclusion_proof(index, tree)
        assert merkle.verify_inclusion(tree[index], index, size, proven.paths[index], proven.root)


def test_of_nothing_there_is_nothing_to_prove() -> None:
    assert prove([], 0, []).root == merkle.root([])


def test_a_leaf_beyond_the_tree_is_refused() -> None:
    with pytest.raises(IndexError):
        prove([5], 5, leaves(5))


def test_another_number_of_leaves_than_announced_is_refused() -> None:
    for count in (4, 6):
        with pytest.raises(ValueError, match=r"4|6"):
            prove([0], 5, leaves(count))
