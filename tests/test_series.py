"""Series of any size: the unit and the distance from zero change no forecast."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

import chymist as cy
from chymist.cli import main
from chymist.data.arrays import measured
from chymist.errors import InputError
from chymist.evidence.series_floors import series_floors

rng = np.random.default_rng


def test_a_series_far_from_zero_keeps_its_signal(tmp_path):
    path = tmp_path / "far.csv"
    path.write_text("v\n" + "\n".join(f"{10**9 + n % 7}" for n in range(200)))
    data = cy.load(path, kind="sequence", target="v")
    run = tmp_path / "run"
    cy.fit(cy.Recipe(model="mlp", length="1 steps"), data, out=run, doctor=False)
    floors = {floor.name: floor.score.value for floor in cy.evaluate(run, split="valid").floors}
    assert floors["value 7 steps before"] == 0.0
    assert floors["autoregression of 12 steps"] < 1e-5
    assert floors["linear regression"] < 1e-5
    rows = np.array([[[1e9 + n % 7] for n in range(188, 200)]])
    assert np.allclose(cy.predict(run, path), cy.predict(run, rows), rtol=0, atol=1e-6)
    memory = cy.load((data.inputs, data.targets), kind="sequence")
    assert np.array_equal(memory.inputs, data.inputs)
    assert np.ptp(cy.windows(1e9 + np.arange(60.0) % 7).inputs) == 6.0


def test_what_float32_holds_stays_as_it_was():
    data = cy.windows(np.arange(60.0) ** 1.5)
    assert data.inputs.dtype == np.float32
    assert data.fingerprint.startswith("6dd42e27e615")  # of runs of the versions before
    assert measured(np.array([[16_777_215.0], [16_777_214.0]])).dtype == np.float32  # exact there
    assert measured(np.full((5, 1), 0.1)).dtype == np.float32


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e6), st.integers(0, 99))
def test_rounding_takes_no_signal(middle, spread, seed):
    values = middle + spread * rng(seed).normal(size=(50, 1))
    kept = measured(values).astype(np.float64)
    assert np.abs(kept - values).max() <= 1e-3 * max(values.std(), 1e-30)


def test_huge_values_are_one_line(tmp_path, capsys):
    path = tmp_path / "huge.csv"
    path.write_text("v\n" + "\n".join(f"{(1 + n % 7) * 1e299!r}" for n in range(100)))
    assert main(["fit", str(path), "--kind", "sequence", "--target", "v"]) == 1
    assert "too large to be scaled, in column 'v'" in capsys.readouterr().err
    data = cy.load((rng(0).normal(size=(60, 4, 2)), np.arange(60.0)), kind="sequence")
    run = tmp_path / "run"
    cy.fit(cy.Recipe(model="mlp", length="1 steps"), data, out=run, doctor=False)
    rows = np.zeros((2, 4, 2))
    rows[1, 2, 0] = 1e300
    with pytest.raises(InputError, match="too large, in row 2, step 3, feature 1"):
        cy.predict(run, rows)


@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("middle", [0.0, 1e6])
def test_the_autoregression_is_the_same_in_any_unit(unit, middle):
    noise, series = rng(1).normal(size=200), np.zeros(200)
    for n in range(2, 200):
        series[n] = 1.2 * series[n - 1] - 0.6 * series[n - 2] + noise[n]
    past = np.lib.stride_tricks.sliding_window_view(series, 3)[:-1]
    expected = LinearRegression().fit(past[:150], series[3:153]).predict(past[150:])
    past, goals = (past + middle) * unit, (series[3:] + middle) * unit
    made = series_floors(past[:150], goals[:150], past[150:])["autoregression of 3 steps"]
    assert np.allclose(made / unit - middle, expected, rtol=0, atol=1e-7)
