"""Inclusion proofs of many events at once, from one pass over the leaves.

`portal.merkle.inclusion_proof` folds the whole tree for each proof, which a report of a hundred events out of millions
cannot afford. The proofs are the same (RFC 9162, 2.1.3). Not in charge of what a leaf holds.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from portal.merkle import node_hash, root


@dataclass(frozen=True, slots=True)
class Proven:
    """The tree's size and root (32 bytes), and by index the audit path of each wanted leaf, nearest sibling first."""

    size: int
    root: bytes
    paths: Mapping[int, tuple[bytes, ...]]


def prove(wanted: Collection[int], size: int, leaves: Iterable[bytes]) -> Proven:
    """Prove leaves of a tree of `size`; memory grows with the proofs, not with the tree.

    Raises IndexError for a leaf beyond the tree, ValueError when there are not `size` leaves.
    """
    if any(not 0 <= index < size for index in wanted):
        raise IndexError(f"Not every wanted leaf is in a tree of {size}.")
    needed = {sibling for index in wanted for sibling in _siblings(index, size)}
    found: dict[tuple[int, int], bytes] = {}
    full: list[tuple[int, bytes]] = []  # roots of the full subtrees with their levels, widest first
    count = 0
    for leaf in leaves:
        level, place, node = 0, count, leaf
        while True:
            if (level, place) in needed:
                found[level, place] = node
            if not place & 1:
                break
            node = node_hash(full.pop()[1], node)
            level, place = level + 1, place >> 1
        full.append((level, node))
        count += 1
    if count != size:
        raise ValueError(f"There are {count} leaves where {size} were announced.")
    for level, place in needed - found.keys():  # cut off by the tree's right edge
        found[level, place] = _folded([node for height, node in full if height < level])
    return Proven(
        size=size,
        root=_folded([node for _height, node in full]) if full else root(()),
        paths={index: tuple(found[sibling] for sibling in _siblings(index, size)) for index in wanted},
    )


def _siblings(index: int, size: int) -> list[tuple[int, int]]:
    """Level and place of each node of a leaf's audit path; a node without a sibling is passed up as it is."""
    path, last, level = [], size - 1, 0
    while last:
        if index ^ 1 <= last:
            path.append((level, index ^ 1))
        index, last, level = index >> 1, last >> 1, level + 1
    return path


def _folded(nodes: list[bytes]) -> bytes:
    node = nodes[-1]
    for left in reversed(nodes[:-1]):
        node = node_hash(left, node)
    return node
