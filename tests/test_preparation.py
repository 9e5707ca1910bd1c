"""Preparation: fitted on training rows only, equal to scikit-learn's, exact on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from chymist.data import load, split
from chymist.data.features import signed_log
from chymist.data.preparation import Preparation, fit_preparation, prepare
from chymist.values import Data, Recipe

RNG = np.random.default_rng(0)
ROWS = 60
NUMBERS = np.where(RNG.random(ROWS) < 0.2, np.nan, RNG.normal(50, 9, ROWS))
JOBS = [None if n % 7 == 0 else ("clerk", "nurse", "cook")[n % 3] for n in range(ROWS)]
TARGETS = RNG.normal(1000, 30, ROWS)
TRAIN = np.arange(0, ROWS, 2)
HELD = np.arange(1, ROWS, 2)


def mixed() -> Data:
    return load(({"age": NUMBERS, "job": JOBS, "size": np.arange(ROWS) ** 2.0}, TARGETS))


def fit(data: Data, **options: Any) -> Preparation:
    return fit_preparation(data, TRAIN, options)


def test_numbers_equal_scikit_learn() -> None:
    data, wanted = mixed(), np.stack([NUMBERS, np.arange(ROWS) ** 2.0], 1)
    filled = SimpleImputer(strategy="median").fit(wanted[TRAIN]).transform(wanted)
    for scale, scaler in (("standard", StandardScaler()), ("minmax", MinMaxScaler())):
        found = fit(data, scale=scale, drop=("job",)).inputs(data.inputs)
        expected = scaler.fit(filled[TRAIN]).transform(filled)
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)
    found = fit(data, scale="none", drop=("job",), missing="mean").inputs(data.inputs)
    expected = SimpleImputer(strategy="mean").fit(wanted[TRAIN]).transform(wanted)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_categories_equal_scikit_learn() -> None:
    data = mixed()
    preparation = fit(data, drop=("age", "size"))
    assert preparation.feature_names == ("job=clerk", "job=cook", "job=nurse")
    cells = np.array(JOBS, object)[:, None]
    train = cells[TRAIN]
    imputer = SimpleImputer(strategy="most_frequent", missing_values=None).fit(train)
    encoder = OneHotEncoder(sparse_output=False).fit(imputer.transform(train))
    expected = encoder.transform(imputer.transform(cells))
    assert np.array_equal(preparation.inputs(data.inputs), expected)
    assert preparation.filled == {"job": sum(JOBS[row] is None for row in TRAIN)}


def test_missing_as_a_category_of_its_own() -> None:
    data = mixed()
    preparation = fit(data, missing="category", drop=("size",))
    assert preparation.feature_names == (
        "age", "age=(missing)", "job=clerk", "job=cook", "job=nurse", "job=(missing)",
    )  # fmt: skip
    found = preparation.inputs(data.inputs)
    assert np.array_equal(found[:, 1], np.isnan(NUMBERS))
    assert np.array_equal(found[:, 5], [job is None for job in JOBS])


def test_integer_codes() -> None:
    data = mixed()
    preparation = fit(data, encode="integer", scale="none", drop=("age", "size"))
    assert preparation.feature_names == ("job",)
    assert preparation.inputs({"job": np.array(["clerk", "cook", "nurse", "pilot"], object)})[
        :, 0
    ].tolist() == [0, 1, 2, -1]


def test_unseen_categories_become_zeros_and_are_counted() -> None:
    data = mixed()
    preparation = fit(data, drop=("age", "size"))
    rows = {"job": np.array(["pilot", "cook", None, "pilot"], object)}
    assert preparation.inputs(rows)[0].tolist() == [0, 0, 0]
    assert preparation.inputs(rows).sum(1).tolist() == [0, 1, 1, 0]
    assert preparation.unseen(rows) == {"job": 2}


def test_dates_are_days() -> None:
    data = load(
        ({"day": ["1970-01-02", "1970-01-04T12:00", "1970-02-01"] * 4}, np.arange(12.5)[:12] / 2)
    )
    preparation = fit_preparation(data, np.arange(12), {"scale": "none"})
    assert preparation.inputs(data.inputs)[:3, 0].tolist() == [1, 3.5, 31]


@given(
    seed=st.integers(0, 100),
    missing=st.sampled_from(["auto", "mean", "mode", "category"]),
    scale=st.sampled_from(["auto", "minmax", "none"]),
    encode=st.sampled_from(["onehot", "integer"]),
)
def test_held_out_rows_change_nothing(seed: int, missing: str, scale: str, encode: str) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.permutation(ROWS)[:30]
    others = np.setdiff1d(np.arange(ROWS), rows)
    age, size, jobs, targets = NUMBERS.copy(), np.arange(ROWS) ** 2.0, list(JOBS), TARGETS.copy()
    age[others], size[others], targets[others] = rng.normal(1e6, 1e6, (3, len(others)))
    for row in others:
        jobs[row] = f"garbage {row % 5}"
    options = {"missing": missing, "scale": scale, "encode": encode}
    before = fit_preparation(mixed(), rows, options)
    spoilt = load(({"age": age, "job": jobs, "size": size}, targets))
    assert fit_preparation(spoilt, rows, options) == before


@given(seed=st.integers(0, 20))
def test_the_order_of_training_rows_changes_nothing_visible(seed: int) -> None:
    rows = np.random.default_rng(seed).permutation(TRAIN)
    first, other = fit(mixed()), fit_preparation(mixed(), rows, {})
    np.testing.assert_allclose(first.affine(), other.affine(), rtol=1e-12)
    assert first.feature_names == other.feature_names


@pytest.mark.parametrize("name", ["digits", "iris", "diabetes"])
def test_exact_on_disk(name: str) -> None:
    data = load(name)
    preparation = fit_preparation(data, split(data).train, {})
    again = Preparation.from_dict(json.loads(json.dumps(preparation.to_dict())))
    assert again == preparation
    assert np.array_equal(again.inputs(data.inputs), preparation.inputs(data.inputs))


def test_exact_on_disk_with_everything() -> None:
    data = mixed()
    for options in ({}, {"missing": "category"}, {"encode": "integer"}, {"transform": "log"}):
        preparation = fit_preparation(data, TRAIN, options)
        plain = json.loads(json.dumps(preparation.to_dict()))
        assert Preparation.from_dict(plain) == preparation


def test_affine_gives_raw_units_back() -> None:
    data = mixed()
    preparation = fit(data, drop=("job",), transform="none")
    shift, scale = preparation.affine()
    raw = np.stack([NUMBERS, np.arange(ROWS) ** 2.0], 1)
    known = ~np.isnan(NUMBERS)
    found = preparation.inputs(data.inputs)[known]
    np.testing.assert_allclose((raw[known] - shift) / scale, found, rtol=2e-6, atol=1e-6)
    shift, scale = fit(data).affine()
    assert len(shift) == len(scale) == len(fit(data).feature_names) == 5
    assert shift[1:4].tolist() == [0, 0, 0]
    assert scale[1:4].tolist() == [1, 1, 1]


def test_regression_targets_there_and_back() -> None:
    data = mixed()
    preparation = fit(data)
    standard = preparation.targets(data.targets)
    assert (standard.dtype, standard.shape) == (np.float32, (ROWS, 1))
    np.testing.assert_allclose(standard[TRAIN].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(standard[TRAIN].std(), 1, rtol=1e-6)
    np.testing.assert_allclose(preparation.outputs(standard)[:, 0], TARGETS, rtol=1e-6)
    several = load((np.eye(4), np.arange(8.0).reshape(4, 2) + 0.5))
    assert fit_preparation(several, np.arange(4), {}).targets(several.targets).shape == (4, 2)


def test_class_targets_pass_through() -> None:
    data = load("iris")
    preparation = fit_preparation(data, np.arange(150), {})
    assert preparation.targets(data.targets).dtype == np.int64
    assert np.array_equal(preparation.targets(data.targets), data.targets)


def test_constant_columns_get_scale_one() -> None:
    data = load(({"c": [0.1] * 9, "a": np.arange(9.0)}, np.arange(9) / 2))
    preparation = fit_preparation(data, np.arange(9), {})
    assert preparation.inputs(data.inputs)[:, 0].tolist() == [0] * 9
    assert "the same in all training rows" in preparation.notes[0]
    assert fit_preparation(data, np.arange(9), {"scale": "minmax"}).inputs(data.inputs)[0, 0] == 0


def test_constant_target_comes_back() -> None:
    data = load((np.arange(6.0)[:, None], np.full(6, 0.1)), task="regression")
    preparation = fit_preparation(data, np.arange(6), {})
    assert preparation.targets(data.targets).ravel().tolist() == [0] * 6
    np.testing.assert_allclose(preparation.outputs(np.zeros((6, 1)))[:, 0], 0.1)


def test_heavily_skewed_numbers_are_logged() -> None:
    values = np.exp(RNG.normal(0, 2, 400))
    assert abs(stats.skew(values)) > 4
    data = load(
        (
            {"gain": values, "plain": RNG.normal(size=400), "flag": (np.arange(400) < 3) * 1.0},
            values,
        )
    )
    preparation = fit_preparation(data, np.arange(400), {"scale": "none", "transform": "auto"})
    assert preparation.feature_names == ("log1p(gain)", "plain", "flag")
    np.testing.assert_allclose(preparation.inputs(data.inputs)[:, 0], np.log1p(values), rtol=1e-6)
    off = fit_preparation(data, np.arange(400), {})
    assert off.feature_names == ("gain", "plain", "flag")
    few = fit_preparation(data, np.arange(99), {"transform": "auto"})
    assert few.feature_names[0] == "gain"


@given(arrays.arrays(np.float64, 5, elements=st.floats(-1e300, 1e300)))
def test_signed_log_keeps_order_and_sign(values: np.ndarray) -> None:
    logged = signed_log(values)
    order = np.argsort(values)
    assert np.all(np.diff(logged[order]) >= 0)
    assert np.array_equal(np.sign(logged), np.sign(values))


def test_digits_are_standardised_with_one_mean_and_deviation() -> None:
    data = load("digits")
    train = split(data).train
    pixels = data.inputs[train].astype(float)
    found = fit_preparation(data, train, {}).inputs(data.inputs)
    assert (found.shape, found.dtype) == ((1797, 1, 8, 8), np.float32)
    assert found.flags.c_contiguous
    expected = (data.inputs[:, None, :, :, 0] - pixels.mean()) / pixels.std()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    scaled = fit_preparation(data, train, {"scale": "pixel"}).inputs(data.inputs)
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert len(fit_preparation(data, train, {}).feature_names) == 64


def test_channels_come_first() -> None:
    images = RNG.integers(0, 256, (6, 5, 4, 3)).astype(np.uint8)
    data = load((images, np.array([0, 1] * 3)))
    preparation = fit_preparation(data, np.arange(6), {"scale": "pixel"})
    found = preparation.inputs(data.inputs)
    assert preparation.input_shape == found.shape[1:] == (3, 5, 4)
    np.testing.assert_allclose(found[2, 1, 4, 3], images[2, 4, 3, 1] / 255)
    assert preparation.feature_names[-1] == "pixel 5,4 of channel 3"


def test_kinds_can_be_overridden_in_the_recipe() -> None:
    data = load(({"zip": [10.0, 20.0, 30.0] * 4, "a": np.arange(12.0)}, np.arange(12) / 2))
    preparation = fit_preparation(
        data, np.arange(12), {"columns": {"zip": "category"}, "drop": ("a",)}
    )
    assert preparation.feature_names == ("zip=10", "zip=20", "zip=30")
    assert preparation.inputs({"zip": np.array([20.0, 99.0])}).tolist() == [[0, 1, 0], [0, 0, 0]]


def test_an_override_of_dates_keeps_their_order() -> None:
    days = ["13/01/1970", "02/01/1970", "03/02/1970"] * 4
    data = load(({"d": days, "a": np.arange(12.0)}, np.arange(12) / 2), columns={"d": "category"})
    preparation = fit_preparation(data, np.arange(12), {"columns": {"d": "date"}, "scale": "none"})
    assert preparation.inputs(data.inputs)[:3, 0].tolist() == [12, 1, 33]
    again = Preparation.from_dict(preparation.to_dict())
    assert again.inputs({"d": np.array(["03/02/1970"], object), "a": np.zeros(1)})[0, 0] == 33


def test_a_column_empty_in_training_rows() -> None:
    ages = np.where(np.arange(ROWS) % 2, 3.0, np.nan)
    jobs = [None if n % 2 == 0 else "cook" for n in range(ROWS)]
    data = load(({"age": ages, "job": jobs, "a": np.arange(ROWS) * 1.0}, TARGETS))
    found = fit(data).inputs(data.inputs)
    assert np.isfinite(found).all()
    assert fit(data).filled == {"age": 30, "job": 30}


def test_no_rows() -> None:
    data = mixed()
    assert fit(data).inputs(data.take(np.array([], np.int64))).shape == (0, 5)
    digits = load("digits")
    preparation = fit_preparation(digits, np.arange(100), {})
    assert preparation.inputs(digits.take(np.array([], np.int64))).shape == (0, 1, 8, 8)


def test_it_is_a_part_of_the_recipe() -> None:
    recipe = Recipe(data=prepare(scale="minmax", columns={"zip": "category"}, drop=("a", "b")))
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_adult(chymist_data: Path) -> None:
    data = load("adult")
    preparation = fit_preparation(data, np.arange(32_561), {})
    found = preparation.inputs(data.inputs)
    assert found.shape == (48_842, 105)
    assert preparation.filled == {"workclass": 1836, "occupation": 1843, "native-country": 583}
    np.testing.assert_allclose(found[:32_561, 0].mean(), 0, atol=1e-5)
    age = preparation.features[0]
    np.testing.assert_allclose((age.shift, age.scale), (38.58164676, 13.64022309), rtol=1e-9)


def test_a_set_on_the_disk_is_prepared_from_a_fixed_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few enough rows to be held; the same ones every time; said in a note."""
    from dataclasses import replace

    from chymist.data import preparation as module

    random = np.random.default_rng(0)
    held = load((random.normal(3.0, 2.0, (20_000, 4)), random.integers(0, 2, 20_000)))
    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=(20_000, 4))
    mapped[:] = held.inputs
    data, rows = replace(held, inputs=mapped), np.arange(0, 20_000, 2)
    same = fit_preparation(data, rows, {})
    assert same == fit_preparation(held, rows, {})
    monkeypatch.setattr(module, "FITTED_BYTES", 32 * 2000)
    assert fit_preparation(held, rows, {}) == same  # rows in memory are all used
    sampled = fit_preparation(data, rows, {})
    assert sampled == fit_preparation(data, rows, {})
    assert "preparation is fitted on 2,000 of the 10,000 training rows" in sampled.notes
    np.testing.assert_allclose(sampled.affine()[0], 3.0, atol=0.2)
    np.testing.assert_allclose(sampled.affine()[1], 2.0, atol=0.15)


def test_colours_are_rows_of_an_identity() -> None:
    colours = np.array(["red", "green", "blue"] * 4)
    data = load(({"colour": colours}, np.arange(12) % 2))
    made = fit_preparation(data, np.arange(12), {"scale": "none"})
    assert made.inputs(data.inputs)[:3].tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    integers = fit_preparation(data, np.arange(12), {"scale": "none", "encode": "integer"})
    assert integers.inputs(data.inputs)[:3].ravel().tolist() == [2, 1, 0]
