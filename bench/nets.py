"""The networks of the torch peers; chymist gets them as the user's own modules (but the MLP)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

CHARACTERS = 65
DROPOUT = 0.2  # of "digits-dropout"
SIZES = {
    "mlp": (784, 128, 10), "adult": (104, 128, 64, 2), "digits": (64, 128, 10),
    "cancer": (30, 32, 2),
}  # fmt: skip
BATCH = 1024  # rows per forward pass of a validation, the same for every peer


class Cnn(nn.Module):
    """The network of the Keras tutorial "Simple MNIST convnet"."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Images (rows, 1, 28, 28) to class scores (rows, 10)."""
        return self.layers(images)


class Characters(nn.Module):
    """The next character after a window of characters."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CHARACTERS, 32)
        self.lstm = nn.LSTM(32, 128, batch_first=True)
        self.head = nn.Linear(128, CHARACTERS)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes (rows, window), as floating-point numbers, to character scores (rows, 65)."""
        states, _ = self.lstm(self.embedding(codes.long()))
        return self.head(states[:, -1])


def build(net: str) -> nn.Module:
    """A network by its name, with torch's own initial weights."""
    if net == "cnn":
        return Cnn()
    if net == "lstm":
        return Characters()
    kind, _, extra = net.partition("-")
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(SIZES[kind]):
        layers += [nn.Linear(inputs, outputs)]
        layers += [nn.BatchNorm1d(outputs)] if extra == "batchnorm" else []
        layers += [nn.ReLU()]
        layers += [nn.Dropout(DROPOUT)] if extra == "dropout" else []
    head = max(place for place, layer in enumerate(layers) if isinstance(layer, nn.Linear))
    return nn.Sequential(*layers[: head + 1])


def shaped(x: np.ndarray, net: str) -> Tensor:
    """Rows as the networks take them: images (rows, 1, 28, 28) for the CNN, in [0, 1]."""
    inputs = torch.from_numpy(x)
    if inputs.dtype == torch.uint8:
        inputs = inputs.float().div_(255)
    return inputs[:, None] if net == "cnn" else inputs


def scores(model: nn.Module, inputs: Tensor) -> np.ndarray:
    """Class scores of all rows, (rows, classes), in evaluation mode."""
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(part) for part in inputs.split(BATCH)]).numpy()
