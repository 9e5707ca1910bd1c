"""How many numbers a model holds that were fitted to rows."""

from __future__ import annotations

from torch import nn


def count_fitted(model: nn.Module, trained: bool = False) -> int:
    """Numbers that rows decide: parameters, and what solved models hold in buffers.

    A solved model counts its own, as softmax regression does: shares that add up to 1 all count.
    Gaussian: means, variances, covariances (once each) and priors. Naive Bayes: a mean and a
    variance, or a probability, of each column and class, and priors. Support vector machines: dual
    coefficients that are not 0, and intercepts; support vectors are rows, not fitted. Trees: a
    column and a threshold (or a branch for each category) a cut, the values of each leaf.

    Args:
        model: any module.
        trained: count only parameters that are trained, not frozen ones.

    Example:
        >>> count_fitted(nn.Linear(3, 2))
        8
    """
    free = sum(p.numel() for p in model.parameters() if p.requires_grad or not trained)
    return free + sum(numbers_of(module) for module in model.modules())


def numbers_of(module: nn.Module) -> int:
    """Fitted numbers in the buffers of a module itself; 0 where it does not say.

    Args:
        module: any module.

    Example:
        >>> numbers_of(nn.Linear(3, 2))
        0
    """
    own = getattr(module, "fitted_numbers", None)
    return int(own()) if callable(own) else 0
