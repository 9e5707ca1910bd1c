"""Formulas given as text: read with a closed list of operations, never evaluated as code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from chymist.errors import UsageError, nearest

LONGEST = 700  # characters of a formula; it is walked by recursion

FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "sin": torch.sin, "cos": torch.cos,
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu, "abs": torch.abs,
    "square": torch.square, "softplus": torch.nn.functional.softplus,
    "max": torch.maximum, "min": torch.minimum,
}  # fmt: skip

# The same functions in small steps, as they are differentiated on paper.
EXPANDED: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
    "tanh": lambda z: 2 / (1 + torch.exp(-(2 * z))) - 1,
    "softplus": lambda z: torch.log(1 + torch.exp(z)),
}

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b, ast.Pow: lambda a, b: a**b,
}  # fmt: skip


def parse_formula(text: str) -> ast.expr:
    """The tree of a formula.

    Args:
        text: names, numbers, + - * / **, parentheses and the functions of `FUNCTIONS`.

    Raises:
        UsageError: it is no formula.

    Example:
        >>> sorted(names_in(parse_formula("sigmoid(w * x + b)")))
        ['b', 'w', 'x']
    """
    if len(text) > LONGEST:
        received = f"{len(text):,} characters"
        raise UsageError("the formula is too long", received=received, do=f"at most {LONGEST:,}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(
            "not a formula", where="formula", received=repr(text)[:80],
            do="write, for example, sigmoid(w*x + b)",
        ) from None  # fmt: skip


def names_in(tree: ast.expr) -> set[str]:
    """Names of the variables of a formula.

    Example:
        >>> names_in(parse_formula("exp(x) + 1"))
        {'x'}
    """
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}


def evaluate(tree: ast.expr, values: Mapping[str, Tensor], expand: bool = False) -> Any:
    """The value of a formula.

    Args:
        tree: from `parse_formula`.
        values: tensors by name.
        expand: whether sigmoid, tanh and softplus are taken in small steps.

    Returns:
        A tensor, or a number if there is no variable in it.

    Raises:
        UsageError: something that is not on the closed lists.

    Example:
        >>> evaluate(parse_formula("2 * x + 1"), {"x": torch.tensor(3.0)})
        tensor(7.)
    """
    if isinstance(tree, ast.Constant) and type(tree.value) in (int, float):
        return _number(lambda: float(tree.value))  # type: ignore[arg-type]
    if isinstance(tree, ast.Name):
        if tree.id not in values:
            raise UsageError("a variable has no value", where="formula", received=f"'{tree.id}'",
                             do=nearest(tree.id, values))  # fmt: skip
        return values[tree.id]
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
        inner = evaluate(tree.operand, values, expand)
        return -inner if isinstance(tree.op, ast.USub) else inner
    if isinstance(tree, ast.BinOp) and type(tree.op) in _OPERATORS:
        left, right = (evaluate(side, values, expand) for side in (tree.left, tree.right))
        return _number(lambda: _OPERATORS[type(tree.op)](left, right))
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.keywords:
        return _called(tree.func.id, [evaluate(a, values, expand) for a in tree.args], expand)
    raise UsageError("not allowed in a formula", where="formula",
                     received=f"'{ast.unparse(tree)[:60]}'",
                     do="use names, numbers, + - * / ** and functions such as exp(x)")  # fmt: skip


def _called(name: str, given: list[Any], expand: bool) -> Tensor:
    if name not in FUNCTIONS:
        raise UsageError("unknown function", where="formula", received=f"'{name}'",
                         do=nearest(name, FUNCTIONS))  # fmt: skip
    wanted = 2 if name in ("max", "min") else 1
    if len(given) != wanted:
        raise UsageError("wrong number of arguments", where=f"{name}()", received=str(len(given)),
                         do=f"give {wanted}")  # fmt: skip
    tensors = [g if isinstance(g, Tensor) else torch.tensor(g, dtype=torch.float64) for g in given]
    return (EXPANDED if expand and name in EXPANDED else FUNCTIONS)[name](*tensors)


def _number(calculate: Callable[[], Any]) -> Any:
    """A result; what numbers alone cannot give (1 / 0) is an error of the formula."""
    try:
        found = calculate()
    except (ZeroDivisionError, OverflowError) as error:
        raise UsageError("a number in the formula has no value", where="formula",
                         received=str(error)) from None  # fmt: skip
    if isinstance(found, complex):
        raise UsageError("a number in the formula is not real", where="formula",
                         received=str(found))  # fmt: skip
    return found
