"""The tree as arrays, and the training of its rankers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from qac._native._core import ffi, lib
from qac._native.base import F32, LOSSES, U16, U32, U64, check, pointer


@dataclass(frozen=True)
class TreeArrays:
    """``qac_tree``. ``weight`` is there in training alone."""

    node: npt.NDArray[Any]
    children: U32
    members: U32
    labels: int
    weight: F32 | None = None


def tree_fields(t: TreeArrays) -> dict[str, Any]:
    """Return the fields of a ``qac_tree``; they keep the arrays alive."""
    return {
        "node": ffi.cast("qac_node *", pointer("char[]", t.node.view(np.uint8))),
        "children": pointer("uint32_t[]", t.children),
        "members": pointer("uint32_t[]", t.members),
        "weight": ffi.NULL if t.weight is None else pointer("float[]", t.weight),
        "nodes": len(t.node),
        "labels": t.labels,
        "n_children": len(t.children),
        "n_members": len(t.members),
    }


@dataclass(frozen=True)
class ExampleArrays:
    """``qac_examples``."""

    row_end: U64
    feature: U32
    value: F32
    features: int
    label_end: U64
    example_row: U32
    example_weight: F32


@dataclass(frozen=True)
class RankerArrays:
    """What ``qac_rankers_copy`` gives: rows per node; feature and end of each row; child and weight of each entry."""

    node_rows: U32
    row_feature: U32
    row_end: U64
    entry_child: U16
    entry_weight: F32


@dataclass(frozen=True)
class TrainingState:
    """``qac_training_state``."""

    work_done: int
    work_total: int
    passes: int
    loss: float
    loss_start: float


def train(
    tree: TreeArrays,
    examples: ExampleArrays,
    *,
    loss: Literal["softmax", "hinge"],
    l2: float,
    tolerance: float,
    max_passes: int,
    threads: int,
    prune: float,
    positive_cost: float = 1.0,
    negative_cost: float = 1.0,
    matcher_beam: int = 0,
    watch: Callable[[TrainingState], None],
) -> RankerArrays:
    """Train in the background while the calling thread runs ``watch`` a few times a second.

    When ``watch`` (or a signal, as Ctrl-C) raises, training is cancelled, waited for, and the exception goes on.
    """
    assert tree.weight is not None
    assert len(tree.weight) == tree.labels
    fields_of_tree = tree_fields(tree)
    c_tree = ffi.new("qac_tree *", fields_of_tree)
    example_fields = {
        "row_end": pointer("uint64_t[]", examples.row_end),
        "feature": pointer("uint32_t[]", examples.feature),
        "value": pointer("float[]", examples.value),
        "rows": len(examples.row_end),
        "features": examples.features,
        "label_end": pointer("uint64_t[]", examples.label_end),
        "example_row": pointer("uint32_t[]", examples.example_row),
        "example_weight": pointer("float[]", examples.example_weight),
    }
    c_examples = ffi.new("qac_examples *", example_fields)
    options = {
        "loss": LOSSES[loss],
        "l2": l2,
        "tolerance": tolerance,
        "max_passes": max_passes,
        "threads": threads,
        "prune": prune,
        "positive_cost": positive_cost,
        "negative_cost": negative_cost,
        "matcher_beam": matcher_beam,
    }
    c_training = ffi.new("qac_training *", options)
    new_progress = ffi.new("qac_progress **")
    check(lib.qac_progress_new(new_progress))
    progress = ffi.gc(new_progress[0], lib.qac_progress_free)
    state = ffi.new("qac_training_state *")
    out = ffi.new("qac_rankers **")
    code: list[int] = []
    finished = threading.Event()

    def work() -> None:
        code.append(lib.qac_train(c_tree, c_examples, c_training, progress, out))
        finished.set()

    def report() -> None:
        lib.qac_progress_read(progress, state)
        watch(TrainingState(state.work_done, state.work_total, state.passes, state.loss, state.loss_start))

    worker = threading.Thread(target=work, name="qac-train")
    worker.start()
    try:
        while not finished.wait(0.1):
            report()
        worker.join()
        report()
    except BaseException:
        lib.qac_progress_cancel(progress)
        worker.join()
        if code == [lib.QAC_OK]:
            lib.qac_rankers_free(out[0])
        raise
    check(code[0])
    rankers = ffi.gc(out[0], lib.qac_rankers_free)
    rows, entries = ffi.new("uint64_t *"), ffi.new("uint64_t *")
    lib.qac_rankers_sizes(rankers, rows, entries)
    result = RankerArrays(
        np.empty(len(tree.node), np.uint32),
        np.empty(rows[0], np.uint32),
        np.empty(rows[0], np.uint64),
        np.empty(entries[0], np.uint16),
        np.empty(entries[0], np.float32),
    )
    lib.qac_rankers_copy(
        rankers,
        pointer("uint32_t[]", result.node_rows),
        pointer("uint32_t[]", result.row_feature),
        pointer("uint64_t[]", result.row_end),
        pointer("uint16_t[]", result.entry_child),
        pointer("float[]", result.entry_weight),
    )
    return result
