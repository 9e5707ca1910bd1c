"""Other people's models and loops: watched without error or false alarm, and left bit-identical."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

import chymist as cy
from chymist.doctor import first_look, watching
from tests.doctor_loops import TRAIN, VALID, batches, ce, loud, mlp, randomness, seeded, state

EPOCHS = 12
Loop = Callable[[Callable[..., Any]], "list[nn.Module | torch.optim.Optimizer]"]


@pytest.fixture(autouse=True)
def enough_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at does not depend on how busy the machine is."""
    monkeypatch.setattr(watching, "FREE", 1e9)
    monkeypatch.setattr(first_look, "BLINK", 1e9)


@pytest.fixture(scope="session")
def keras() -> Any:
    """Keras on torch; the backend is chosen when it is imported."""
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    if before is None:
        del os.environ["KERAS_BACKEND"]
    return keras


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


# ---------------------------------------------------------------- graphs
def ring(n: int = 60, seed: int = 0) -> Any:
    """Two classes of nodes that are linked among themselves."""
    from torch_geometric.data import Data

    made = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    x = torch.randn(n, 8, generator=made) + y.unsqueeze(1)
    ends = torch.randint(0, n // 2, (2, 3 * n), generator=made) * 2
    edges = ends + torch.randint(0, 2, (1, 3 * n), generator=made)
    return Data(x=x, edge_index=edges, y=y, seen=torch.arange(n) % 3 > 0)


class Nodes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from torch_geometric import nn as graphs

        self.first, self.second = graphs.GCNConv(8, 16), graphs.GCNConv(16, 2)

    def forward(self, data: Any) -> Tensor:
        hidden = functional.dropout(self.first(data.x, data.edge_index).relu(), 0.3, self.training)
        return self.second(hidden, data.edge_index)


@pytest.mark.parametrize("handed", ["Data", "tuple", "nothing"])
def test_nodes_of_a_graph_are_classified(handed: str) -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model, data = Nodes(), ring()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, ce)
        inputs = {"Data": data, "tuple": (data.x, data.edge_index), "nothing": None}[handed]
        for _ in range(40):
            model.train()
            out = model(data)
            loss = step(optimizer, ce(out[data.seen], data.y[data.seen]))
            w.step(loss, inputs, data.y, out)
            model.eval()
            with torch.no_grad():
                out = model(data)[~data.seen]
            w.epoch(ce(out, data.y[~data.seen]), out, data.y[~data.seen], loss)
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert w.valid is None
    assert w.record.epochs[-1].score > 0.9
    assert len(w.record.norms) > 12


def test_batches_of_graphs() -> None:
    from torch_geometric import nn as graphs
    from torch_geometric.loader import DataLoader

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = graphs.GIN(8, 16, 2, norm="batch_norm")
            self.head = nn.Linear(16, 2)

        def forward(self, batch: Any) -> Tensor:
            hidden = self.inner(batch.x, batch.edge_index)
            return self.head(graphs.global_mean_pool(hidden, batch.batch))

    def graph(number: int) -> Any:
        data = ring(10, number)
        data.x, data.y = data.x + number % 2, torch.tensor([number % 2])
        return data

    def loop(watch: Callable[..., Any]) -> Any:
        model = Whole()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, ce)
        loader = DataLoader([graph(n) for n in range(40)], batch_size=10, shuffle=True)
        for _ in range(EPOCHS):
            for batch in loader:
                out = model(batch)
                w.step(step(optimizer, ce(out, batch.y)), batch, batch.y, out)
            w.epoch()
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert len(w.record.losses) == 4 * EPOCHS
    assert w.record.waiting


# ---------------------------------------------------------------- Keras on torch
def keras_models(keras: Any, kind: str) -> Any:
    layers = keras.layers
    keras.utils.clear_session()  # else layers are numbered on
    keras.utils.set_random_seed(0)
    if kind == "sequential":
        return keras.Sequential([
            layers.Input((8,)), layers.Dense(16, "relu"), layers.BatchNormalization(),
            layers.Dropout(0.1, seed=0), layers.Dense(2),
        ])  # fmt: skip
    entry = layers.Input((8,))
    hidden = layers.Dense(16, "relu")(entry)
    return keras.Model(entry, layers.Dense(2)(layers.Concatenate()([hidden, entry])))


def keras_state(model: Any) -> list[Any]:
    optimizer = getattr(model, "optimizer", None)
    held = [*model.variables, *([] if optimizer is None else optimizer.variables)]
    return [variable.value.tolist() for variable in held]


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_a_keras_model_in_a_loop_of_torch(keras: Any, kind: str) -> None:
    left = []

    def loop(watch: Callable[..., Any]) -> Any:
        model = keras_models(keras, kind)
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
        w = watch(model, optimizer, ce, TRAIN, VALID, 32)
        made = torch.Generator().manual_seed(0)
        for _ in range(EPOCHS):
            model.train()
            for x, y in batches(TRAIN, 32, made):
                out = model(x, training=True)
                w.step(step(optimizer, ce(out, y)), x, y, out)
            model.eval()
            with torch.no_grad():
                out = model(VALID[0], training=False)
            w.epoch(ce(out, VALID[1]), out, VALID[1])
        left.append(keras_state(model))
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert left[0] == left[1]
    assert w.record.facts.first is not None
    assert len(w.record.probes) >= 2


def test_keras_fit_with_a_watcher_in_a_callback(keras: Any) -> None:
    left = []

    def loop(watch: Callable[..., Any]) -> Any:
        model = keras_models(keras, "sequential")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-2), loss)
        w = watch(model, None, lambda out, y: loss(y, out), TRAIN, VALID, 32)

        class Watching(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                w.step(logs["loss"])

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                w.epoch(logs["val_loss"], train_loss=logs["loss"])

        x, y = (part.numpy() for part in TRAIN)
        model.fit(x, y, batch_size=32, epochs=EPOCHS, verbose=0, callbacks=[Watching()],
                  validation_data=tuple(part.numpy() for part in VALID))  # fmt: skip
        left.append(keras_state(model))
        return [model]

    (w,) = unchanged(loop)
    assert left[0] == left[1]
    assert len(w.record.epochs) == EPOCHS


# ---------------------------------------------------------------- sequences
class Language(nn.Module):
    """The next token of sequences, by an encoder that is masked, or by a whole transformer."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.inner, self.place = nn.Embedding(7, 16, padding_idx=0), nn.Embedding(6, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True)
        self.body = (
            nn.Transformer(16, 2, 1, 1, 32, 0.1, batch_first=True)
            if whole
            else nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        )
        self.head, self.whole = nn.Linear(16, 7), whole

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.inner(tokens) + self.place(torch.arange(tokens.shape[1]))
        later = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=torch.float32)
        pads = torch.zeros(tokens.shape).masked_fill(tokens == 0, -torch.inf)
        if self.whole:
            return self.head(self.body(x, x, later, later, later, pads, pads, pads))
        return self.head(self.body(x, mask=later, src_key_padding_mask=pads))


@pytest.mark.parametrize("whole", [False, True])
def test_a_language_model_with_masks(whole: bool) -> None:
    made = torch.Generator().manual_seed(0)
    start = torch.randint(0, 6, (80, 1), generator=made)
    tokens = (start + torch.arange(7)) % 6 + 1  # each token follows from the one before
    tokens[::4, -2:] = 0
    rows = tokens[:, :-1], tokens[:, 1:]

    def loss_fn(out: Tensor, y: Tensor) -> Tensor:
        return ce(out.transpose(1, 2), y, ignore_index=0)

    def loop(watch: Callable[..., Any]) -> Any:
        model = Language(whole)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, loss_fn, rows, rows, 16)
        order = torch.Generator().manual_seed(0)
        for _ in range(8):
            model.train()
            for x, y in batches(rows, 16, order):
                out = model(x)
                w.step(step(optimizer, loss_fn(out, y)), x, y, out)
            model.eval()
            with torch.no_grad():
                out = model(rows[0])
            w.epoch(loss_fn(out, rows[1]), out, rows[1])
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert len(w.record.probes) >= 2
    assert w.record.losses[-1] < 0.5 * w.record.losses[0]


class Packed(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cells, self.head = kind(2, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, sequences: Any) -> tuple[Tensor, Tensor]:
        out, lengths = pad_packed_sequence(self.cells(sequences)[0], batch_first=True)
        last = out[torch.arange(len(out)), lengths - 1]
        return self.head(last), lengths


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_packed_sequences_and_outputs_in_tuples(kind: type[nn.RNNBase]) -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = Packed(kind)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, lambda out, y: ce(out[0], y))
        made = torch.Generator().manual_seed(0)
        for _ in range(EPOCHS):
            for _ in range(5):
                y = torch.randint(0, 2, (16,), generator=made)
                rows = [torch.randn(2 + n % 5, 2, generator=made) + 2 * c for n, c in enumerate(y)]
                packed = pack_sequence(rows, enforce_sorted=False)
                out = model(packed)
                w.step(step(optimizer, ce(out[0], y)), packed, y, out)
            w.epoch(valid_outputs=out, valid_targets=y)
        return [model, optimizer]

    unchanged(loop)


# ---------------------------------------------------------------- models of odd kinds
class Several(nn.Module):
    """Takes two inputs, gives a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, left: Tensor, *, right: Tensor) -> dict[str, Any]:
        hidden = self.left(left), self.right(right)
        return {"hidden": hidden, "logits": hidden[0] + hidden[1]}


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.out = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.out.weight = self.inner.weight
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.linear(self.inner(x).relu(), self.out.weight.T))


class Counting(nn.Module):
    """Changes its buffers, draws at random and rescales a weight when it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 2)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0).detach()
        with torch.no_grad():
            self.layer.weight.mul_(0.9999)
        return self.layer(x - self.mean + 0.01 * torch.randn_like(x))


def hooked() -> nn.Module:
    model = mlp()
    model.heard = []  # type: ignore[assignment]
    model[0].register_forward_hook(lambda m, x, y: model.heard.append(1) or 1.5 * y)
    model[2].register_forward_pre_hook(lambda m, x: (x[0] + 0.1,))
    model[4].weight.register_hook(lambda g: 0.5 * g)
    return model


def normed() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 16)), nn.ReLU(),
                         parametrizations.spectral_norm(nn.Linear(16, 16)), nn.ReLU(),
                         parametrizations.orthogonal(nn.Linear(16, 16)), nn.Linear(16, 2))  # fmt: skip


class Wrapper(nn.Module):
    """As those of parallel training."""

    def __init__(self) -> None:
        super().__init__()
        self.module = mlp()

    def forward(self, *given: Any, **more: Any) -> Any:
        return self.module(*given, **more)


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyLinear(16), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2))


@pytest.mark.parametrize(
    "make", [Tied, Counting, hooked, normed, Wrapper, lazy, lambda: nn.DataParallel(mlp())],
    ids=["tied", "counting", "hooked", "normed", "wrapper", "lazy", "parallel"],
)  # fmt: skip
def test_odd_models_in_an_ordinary_loop(make: Callable[[], nn.Module]) -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = make()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        return ordinary(model, optimizer, watch(model, optimizer, ce, TRAIN, VALID, 32))

    (w,) = unchanged(loop)
    assert len(w.record.probes) >= 2


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


def test_a_model_that_is_shapes_only_until_it_is_trained() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        with torch.device("meta"):
            model = mlp()
        w = watch(model, None, ce, TRAIN, VALID, 32)
        model.to_empty(device="cpu")
        for module in model:
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        return ordinary(model, torch.optim.Adam(model.parameters(), lr=1e-2), w)

    (w,) = unchanged(loop)
    assert w.record.facts.first is None
    assert w.record.probes
    assert w.record.unmoved == ()


def test_a_model_of_two_inputs_that_gives_a_dictionary() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = Several()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, ce)
        made = torch.Generator().manual_seed(0)
        for _ in range(EPOCHS):
            for x, y in batches(TRAIN, 32, made):
                out = model(x[:, :4], right=x[:, 4:])
                w.step(step(optimizer, ce(out["logits"], y)), {"x": x}, y, out)
            w.epoch(valid_outputs=out, valid_targets=y)
        return [model, optimizer]

    unchanged(loop)


# ---------------------------------------------------------------- loops of odd kinds
def test_lbfgs_calls_its_closure() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = nn.Linear(8, 2)
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
        w = watch(model, optimizer, ce, TRAIN, VALID)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = ce(model(TRAIN[0]), TRAIN[1])
            loss.backward()
            return loss

        for _ in range(20):
            w.step(optimizer.step(closure), *TRAIN)
            with torch.no_grad():
                out = model(VALID[0])
            w.epoch(ce(out, VALID[1]), out, VALID[1])
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert {piled for _, piled in w.record.piled} == {False}


@pytest.mark.parametrize("scaled", [False, True])
def test_narrow_precision_accumulation_and_a_frozen_group(scaled: bool) -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = mlp()
        model[1].requires_grad_(False)
        groups = [
            {"params": list(m.parameters()), "lr": lr}
            for m, lr in zip(model, (1e-2, 0, 0, 0, 3e-2), strict=True)
        ]
        optimizer = torch.optim.Adam([g for g in groups if g["params"]])
        scaler = torch.amp.GradScaler("cpu", enabled=scaled, init_scale=256.0)
        w = watch(model, optimizer, ce, TRAIN, VALID, 32)
        made = torch.Generator().manual_seed(0)
        for _ in range(24):
            model.train()
            for n, (x, y) in enumerate(batches(TRAIN, 32, made)):
                with torch.autocast("cpu", torch.bfloat16):
                    out = model(x)
                    loss = ce(out, y) / 2
                scaler.scale(loss).backward()
                if n % 2:
                    scaler.step(optimizer)
                    scaler.update()
                    optimizer.zero_grad()
                    w.step(2 * loss, x, y, out)
            model.eval()
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                out = model(VALID[0])
            w.epoch(ce(out, VALID[1]), out, VALID[1])
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert "1.weight" in w.record.facts.frozen


def test_adversaries_with_a_watcher_each() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        maker, judge = (
            nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8)),
            nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)),
        )
        ends = [torch.optim.Adam(m.parameters(), lr=1e-3) for m in (maker, judge)]
        looks = [watch(m, o) for m, o in zip((maker, judge), ends, strict=True)]
        bce = functional.binary_cross_entropy_with_logits
        made = torch.Generator().manual_seed(0)
        for _ in range(8):
            for real, _y in batches(TRAIN, 32, made):
                fake = maker(torch.randn(len(real), 4))
                lost = bce(judge(real), torch.ones(len(real), 1)) + bce(
                    judge(fake.detach()), torch.zeros(len(real), 1)
                )
                looks[1].step(step(ends[1], lost), real)
                looks[0].step(step(ends[0], bce(judge(fake), torch.ones(len(real), 1))))
        return [maker, judge, *ends]

    assert len(unchanged(loop)) == 2


def test_a_moving_average_of_the_weights_and_sparse_gradients() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = nn.Sequential(nn.EmbeddingBag(50, 8, sparse=True), nn.Linear(8, 2))
        mean = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
        )
        ends = [
            torch.optim.SparseAdam(model[0].parameters(), lr=3e-2),
            torch.optim.Adam(model[1].parameters(), lr=3e-2),
        ]
        made = torch.Generator().manual_seed(0)
        y = torch.arange(200) % 2
        rows = torch.randint(0, 25, (200, 4), generator=made) * 2 + y.unsqueeze(1), y
        w = watch(model, None, ce, rows, rows, 20)
        for epoch in range(EPOCHS):
            for x, t in batches(rows, 20, made):
                out = model(x)
                for optimizer in ends:
                    optimizer.zero_grad()
                loss = ce(out, t)
                loss.backward()
                for optimizer in ends:
                    optimizer.step()
                mean.update_parameters(model)
                w.step(loss, x, t, out)
            if epoch == 0:
                copy.deepcopy(model)(rows[0])  # while hooks are on the model
            with torch.no_grad():
                out = mean(rows[0])
            w.epoch(ce(out, t := rows[1]), out, t)
        return [model, mean, *ends]

    unchanged(loop)


@pytest.mark.hard
def test_a_compiled_model_with_a_compiler() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(compiled := torch.compile(model), optimizer, ce, TRAIN, VALID, 32)
        made = torch.Generator().manual_seed(0)
        for _ in range(EPOCHS):
            for x, y in steady(made):
                out = compiled(x)
                w.step(step(optimizer, ce(out, y)), x, y, out)
            with torch.no_grad():
                out = compiled(VALID[0])
            w.epoch(ce(out, VALID[1]), out, VALID[1])
        return [model, optimizer]

    torch._dynamo.reset()
    unchanged(loop)


def steady(made: torch.Generator) -> Iterator[Any]:
    """Batches of one size: another one would be compiled anew."""
    return ((x, y) for x, y in batches(TRAIN, 32, made) if len(x) == 32)
