"""What a second fresh reader found in the function sets, so that it stays mended."""

from __future__ import annotations

import numpy as np
import pytest

import chymist as cy
from chymist.models.trees import Rule, Sample, grow
from chymist.values import Split

NONE = np.array([], np.int64)


def all_rows(x: np.ndarray, y: np.ndarray, task: str) -> Split:
    data = cy.load((x, y), task=task)
    return Split(data, np.arange(len(data)), NONE, NONE, 0, "all rows")


@pytest.mark.parametrize("halfway", [True, False])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_middle_that_is_rounded_up_still_cuts(halfway: bool, kind: type) -> None:
    """Both middles lie between neighbours, of which the upper one is the even one."""
    ids = np.repeat(np.arange(10_000_001, 10_000_101), 4).astype(np.float32)
    if kind is np.float64:
        ids = 1 + np.arange(1, 101).repeat(4) * np.finfo(np.float64).eps
    labels = (np.arange(400) // 4 >= 53).astype(int)
    sample = Sample(ids[:, None].astype(kind), labels, 2, np.array([0]))
    tree = grow(sample, np.ones(400), Rule("gain_ratio", 2.0, True, halfway, max_depth=4)).tree
    assert len(tree) == 3
    assert tree.value[1:].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert ids[labels == 0].max() <= tree.threshold[0] < ids[labels == 1].min()
