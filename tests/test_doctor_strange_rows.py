"""Strange but legal rows: whoever watches gets findings, never an error."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.errors import InputError

FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INPUTS = [*FLOATS, torch.complex64, torch.int64, torch.uint8, torch.bool]
SPOILED = [1.0, 0.0, 1e30, 1e-30, math.nan, math.inf, -math.inf]
LOSSES = {
    "cross entropy": functional.cross_entropy,
    "squared": functional.mse_loss,
    "log-odds": functional.binary_cross_entropy_with_logits,
    "log": functional.nll_loss,
    "shares": lambda out, y: functional.binary_cross_entropy(out.sigmoid(), y),
    "squeezed": lambda out, y: functional.mse_loss(out.squeeze(), y.squeeze().to(out)),
    "nothing": lambda out, y: 0 * out.sum(),
    "negative": lambda out, y: -out.square().mean(),
    "not a number": lambda out, y: out.sum() * math.nan,
    "indexed": lambda out, y: -out.log_softmax(-1)[torch.arange(len(y)), y.long()].mean(),
}


class Model(nn.Module):
    """Takes anything, as real numbers."""

    def __init__(self, features: int, outputs: int, kind: torch.dtype, deep: bool) -> None:
        super().__init__()
        hidden = [nn.Linear(features, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5)]
        self.layers = (
            nn.Sequential(*hidden, nn.Linear(5, outputs)) if deep else nn.Linear(features, outputs)
        )
        self.layers.to(kind)
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        x = torch.view_as_real(x) if x.is_complex() else x
        return self.layers(x.flatten(1).to(self.kind))


@st.composite
def inputs(draw: Any, rows: int, trailing: tuple[int, ...]) -> Tensor:
    kind = draw(st.sampled_from(INPUTS))
    made = torch.Generator().manual_seed(draw(st.integers(0, 9)))
    x = torch.randn(rows, *trailing, generator=made) * draw(
        st.sampled_from([1.0, 0.0, 1e20, 1e-20])
    )
    if kind in FLOATS and draw(st.booleans()):
        x[: draw(st.integers(0, 2))] = draw(st.sampled_from(SPOILED))
    return (
        (3 * x).to(kind)
        if kind in FLOATS or kind == torch.complex64
        else (3 * x).clamp(0, 100).to(kind)
    )


@st.composite
def targets(draw: Any, rows: int, outputs: int) -> Tensor:
    made = torch.Generator().manual_seed(draw(st.integers(0, 9)))
    shape = draw(st.sampled_from([(rows,), (rows, 1), (rows, outputs), (rows, 2, 2)]))
    kind = draw(st.sampled_from(["classes", "one", "negative", "far", "bool", "labels", "values",
                                 "halves", "constant", "spoiled", "complex", "bytes"]))  # fmt: skip
    whole = torch.randint(0, outputs, shape, generator=made)
    real = torch.randn(shape, generator=made)
    spoiled = real.clone()
    spoiled[:1] = draw(st.sampled_from(SPOILED))
    return {
        "classes": whole, "one": 0 * whole, "negative": whole - 1, "far": whole + 10**12,
        "bool": whole > 0, "labels": (whole > 0).float(), "values": real.double(),
        "halves": real.half(), "constant": real * 0, "spoiled": spoiled,
        "complex": torch.complex(real, real), "bytes": whole.to(torch.uint8),
    }[kind]  # fmt: skip


@st.composite
def settings_of_a_run(draw: Any) -> dict[str, Any]:
    outputs, trailing = (
        draw(st.sampled_from([1, 2, 4])),
        draw(st.sampled_from([(3,), (1,), (2, 2)])),
    )
    sizes = st.sampled_from([1, 2, 3, 7, 25, 130])
    n, m = draw(sizes), draw(st.one_of(st.just(0), sizes))
    train = draw(inputs(n, trailing)), draw(targets(n, outputs))
    other = draw(st.booleans())
    valid = (draw(inputs(m, trailing)) if other else train[0][:m],
             draw(targets(len(train[0][:m]) if not other else m, outputs)))  # fmt: skip
    return {
        "train": train, "valid": valid, "outputs": outputs, "loss": draw(st.sampled_from(sorted(LOSSES))),
        "deep": draw(st.booleans()), "kind": draw(st.sampled_from(FLOATS)), "arrays": draw(st.booleans()),
    }  # fmt: skip


def as_given(rows: tuple[Tensor, Tensor], arrays: bool) -> Any:
    if arrays and torch.bfloat16 not in {p.dtype for p in rows}:
        return tuple(p.numpy() for p in rows)
    return rows


@given(settings_of_a_run())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_findings_can_always_be_read(run: dict[str, Any]) -> None:
    (x, y), valid = run["train"], run["valid"]
    width = x[:1].flatten(1).shape[1] * (2 if x.is_complex() else 1)
    torch.manual_seed(0)
    model = Model(width, run["outputs"], run["kind"], run["deep"])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_fn = LOSSES[run["loss"]]
    w = cy.watch(
        model,
        optimizer,
        loss_fn,
        as_given((x, y), run["arrays"]),
        as_given(valid, run["arrays"]),
        8,
    )
    for step in range(12):
        a, b = (part[step % max(1, len(x) // 8) * 8 :][:8] for part in (x, y))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of shapes that broadcast: the user's own
                out = model(a)
                loss = loss_fn(out, b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        except (RuntimeError, ValueError, IndexError):  # the user's loop would have ended here
            out, loss = torch.zeros(len(a), run["outputs"]), torch.tensor(math.nan)
        loss = loss.detach()
        w.step(loss, a, b, out)
        if step % 3 == 2:
            w.epoch(float(loss), torch.zeros(len(valid[0]), run["outputs"]), valid[1], float(loss))
            w.news()
    found = w.findings
    assert w.record.failures == {}
    for finding in found:
        assert finding.claim
        finding.to_dict()
    w.close()


THINGS: list[Any] = [
    None, "text", 3, 2.5, [], [1, "a"], {"x": 1}, (torch.zeros(2), None), object(), np.array(["a", "b"]),
    np.zeros((3, 2)), torch.tensor(1.0), torch.zeros(0), torch.zeros(0, 3), torch.zeros(3, 0), torch.zeros(4, 2),
    torch.zeros(4, dtype=torch.long), torch.zeros(4, 1).bool(), torch.zeros(4, dtype=torch.complex64),
    torch.full((4,), math.nan), torch.zeros(4, 2).to_sparse(), torch.zeros(4, 2, device="meta"),
    torch.zeros(4, 2, requires_grad=True) * 2, torch.zeros(5, 2).half(), torch.zeros(4, dtype=torch.uint16),
    torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], layout=torch.jagged),
]  # fmt: skip


@pytest.mark.parametrize("inputs", THINGS)
def test_a_step_and_an_epoch_take_anything(inputs: Any) -> None:
    rows = torch.randn(40, 3), torch.arange(40) % 2
    for watched in ({}, {"train": rows, "valid": rows, "loss_fn": functional.cross_entropy}):
        w = cy.watch(nn.Sequential(nn.Linear(3, 2), nn.Dropout()), **watched)
        for other in THINGS[::4]:
            w.step(0.5, inputs, other, inputs)
            w.step(math.nan, other, inputs, other)
            w.model(torch.zeros(1, 3))
            w.epoch(0.5, inputs, other)
            w.epoch(0.5, other, inputs)
        w.news()
        assert w.findings is not None
        assert w.record.failures == {}


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((4, 2))[::-1], np.arange(4)[::-1]),
        (np.zeros((4, 2), ">f4"), np.arange(4).astype(">i2")),
        (np.broadcast_to(np.float64(1), (4, 2)), np.broadcast_to(np.int64(1), (4,))),
        (np.zeros((4, 2), np.float16), np.zeros(4, bool)),
        (np.zeros((4, 2), np.uint16), np.zeros(4, np.uint64)),
        (np.zeros((4, 2), np.complex128), np.zeros((4, 3), np.int8)),
    ],
)
def test_arrays_of_all_layouts_are_rows(x: np.ndarray, y: np.ndarray) -> None:
    w = cy.watch(nn.Linear(2, 2), loss_fn=functional.cross_entropy, train=(x, y), valid=(x, y))
    assert w.train is not None
    assert torch.equal(w.train[1], torch.from_numpy(np.array(y, y.dtype.newbyteorder("="))))
    assert w.findings is not None


@pytest.mark.parametrize(
    "part",
    [np.array(["a", "b"]), np.array([None, 1]), np.array(["2020"], "M8[D]"), torch.zeros(2, 2).to_sparse(),
     np.array(1.0), torch.tensor(1.0), torch.zeros(2, device="meta"), "ab"],
)  # fmt: skip
def test_rows_that_are_no_numbers_are_said_in_one_line(part: Any) -> None:
    with pytest.raises(InputError, match="not a pair of inputs and targets") as problem:
        cy.watch(nn.Linear(2, 2), train=(part, torch.zeros(2)))
    assert "\n" not in str(problem.value)
    assert len(str(problem.value)) <= 200


def test_no_rows_are_as_none_given() -> None:
    x, y = torch.zeros(9, 2), torch.zeros(9)
    w = cy.watch(nn.Linear(2, 1), train=(x, y), valid=(x[:0], y[:0]))
    assert w.valid is None
    assert cy.watch(nn.Linear(2, 1), train=(x[:0], y[:0]), valid=(x, y)).train is None
