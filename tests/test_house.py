"""The rules of the house that no linter knows: security, docstrings, imports, pinned packages."""

from __future__ import annotations

import ast
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src" / "chymist").rglob("*.py"))
TREES = {path.relative_to(ROOT / "src/chymist").as_posix(): path for path in SOURCES}

MODULES_THAT_RUN_FILES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "yaml"}
CALLS_THAT_RUN_TEXT = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES_THAT_RUN_FILES = {
    "torch.load",
    "torch.jit.load",
    "joblib.load",
    "yaml.load",
    "os.system",
    "os.popen",
}

# What users of the package call: its functions show how in an example that runs.
PARTS = (
    "activations", "augment", "clip", "gradient_noise", "initializers", "losses", "metrics", "models", "optim",
    "penalties", "protocols", "schedules", "stop",
)  # fmt: skip
INTERFACE = (*PARTS, "data", "errors", "evidence", "gradients", "keys", "maths", "parts", "values")

# Functions of the interface without an example, and why.
WITHOUT_EXAMPLE = {
    "a part without options: its name says all": (
        "augment.py:none clip.py:none gradient_noise.py:none stop.py:none"
    ),
    "a decorator or look-up of the registry, shown by `part`": (
        "parts.py:register parts.py:describer parts.py:definition parts.py:registered parts.py:own"
    ),
    "a check that returns nothing or raises": (
        "losses.py:same_shape metrics.py:check_task metrics.py:check_probabilities "
        "metrics.py:check_all_present stop.py:check_monitor models/shaping.py:image_shape "
        "data/stepwise.py:check_shape data/texts.py:as_text data/texts.py:check_tokens"
    ),
    "works on a model or a file, shown by the verbs": (
        "models/building.py:build_model models/building.py:initialize "
        "data/images.py:pictures_data "
        "data/named_images.py:cifar10 data/named_images.py:hymenoptera "
        "data/graph_files.py:nodes_data data/graph_sets.py:cora data/graph_sets.py:los_loop "
        "data/graph_sets.py:mutag data/graph_sets.py:road_speeds data/named.py:named_cells "
        "data/named.py:find_files data/named.py:mnist data/named.py:road_series "
        "data/new_steps.py:stepwise_rows data/series.py:latest_window data/series.py:table_windows "
        "data/speech.py:read_wav data/text_files.py:language_file data/text_files.py:new_texts "
        "models/forecasters.py:graph_gru models/graph_layers.py:mapped "
        "models/recurrent.py:recurrent evidence/ledger.py:ledger_file"
    ),
    "works on the arrays of a tree that was grown, shown by the models": (
        "models/trees/borrowed.py:from_sklearn models/trees/borrowed.py:order_columns "
        "models/trees/borrowed.py:from_histograms models/trees/borrowed.py:mean_of "
        "models/trees/borrowed.py:raised_by models/trees/criteria.py:n_log_n "
        "models/trees/cuts.py:best_cut models/trees/cuts.py:gains_of "
        "models/trees/error_based.py:error_based "
        "models/trees/error_based.py:useless_cuts models/trees/fitting.py:grown_by "
        "models/trees/fitting.py:cart_of models/trees/fitting.py:forest_of "
        "models/trees/fitting.py:boosted models/trees/growth.py:divided "
        "models/trees/pruning.py:reduced_error models/trees/pruning.py:pessimistic "
        "models/trees/pruning.py:weakest_links models/trees/pruning.py:errors_along "
        "models/trees/pruning.py:sums_at_nodes models/trees/pruning.py:leaf_errors "
        "models/trees/tree.py:spread models/trees/tree.py:branch_of "
        "models/trees/tree.py:family models/trees/tree.py:levels "
        "models/trees/tree.py:parents models/trees/tree.py:collapse "
        "models/trees/tree.py:joined models/trees/tree.py:below "
        "models/trees/tree.py:problems"
    ),
}

# Not the names of machines, nor of where packages come from. The brackets keep this file clean.
PLACES = re.compile(
    r"(?<![\w.-])/(wor[k]|tm[p]/w|roo[t]|opt/whee[l]s)(/|\b(?=\s|$))"
    r"|pyp[i]\.org|pythonhoste[d]\.org|download\.pytorc[h]\.org|registry\.npmj[s]\.org"
)


def definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Public functions and classes of a module, and the public methods of the classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list):
                continue  # a type of the function that follows
            yield node
            if isinstance(node, ast.ClassDef):
                methods = (m for m in node.body if isinstance(m, ast.FunctionDef))
                yield from (m for m in methods if not m.name.startswith("_"))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def forbidden(node: ast.AST) -> str:
    """What is wrong with a piece of syntax, or nothing."""
    names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    for name in names:
        if name.split(".")[0] in MODULES_THAT_RUN_FILES:
            return f"import of {name}"
    if isinstance(node, ast.Attribute) and ast.unparse(node) in ATTRIBUTES_THAT_RUN_FILES:
        return ast.unparse(node)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in CALLS_THAT_RUN_TEXT:
            return f"{node.func.id}()"
        for word in node.keywords:
            if word.arg in ("shell", "allow_pickle") and ast.unparse(word.value) != "False":
                return f"{word.arg}={ast.unparse(word.value)}"
    return ""


def test_nothing_runs_code_that_a_file_brought() -> None:
    found = [
        f"{name}:{getattr(node, 'lineno', 0)}: {reason}"
        for name, path in TREES.items()
        for node in ast.walk(parse(path))
        if (reason := forbidden(node))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from pickle import loads",
        "import os; os.system('ls')",
        "torch.load('a.pt')",
        "eval('1')",
        "exec('1')",
        "yaml.load(f)",
        "subprocess.run('ls', shell=True)",
        "np.load('a.npy', allow_pickle=True)",
    ],
)
def test_the_check_sees_what_it_looks_for(text: str) -> None:
    assert any(forbidden(node) for node in ast.walk(ast.parse(text)))


def test_the_check_lets_ordinary_code_pass() -> None:
    text = "model.eval(); json.load(f); np.load(f, allow_pickle=False); re.compile('a')"
    assert not any(forbidden(node) for node in ast.walk(ast.parse(text)))


def test_one_catch_all_in_each_process() -> None:
    broad = {"Exception", "BaseException"}
    found = []
    for name, path in TREES.items():
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ExceptHandler):
                kinds = ast.walk(node.type) if node.type else iter(())
                if node.type is None or any(
                    isinstance(k, ast.Name) and k.id in broad for k in kinds
                ):
                    found.append(name)
    # The command line, the studio's server and its worker: each of them says what nobody foresaw
    # in one line.
    assert sorted(found) == ["cli/__init__.py", "studio/guard.py", "studio/worker.py"]


def test_nothing_is_left_to_do() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    found = [name for name, path in TREES.items() if words.search(path.read_text("utf-8"))]
    assert found == []


def test_everything_public_has_a_docstring() -> None:
    found = [f"{name}: the module" for name in TREES if not ast.get_docstring(parse(TREES[name]))]
    found += [
        f"{name}:{node.lineno}: {node.name}"
        for name, path in TREES.items()
        for node in definitions(parse(path))
        if not ast.get_docstring(node)
    ]
    assert found == []


def test_functions_of_the_interface_have_an_example() -> None:
    excused = {name for names in WITHOUT_EXAMPLE.values() for name in names.split()}
    without = set()
    for name, path in TREES.items():
        if re.split("[./]", name)[0] not in INTERFACE:
            continue
        for node in parse(path).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                takes = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                if takes and ">>>" not in (ast.get_docstring(node) or ""):
                    without.add(f"{name}:{node.name}")
    assert sorted(without - excused) == []
    assert sorted(excused - without) == [], "these have an example now: take them off the list"


def test_no_place_of_a_machine_or_registry_in_tracked_files() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: no list of tracked files")
    found = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if not path.is_file() or path.suffix in {".png", ".gz", ".zip", ".npz"}:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if PLACES.search(line):
                found.append(f"{name}:{number}: {line.strip()[:80]}")
    assert found == []


def test_import_is_light() -> None:
    heavy = "{'torch', 'sklearn', 'scipy', 'matplotlib', 'PIL', 'pandas', 'rich', 'numpy'}"
    code = f"import sys, chymist; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_does_not_import_torch() -> None:
    heavy = "{'torch', 'sklearn', 'scipy', 'matplotlib'}"
    code = (
        "import sys, contextlib\n"
        "from chymist.cli import main\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main(['--help'])\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_package_is_pinned_and_installed_at_its_pin() -> None:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    pins = dict(line.split("==") for line in text.splitlines() if line and not line.startswith("#"))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    assert pins["torch"] == "2.13.0"
    wanted, seen, wrong = ["chymist"], set(), []
    while wanted:
        name = wanted.pop()
        if name in seen or name.startswith(("nvidia-", "cuda-", "triton")):
            continue  # torch pins its CUDA packages itself
        seen.add(name)
        for text in metadata.requires(name) or []:
            need = Requirement(text)
            extras = ("", "test") if name == "chymist" else ("",)
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras):
                wanted.append(canonicalize_name(need.name))
        if name != "chymist" and metadata.version(name).split("+")[0] != pins.get(name):
            wrong.append(f"{name} {metadata.version(name)}, pinned {pins.get(name)}")
    assert wrong == []


def test_tests_cannot_reach_another_machine() -> None:
    # 192.0.2.0/24 is kept free for documentation: nobody is there.
    with socket.socket() as outside, pytest.raises(pytest.fail.Exception, match="another machine"):
        outside.connect(("192.0.2.1", 9))


def test_tests_reach_this_machine() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        client.connect(server.getsockname())


def test_every_test_has_a_home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert Path.home().is_relative_to(tmp_path_factory.getbasetemp())
