"""Rankers' weights in the form of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qac._native._core import ffi, lib
from qac._native.base import I8, U8, U16, U32, U64, CorruptError, check, pointer
from qac._native.training import TreeArrays, tree_fields


@dataclass(frozen=True)
class RowArrays:
    """``qac_rows``."""

    stream: U8
    block_feature: U32
    block_begin: U32
    weight_bits: int


def largest_weight(weight_bits: int) -> int:
    """Return the largest weight, in steps, of so many bits."""
    return (1 << (weight_bits - 1)) - 1


def rows_fields(r: RowArrays) -> dict[str, Any]:
    """Return the fields of a ``qac_rows``; they keep the arrays alive."""
    return {
        "stream": pointer("uint8_t[]", r.stream),
        "size": len(r.stream),
        "block_feature": pointer("uint32_t[]", r.block_feature),
        "block_begin": pointer("uint32_t[]", r.block_begin),
        "blocks": len(r.block_begin),
        "weight_bits": r.weight_bits,
    }


def encode_rows(
    node_rows: U32,
    node_children: U32,
    row_feature: U32,
    row_end: U64,
    entry_child: U16,
    entry_weight: I8,
    weight_bits: int,
) -> tuple[RowArrays, U32]:
    """Return the rows of ``qac_rankers_copy``, weights in steps of the nodes' scales, encoded; and each node's blocks.

    ``node_children``: how many children each node has. ``weight_bits``: what a weight takes; it is at most
    :func:`largest_weight` of that, and at least the negative.

    A stream beyond 2**32 - 1 bytes is returned, but cannot be read: ``block_begin`` has no room for its places.
    """
    stream = np.empty(lib.qac_rows_bound(len(node_rows), len(row_feature), len(entry_child)), np.uint8)
    node_blocks = np.empty(len(node_rows), np.uint32)
    block_feature, block_begin = np.empty(len(row_feature), np.uint32), np.empty(len(row_feature), np.uint32)
    blocks, size = ffi.new("uint64_t *"), ffi.new("uint64_t *")
    check(
        lib.qac_rows_encode(
            pointer("uint32_t[]", node_rows),
            pointer("uint32_t[]", node_children),
            len(node_rows),
            pointer("uint32_t[]", row_feature),
            pointer("uint64_t[]", row_end),
            pointer("uint16_t[]", entry_child),
            pointer("int8_t[]", entry_weight),
            weight_bits,
            pointer("uint8_t[]", stream),
            pointer("uint32_t[]", node_blocks),
            pointer("uint32_t[]", block_feature),
            pointer("uint32_t[]", block_begin),
            blocks,
            size,
        )
    )
    n = blocks[0]
    return RowArrays(
        stream[: size[0]].copy(), block_feature[:n].copy(), block_begin[:n].copy(), weight_bits
    ), node_blocks


def count_weights(rows: RowArrays, tree: TreeArrays, features: int) -> int | None:
    """Return the number of weights in the rows of ``tree``, or None where one of them is damaged."""
    row_parts, tree_parts = rows_fields(rows), tree_fields(tree)
    c_rows, c_tree = ffi.new("qac_rows *", row_parts), ffi.new("qac_tree *", tree_parts)
    entries = ffi.new("uint64_t *")
    try:
        check(lib.qac_rows_check(c_rows, c_tree, features, entries))
    except CorruptError:
        return None
    return int(entries[0])
