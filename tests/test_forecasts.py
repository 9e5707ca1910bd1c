"""Forecasts of many series: networks, floors, intervals, and what the graph gives."""

import json

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression

import chymist as cy
from chymist.data.graphs import graph_of
from chymist.data.windows import windows_of
from chymist.errors import InputError, UsageError
from chymist.evidence.conformal import conformal_quantile
from chymist.evidence.forecasts import (
    block_means,
    conformal_widths,
    errors_of,
    persistence,
    ridge_autoregression,
    rmse_interval,
    shared_autoregression,
)

NETWORKS = {
    "mlp": cy.models.forecaster(hidden=(8,)), "cnn": cy.models.forecaster(network="cnn", hidden=(4,)),
    "rnn": cy.models.forecaster(network="rnn", hidden=(4,)),
    "lstm": cy.models.forecaster(network="lstm", hidden=(4, 4)),
    "neighbors": cy.models.forecaster(hidden=(8,), neighbors=True),
    "graph_gru": cy.models.graph_gru(hidden=(4,)),
}  # fmt: skip
RING = graph_of(6, [[i, (i + 1) % 6] for i in range(6)])


def waves(length=300):
    """Each series follows the one before it after a step: only neighbours tell what comes."""
    draw = np.random.default_rng(0)
    values = np.zeros((length, 6))
    values[0] = draw.normal(size=6)
    for t in range(1, length):
        values[t] = 0.9 * np.roll(values[t - 1], 1) + 0.45 * draw.normal(size=6)
    return values


def windows(ahead=2):
    return windows_of(waves(), steps=5, ahead=ahead, parts=(0, 200, 240, 300), graph=RING)


def test_windows_lie_within_their_part_and_say_what_follows():
    data, series = windows(), waves().astype(np.float32)
    split = cy.split(data)
    assert (len(split.train), len(split.valid), len(split.test)) == (194, 34, 54)
    for rows, first in ((split.train, 0), (split.valid, 200), (split.test, 240)):
        assert np.array_equal(data.inputs[rows[0]], series[first : first + 5])
        assert np.allclose(data.targets[rows[0]], series[first + 5 : first + 7].ravel())
    last = data.targets[split.train[-1]].reshape(2, 6)[-1]
    assert np.allclose(last, series[199])
    with pytest.raises(InputError, match="shorter than a window"):
        windows_of(series, steps=50, ahead=2, parts=(0, 200, 240, 300))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_learned_nothing_repeats_the_last_value(name):
    from chymist.data.graphs import graph_inputs

    module = NETWORKS[name].build(cy.Shapes((5, 6), 12, graph=graph_inputs(RING)))
    for parameter in list(module.parameters())[-2:]:  # of the last affine map
        torch.nn.init.zeros_(parameter)
    x = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(module(x), x[:, -1].repeat(1, 2))


@pytest.mark.parametrize("name", NETWORKS)
def test_series_are_read_alike_and_only_by_their_neighbours(name):
    from chymist.data.graphs import graph_inputs

    torch.manual_seed(0)
    module = NETWORKS[name].build(cy.Shapes((5, 6), 12, graph=graph_inputs(RING)))
    x = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(0))
    made = module(x).unflatten(1, (2, 6))
    turned = module(x.roll(1, 2)).unflatten(1, (2, 6)).roll(-1, 2)
    assert torch.allclose(made, turned, atol=1e-6)
    moved = x.clone()
    moved[:, :, 1] += 3
    change = (module(moved).unflatten(1, (2, 6)) - made).abs().amax((0, 1)) > 1e-6
    reads = [0, 1, 2] if name in ("neighbors", "graph_gru") else [1]
    assert change.nonzero()[:, 0].tolist() == reads


@pytest.mark.parametrize("name", ["mlp", "graph_gru"])
def test_runs_of_forecasters_come_back_from_their_folder(name, tmp_path):
    data = windows()
    run = cy.fit(cy.Recipe(model=NETWORKS[name], length="2 epochs"), data, out=tmp_path / "run",
                 doctor=False)  # fmt: skip
    assert cy.evaluate(tmp_path / "run", split="valid", data=data).score == run.score


def test_floors_are_those_of_scikit_learn():
    data = windows(3)
    split = cy.split(data)
    x, y = data.inputs[split.train], data.targets[split.train].reshape(-1, 3, 6)
    new = data.inputs[split.test]
    assert np.array_equal(persistence(new, 3)[:, 2], new[:, -1])
    columns = np.concatenate([np.diff(x, axis=1), x[:, -1:]], 1).transpose(0, 2, 1).reshape(-1, 5)
    theirs = LinearRegression().fit(columns, (y - x[:, -1:]).transpose(0, 2, 1).reshape(-1, 3))
    asked = np.concatenate([np.diff(new, axis=1), new[:, -1:]], 1).transpose(0, 2, 1).reshape(-1, 5)
    wanted = theirs.predict(asked).reshape(len(new), 6, 3).transpose(0, 2, 1) + new[:, -1:]
    assert np.allclose(shared_autoregression(x, y, new), wanted, atol=1e-4)
    shift = x.mean((0, 1))
    flat, other = ((part - shift).reshape(len(part), -1) / 10 for part in (x, new))
    found = ridge_autoregression(x, y, new)
    close = [np.allclose(
        KernelRidge(alpha=alpha).fit(flat, (y - x[:, -1:]).reshape(len(y), -1)).predict(other)
        .reshape(-1, 3, 6) + new[:, -1:], found, atol=1e-4,
    ) for alpha in (10, 30, 100, 300, 1000)]  # fmt: skip
    assert sum(close) == 1


def test_intervals_over_blocks_are_wider_where_windows_depend_on_each_other():
    draw = np.random.default_rng(0)
    free = draw.normal(size=400)
    kept = np.repeat(draw.normal(size=20), 20)
    for values, wider in ((free, False), (kept, True)):
        spread = [block_means(values[:, None], block, resamples=4000).std() for block in (1, 20)]
        assert abs(spread[0] - values.std() / 20) < 0.05 * spread[0]
        assert (spread[1] > 2 * spread[0]) == wider
    errors = errors_of(free[:, None], np.zeros((400, 1)))
    assert rmse_interval(errors, errors, 20) == (0.0, 0.0)
    assert np.isclose(errors.rmse, np.sqrt(np.mean(free**2)))
    assert np.isclose(errors.mae, np.abs(free).mean())
    with pytest.raises(InputError, match="smaller block"):
        block_means(np.ones((10, 1)), 6)


def test_conformal_widths_are_quantiles_of_each_step_and_series():
    draw = np.random.default_rng(0)
    gaps = draw.normal(size=(50, 2, 3))
    found = conformal_widths(gaps, np.zeros_like(gaps), 0.9)
    wanted = [[conformal_quantile(np.abs(gaps[:, i, j]), 0.9) for j in range(3)] for i in range(2)]
    assert np.array_equal(found, wanted)
    assert np.isinf(conformal_widths(gaps[:5], 0 * gaps[:5], 0.9)).all()


def small(models):
    return {n: cy.Recipe(model=NETWORKS[m], length="12 epochs", batch_size=16,
                         optimizer=cy.optim.adamw(lr=1e-2)) for n, m in models.items()}  # fmt: skip


def test_a_comparison_says_what_the_graph_gives_and_who_loses():
    recipes = small({"DNN": "mlp", "GCN + DNN": "neighbors"})
    found = cy.forecast_comparison(waves(600), RING, recipes=recipes, losses=["mse"], steps=5,
                                   horizons=(1,), block=10, seeds=1)  # fmt: skip
    assert found.chosen(1).model == "GCN + DNN"
    rows = {(row.ahead, row.model, row.graph): row for row in found.rows}
    graphs = ("true", "permuted", "empty")
    assert all((ahead, "GCN + DNN", kind) in rows for kind in graphs for ahead in (1,))
    true, empty = rows[1, "GCN + DNN", "true"], rows[1, "GCN + DNN", "empty"]
    assert true.against_empty[2] < 0
    assert np.isclose(true.against_empty[0], true.rmse - empty.rmse)
    assert true.against["shared AR"][2] < 0
    assert abs(empty.rmse - rows[1, "DNN", ""].rmse) < 0.05
    assert abs(true.covered - 0.95) < 0.04
    assert any("the graph helps 'GCN + DNN'" in said for said in found.verdicts)
    assert json.loads(json.dumps(found.to_dict()))["rows"][0]["model"] == "persistence"
    assert "persistence" in repr(found)


def test_what_is_chosen_is_chosen_on_validation_over_several_seeds():
    one = cy.Recipe(model=NETWORKS["neighbors"], length="3 epochs", batch_size=16)
    recipes = {"chosen": one, "given": one.replace(loss="mae", length="1 epochs")}
    found = cy.forecast_comparison(waves(), RING, recipes=recipes, losses=["mse", "huber"], steps=5,
                                   horizons=(2,), block=10, seeds=2, seed=3)  # fmt: skip
    rows = {(row.model, row.graph): row for row in found.rows}
    row, given = rows["chosen", "true"], rows["given", "true"]
    assert found.seeds == (3, 4)
    assert row.loss == min(row.tried, key=row.tried.get) in ("mse()", "huber()")
    assert list(given.tried) == ["mae()"]
    data = windows_of(waves().astype(np.float32), steps=5, ahead=2, parts=(0, 210, 240, 300),
                      graph=RING)  # fmt: skip
    split = cy.split(data)
    by_seed, valid, squares = [], [], []
    for seed in (3, 4):  # what single fits give
        run = cy.fit(one.replace(loss=row.loss.removesuffix("()")), split, seed, doctor=False)
        test = cy.predict(run, data.inputs[split.test])
        squares.append(np.square(test - data.targets[split.test]).mean(1))
        by_seed.append(np.sqrt(squares[-1].mean()))
        valid.append(run.metrics["rmse_pooled"])
    assert np.allclose(row.by_seed, by_seed, atol=1e-5)
    assert np.isclose(row.rmse, np.mean(by_seed), atol=1e-5)
    assert np.isclose(row.valid_rmse, np.mean(valid), atol=1e-5)
    assert np.isclose(row.tried[row.loss], valid[0], atol=1e-5)
    assert row.low < row.rmse < row.high
    best = min((row, given), key=lambda each: each.valid_rmse)
    assert [each for each in found.rows if each.chosen] == [best] == [found.chosen(2)]
    ablated = {each.model for each in found.rows if each.graph == "empty"}
    assert ablated == {best.model}  # of those that read the graph, the one that validation prefers
    assert any(f"'{best.model}' is chosen on the validation windows" in s for s in found.verdicts)


def test_networks_that_lose_to_any_floor_are_named():
    lost = cy.Recipe(model=NETWORKS["mlp"], length="1 epochs", optimizer=cy.optim.sgd(lr=1e-9),
                     init=cy.initializers.normal(std=2.0))  # fmt: skip
    found = cy.forecast_comparison(waves(), recipes={"untrained": lost}, losses=["mse"], steps=5,
                                   block=10, seeds=1)  # fmt: skip
    row = found.chosen(3)
    assert set(row.loses_to) == {"persistence", "shared AR", "ridge VAR"}
    said = next(s for s in found.verdicts if "loses" in s)
    assert all(f"loses to {floor} (+" in said for floor in row.loses_to)
    rows = {each.model: each for each in found.rows}
    for floor, (value, low, high) in row.against.items():
        assert np.isclose(value, row.rmse - rows[floor].rmse)
        assert 0 < low < value < high


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
def test_recurrence_over_many_rows_is_that_of_torch(cell, hidden):
    from chymist.models.forecasters import LastState
    from chymist.models.recurrent import CELLS

    torch.manual_seed(0)
    ours = LastState(cell, 3, hidden, 2)
    theirs = LastState(cell, 3, hidden, 2)
    widths = (3, *hidden)
    theirs.layers = torch.nn.ModuleList(
        CELLS[cell](a, b, batch_first=True) for a, b in zip(widths, hidden, strict=False)
    )
    theirs.load_state_dict(ours.state_dict())
    rows = torch.randn(11, 5, 3, requires_grad=True)
    twin = rows.detach().clone().requires_grad_()
    made, wanted = ours(rows), theirs(twin)
    assert torch.allclose(made, wanted, atol=1e-6)
    made.square().sum().backward()
    wanted.square().sum().backward()
    assert torch.allclose(rows.grad, twin.grad, atol=1e-6)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        assert torch.allclose(ours(rows), wanted, atol=1e-6)


def test_wrong_comparisons_are_one_line():
    with pytest.raises(InputError, match="time, series"):
        cy.forecast_comparison(np.zeros(30))
    with pytest.raises(UsageError, match="shares of the time"):
        cy.forecast_comparison(waves(), parts=(0.9, 0.8))
    with pytest.raises(UsageError, match="no loss"):
        cy.forecast_comparison(waves(), losses=())
    with pytest.raises(UsageError, match="seeds"):
        cy.forecast_comparison(waves(), seeds=0)
    with pytest.raises(UsageError, match="reads a graph"):
        cy.forecast_comparison(waves(), recipes=small({"G": "graph_gru"}), steps=5)
    with pytest.raises(InputError, match="no such file"):
        cy.forecast_comparison("iris")
    with pytest.raises(UsageError, match="next steps of all its series"):
        cy.fit(cy.Recipe(model="forecaster"), cy.load((np.zeros((9, 4, 3)), np.arange(9.0)),
                                                       kind="sequence"))  # fmt: skip


def test_floors_of_road_speeds_are_as_they_are_known(chymist_data):
    data = cy.load("los_loop")
    split = cy.split(data)
    known = np.concatenate([split.train, split.valid])
    x, y = data.inputs[known], data.targets[known].reshape(-1, 3, 207)
    truth, new = data.targets[split.test].reshape(-1, 3, 207), data.inputs[split.test]
    errors = errors_of(shared_autoregression(x, y, new), truth)
    assert abs(errors.rmse - 5.338) < 2e-3
    assert abs(errors.mae - 3.065) < 2e-3
    errors = errors_of(ridge_autoregression(x, y, new), truth)
    assert abs(errors.rmse - 5.306) < 0.03


def test_the_command_line_forecasts_a_table_of_series(tmp_path, capsys):
    from chymist.cli import main

    path, edges = tmp_path / "series.csv", tmp_path / "edges.csv"
    text = "\n".join(",".join(f"{value:.4f}" for value in row) for row in waves())
    path.write_text("a,b,c,d,e,f\n" + text)
    edges.write_text("from,to\na,b\nb,c\nc,d\nd,e\ne,f\nf,a\n")
    words = ["forecast", str(path), "--graph", str(edges), "--models", "DNN,GCN + DNN"]
    words += ["--length", "1 epochs", "--steps", "4", "--horizons", "1", "--block", "8", "--json"]
    words += ["--seeds", "1", "--losses", "mae"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["graph"] for row in found["rows"]} == {"", "true", "permuted", "empty"}
    assert main(["forecast", str(path), "--models", "GRUU"]) == 2
    assert main(["forecast", str(path), "--horizons", "x"]) == 2


def test_the_score_of_several_outputs_says_what_it_is_and_what_it_is_pooled():
    run = cy.fit(cy.Recipe(model=NETWORKS["mlp"], length="2 epochs"), windows(), doctor=False)
    gaps = run.predictions.outputs - run.predictions.targets
    each, pooled = np.sqrt((gaps**2).mean(0)).mean(), np.sqrt((gaps**2).mean())
    assert np.isclose(run.score.value, each)
    assert np.isclose(run.metrics["rmse_pooled"], pooled)
    assert pooled > each
    assert (
        f"mean over 12 outputs; pooled over all of them it is {pooled:.4g}"
        in run.facts["notes"][-1]
    )
