"""Graphs from files: pickles without running them, edges, adjacency, and the named sets."""

import collections
import os
import pickle
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import chymist as cy
from chymist.cli import main
from chymist.data.graph_files import read_graph
from chymist.data.graphs import graph_inputs, graph_of
from chymist.data.node_rows import node_rows
from chymist.data.opcodes import read_pickle
from chymist.data.preparation import fit_preparation
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.errors import InputError, UsageError
from chymist.verbs import diagnosing_experiments as experiments
from chymist.verbs.predicting import predict_named

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")) | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner)
    | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)  # fmt: skip


@given(PLAIN, st.integers(0, 4))
def test_plain_values_come_back_as_pickle_has_them(value, protocol):
    content = pickle.dumps(value, protocol)
    assert read_pickle(content, "file") == value


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "<i4", ">i4", "i8", "f4", ">f8"])
@pytest.mark.parametrize("shape", [(0,), (5,), (2, 3), (0, 4)])
def test_arrays_come_back(dtype, shape, protocol):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    for given_array in (array, np.asfortranarray(array)):
        found = read_pickle(pickle.dumps({"a": given_array}, protocol), "file")["a"]
        assert np.array_equal(found, array)
        assert found.dtype == np.dtype(dtype).newbyteorder("=")


def test_sparse_matrices_and_dictionaries_come_back():
    matrix = csr_matrix(np.eye(4)[:3] * 2)
    found = read_pickle(pickle.dumps(matrix, 2), "file")
    assert (found != matrix).nnz == 0
    links = collections.defaultdict(list, {0: [1, 2], 3: []})
    assert read_pickle(pickle.dumps(links, 2), "file") == dict(links)


DOUBLE = np.dtype("f8")


class Shell:
    def __reduce__(self):
        return os.system, ("echo reached > reached",)


class Opens:
    def __reduce__(self):
        return open, ("reached", "w")


class Evaluates:
    def __reduce__(self):
        return eval, ("1",)


def state_of(shape, raw, dtype=DOUBLE):
    """An array whose state says what it likes."""

    class Liar:
        def __reduce__(self):
            from numpy._core.multiarray import _reconstruct

            return _reconstruct, (np.ndarray, (0,), b"b"), (1, shape, dtype, False, raw)

    return pickle.dumps(Liar(), 4)


def nested(depth):
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


HOSTILE = {
    "shell": pickle.dumps(Shell()), "shell in a list": pickle.dumps([1, [Shell()]], 0),
    "opens": pickle.dumps(Opens(), 2), "evaluates": pickle.dumps(Evaluates(), 4),
    "an instance": pickle.dumps(Exception("a")),
    "old style": b"(ios\nsystem\n(S'true'\nI1\n.", "object style": b"(cos\nsystem\nS'true'\no.",
    "call of no name": b"\x80\x02K\x01\x85R.", "name alone": b"cnumpy\nndarray\n.",
    "extension": b"\x80\x02\x82\x01.", "persistent": b"\x80\x02K\x01Q.",
    "deep": nested(200_000), "large list of itself": b"\x80\x02]q\x00h\x00a.",
    "huge array": state_of((2**40, 2**40), b""), "negative shape": state_of((-1,), b"12345678"),
    "short array": state_of((3,), b"12345678"),
    "objects": state_of((1,), [Exception], np.dtype(object)),
    "objects as bytes": state_of((1,), b"12345678", np.dtype(object)),
    "huge text": b"\x80\x02T" + struct.pack("<i", 2**31 - 1) + b"a.",
    "huge number": b"\x80\x02\x8b" + struct.pack("<i", 40) + b"\x01" * 40 + b".",
    "negative length": b"\x80\x02T" + struct.pack("<i", -5) + b".",
    "unfinished": b"\x80\x02]q\x00(K\x01", "empty": b"", "no pickle": b"hello world",
    "nothing below": b"\x80\x02a.", "unknown memory": b"\x80\x02h\x09.", "two values": b"K\x01K\x02.",
    "key of a list": b"\x80\x02}]K\x01s.", "odd items": b"\x80\x02}(K\x01u.",
    "many digits": b"I" + b"9" * 10_000 + b"\n.",
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_anything_else_is_refused_in_one_line_and_nothing_is_run(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read_pickle(HOSTILE[case], "file.pickle")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert not list(tmp_path.iterdir())


def refused(content):
    """Why a pickle is refused; empty if it is read. Nothing else may be raised."""
    try:
        read_pickle(content, "file")
    except InputError as error:
        return str(error)
    return ""


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_one_line(content):
    said = refused(content)
    assert "\n" not in said


@given(st.data())
def test_a_damaged_file_gives_a_value_or_one_line(data):
    whole = pickle.dumps({"a": np.arange(6.0).reshape(2, 3), "b": csr_matrix(np.eye(3))}, 2)
    place = data.draw(st.integers(0, len(whole) - 1))
    content = whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
    said = refused(content)
    assert "\n" not in said


def test_a_sparse_matrix_that_points_outside_is_refused():
    matrix = csr_matrix(np.eye(3))
    matrix.indices[0] = 7
    with pytest.raises(InputError, match="do not fit"):
        read_pickle(pickle.dumps(matrix, 2), "file")


def test_cora_is_what_pickle_and_the_paper_say(chymist_data):
    data = cy.load("cora")
    split = cy.split(data, seed=5)
    assert (len(split.train), len(split.valid), len(split.test)) == (140, 500, 1000)
    assert np.array_equal(np.bincount(data.targets[split.train]), [20] * 7)
    assert data.graph.edges.shape == (2, 2 * 5278)
    assert data.graph.features.shape == (2708, 1433)
    assert np.array_equal(np.bincount(data.targets), [351, 217, 418, 818, 426, 298, 180])
    edges = set(map(tuple, data.graph.edges.T.tolist()))
    alike = np.mean([data.targets[a] == data.targets[b] for a, b in edges])
    assert round(alike, 2) == 0.81  # edge homophily of Cora as published
    whole = cy.split(data, test=1000, valid=500)
    assert len(whole.train) == 1208
    assert len(np.concatenate(cy.data.folds(data, 4, seed=0))) == 640


def test_mutag_has_the_sizes_that_are_published(chymist_data):
    data = cy.load("mutag")
    assert data.class_counts().tolist() == [63, 125]
    assert round(data.graph.nodes / 188, 1) == 17.9
    assert round(data.graph.edges.shape[1] / 2 / 188, 1) == 19.8
    assert data.graph.rows == 188


def test_road_speeds_have_persistence_as_it_is_known(chymist_data):
    data = cy.load("los_loop")
    split = cy.split(data)
    x, y = data.inputs[split.test], data.targets[split.test].reshape(len(split.test), 3, 207)
    errors = y - x[:, -1:]
    assert round(float(np.sqrt((errors**2).mean())), 3) == 5.543
    assert round(float(np.abs(errors).mean()), 3) == 3.156
    starts = [split.train[-1], split.valid[0]]  # no step of one part is in another
    assert not np.array_equal(data.inputs[starts[0], -1], data.inputs[starts[1], 0])
    assert data.graph.edges.shape == (2, 2626)


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


NODES = "id,age,kind,y\n" + "\n".join(
    f"n{i},{i % 7}.5,{'ab'[i % 2]},{'yes' if i % 3 else 'no'}" for i in range(30)
)


def test_rows_of_a_table_are_nodes(tmp_path):
    nodes = write(tmp_path, "nodes.csv", NODES)
    edges = write(tmp_path, "edges.csv", "from,to\n" + "\n".join(
        f"n{i},n{i + 1}" for i in range(28)))  # fmt: skip
    data = cy.load(nodes, graph=edges, target="y")
    assert data.kind == "graph"
    assert data.graph.features.shape == (30, 3)
    assert data.graph.edges.shape == (2, 56)
    assert any("1 nodes have none" in note for note in data.notes)
    assert cy.data.reload(data.source) == data
    run = cy.fit(cy.Recipe(model="gcn", length="3 epochs"), data, out=tmp_path / "run")
    assert cy.evaluate(tmp_path / "run", split="valid").score == run.score
    plain = write(tmp_path, "numbers.csv", "\n".join(f"{i},{i + 1},0.5" for i in range(29)))
    assert read_graph(plain, 30).weights[0] == 0.5


@pytest.fixture
def node_run(tmp_path):
    nodes = write(tmp_path, "nodes.csv", NODES)
    edges = write(tmp_path, "edges.csv", "\n".join(f"n{i},n{i + 1}" for i in range(29)))
    data = cy.load(nodes, graph=edges, target="y")
    return cy.fit(cy.Recipe(model="gcn", length="3 epochs"), data, out=tmp_path / "run")


def test_new_nodes_are_called_by_their_names(node_run, tmp_path):
    whole = cy.predict(node_run, np.arange(30)[:, None], probabilities=True)
    wanted = whole[[7, 2]]
    some = write(tmp_path, "some.csv", "age,id\n1,n7\n2,n2\n")
    for rows in (["n7", "n2"], {"id": ["n7", "n2"]}, some,
                 write(tmp_path, "bare.csv", "n7\nn2\n"),
                 write(tmp_path, "other.csv", "paper\nn7\nn2\n")):  # fmt: skip
        for run in (node_run, tmp_path / "run"):
            assert (cy.predict(run, rows, probabilities=True) == wanted).all()
    for rows in (None, tmp_path / "nodes.csv"):
        assert (cy.predict(tmp_path / "run", rows, probabilities=True) == whole).all()
    found = predict_named(node_run, some)
    assert found.names == ["n7", "n2"]
    assert "only the identifiers" in found.notes[0]
    with pytest.raises(InputError, match=r"no such node.*row 2.*n99"):
        cy.predict(node_run, ["n7", "n99"])
    with pytest.raises(InputError, match="an empty cell"):
        cy.predict(node_run, write(tmp_path, "hole.csv", "id,x\nn7,1\n,2\n"))
    plain = cy.fit(cy.Recipe(model="softmax", length="1 epoch"), cy.load("iris"))
    with pytest.raises(UsageError, match="new rows are missing"):
        cy.predict(plain)


def test_new_nodes_without_names_are_numbers(tmp_path):
    nodes = write(tmp_path, "nodes.csv", "\n".join(
        line.split(",", 1)[1] for line in NODES.splitlines()))  # fmt: skip
    edges = write(tmp_path, "edges.csv", "\n".join(f"{i},{i + 1}" for i in range(29)))
    data = cy.load(nodes, graph=edges, target="y")
    run = cy.fit(cy.Recipe(model="gcn", length="2 epochs"), data)
    whole = cy.predict(run, probabilities=True)
    assert whole.shape == (30, 2)
    assert (cy.predict(run, nodes, probabilities=True) == whole).all()
    few = write(tmp_path, "few.csv", "node,x\n3,1\n0,1\n")
    assert (cy.predict(run, few, probabilities=True) == whole[[3, 0]]).all()
    assert predict_named(run, few).names == ["3", "0"]
    with pytest.raises(InputError, match="no column says which nodes"):
        cy.predict(run, write(tmp_path, "wrong.csv", "a,b\n3,1\n0,1\n"))
    with pytest.raises(InputError, match="0 to 29"):
        cy.predict(run, ["30"])


def test_names_that_are_numbers_with_zeros_are_found():
    named = replace(graph_of(2, [[0, 1]]), names=("7", "8"))
    assert node_rows(["008", "7"], named).numbers.tolist() == [[1], [0]]


def test_predictions_of_nodes_on_the_command_line(node_run, tmp_path):
    out = tmp_path / "all.csv"
    assert main(["predict", str(tmp_path / "run"), "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    assert len(lines) == 31
    assert lines[30].startswith("n29,")
    edges = (tmp_path / "edges.csv").read_text()
    assert main(["predict", str(tmp_path / "run"), "--out", str(tmp_path / "edges.csv")]) != 0
    assert (tmp_path / "edges.csv").read_text() == edges


def test_adjacency_is_read_as_a_matrix(tmp_path):
    matrix = np.triu(np.ones((5, 5)), 0)
    path = write(tmp_path, "adj.csv", "\n".join(",".join(map(str, row)) for row in matrix))
    graph = read_graph(path, 5)
    assert graph.edges.T.tolist() == [[i, j] for i in range(5) for j in range(i + 1, 5)]


@pytest.mark.parametrize(("text", "said"), [
    ("from,to\nn1,n99\n", "does not exist"), ("a,b,c,d\n1,2,3,4\n", "two columns"),
    ("from,to,w\nn1,n2,x\n", "no finite number"), ("from,to\nn1,\n", "an empty cell"),
    ("from,to,w\nn1,n2,nan\n", "no finite number"), ("from,to,w\nn1,n2,inf\n", "no finite number"),
    ("from,to,w\nn1,n2,-1\n", "above 0"),
])  # fmt: skip
def test_wrong_files_of_edges_are_one_line(tmp_path, text, said):
    nodes = write(tmp_path, "nodes.csv", NODES)
    edges = write(tmp_path, "edges.csv", text)
    with pytest.raises(InputError, match=said):
        cy.load(nodes, graph=edges, target="y")


def test_wrong_uses_of_graphs_are_one_line(tmp_path):
    x = np.zeros((6, 4, 3))
    with pytest.raises(InputError, match="a node for each feature"):
        cy.load((x, np.arange(6.0)), kind="sequence", graph=graph_of(2, [[0, 1]]))
    with pytest.raises(UsageError, match="beside sequences"):
        cy.load((x[:, 0], np.arange(6.0)), graph=graph_of(3, [[0, 1]]))
    with pytest.raises(InputError, match="joins two graphs"):
        graph_of(4, [[1, 2]], owners=[0, 0, 1, 1])
    with pytest.raises(InputError, match="follow each other"):
        graph_of(3, [[0, 1]], owners=[0, 1, 0])
    with pytest.raises(InputError, match="whole numbers"):
        graph_of(3, [[0.5, 1.0]])
    beside = cy.load((x, np.arange(6.0)), kind="sequence", graph=graph_of(3, [[0, 1]]))
    assert beside.graph.nodes == 3


def test_features_of_nodes_are_scaled_by_training_rows():
    features = np.random.default_rng(0).normal(3, 2, (40, 2))
    features[20:] += 100
    data = cy.load((graph_of(40, [[0, 1]], features=features), np.arange(40) % 2))
    fitted = fit_preparation(data, np.arange(20), {})
    made = graph_inputs(data.graph, "auto", fitted.steps).features.numpy()
    assert np.allclose(made[:20].mean(0), 0, atol=1e-5)
    assert np.allclose(made[:20].std(0), 1, atol=1e-5)


@pytest.mark.parametrize(("given", "said"), [
    ((3, [[0, 5]]), "does not exist"), ((3, [[0, -1]]), "does not exist"),
    ((3, [[0.5, 1]]), "pairs of whole numbers"), ((3, [[0, 1], [1]]), "pairs of whole numbers"),
    ((3, None), "pairs of whole numbers"), ((3, "ab"), "pairs of whole numbers"),
    ((3, [[0, 1]], [np.nan]), "finite weight"), ((3, [[0, 1]], [np.inf]), "finite weight"),
    ((3, [[0, 1]], ["a"]), "finite weight"), ((3, [[0, 1]], [1, 2]), "got 2 for 1 edges"),
    ((3, [[0, 1]], []), "got 0 for 1 edges"),
    ((3, [[0, 1]], [-1.0]), "above 0"), ((3, [[0, 1]], [0.0]), "above 0"),
    ((3, [[0, 1]], None, np.ones((2, 2))), "each node needs its features"),
    ((3, [[0, 1]], None, np.ones(3)), "each node needs its features"),
    ((3, [[0, 1]], None, np.full((3, 2), np.nan)), "finite numbers"),
    ((3, [[0, 1]], None, [["a"]] * 3), "finite numbers"),
    ((3, [[0, 1]], None, [[1], [1, 2], [3]]), "finite numbers"),
    ((3, [[0, 1]], None, np.ones((3, 0))), "each node needs its features"),
    ((0, []), "nodes"), ((-1, []), "nodes"), ((2.5, [[0, 1]]), "nodes"), (("a", [[0, 1]]), "nodes"),
    ((3, [[0, 1]], None, None, True, [0, 2, 2]), "numbered from 0"),
    ((3, [[0, 1]], None, None, True, 0), "numbered from 0"),
    ((3, [[0, 2]], None, None, True, [0, 0, 1]), "joins two graphs"),
])  # fmt: skip
def test_wrong_graphs_are_one_line(given, said):
    with pytest.raises((InputError, UsageError), match=said) as found:
        graph_of(*given)
    assert "\n" not in str(found.value)


def test_odd_edges_are_as_the_page_says():
    plain = graph_of(4, [[0, 1], [1, 2]], [1.0, 2.0])
    odd = graph_of(4, [[0, 1], [2, 2], [1, 0], [1, 2], [0, 1]], [1.0, 9.0, 5.0, 2.0, 7.0])
    assert odd.edges.tolist() == plain.edges.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert odd.weights.tolist() == plain.weights.tolist() == [1, 1, 2, 2]
    features, labels = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    alone = cy.load((graph_of(20, [], features=features), labels))  # nobody has a neighbour
    for name in ("gcn", "gat", "sage", "gin"):
        run = cy.fit(cy.Recipe(model=name, length="1 epochs"), alone, doctor=False)
        assert np.isfinite(run.predictions.outputs).all()
    assert "reading" in str(cy.loading_throughput(alone, seconds=0.1))


def test_experiments_read_features_and_no_numbers_of_nodes():
    draw = np.random.default_rng(0)
    topic = draw.integers(0, 2, 90)
    links = [(i, int(draw.choice(np.flatnonzero(topic == topic[i])))) for i in range(90)]
    data = cy.load((cy.graph_of(90, links, features=draw.normal(size=(90, 3))), topic))
    numbers = np.arange(90)  # the first nodes are for training: their numbers tell them apart
    split = replace(cy.split(data), train=numbers[:50], valid=numbers[50:], test=numbers[:0])
    recipe = complete(cy.Recipe(model="gcn", length="2 epochs"), split)
    base = assemble(recipe, split, 0)
    assert experiments._told_apart(base, data, 0) is False
    (train, goals), (valid, _) = experiments._measured(base, data)
    assert (train.numpy() == data.graph.features[:50].astype(np.float32)).all()
    assert (valid.numpy() == data.graph.features[50:].astype(np.float32)).all()
    assert (goals.numpy() == topic[:50]).all()
