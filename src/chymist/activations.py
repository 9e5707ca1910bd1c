"""Activation functions by name, as modules without parameters."""

from __future__ import annotations

from torch import nn

from chymist.parts import describer


@describer("activation")
def relu(_: None) -> nn.Module:
    """Rectified linear unit: max(0, x)."""
    return nn.ReLU()


@describer("activation")
def tanh(_: None) -> nn.Module:
    """Hyperbolic tangent: (e^x - e^-x) / (e^x + e^-x)."""
    return nn.Tanh()


@describer("activation")
def sigmoid(_: None) -> nn.Module:
    """Logistic function: 1 / (1 + e^-x)."""
    return nn.Sigmoid()


@describer("activation")
def gelu(_: None) -> nn.Module:
    """Gaussian error linear unit: x Phi(x), Phi the standard normal distribution function.

    Source: Hendrycks, Gimpel 2016, arXiv:1606.08415.
    """
    return nn.GELU()
