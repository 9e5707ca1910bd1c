"""Convolutional networks along steps: sequences of numbers, and texts."""

from __future__ import annotations

from torch import nn

from chymist.errors import UsageError
from chymist.models.blocks import BesideRows, Filled, OverSteps, StepsLast
from chymist.models.layers import Dropout
from chymist.parts import Count, Fraction, describer
from chymist.values import Shapes


@describer("model")
def cnn1d(
    shapes: Shapes, *, channels: tuple[Count, ...] = (64, 64), kernel: Count = 5,
    dilation: Count = 1, dropout: Fraction = 0.3,
) -> nn.Module:  # fmt: skip
    """1-D convolutional network over steps: blocks of convolution, pooling, batch norm, ReLU.

    A block halves the steps by max pooling while there are more than 4. The mean over the steps
    that are left goes to one affine map.

    Args:
        channels: output channels of the blocks.
        kernel: steps that a convolution sees; it is padded, so that all steps are kept.
        dilation: distance of those steps; 1 is side by side.
        dropout: probability of dropping a value before the last layer.

    Example:
        >>> import torch
        >>> cnn1d().build(Shapes((20, 3), 2))(torch.zeros(5, 20, 3)).shape
        torch.Size([5, 2])

    Source: Waibel et al. 1989, Phoneme recognition using time-delay neural networks.
    """
    _check_steps(shapes, "cnn1d")
    if shapes.vocabulary:
        raise UsageError("the model 'cnn1d' needs numbers at every step", received="texts",
                         do="use 'text_cnn'")  # fmt: skip
    steps, depth = shapes.inputs
    layers: list[nn.Module] = [StepsLast()]
    reach = dilation * (kernel - 1)
    for size in channels:
        layers += [nn.ConstantPad1d((reach // 2, reach - reach // 2), 0.0)]
        layers += [nn.Conv1d(depth, size, kernel, dilation=dilation, bias=False)]
        if steps > 4:
            layers.append(nn.MaxPool1d(2))
            steps //= 2
        layers += [nn.BatchNorm1d(size), nn.ReLU()]
        depth = size
    layers += [nn.AdaptiveAvgPool1d(1), nn.Flatten(), *([Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*layers, nn.Linear(depth, shapes.outputs))


@describer("model")
def text_cnn(
    shapes: Shapes, *, channels: Count = 100, kernels: tuple[Count, ...] = (3, 4, 5),
    embedding: Count = 128, dropout: Fraction = 0.5,
) -> nn.Module:  # fmt: skip
    """Convolutions over the words of a text: the strongest answer of each filter, then a map.

    Each token is looked up in a table of numbers; filters over 3, 4 and 5 tokens, ReLU, their
    largest value over the text; dropout; one affine map.

    Args:
        channels: filters of each width.
        kernels: their widths in tokens.
        embedding: numbers that stand for a token.
        dropout: probability of dropping a value before the last layer.

    Example:
        >>> import torch
        >>> text_cnn().build(Shapes((20,), 2, (), 50))(torch.ones(5, 20, dtype=torch.long)).shape
        torch.Size([5, 2])

    Source: Kim 2014, Convolutional neural networks for sentence classification, arXiv:1408.5882.
    """
    _check_steps(shapes, "text_cnn")
    if not shapes.vocabulary:
        raise UsageError("the model 'text_cnn' needs texts", received="numbers at every step",
                         do="use 'cnn1d'")  # fmt: skip
    # With so many zeros at the end, further ones that fill a text up change nothing.
    end = nn.ConstantPad1d((0, max(kernels)), 0.0)
    ways = [nn.Sequential(nn.Conv1d(embedding, channels, size), nn.ReLU(), OverSteps())
            for size in kernels]  # fmt: skip
    return nn.Sequential(
        Filled(nn.Embedding(shapes.vocabulary, embedding)), StepsLast(), end,
        BesideRows(*ways), *([Dropout(dropout)] if dropout else []),
        nn.Linear(channels * len(kernels), shapes.outputs),
    )  # fmt: skip


def _check_steps(shapes: Shapes, name: str) -> None:
    """Refuse inputs without steps, and targets at every step."""
    if not shapes.vocabulary and len(shapes.inputs) != 2:
        raise UsageError(f"the model '{name}' needs inputs of several steps",
                         received=f"inputs of shape {shapes.inputs}",
                         do="use 'mlp' for tables, 'cnn' for images")  # fmt: skip
    if shapes.each_step:
        raise UsageError(f"the model '{name}' gives one output for all steps",
                         received="a target for every step",
                         do="use 'gru' or 'lstm'")  # fmt: skip
