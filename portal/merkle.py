"""The Merkle tree of RFC 9162: roots, inclusion proofs and consistency proofs over leaf hashes.

Arithmetic on 32-byte hashes only. Not in charge of what a leaf holds, nor of signing a root.
"""

import hashlib
from collections.abc import Iterable, Sequence


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of 0x00 and the entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows leaf by leaf and keeps only the roots of its full subtrees: O(log n) memory."""

    __slots__ = ("_full", "size")

    def __init__(self) -> None:
        self.size = 0
        # Roots of the full subtrees, widest first; their widths are the bits of `size`.
        self._full: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append a leaf hash."""
        joins = self.size
        while joins & 1:
            leaf = node_hash(self._full.pop(), leaf)
            joins >>= 1
        self._full.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over what was added so far; of nothing, the hash of no bytes."""
        if not self._full:
            return hashlib.sha256(b"").digest()
        found = self._full[-1]
        for subtree in reversed(self._full[:-1]):
            found = node_hash(subtree, found)
        return found


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes given one after the other."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The audit path of the leaf at `index`, nearest sibling first (RFC 9162, 2.1.3.1). IndexError: no such leaf."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"There is no leaf {index} in a tree of {len(leaves)}.")
    path: list[bytes] = []
    start, end = 0, len(leaves)
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(root(leaves[middle:end]))
            end = middle
        else:
            path.append(root(leaves[start:middle]))
            start = middle
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether the proof shows that `leaf` is at `index` in the tree of that size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == expected


def consistency_proof(old: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The proof that the tree over the first `old` leaves is a prefix of the one over all (RFC 9162, 2.1.4.1).

    Empty when both are the same or the old one is empty. Raises IndexError when there are fewer leaves than `old`.
    """
    if not 0 <= old <= len(leaves):
        raise IndexError(f"A tree of {len(leaves)} leaves has no first {old}.")
    path: list[bytes] = []
    start, end, whole = 0, len(leaves), True
    while 0 < old < end - start:
        middle = _split(end - start)
        if old <= middle:
            path.append(root(leaves[start + middle : end]))
            end = start + middle
        else:
            path.append(root(leaves[start : start + middle]))
            start, old, whole = start + middle, old - middle, False
    # The old root itself is known to whoever checks; a subtree of it is not.
    return path[::-1] if whole else [root(leaves[start:end]), *path[::-1]]


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of size `new` only added to the one of size `old` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == root(())
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, node)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(width: int) -> int:
    """The largest power of two below the width (which is at least 2)."""
    return 1 << (width - 1).bit_length() - 1
