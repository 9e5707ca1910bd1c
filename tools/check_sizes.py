"""The size rules of the house, counted: lines of files, functions, classes; methods; arguments.

A code line is a line that holds a token of code: docstrings, comments and blank lines are free.
Run it as `python tools/check_sizes.py [FOLDER ...]`; it prints what is too big and exits with 1.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LIMITS = {"file": 400, "function": 40, "class": 300, "public methods": 12, "arguments": 8}

# What may be bigger, to what size, and why: (file, name, rule) -> (limit, reason).
EXCEPTIONS = {
    ("src/chymist/engine/loop.py", "train", "function"): (
        90,
        "the loop is one text, to be read from top to bottom",
    ),
    ("src/chymist/engine/loop.py", "State", "arguments"): (
        12,
        "a record made in one place; its fields are what a checkpoint must hold",
    ),
}

FREE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Measure(NamedTuple):
    """How big one thing is."""

    path: str
    name: str
    line: int
    rule: str
    size: int


def code_lines(source: str, tree: ast.Module) -> set[int]:
    """Numbers of the lines that hold code.

    Example:
        >>> text = 'x = 1  # why' + chr(10) + '# only a comment' + chr(10) + 'y = 2'
        >>> sorted(code_lines(text, ast.parse(text)))
        [1, 3]
    """
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in FREE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, Definition | ast.Module) and ast.get_docstring(node) is not None:
            text = node.body[0]
            lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def measure(path: str, source: str) -> Iterator[Measure]:
    """Sizes of a file and of everything that is defined in it.

    Args:
        path: name of the file, for the messages.
        source: its text.

    Example:
        >>> [(m.name, m.rule, m.size) for m in measure("a.py", "def f(): return 1")]
        [('', 'file', 1), ('f', 'function', 1)]
    """
    tree = ast.parse(source)
    lines = code_lines(source, tree)
    yield Measure(path, "", 1, "file", len(lines))
    for node in ast.walk(tree):
        if not isinstance(node, Definition):
            continue
        span = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        size = len(lines.intersection(span))
        if isinstance(node, ast.ClassDef):
            yield Measure(path, node.name, node.lineno, "class", size)
            yield Measure(path, node.name, node.lineno, "public methods", _public_methods(node))
            yield Measure(path, node.name, node.lineno, "arguments", _constructor_arguments(node))
        else:
            yield Measure(path, node.name, node.lineno, "function", size)


def too_big(found: Measure) -> str:
    """What is wrong with a size, as one line; empty where nothing is.

    Example:
        >>> too_big(Measure("a.py", "f", 7, "function", 41))
        'a.py:7: f: function 41, the limit is 40'
    """
    limit, _ = EXCEPTIONS.get((found.path, found.name, found.rule), (LIMITS[found.rule], ""))
    if found.size <= limit:
        return ""
    name = f"{found.name}: " if found.name else ""
    return f"{found.path}:{found.line}: {name}{found.rule} {found.size}, the limit is {limit}"


def check(root: Path, folders: list[str]) -> tuple[int, list[str]]:
    """Number of files looked at, and one line for everything that is too big."""
    files = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    measures = [
        found
        for path in files
        for found in measure(path.relative_to(root).as_posix(), path.read_text("utf-8"))
    ]
    problems = [line for found in measures if (line := too_big(found))]
    known = {(found.path, found.name, found.rule) for found in measures}
    problems += [
        f"{key[0]}: the exception for {key[1:]} is not needed"
        for key in EXCEPTIONS
        if key not in known
    ]
    return len(files), problems


def main(folders: list[str]) -> int:
    """Check the folders (by default all code of the project); the exit code."""
    root = Path(__file__).resolve().parent.parent
    count, problems = check(root, folders or ["src", "tools", "tests", "bench"])
    print(
        "\n".join(problems) if problems else f"sizes: {count} files within the rules of the house"
    )
    return 1 if problems else 0


def _public_methods(node: ast.ClassDef) -> int:
    methods = (n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return sum(not method.name.startswith("_") for method in methods)


def _constructor_arguments(node: ast.ClassDef) -> int:
    """Arguments of the constructor without self; a value (frozen, or a tuple) may have any."""
    if any(_is_frozen(d) for d in node.decorator_list) or any(
        _ends(b, "NamedTuple") for b in node.bases
    ):
        return 0
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            given = method.args
            return len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) - 1
    if any(_ends(d, "dataclass") for d in node.decorator_list):
        return sum(isinstance(n, ast.AnnAssign) and not _is_made_later(n) for n in node.body)
    return 0


def _is_made_later(node: ast.AnnAssign) -> bool:
    """Whether a field is no argument: `field(init=False)` or a class variable."""
    if "ClassVar" in ast.unparse(node.annotation):
        return True
    call = node.value
    return isinstance(call, ast.Call) and any(
        k.arg == "init" and isinstance(k.value, ast.Constant) and k.value.value is False
        for k in call.keywords
    )


def _is_frozen(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and any(
        k.arg == "frozen" and isinstance(k.value, ast.Constant) and k.value.value is True
        for k in node.keywords
    )


def _ends(node: ast.expr, name: str) -> bool:
    target = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(target).split(".")[-1] == name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
