"""What the course uses as tools, and what stands for it here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import chymist as cy

ROOT = Path(__file__).parent.parent


class Digits(Dataset[Any]):
    """Items as torchvision's sets have them: a picture and a class."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, number: int) -> tuple[Image.Image, int]:
        rows = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
        return Image.fromarray(rows), number % 2


# Course: S042, S465.
def test_a_set_of_torch_is_data() -> None:
    inputs, targets = torch.rand(60, 3, 8, 8), torch.arange(60) % 3
    data = cy.load(TensorDataset(inputs, targets), name="mine")
    assert data == cy.load((inputs, targets), name="mine")
    assert (data.name, data.kind, data.inputs.shape) == ("mine", "image", (60, 8, 8, 3))
    part = cy.load(Subset(TensorDataset(inputs, targets), range(5, 45)))
    assert part.targets.tolist() == targets[5:45].tolist()
    pictures = cy.load(Digits())
    expected = np.stack([np.asarray(Digits()[n][0]) for n in range(40)])
    assert np.array_equal(pictures.inputs, expected)
    run = cy.fit(cy.Recipe(model="softmax", length="1 epochs"), cy.split(pictures, seed=0))
    assert run.score.n > 0


class Random(Digits):
    def __getitem__(self, number: int) -> tuple[Any, int]:
        return np.random.default_rng().random(3), number % 2


class Ragged(Digits):
    def __getitem__(self, number: int) -> tuple[Any, int]:
        return torch.zeros(3 + number % 2), 0


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (DataLoader(Digits()), "a loader gives batches, not rows.*give loader.dataset"),
        (Stream(), "a stream has no rows"),
        (Random(), "changes its rows by chance"),
        (Ragged(), "rows of a set have different shapes"),
        (TensorDataset(torch.zeros(3, 2)), "no pair"),
        (Subset(Digits(), []), "the set has no rows"),
    ],
)
def test_sets_that_are_no_rows_are_one_line(source: Any, said: str) -> None:
    with pytest.raises(cy.InputError, match=said):
        cy.load(source)


# Course: S043, S459. A loop of one's own over a loader stays one's own.
def test_a_loop_over_a_loader_can_be_watched() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(200, 4)
    targets = (inputs.sum(1) > 0).long()
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    watcher = cy.watch(model, optimizer, nn.functional.cross_entropy, (inputs, targets))
    for _ in range(8):
        for x, y in DataLoader(TensorDataset(inputs, targets), 20, shuffle=True):
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watcher.step(loss, x, y, outputs)
        watcher.epoch()
    assert watcher.findings == []


# Course: S475. An image as a tensor: channels first, float32, divided by 255.
def test_an_image_becomes_a_tensor() -> None:
    from chymist.engine.assembly import prepare_split
    from chymist.engine.defaults import complete

    split = cy.split(cy.load(Digits()), seed=0)
    recipe = complete(cy.Recipe(model="cnn", data=cy.prepare(scale="pixel")), split)
    made = prepare_split(recipe, split).train.take(torch.arange(5))
    raw = np.asarray(split.data.take(split.train[:5]))
    expected = torch.from_numpy(raw).permute(0, 3, 1, 2).float() / 255
    assert made.dtype == torch.float32
    torch.testing.assert_close(made.contiguous(), expected.contiguous(), rtol=1e-6, atol=1e-7)


# Course: S476 (claim C380).
def test_two_spellings_of_a_convolution_are_one_layer() -> None:
    named, placed = nn.Conv2d(3, 32, 5, padding=2), nn.Conv2d(3, 32, 5, 1, 2)
    assert repr(named) == repr(placed)
    placed.load_state_dict(named.state_dict())
    images = torch.randn(2, 3, 9, 14)
    assert torch.equal(named(images), placed(images))
    assert named(images).shape == (2, 32, 9, 14)
    assert not torch.equal(
        named(images)[..., :5, :10], nn.Conv2d(3, 32, 5)(images)
    )  # padding counts


# Course: S467, S468. An environment is what a run was made in, and is written beside it.
def test_a_run_says_in_what_environment_it_was_made(tmp_path: Path) -> None:
    cy.fit(cy.Recipe(model="softmax", length="1 epochs"), cy.load("iris"), out=tmp_path / "run")
    found = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["numpy"] == np.__version__
    assert {"python", "chymist"} <= set(found["versions"])
    assert found["threads"] >= 1


# Course: S469. An editor completes names and shows types.
def test_editors_see_names_and_types() -> None:
    assert (ROOT / "src" / "chymist" / "py.typed").exists()
    text = (ROOT / "src" / "chymist" / "__init__.py").read_text()
    block = text.split("if TYPE_CHECKING:")[1].split("def __getattr__")[0]
    assert set(re.findall(r" as (\w+)", block)) == set(dir(cy)) - {"__version__"}


# Course: S470-S473. Of three kinds of cells one is run, and its last value is shown.
def test_a_notebook_shows_a_run(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    v4 = nbformat.v4
    code = ("import chymist as cy\n"
            "cy.fit(cy.Recipe(model='softmax', length='2 epochs'), cy.load('iris'))")  # fmt: skip
    cells = [v4.new_markdown_cell("# A run"), v4.new_code_cell(code), v4.new_raw_cell("raw")]
    book = v4.new_notebook(cells=cells)
    NotebookClient(book, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    assert [cell.get("execution_count") for cell in book.cells] == [None, 1, None]
    (output,) = [o for o in book.cells[1].outputs if o.output_type == "execute_result"]
    assert "<svg" in output.data["text/html"]
    assert "accuracy" in output.data["text/plain"]
    assert len(output.data["text/html"]) < 100_000


# Course: S460-S463, S474. What other frameworks record can be read; their models cannot.
def test_a_record_of_another_framework_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("iteration,train-loss,valid-acc\n0,2.3,0.1\n100,0.5,0.8\n")
    log = cy.import_log(tmp_path / "train.csv")
    assert {name: points.tolist() for name, points in log.history.items()} == {
        "train_loss": [[0, 2.3], [100, 0.5]], "val_accuracy": [[0, 0.1], [100, 0.8]]}  # fmt: skip
