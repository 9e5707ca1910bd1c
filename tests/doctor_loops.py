"""Models and loops for tests of watching."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.doctor import first_look, watching

ce = functional.cross_entropy
EPOCHS = 12
Loop = Callable[[Callable[..., Any]], "list[nn.Module | torch.optim.Optimizer]"]
LOUD = ("finding", "confirmed", "certain")


@pytest.fixture(autouse=True)
def enough_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at does not depend on how busy the machine is."""
    monkeypatch.setattr(watching, "FREE", 1e9)
    monkeypatch.setattr(first_look, "BLINK", 1e9)


def rows(n: int = 400, features: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two classes that a line tells apart, with room between."""
    made = torch.Generator().manual_seed(seed)
    x = torch.randn(n, features, generator=made)
    y = (x[:, 0] + x[:, 1] > 0).long()
    x[:, 0] += torch.where(y == 1, 0.5, -0.5)
    return x, y


TRAIN, VALID = rows(), rows(200, seed=1)


class Noisy(nn.Module):
    """Draws from everything that one can draw from, counts its calls and keeps a state."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 2)
        self.generator = torch.Generator().manual_seed(3)
        self.numbers = np.random.default_rng(4)
        self.calls = 0
        self.history: list[float] = []
        self.state = torch.zeros(2)
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.history.append(float(self.numbers.random()))
        self.seen += 1
        self.state.add_(1)
        noise = torch.randn(8, generator=self.generator) * 0.01
        noise = noise * (1 + 0.1 * random.random() + 0.1 * float(np.random.rand()))  # noqa: NPY002
        return self.layer(x + noise) + 0 * self.state.sum()


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(4, 8, batch_first=True, num_layers=2, dropout=0.3)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(x.reshape(len(x), 2, 4))[0][:, -1])


class Convolved(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Unflatten(1, (2, 4)), nn.Conv1d(2, 4, 3, padding=1), nn.BatchNorm1d(4),
                         nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, 2))  # fmt: skip


def mlp() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2)
    )


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.Sequential(nn.Unflatten(1, (1, 8)), nn.TransformerEncoder(layer, 1),
                         nn.Flatten(), nn.Linear(8, 2))  # fmt: skip


MODELS: list[Callable[[], nn.Module]] = [mlp, Convolved, Recurrent, Noisy, encoder]


def batches(data: tuple[Tensor, Tensor], size: int, made: torch.Generator) -> Iterator[Any]:
    for chosen in torch.randperm(len(data[0]), generator=made).split(size):
        yield data[0][chosen], data[1][chosen]


def train(
    model: nn.Module,
    watcher: Any = None,
    *,
    epochs: int = 3,
    lr: float = 1e-2,
    optimizer: torch.optim.Optimizer | None = None,
    loss_fn: Callable[..., Tensor] = ce,
    data: tuple[Tensor, Tensor] = TRAIN,
    valid: tuple[Tensor, Tensor] = VALID,
    each: Callable[[Any], None] = lambda w: None,
) -> list[float]:
    """An ordinary loop; `watcher` is called with the optimiser. The losses."""
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=lr)
    w = watcher(optimizer) if watcher else None
    made, losses = torch.Generator().manual_seed(0), []
    for _ in range(epochs):
        model.train()
        for x, y in batches(data, 32, made):
            outputs = model(x)
            loss = loss_fn(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if w:
                w.step(loss.detach(), x, y, outputs)
        model.eval()
        with torch.no_grad():
            out = model(valid[0])
        if w:
            w.epoch(valid_loss=float(loss_fn(out, valid[1])), valid_outputs=out,
                    valid_targets=valid[1], train_loss=losses[-1])  # fmt: skip
            each(w)
    return losses


def watching_of(model: nn.Module, **more: Any) -> Callable[[Any], Any]:
    told = {"loss_fn": ce, "train": TRAIN, "valid": VALID, "batch_size": 32} | more
    return lambda optimizer: cy.watch(model, optimizer, **told)


def randomness() -> list[Any]:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return [torch.get_rng_state().tolist(), [name, np.asarray(keys).tolist(), *rest],
            random.getstate()]  # fmt: skip


def state(model: nn.Module) -> dict[str, Any]:
    """All that can be told of a model, bit for bit."""
    found: dict[str, Any] = {n: t.tolist() for n, t in model.state_dict(keep_vars=True).items()}
    found |= {
        f"grad {n}": p.grad.to_dense().tolist()
        for n, p in model.named_parameters()
        if p.grad is not None
    }
    for name, m in model.named_modules():
        found[f"mode {name}"] = m.training
        found[f"hooks {name}"] = [len(v) for k, v in vars(m).items() if "hooks" in k]
        found[f"names {name}"] = list(vars(m))
    for name, p in model.named_parameters():
        found[f"hooks of {name}"] = len(p._backward_hooks or ())
    if isinstance(model, Noisy):
        found["own"] = (model.calls, model.history, model.state.tolist(),
                        model.generator.get_state().tolist(), model.numbers.bit_generator.state)  # fmt: skip
    return found


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    return make()


def loud(w: Any) -> list[str]:
    return [f.code for f in w.findings if f.level in LOUD]


class Nobody:
    """A watcher that does not look."""

    def step(self, *anything: object) -> None:
        pass

    def epoch(self, *anything: object, **more: object) -> None:
        pass


def plain(value: Any) -> Any:
    """A state of any depth with numbers in place of tensors."""
    if isinstance(value, Tensor):
        return value.to_dense().tolist()
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def unchanged(loop: Loop) -> list[Any]:
    """Run a loop with the doctor and without: all that it leaves is the same; the watchers."""
    left, watchers = [], list[Any]()

    def look(*told: Any, **more: Any) -> Any:
        watchers.append(cy.watch(*told, **more))
        return watchers[-1]

    for watch in (look, lambda *told, **more: Nobody()):
        ends = seeded(lambda watch=watch: loop(watch))
        for w in watchers:
            assert w.findings is not None
            w.close()
        left.append(
            [state(e) if isinstance(e, nn.Module) else plain(e.state_dict()) for e in ends]
            + [randomness()]
        )
    assert left[0] == left[1]
    assert watchers
    for w in watchers:
        assert loud(w) == [], w.findings
        assert w.record.failures == {}
    return watchers


def step(optimizer: Any, loss: Tensor) -> Tensor:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def ordinary(model: nn.Module, optimizer: Any, w: Any) -> list[Any]:
    made = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        model.train()
        for x, y in batches(TRAIN, 32, made):
            out = model(x)
            w.step(step(optimizer, ce(out, y)), x, y, out)
        model.eval()
        with torch.no_grad():
            out = model(VALID[0])
        w.epoch(ce(out, VALID[1]), out, VALID[1])
    return [model, optimizer]
