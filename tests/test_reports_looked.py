"""Maps in the report of a run: which rows, the same maps as `explain`, checked and bounded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.reports.examples import example_losses
from chymist.reports.looked import Looks, looked_section
from chymist.reports.saying import saying
from chymist.values import Run
from chymist.verbs import looking
from chymist.verbs.looking import looks_of
from chymist.verbs.records import load_run
from chymist.verbs.reporting import write_report


def fit(model: Any = None, data: Any = None, out: Path | None = None) -> Run:
    split = cy.split(cy.load("digits") if data is None else data, valid=0.2, seed=0)
    return cy.fit(cy.Recipe(model=model, length="1 epoch"), split, seed=0, threads=1, out=out)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit(out=tmp_path_factory.mktemp("looked") / "run")


def test_rows_are_the_hardest_and_the_surest_of_the_right_ones(run: Run) -> None:
    found = looks_of(run)
    assert found is not None
    losses, labels = example_losses(run), run.predictions.labels
    assert losses[found.hardest].tolist() == sorted(losses)[::-1][:4]
    right = labels == run.predictions.targets
    assert right[found.surest].all()
    assert losses[found.surest].tolist() == sorted(losses[right])[:4]
    assert not set(found.hardest) & set(found.surest)


def test_maps_are_those_of_explain(run: Run) -> None:
    found = looks_of(run)
    assert found is not None
    places = np.concatenate([found.hardest, found.surest])
    rows = run.predictions.rows[places].tolist()
    explained = cy.explain(run, which=rows, most=8, method="grad-cam")
    np.testing.assert_allclose(found.maps, explained.maps, rtol=1e-5, atol=1e-7)
    assert found.layer == explained.layer
    assert found.places == (4, 4)


def test_grad_cam_at_the_named_layer_is_captums(run: Run) -> None:
    from captum.attr import LayerGradCam

    found = looks_of(run)
    assert found is not None
    module = run.model.eval()
    places = np.concatenate([found.hardest, found.surest])
    raw = run.data.take(run.predictions.rows[places])
    inputs = torch.from_numpy(run.preparation.inputs(raw)).float()
    targets = torch.from_numpy(run.predictions.labels[places])
    layer = LayerGradCam(module, module.get_submodule(found.layer))
    maps = layer.attribute(inputs, targets, relu_attributions=True)
    whole = nn.functional.interpolate(maps, size=(8, 8), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(found.maps, whole[:, 0].detach().numpy(), rtol=1e-4, atol=1e-6)


def test_the_section_shows_each_row_beside_its_map_in_both_languages(run: Run) -> None:
    found = looks_of(run)
    assert found is not None
    for lang, words in (("en", "speaks for the prediction"), ("zh", "支持这一预测")):
        section = looked_section(run, found, saying(lang))
        assert section.count("<img") == 16
        assert section.count("<li>") == 8
        assert words in section
        assert f"<code>{found.layer}</code>" in section
        assert ("caution" in section) is not found.sound
    assert looked_section(run, replace(found, sound=False)).count("caution") == len(found.checks)


def test_the_report_has_it_and_is_the_same_every_time(run: Run) -> None:
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    first = write_report(run).read_bytes()
    assert b'id="looked"' in first
    assert write_report(run).read_bytes() == first
    assert write_report(load_run(run.path)).read_bytes() == first
    assert all(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())
    assert not any(module._forward_hooks for module in run.model.modules())


def test_a_model_without_maps_says_so() -> None:
    run_of_mlp = fit("mlp")
    found = looks_of(run_of_mlp)
    assert found is not None
    assert found.refused == looking.NO_MAPS
    assert "没有任何一层给出特征图" in looked_section(run_of_mlp, found, saying("zh"))


def test_what_costs_too_much_is_left_out_and_said(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "CHECKED", 1)
    unchecked = looks_of(run)
    assert unchecked is not None
    assert list(unchecked.checks) == [looking.UNCHECKED]
    assert not unchecked.sound
    monkeypatch.setattr(looking, "COSTLY", 1)
    left_out = looks_of(run)
    assert left_out is not None
    assert left_out.refused == looking.TOO_LARGE
    for text in (looking.TOO_LARGE, looking.UNCHECKED, looking.NO_MAPS):
        assert saying("zh").again(text)


def test_a_constant_map_is_called_constant(run: Run) -> None:
    dead = load_run(run.path)
    with torch.no_grad():
        for parameter in dead.model.parameters():
            parameter.zero_()
    found = looks_of(dead)
    assert found is not None
    assert found.checks[0] == "8 of 8 maps are constant: it is 0 everywhere"
    assert not found.sound
    assert "8 张热力图中有 8 张是常数" in looked_section(dead, found, saying("zh"))


def test_two_classes_and_a_single_output_have_maps_too() -> None:
    digits = cy.load("digits")
    rows = digits.targets < 2
    images = np.asarray(digits.inputs)[rows]
    found = looks_of(fit(data=cy.load((images, digits.targets[rows]))))
    assert found is not None
    assert found.refused == ""
    assert not found.layer.startswith("inner")
    assert found.maps.shape == (8, 8, 8)


def test_runs_without_pictures_or_classes_have_no_such_section(tmp_path: Path) -> None:
    table = cy.fit(cy.Recipe(model="linear"), cy.split(cy.load("diabetes"), seed=0), seed=0)
    assert looks_of(table) is None
    draw = np.random.default_rng(0)
    images = draw.random((60, 6, 6, 1), dtype=np.float32)
    numbers = cy.load((images, images.mean((1, 2, 3)).astype(np.float64)))
    assert looks_of(fit(data=numbers)) is None


def test_none_says_why() -> None:
    assert Looks.none("because").refused == "because"
