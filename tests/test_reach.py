"""How far back networks of sequences look, and what a repeated weight does to them."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.gradients import reach
from chymist.maths import recurrent_error, repeated_weight, walk_down
from chymist.reports.part_pictures import picture_of


def module(model, shapes, seed=0):
    torch.manual_seed(seed)
    return model.build(shapes).eval()


def linear(spread, features=2, units=3, outputs=2):
    """An RNN at rest, with zero biases: tanh is the identity there, to first order."""
    model = module(cy.models.rnn(hidden=(units,)), cy.Shapes((9, features), outputs))
    with torch.no_grad():
        for name, values in model.named_parameters():
            values.zero_() if "bias" in name else values.normal_(0, spread)
    return model


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 1.5), st.integers(1, 4))
def test_of_a_linear_recurrence_it_is_the_norm_of_a_power_of_its_matrix(spread, units):
    model = linear(spread, units=units)
    found = reach(model, torch.zeros(4, 9, 2))
    layer = model.layers[0]
    u, w = (p.detach().double().numpy() for p in (layer.weight_hh_l0, layer.weight_ih_l0))
    v = model.head.weight.detach().double().numpy()
    wanted = [np.linalg.norm(v @ np.linalg.matrix_power(u, t) @ w) for t in range(9)]
    assert np.allclose(found.norms, wanted, rtol=1e-9)
    assert np.allclose(found.curve, wanted, rtol=1e-9)
    assert found.distance.value == pytest.approx(np.arange(9) @ wanted / np.sum(wanted))


def test_a_further_step_multiplies_the_gradient_by_the_weight_of_one_unit():
    model = linear(0.3, units=1, features=1, outputs=1)
    weight = abs(model.layers[0].weight_hh_l0.item())
    found = reach(model, torch.zeros(3, 9, 1))
    assert found.factor.value == pytest.approx(weight, rel=1e-6)
    assert found.factor.low == pytest.approx(found.factor.high)


@pytest.mark.parametrize("make", [cy.models.rnn, cy.models.gru, cy.models.lstm])
def test_gradients_are_those_of_finite_differences(make):
    model = module(make(hidden=(4, 3)), cy.Shapes((5, 2), 2)).double()
    inputs = torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(1)).double()
    found = reach(model, inputs).norms[0]
    with torch.no_grad():
        for distance in range(5):
            slopes = []
            for feature in range(2):
                step = torch.zeros_like(inputs)
                step[0, 4 - distance, feature] = 1e-6
                slopes.append((model(inputs + step) - model(inputs - step)) / 2e-6)
            assert found[distance] == pytest.approx(torch.cat(slopes).norm().item(), rel=1e-6)


def test_what_fills_a_text_up_is_no_distance():
    model = module(cy.models.lstm(hidden=(4,)), cy.Shapes((9,), 3, (), 6))
    short = torch.tensor([[2, 3, 4], [5, 1, 0]])
    longer = torch.cat([short, torch.zeros(2, 4, dtype=torch.long)], 1)
    found = reach(model, longer).norms
    assert np.allclose(found, reach(model, short).norms, equal_nan=True)
    assert np.isnan(found).tolist() == [[False] * 3, [False, False, True]]


def test_where_every_step_has_a_target_the_last_one_counts():
    shapes = cy.Shapes((6,), 3, (), 6, None, True)
    model = module(cy.models.gru(hidden=(4,)), shapes)
    found = reach(model, torch.tensor([[2, 3, 4, 5, 0, 0]])).norms
    assert found.shape == (1, 4) or np.isnan(found[0, 4:]).all()
    assert (found[0, :4] > 0).all()


def test_many_outputs_are_estimated_without_bias():
    model = module(cy.models.rnn(hidden=(8,)), cy.Shapes((5, 2), 40))
    inputs = torch.zeros(1, 5, 2)
    layer = model.layers[0]
    with torch.no_grad():
        for values in (layer.bias_ih_l0, layer.bias_hh_l0):
            values.zero_()
        wanted = torch.linalg.matrix_norm(model.head.weight @ layer.weight_ih_l0).item()
    squares = [reach(model, inputs, seed).norms[0, 0] ** 2 for seed in range(40)]
    assert np.mean(squares) == pytest.approx(wanted**2, rel=0.1)
    assert reach(model, inputs, 1).norms[0, 0] == reach(model, inputs, 1).norms[0, 0]


def test_the_state_of_a_carrying_model_is_left_alone():
    model = module(cy.models.lstm(hidden=(4,), carry=True), cy.Shapes((6,), 6, (), 6, None, True))
    tokens = torch.randint(1, 6, (2, 6), generator=torch.Generator().manual_seed(0))
    model(tokens)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = reach(model, tokens).norms
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    model.forget()
    assert np.array_equal(first, reach(model, tokens).norms)


def test_a_gradient_of_zero_is_a_factor_of_nothing():
    found = cy.gradients.Reach(np.array([[1.0, 0.0, 0.0]]))
    assert found.curve.tolist() == [1.0, 0.0, 0.0]
    assert found.factor.value == 0
    assert found.distance.value == 0


@pytest.mark.parametrize(("model", "inputs", "said"), [
    (torch.nn.Linear(3, 2), torch.zeros(4, 3), "no steps"),
    (torch.nn.Linear(3, 2), torch.zeros(4, 5, 3, 3), "no steps"),
    (torch.nn.Flatten(), torch.ones(4, 5, dtype=torch.long), "looks up no tokens"),
])  # fmt: skip
def test_what_has_no_steps_is_one_line(model, inputs, said):
    with pytest.raises(InputError, match=said):
        reach(model, inputs)


def test_an_lstm_looks_further_back_than_a_plain_recurrence(tmp_path, capsys):
    data = cy.recall_task(rows=120, steps=10, symbols=3)
    for name in ("rnn", "lstm"):
        recipe = cy.Recipe(model=cy.part("model", name, hidden=(16,)), length="2 epochs")
        cy.fit(recipe, data, out=tmp_path / name, doctor=False)
    runs = {name: cy.load_run(tmp_path / name, data=data) for name in ("rnn", "lstm")}
    found = cy.gradient_reach(runs, rows=20)
    assert found.rows == 20
    fresh = cy.models.build_model(
        runs["rnn"].recipe.model, cy.Shapes((10,), 3, (), 4), runs["rnn"].seed
    )
    inputs = torch.from_numpy(data.inputs[runs["rnn"].split.valid[:20]])
    assert np.array_equal(found.start["rnn"].norms, reach(fresh, inputs).norms)
    assert np.array_equal(found.trained["rnn"].norms, reach(runs["rnn"].model, inputs).norms)
    assert not np.array_equal(found.start["rnn"].norms, found.trained["rnn"].norms)
    assert found.start["lstm"].factor.low > found.start["rnn"].factor.high
    assert str(found.svg()).count("<svg") == 1
    assert "rnn, trained" in repr(found)
    with pytest.raises(UsageError, match="no such rows"):
        cy.gradient_reach(runs["rnn"], split="test")
    with pytest.raises(UsageError, match="no runs"):
        cy.gradient_reach({})


def test_the_command_measures_and_draws(tmp_path, capsys):
    path = tmp_path / "verses.txt"
    path.write_text("the cat sat.\nthe dog ran.\n" * 60)
    folder, picture = tmp_path / "run", tmp_path / "reach.svg"
    assert main(["fit", str(path), "--kind", "language", "--steps", "12", "--model", "gru",
                 "--length", "1 epochs", "--out", str(folder), "--quiet"]) == 0  # fmt: skip
    capsys.readouterr()
    assert main(["reach", str(folder), "--rows", "3", "--out", str(picture), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["weights"] for run in found["runs"]] == ["start", "trained"]
    assert found["runs"][1]["run"] == "run"
    assert len(found["runs"][1]["norms"]) == 12
    assert picture.read_text().startswith("<svg")
    assert main(["reach", str(folder), str(folder)]) == 2
    assert "names of their own" in capsys.readouterr().err
    table = tmp_path / "flat"
    assert main(["fit", "iris", "--length", "1 epochs", "--out", str(table), "--quiet"]) == 0
    assert main(["reach", str(table)]) == 1
    assert "no steps" in capsys.readouterr().err


@settings(max_examples=30, deadline=None)
@given(st.floats(-1.2, 1.2), st.integers(1, 60))
def test_a_repeated_weight_is_its_power(weight, steps):
    x = torch.tensor(weight, dtype=torch.float64, requires_grad=True)
    y = torch.ones((), dtype=torch.float64)
    for _ in range(steps):
        y = y * x
    y.backward()
    found = repeated_weight(weight, steps)
    assert found.output == pytest.approx(y.item(), rel=1e-9, abs=1e-300)
    assert found.slope == pytest.approx(x.grad.item(), rel=1e-9, abs=1e-300)


def test_the_numbers_of_a_thousand_steps():
    """W76: w = 1.01, 1, 0.99, 0.01."""
    found = repeated_weight([1.01, 1.0, 0.99, 0.01], 999).output
    assert found[:3] == pytest.approx([20751.6, 1.0, 4.36e-05], rel=1e-3)
    assert found[3] == 0


def test_the_error_of_a_unit_has_plateaus_and_a_cliff():
    x = torch.linspace(3, 8, 41, dtype=torch.float64, requires_grad=True)
    h = torch.full_like(x, 0.5)
    for _ in range(50):
        h = x * torch.sigmoid(h) - 2.4
    error = (torch.sigmoid(h) - 0.7) ** 2
    error.sum().backward()
    found = recurrent_error(x.detach().numpy(), -2.4)
    assert np.allclose(found.output, error.detach().numpy(), atol=1e-12)
    assert np.allclose(found.slope, x.grad.numpy(), rtol=1e-6)
    slopes = np.abs(recurrent_error(np.linspace(3, 8, 4001), -2.4).slope)
    assert slopes.max() > 1000 * np.median(slopes)
    assert (slopes < 0.1).mean() > 0.8


def test_clipping_stays_in_the_valley_where_plain_descent_is_thrown_out():
    def error(weight):
        return recurrent_error(weight, -2.4)

    rates = np.linspace(0.1, 0.5, 41)
    free = np.array([walk_down(error, 5.0, rate=r, steps=100).max() for r in rates])
    held = [walk_down(error, 5.0, rate=r, steps=100, most=0.1) for r in rates]
    assert (free > 8).mean() > 0.1
    assert max(walked.max() for walked in held) < 5.1
    for rate, walked in zip(rates, held, strict=True):
        assert np.abs(np.diff(walked)).max() <= rate * 0.1 + 1e-12
    with pytest.raises(UsageError, match="positive"):
        walk_down(error, 5.0, rate=0.0)
    with pytest.raises(UsageError, match="one step"):
        repeated_weight(1.0, 0)


def test_clips_have_a_picture(tmp_path, capsys):
    picture = picture_of(cy.clip.norm(max=0.1))
    within, without = picture.lines
    assert within.y.max() < 6
    assert np.array_equal(without.y, walk_down(lambda w: recurrent_error(w, -2.4), 5.0, rate=0.3,
                                               steps=100))  # fmt: skip
    assert np.allclose(within.y, walk_down(lambda w: recurrent_error(w, -2.4), 5.0, rate=0.3,
                                           steps=100, most=0.1), atol=1e-4)  # fmt: skip
    assert picture_of(cy.clip.none()) is None
    out = tmp_path / "clip.svg"
    assert main(["part", "norm(max=0.1)", "--kind", "clip", "--out", str(out)]) == 0
    assert out.read_text().startswith("<svg")


def test_gates_do_not_keep_an_lstm_from_exploding():
    """With open gates and a weight u of the candidate a step multiplies by 1 + u, at rest."""
    model = module(cy.models.lstm(hidden=(1,)), cy.Shapes((30, 1), 1))
    with torch.no_grad():
        for name, values in model.layers[0].named_parameters():
            values.zero_()
            if name == "bias_ih_l0":
                values.copy_(torch.tensor([50.0, 50, 0, 50]))
            elif name.startswith("weight"):
                values[2] = 0.5
    found = reach(model, torch.zeros(2, 30, 1))
    assert found.factor.value == pytest.approx(1.5, rel=1e-9)
    assert found.curve[29] / found.curve[0] == pytest.approx(1.5**29, rel=1e-9)
