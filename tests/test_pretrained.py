"""A backbone with weights from elsewhere: read safely, frozen in part, at rates of its own."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

import chymist as cy
from chymist.data.state_dicts import read_state_dict
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.loop import train
from chymist.engine.population import together
from chymist.errors import InputError, UsageError
from chymist.models import build_model, efficientnet
from chymist.models.efficientnet import Backbone
from chymist.values import Shapes

SMALL = Shapes((3, 32, 32), 2)
PLAIN: dict[str, Any] = {"pretrained": False, "dropout": 0.0}


def saved(weights: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    torch.save(weights, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


WEIGHTS = {
    "a": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
    "turned": torch.arange(24.0).view(2, 3, 4).permute(2, 0, 1),
    "half": torch.arange(5.0).half(), "double": torch.rand(2, 2).double(),
    "count": torch.tensor(7), "empty": torch.zeros(0, 3),
    "part": torch.arange(10)[3:7],
}  # fmt: skip
FILE = saved(WEIGHTS)


def test_weights_are_those_of_torch() -> None:
    found = read_state_dict(FILE, "w.pth")
    assert list(found) == list(WEIGHTS)
    for name, expected in WEIGHTS.items():
        assert found[name].shape == tuple(expected.shape)
        assert np.array_equal(found[name], expected.numpy()), name
    layer = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    found = read_state_dict(saved(layer.state_dict()), "w.pth")
    assert all(np.array_equal(found[n], v.numpy()) for n, v in layer.state_dict().items())


@given(st.integers(0, len(FILE) - 1), st.integers(0, 255), st.booleans())
@example(at=FILE.rindex((12).to_bytes(8, "little")) + 7, byte=32, cut=False)  # a count of 2^61
@settings(max_examples=300, deadline=None)
def test_damaged_files_are_named_and_nothing_else_happens(at: int, byte: int, cut: bool) -> None:
    content = FILE[:at] if cut else FILE[:at] + bytes([byte]) + FILE[at + 1 :]
    with suppress(InputError):
        found = read_state_dict(content, "w.pth")
        assert all(isinstance(values, np.ndarray) for values in found.values())


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("run",))


def test_a_file_that_would_run_something_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="the name"):
        read_state_dict(saved({"a": Evil()}), "w.pth")
    assert "run" not in capsys.readouterr().out.split()
    with pytest.raises(InputError, match="cannot be read"):
        read_state_dict(saved({"a": 3}), "w.pth")


def test_parameters_and_places_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        net = cy.models.efficientnet_lite0().build(Shapes((3, 224, 224), 1000))
        found = net[:-1].eval()(torch.zeros(1, 3, 224, 224))
        stages = [layer(torch.zeros(1, 3, 224, 224)).shape for layer in [net[:2].eval()]]
    assert found.shape == (1, 1280)
    assert stages == [(1, 32, 112, 112)]
    assert sum(v.numel() for v in net.state_dict().values()) == 4_694_073  # as in the file
    # 100 classes fewer are 100 x 1281 parameters fewer.
    with torch.device("meta"):
        less = cy.models.efficientnet_lite0().build(Shapes((3, 224, 224), 900))
    assert sum(p.numel() for p in less.parameters()) == 4_652_008 - 100 * 1281


@pytest.mark.parametrize(("frozen", "children"), [("none", 0), (3, 3), ("features", 10), (99, 10)])
def test_what_is_frozen_stays(frozen: Any, children: int) -> None:
    net: Any = build_model(cy.models.efficientnet_lite0(frozen=frozen, **PLAIN), SMALL, 0)
    net.train()
    before = {name: values.clone() for name, values in net.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    net(torch.rand(4, 3, 32, 32) * 255).square().sum().backward()
    optimizer.step()
    still = {name for name, _ in list(net.named_children())[:children]}
    for name, values in net.state_dict().items():
        if "running_mean" in name or name.endswith("weight"):
            same = torch.equal(values, before[name])
            assert same == (name.split(".")[0] in still), name


def assembled(**options: Any) -> Any:
    images = np.random.default_rng(0).integers(0, 255, (24, 32, 32, 3)).astype(np.uint8)
    split = cy.split(cy.load((images, np.arange(24) % 2)), seed=0)
    recipe = cy.Recipe(model=cy.models.efficientnet_lite0(**PLAIN, **options), batch_size=8,
                       optimizer=cy.optim.sgd(lr=0.01), schedule="constant", length="1 steps",
                       precision="float64")  # fmt: skip
    return assemble(complete(recipe, split), split, seed=0), split, recipe


def test_the_backbone_learns_at_its_own_rate() -> None:
    moved = []
    for options in ({}, {"backbone_rate": 0.25}):
        run, _, _ = assembled(frozen="none", **options)
        before = {n: p.detach().clone() for n, p in run.state.model.named_parameters()}
        list(train(run.program, run.state))
        after = run.state.model.named_parameters()
        moved.append({n: p.detach() - before[n] for n, p in after})
    for name, step in moved[0].items():
        share = 1.0 if name.startswith("head") else 0.25
        torch.testing.assert_close(moved[1][name], share * step, rtol=1e-6, atol=1e-12)


def test_pixels_are_raw_and_populations_say_why_not() -> None:
    run, split, recipe = assembled(frozen="features")
    assert run.preparation.pixels == (0.0, 1.0)
    assert [g.reason for g in together([run, run])] == [
        "its parts are frozen or learn at rates of their own"
    ]
    with pytest.raises(UsageError, match="scales pixels itself"):
        complete(recipe.replace(data=cy.prepare(scale="standard")), split)


def test_published_weights_are_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = build_model(cy.models.efficientnet_lite0(**PLAIN), Shapes((3, 32, 32), 7), 5)
    monkeypatch.setattr(efficientnet, "published_weights", lambda: dict(source.state_dict()))
    images = np.random.default_rng(0).integers(0, 255, (24, 32, 32, 3)).astype(np.uint8)
    data = cy.load((images, np.arange(24) % 2))
    split = cy.split(data, seed=0, test=0)
    first = cy.Recipe(model=cy.models.efficientnet_lite0(), length="2 epochs", batch_size=8)
    run = cy.fit(first, split, out=tmp_path / "first", doctor=False)
    theirs = dict(source.named_parameters())
    for name, values in run.model.named_parameters():
        assert name.startswith("head") or torch.equal(values, theirs[name]), name
    # Gradual unfreezing: the next run starts where this one ended, with less that is frozen.
    second = first.replace(
        model=cy.models.efficientnet_lite0(frozen=8, backbone_rate=0.1),
        init=cy.initializers.from_run(path=str(tmp_path / "first")), length="3 steps",
    )  # fmt: skip
    seen: list[Any] = []
    whole = cy.fit(second, split, out=tmp_path / "second", doctor=False)
    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(second, split, out=tmp_path / "part", doctor=False, observer=seen.append,
               interrupted=lambda: len(seen) > 1)  # fmt: skip
    again, _, _ = cy.resume(tmp_path / "part", doctor=False, data=data)
    named = dict(run.model.named_parameters())
    for name, values in whole.model.named_parameters():
        free = name.split(".")[0] in ("stage7", "last", "head")
        assert torch.equal(values, named[name]) != free
        assert torch.equal(values, dict(again.model.named_parameters())[name])
    assert isinstance(whole.model, Backbone)
    features = cy.pretrained_features(data)
    with torch.no_grad():
        expected = source[:-1].eval()(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    np.testing.assert_allclose(features.inputs, expected.numpy(), atol=1e-4)
    assert features.targets.tolist() == data.targets.tolist()


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"chymist\[pretrained\]"):
        efficientnet.published_weights()
    with pytest.raises(InputError, match="colour"):
        cy.models.efficientnet_lite0().build(Shapes((1, 32, 32), 2))
    with pytest.raises(UsageError, match="colour images"):
        cy.pretrained_features(cy.load("iris"))
