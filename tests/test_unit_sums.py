"""The arithmetic of a unit: patch times kernel plus bias is what the network gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from chymist.errors import UsageError
from chymist.explanation.unit_sums import convolutions, unit_sum


@settings(deadline=None)
@given(
    kernel=st.integers(1, 4), stride=st.integers(1, 3), dilation=st.integers(1, 2),
    padding=st.sampled_from([0, 1, 2, "same"]), groups=st.sampled_from([1, 2]),
    mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]), bias=st.booleans(),
    flat=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_the_sum_is_what_the_network_gives(
    kernel: int, stride: int, dilation: int, padding: int | str, groups: int, mode: str,
    bias: bool, flat: bool, seed: int,
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    kind = nn.Conv1d if flat else nn.Conv2d
    if padding == "same":
        stride, kernel = 1, 2 * (kernel // 2) + 1
    conv = kind(4, 6, kernel, stride, padding, dilation, groups, bias, mode)
    net = nn.Sequential(nn.Tanh(), conv, nn.ReLU(inplace=True))
    inputs = torch.randn(1, 4, *([9] if flat else [9, 8]))
    maps = conv(torch.tanh(inputs))[0].detach()
    for unit in (0, 5):
        for place in ((0,) * (maps.ndim - 1), tuple(end - 1 for end in maps.shape[1:])):
            found = unit_sum(net, inputs, "1", unit, place)
            assert found.value == float(maps[(unit, *place)])
            assert abs(found.total - found.value) < 1e-5
            assert found.patch.shape == found.kernel.shape
            assert found.channels.tolist() == (
                list(range(4)) if groups == 1 else [0, 1] if unit == 0 else [2, 3]
            )


def test_the_corner_says_where_the_patch_is_in_the_input() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1))
    inputs = torch.arange(49.0).reshape(1, 1, 7, 7)
    found = unit_sum(net, inputs, "0", 0, (1, 2))
    assert found.corner == (1, 3)
    assert found.patch[0].tolist() == inputs[0, 0, 1:4, 3:6].tolist()
    assert unit_sum(net, inputs, "0", 0, (0, 0)).corner == (-1, -1)
    assert unit_sum(net, inputs, "0", 0, (0, 0)).patch[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("layer", "unit", "place"),
    [("1", 0, (0, 0)), ("x", 0, (0, 0)), ("0", 2, (0, 0)), ("0", 0, (9, 0)), ("0", 0, (0,))],
)
def test_what_is_not_there_is_refused(layer: str, unit: int, place: tuple[int, ...]) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    assert list(convolutions(net)) == ["0"]
    with pytest.raises(UsageError):
        unit_sum(net, torch.zeros(1, 1, 6, 6), layer, unit, place)
