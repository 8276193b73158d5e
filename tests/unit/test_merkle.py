"""The tree against the known vectors of RFC 6962 and the definitions of RFC 9162, written down as they stand."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import merkle

ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(entries: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, over entries."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """RFC 9162, 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: list[bytes], known: bool) -> list[bytes]:
    """RFC 9162, 2.1.4.1."""
    if m == len(entries):
        return [] if known else [mth(entries)]
    k = split(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], known), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], False), mth(entries[:k])]


entries = st.lists(st.binary(max_size=4), min_size=1, max_size=40)


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    assert merkle.root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(
    "old, size, proof",
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ],
)
def test_known_consistency_proofs(old: int, size: int, proof: list[str]) -> None:
    assert [node.hex() for node in merkle.consistency_proof(old, LEAVES[:size])] == proof


@given(entries)
def test_root_as_defined(given_entries: list[bytes]) -> None:
    assert merkle.root(map(merkle.leaf_hash, given_entries)) == mth(given_entries)


@given(entries, st.data())
def test_inclusion_as_defined_and_verified(given_entries: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(given_entries) - 1))
    leaves = [merkle.leaf_hash(entry) for entry in given_entries]
    proof = merkle.inclusion_proof(index, leaves)
    size, root = len(leaves), mth(given_entries)
    assert proof == path(index, given_entries)
    assert merkle.verify_inclusion(leaves[index], index, size, proof, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(b"other entry"), index, size, proof, root)
    assert not merkle.verify_inclusion(leaves[index], index, size, [*proof, root], root)
    assert not merkle.verify_inclusion(leaves[index], size, size, proof, root)
    if proof:
        assert not merkle.verify_inclusion(leaves[index], index, size, proof[:-1], root)
        assert not merkle.verify_inclusion(leaves[index], index, size, [*proof[:-1], bytes(32)], root)


@given(entries, st.data())
def test_consistency_as_defined_and_verified(given_entries: list[bytes], data: st.DataObject) -> None:
    old = data.draw(st.integers(1, len(given_entries)))
    size = len(given_entries)
    proof = merkle.consistency_proof(old, [merkle.leaf_hash(entry) for entry in given_entries])
    old_root, root = mth(given_entries[:old]), mth(given_entries)
    assert proof == subproof(old, given_entries, True)
    assert merkle.verify_consistency(old, size, old_root, root, proof)
    assert not merkle.verify_consistency(old, size, bytes(32), root, proof)
    assert not merkle.verify_consistency(old, size, old_root, bytes(32), proof)
    assert not merkle.verify_consistency(old, size, old_root, root, [*proof, bytes(32)])
    if proof:
        assert not merkle.verify_consistency(old, size, old_root, root, proof[:-1])
        assert not merkle.verify_consistency(old, size, old_root, root, [])


def test_everything_is_consistent_with_the_empty_tree() -> None:
    assert merkle.consistency_proof(0, LEAVES) == []
    assert merkle.verify_consistency(0, 8, bytes.fromhex(ROOTS[0]), bytes.fromhex(ROOTS[8]), [])
    assert not merkle.verify_consistency(0, 8, bytes.fromhex(ROOTS[1]), bytes.fromhex(ROOTS[8]), [])


def test_a_longer_tree_is_not_consistent_with_a_shorter() -> None:
    assert not merkle.verify_consistency(8, 7, bytes.fromhex(ROOTS[8]), bytes.fromhex(ROOTS[7]), [])


@pytest.mark.parametrize("index", [-1, 8])
def test_no_proof_of_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_proof(index, LEAVES)
    with pytest.raises(IndexError):
        merkle.consistency_proof(index if index < 0 else 9, LEAVES)


def test_memory_of_a_growing_tree_is_logarithmic() -> None:
    tree = merkle.Tree()
    for number in range(10_000):
        tree.add(merkle.leaf_hash(b"%d" % number))
    assert len(tree._full) == (10_000).bit_count()
    assert tree.size == 10_000
