"""What edges and nodes are worth: beside brute force, torch_geometric and Captum."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.explain import CaptumExplainer, Explainer
from torch_geometric.nn import GCNConv

import chymist as cy
from chymist.cli import main
from chymist.data.graphs import graph_inputs, graph_of
from chymist.errors import InputError, UsageError
from chymist.explanation.edges import (
    deletion,
    gradient,
    integrated_gradients,
    log_odds,
    neighborhood,
    node_values,
    occlusion,
    output,
    value,
)
from chymist.models.sparse import product, sparse
from chymist.reports.edge_picture import layout

KINDS = ["gcn", "sage", "gin", "gat"]


def edges_of(nodes, share, seed):
    rng = np.random.default_rng(seed)
    return [[a, b] for a in range(nodes) for b in range(a + 1, nodes) if rng.random() < share]


def graph_from(edges, nodes, features, owners=None):
    return graph_inputs(
        graph_of(nodes, np.array(edges).reshape(-1, 2), features=features, owners=owners)
    )


def built(kind, graph, seed=0, **options):
    torch.manual_seed(seed)
    model = getattr(cy.models, kind)(**options).build(cy.Shapes((1,), 3, graph=graph))
    for name, values in model.named_buffers():
        if "running_var" in name:
            values.uniform_(0.5, 2.0)
    return model.eval()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000))
def test_occlusion_is_brute_force_on_the_whole_graph(kind, seed):
    nodes, edges = 11, edges_of(11, 0.2, seed)
    features = np.random.default_rng(seed).normal(size=(nodes, 4))
    model = built(kind, graph_from(edges, nodes, features))
    row = seed % nodes
    place, read = neighborhood(model.fields, row), log_odds(1)
    with torch.no_grad():
        whole = model(torch.tensor([[row]]))[0]
        assert float(output(model, place, read)) == pytest.approx(float(read(whole)), abs=1e-5)
    found = occlusion(model, place, read)
    ends = place.nodes[place.pairs].T.tolist()
    assert len(ends) == len(found)
    for (a, b), lost in zip(ends, found.tolist(), strict=True):
        left = [e for e in edges if set(e) != {a, b}]
        assert len(left) == len(edges) - 1
        other = built(kind, graph_from(left, nodes, features))
        other.load_state_dict(model.state_dict())
        with torch.no_grad():
            wanted = float(read(whole) - read(other(torch.tensor([[row]]))[0]))
        assert lost == pytest.approx(wanted, abs=1e-5)
    # Nodes that are not seen, and edges that carry nothing, have no part in it.
    seen = set(place.nodes[place.seen].tolist())
    far = [e for e in edges if not set(e) & seen]
    other = built(kind, graph_from([e for e in edges if e not in far], nodes, features))
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.allclose(other(torch.tensor([[row]]))[0], whole, atol=1e-5)


class Twin(torch.nn.Module):
    """The same network in torch_geometric."""

    def __init__(self, model, width):
        super().__init__()
        self.first, self.second = GCNConv(width, 16), GCNConv(16, 3)
        with torch.no_grad():
            for layer, own in zip((self.first, self.second), model.layers, strict=True):
                layer.lin.weight.copy_(own.linear.weight)
                layer.bias.copy_(own.bias)

    def forward(self, x, edge_index):
        return self.second(torch.relu(self.first(x, edge_index)), edge_index)


@pytest.mark.parametrize(
    ("method", "ours"),
    [("InputXGradient", gradient), ("IntegratedGradients", integrated_gradients)],
)
def test_slopes_of_edges_are_those_of_torch_geometric_and_captum(method, ours):
    nodes, edges = 14, edges_of(14, 0.25, 1)
    features = np.random.default_rng(1).normal(size=(nodes, 4))
    graph = graph_from(edges, nodes, features)
    model = built("gcn", graph)
    row, _target = 3, 2
    explainer = Explainer(
        Twin(model, 4).eval(),
        CaptumExplainer(method),
        explanation_type="model",
        edge_mask_type="object",
        model_config={
            "mode": "multiclass_classification",
            "task_level": "node",
            "return_type": "raw",
        },
    )
    with torch.no_grad():
        twin = Twin(model, 4).eval()(graph.features, graph.edges)
        assert torch.allclose(twin, model(torch.arange(nodes)[:, None]), atol=1e-5)
    answer = int(twin[row].argmax())
    wanted = explainer(graph.features, graph.edges, index=row).edge_mask
    place = neighborhood(model.fields, row)
    found = ours(model, place, value(answer))
    by_pair = {}
    for (a, b), worth in zip(graph.edges.T.tolist(), wanted.tolist(), strict=True):
        by_pair[min(a, b), max(a, b)] = by_pair.get((min(a, b), max(a, b)), 0) + worth
    ends = place.nodes[place.pairs].T.tolist()
    assert [by_pair.pop((a, b)) for a, b in ends] == pytest.approx(found.tolist(), abs=1e-5)
    assert all(abs(rest) < 1e-6 for rest in by_pair.values())


@pytest.mark.parametrize("kind", ["gcn", "sage", "gin"])
def test_integrated_gradients_add_up_to_what_messages_bring(kind):
    nodes, edges = 9, edges_of(9, 0.4, 2)
    model = built(kind, graph_from(edges, nodes, np.random.default_rng(2).normal(size=(nodes, 3))))
    place, read = neighborhood(model.fields, 4), log_odds(0)
    found = integrated_gradients(model, place, read, steps=80)
    weighed = model.fields.weighting(place.graph)
    loops = weighed.rows() == weighed.columns
    silent = sparse(
        weighed.rows()[loops], weighed.columns[loops], weighed.values[loops], weighed.shape
    )
    with torch.no_grad():
        gained = output(model, place, read) - output(model, place, read, silent)
    assert float(found.sum()) == pytest.approx(float(gained), abs=1e-2)


def test_values_of_nodes_are_feature_times_slope_by_differences():
    nodes, edges = 8, edges_of(8, 0.4, 3)
    features = np.random.default_rng(3).normal(size=(nodes, 3))
    model = built("sage", graph_from(edges, nodes, features))
    place, read = neighborhood(model.fields, 2), value(1)
    found, size = node_values(model, place, read), 1e-2
    with torch.no_grad():
        for node in range(len(place.nodes)):
            ends = []
            for factor in (1 + size, 1 - size):
                known = place.graph.features.clone()
                known[node] *= factor
                ends.append(float(output(model, place, read, features=known)))
            assert float(found[node]) == pytest.approx((ends[0] - ends[1]) / (2 * size), abs=2e-3)


def test_entries_of_a_sparse_matrix_have_gradients():
    values = torch.tensor([2.0, 3.0, 5.0], dtype=torch.float64, requires_grad=True)
    rows, columns = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 2])
    dense = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)

    def act(values, dense):
        made = sparse(rows, columns, torch.ones(3, dtype=torch.float64), (2, 3))
        return product(made, dense, values)

    assert torch.autograd.gradcheck(act, (values, dense))


def test_whole_graphs_are_explained():
    edges, owners = [[0, 1], [1, 2], [3, 4], [4, 5], [3, 5]], np.array([0, 0, 0, 1, 1, 1])
    graph = graph_from(edges, 6, np.random.default_rng(0).normal(size=(6, 4)), owners)
    for pool in ("mean", "sum", "max", "assign"):
        model = built("gin", graph, pool=pool)
        place, read = neighborhood(model.fields, 1), log_odds(0)
        with torch.no_grad():
            assert float(output(model, place, read)) == pytest.approx(
                float(read(model(torch.tensor([[1]]))[0])), abs=1e-5
            )
        assert sorted(place.nodes[place.pairs].T.tolist()) == [[3, 4], [3, 5], [4, 5]]
        assert len(occlusion(model, place, read)) == 3


def test_a_network_is_left_as_it_was():
    model = built("gcn", graph_from(edges_of(8, 0.4, 0), 8, np.eye(8))).train()
    fields, place = model.fields, neighborhood(model.fields, 0)
    for work in (occlusion, gradient, node_values):
        work(model, place, log_odds(0))
    assert model.fields is fields
    assert model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def rings(groups=4, size=6):
    """Nodes whose class only their neighbours know: features are noise, but for a few."""
    rng, edges, classes = np.random.default_rng(0), [], []
    for group in range(groups):
        base = group * size
        edges += [
            [base + a, base + b]
            for a in range(size)
            for b in range(a + 1, size)
            if rng.random() < 0.6
        ]
        classes += [group % 2] * size
    features = np.eye(2)[classes] * 0.5 + rng.normal(size=(groups * size, 2)) * 0.3
    edges.append([0, size])
    names = tuple(f"n{n}" for n in range(groups * size))
    graph = graph_of(groups * size, edges, features=features)
    return cy.load((graph, ["even" if c == 0 else "odd" for c in classes])), names


@pytest.fixture(scope="module")
def run():
    data, _ = rings()
    return cy.fit(cy.Recipe(model="gcn", length="60 epochs"), data, doctor=False)


def test_edges_of_a_node(run, tmp_path):
    found = cy.explain_graph(run, 0, target="even")
    assert {e.source for e in found.edges} | {e.target for e in found.edges} <= {
        n.name for n in found.nodes
    }
    across = next(e for e in found.edges if {e.source, e.target} == {"0", "6"})
    assert across.value < 0  # it comes from the other class
    assert [abs(e.value) for e in found.edges] == sorted(
        (abs(e.value) for e in found.edges), reverse=True
    )
    other = cy.explain_graph(run, 0, target="odd")
    assert {(e.source, e.target): -e.value for e in other.edges} == pytest.approx(
        {(e.source, e.target): e.value for e in found.edges}, abs=1e-5
    )
    drawn = found.save(tmp_path / "g.svg").read_text("utf-8")
    assert "occlusion of edges" in drawn
    assert "stroke-dasharray" in drawn
    assert len(drawn) < 100_000
    json.dumps(found.to_dict())
    assert "log-odds go" in repr(found)
    assert found.deletion.ordered[0] == pytest.approx(found.output, abs=1e-5)
    for method in ("gradient", "integrated-gradients"):
        assert len(cy.explain_graph(run, 0, method=method).edges) == len(found.edges)


def test_deletion_tells_the_right_order_from_the_wrong_one(run):
    place, read = neighborhood(run.model.fields, 3), log_odds(0)
    values = occlusion(run.model, place, read)
    right, wrong = (deletion(run.model, place, read, sign * values, orders=40) for sign in (1, -1))
    assert right.gain > 0 > wrong.gain
    assert right.beaten > wrong.beaten
    assert right.ordered[1] == pytest.approx(float(right.ordered[0] - values.max()), abs=1e-5)


def test_what_a_sealed_node_is_stays_unsaid():
    data, _ = rings()
    split = cy.split(data, test=0.3, valid=0.2)
    sealed = cy.fit(cy.Recipe(model="gcn", length="5 epochs"), split, doctor=False)
    row = int(split.test[0])
    assert cy.explain_graph(sealed, row).truth == ""
    assert cy.explain_graph(sealed, int(split.valid[0])).truth
    with pytest.raises(UsageError):
        cy.explain_graph(sealed, row, target="true")


def test_wrong_questions_are_told(run):
    for options in ({"row": 0, "method": "saliency"}, {"row": 0, "target": "neither"}, {"row": -1}):
        with pytest.raises(UsageError):
            cy.explain_graph(run, **options)
    with pytest.raises(InputError, match="no such row"):
        cy.explain_graph(run, 999)
    with pytest.raises(InputError, match="no such node"):
        cy.explain_graph(run, "nobody")
    attention = cy.fit(cy.Recipe(model="gat", length="2 epochs"), run.data, doctor=False)
    with pytest.raises(UsageError, match="use occlusion"):
        cy.explain_graph(attention, 0, method="gradient")
    blind = cy.fit(cy.Recipe(model="mlp", length="2 epochs"), run.data, doctor=False)
    with pytest.raises(UsageError, match="no edges of a graph"):
        cy.explain_graph(blind, 0)
    with pytest.raises(UsageError, match="only graphs have edges"):
        cy.explain_graph(cy.fit(cy.Recipe(length="1 epochs"), cy.load("iris"), doctor=False), 0)


def test_a_node_without_edges():
    data = cy.load((graph_of(6, [[1, 2], [3, 4]], features=np.eye(6)), ["a", "b"] * 3))
    found = cy.explain_graph(
        cy.fit(cy.Recipe(model="gcn", length="2 epochs"), data, doctor=False), 0
    )
    assert found.edges == ()
    assert "no edge" in found.verdict
    assert "<circle" in str(found.svg())


def test_places_are_as_far_apart_as_paths_are_long():
    line = layout(5, [(0, 1), (1, 2), (2, 3), (3, 4)])
    assert np.allclose(np.diff(np.sort(line[:, 0])), 0.25, atol=0.01)
    square = layout(4, [(0, 1), (1, 2), (2, 3), (3, 0)])
    sides = [np.linalg.norm(square[a] - square[b]) for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    assert np.ptp(sides) < 0.02
    assert np.isfinite(layout(3, [])).all()
    assert layout(1, []).shape == (1, 2)


def test_explain_knows_graphs(run):
    assert repr(cy.explain(run)) == repr(cy.explain_graph(run))
    one = cy.explain(run, which=[3], method="gradient", target="even")
    assert one.to_dict() == cy.explain_graph(run, 3, method="gradient", target="even").to_dict()
    assert cy.explain(run, 3, method="gradient", target="even").to_dict() == one.to_dict()
    for wrong in ({"most": 2}, {"which": [1, 2]}, {"which": "best"}, {"steps": 3}, {"checks": 1}):
        with pytest.raises(UsageError):
            cy.explain(run, **wrong)


def test_edges_from_the_command_line(run, tmp_path, capsys):
    lines = "\n".join(
        f"n{n},{x[0]:.4f},{x[1]:.4f},{'even' if c == 0 else 'odd'}"
        for n, (x, c) in enumerate(zip(run.data.graph.features, run.data.targets, strict=True))
    )
    (tmp_path / "nodes.csv").write_text("id,x,y,class\n" + lines + "\n")
    pairs = {tuple(sorted(pair)) for pair in run.data.graph.edges.T.tolist()}
    (tmp_path / "edges.csv").write_text(
        "source,target\n" + "\n".join(f"n{a},n{b}" for a, b in sorted(pairs)) + "\n"
    )
    data = cy.load(tmp_path / "nodes.csv", graph=tmp_path / "edges.csv", target="class")
    folder = str(tmp_path / "run")
    cy.fit(cy.Recipe(model="gcn", length="5 epochs"), data, out=folder, doctor=False)
    place = tmp_path / "seen.svg"
    assert main(["explain", folder, "--node", "n7", "--out", str(place), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["row"] == "node n7"
    assert place.exists()
    assert made["edges"]
    assert main(["explain", folder, "--which", "8", "--by", "gradient"]) == 0
    assert "node n7" in capsys.readouterr().out
    assert main(["explain", folder, "--which", "8", "--node", "n7"]) == 2
    assert main(["explain", folder, "--which", "8,9"]) == 2
