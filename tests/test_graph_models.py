"""Networks on graphs against PyTorch Geometric, closed forms, and themselves."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

import chymist as cy
from chymist.data.graphs import graph_inputs, graph_of
from chymist.errors import UsageError
from chymist.evidence.graph_floors import label_propagation
from chymist.models.fields import Fields, renormalized, sum_of_neighbors
from chymist.models.graph_layers import (
    GraphAttention,
    GraphConvolution,
    Isomorphism,
    SampleAndAggregate,
    pooled,
)
from chymist.models.graph_views import by_matrix, by_messages, by_spectrum
from chymist.models.sparse import BitDropout, blocks, dense_rows, product, taken

NODES = 30
NETWORKS = {
    "gcn": cy.models.gcn(hidden=(8,)), "gat": cy.models.gat(hidden=(4,), heads=2),
    "sage": cy.models.sage(hidden=(8,)), "gin": cy.models.gin(hidden=(8,), learn_eps=True),
}  # fmt: skip


def rng(seed=0):
    return np.random.default_rng(seed)


def some_graph(weights=False, density=0.3, seed=0, loose=True):
    draw = rng(seed)
    pairs = draw.integers(0, NODES - 2 * loose, (60, 2))  # the last two have no edges
    pairs = np.unique(np.sort(pairs, 1), axis=0)
    features = draw.random((NODES, 12)) * (draw.random((NODES, 12)) < density)
    given_weights = draw.random(len(pairs)) if weights else None
    return graph_inputs(graph_of(NODES, pairs, given_weights, features.astype(np.float32)), "none")


def shapes_of(graph, outputs=3):
    return cy.Shapes((1,), outputs, graph=graph)


def built(name, graph, outputs=3):
    torch.manual_seed(0)
    return NETWORKS[name].build(shapes_of(graph, outputs))


def step_of(graph, weighting):
    fields = Fields(graph, weighting, 1)
    field, _ = fields.of(torch.arange(NODES), torch.zeros(1))
    return field


@pytest.mark.parametrize("weights", [False, True])
def test_the_three_views_of_a_convolution_are_one(weights):
    graph = some_graph(weights)
    values = torch.randn(NODES, 5, generator=torch.Generator().manual_seed(0))
    wanted = by_matrix(graph, values)
    assert torch.allclose(by_messages(graph, values), wanted, atol=1e-6)
    assert torch.allclose(by_spectrum(graph, values), wanted, atol=1e-6)


@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize("weights", [False, True])
def test_gcn_is_that_of_geometric(weights, density):
    geometric = pytest.importorskip("torch_geometric.nn")
    graph = some_graph(weights, density)
    theirs, ours = geometric.GCNConv(12, 4), GraphConvolution(12, 4)
    with torch.no_grad():
        ours.linear.weight.copy_(theirs.lin.weight)
        theirs.bias.copy_(ours.bias.normal_())
    field = step_of(graph, renormalized)
    wanted = theirs(graph.features, graph.edges, graph.weights)
    found = ours(field.features, field.steps[0], BitDropout(0.0))
    assert torch.allclose(found, wanted, atol=1e-6)
    found.square().sum().backward()
    wanted.square().sum().backward()
    assert torch.allclose(ours.linear.weight.grad, theirs.lin.weight.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_sage_is_that_of_geometric(density):
    from chymist.models.fields import mean_of_neighbors

    geometric = pytest.importorskip("torch_geometric.nn")
    graph = some_graph(density=density)
    theirs, ours = geometric.SAGEConv(12, 4), SampleAndAggregate(12, 4)
    with torch.no_grad():
        ours.own.weight.copy_(theirs.lin_r.weight)
        ours.neighbors.weight.copy_(theirs.lin_l.weight)
        ours.bias.copy_(theirs.lin_l.bias)
    field = step_of(graph, mean_of_neighbors)
    found = ours(field.features, field.steps[0], BitDropout(0.0))
    assert torch.allclose(found, theirs(graph.features, graph.edges), atol=1e-6)


@pytest.mark.parametrize("joined", [True, False])
def test_gat_is_that_of_geometric(joined):
    from chymist.models.fields import with_loops

    geometric = pytest.importorskip("torch_geometric.nn")
    graph = some_graph()
    theirs = geometric.GATConv(12, 4, heads=3, concat=joined)
    ours = GraphAttention(12, 4, 3, joined, 0.0)
    with torch.no_grad():
        ours.linear.weight.copy_(theirs.lin.weight)
        ours.source.weight.copy_(theirs.att_src[0])
        ours.target.weight.copy_(theirs.att_dst[0])
        theirs.bias.copy_(ours.bias.normal_())
    field = step_of(graph, with_loops)
    found = ours(field.features, field.steps[0], BitDropout(0.0))
    wanted = theirs(graph.features, graph.edges)
    assert torch.allclose(found, wanted, atol=1e-6)
    found.square().sum().backward()
    wanted.square().sum().backward()
    assert torch.allclose(ours.source.weight.grad, theirs.att_src.grad[0], rtol=1e-3, atol=1e-5)


def test_gin_is_that_of_geometric():
    geometric = pytest.importorskip("torch_geometric.nn")
    graph = some_graph()
    ours = Isomorphism(12, 4, learn_eps=True)
    first = torch.nn.Linear(12, 4)
    with torch.no_grad():
        first.weight.copy_(ours.first.weight)
        first.bias.copy_(ours.bias.normal_())
        ours.eps.fill_(0.3)
    inside = torch.nn.Sequential(first, copy.deepcopy(ours.norm), torch.nn.ReLU(),
                                 copy.deepcopy(ours.second), copy.deepcopy(ours.norm_after))  # fmt: skip
    wanted = copy.deepcopy(inside.state_dict())
    theirs = geometric.GINConv(inside, eps=0.3)  # which draws the weights of what it is given anew
    inside.load_state_dict(wanted)
    field = step_of(graph, sum_of_neighbors)
    found = ours(field.features, field.steps[0], BitDropout(0.0))
    assert torch.allclose(found, theirs(graph.features, graph.edges), atol=1e-5)


@pytest.mark.parametrize("how", ["sum", "mean", "max"])
def test_pooling_is_that_of_geometric(how):
    geometric = pytest.importorskip("torch_geometric.nn")
    theirs = {"sum": geometric.global_add_pool, "mean": geometric.global_mean_pool,
              "max": geometric.global_max_pool}[how]  # fmt: skip
    values = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    owners = torch.tensor([0, 0, 1, 2, 2, 2, 2, 3, 3])
    assert torch.allclose(pooled(values, owners, 4, how), theirs(values, owners))


def trios(changed=None):
    owners = np.repeat(np.arange(6), 5)
    pairs = np.array([[g * 5 + i, g * 5 + j] for g in range(6)
                      for i, j in ((0, 1), (1, 2), (3, 4), (0, 4))])  # fmt: skip
    features = rng().random((30, 4))
    if changed is not None:  # nodes in another order within each graph
        order = owners * 5 + np.tile(changed, 6)
        features, pairs = features[order], np.argsort(order)[pairs]
    return graph_inputs(graph_of(30, pairs, features=features, owners=owners), "none")


def test_clusters_of_nodes_are_those_of_geometric_and_of_dense_matrices():
    from chymist.models.assignment import coarsened

    graph = trios()
    step = Fields(graph, sum_of_neighbors, 1).of(torch.arange(6), torch.zeros(1))[0].steps[0]
    draw = torch.Generator().manual_seed(0)
    values, scores = torch.randn(30, 4, generator=draw), torch.randn(30, 3, generator=draw)
    wide, among = coarsened(values, scores.softmax(1), step.edges, graph.owners, 6)
    dense = product(step.edges, torch.eye(30))
    for g in range(6):
        own, s = slice(5 * g, 5 * g + 5), scores.softmax(1)[5 * g : 5 * g + 5]
        assert torch.allclose(wide[g], s.T @ values[own], atol=1e-6)
        assert torch.allclose(among[g], s.T @ dense[own, own] @ s, atol=1e-6)
    pool = pytest.importorskip("torch_geometric.nn").dense_diff_pool
    blocks_of = torch.stack([dense[5 * g : 5 * g + 5, 5 * g : 5 * g + 5] for g in range(6)])
    theirs = pool(values.view(6, 5, 4), blocks_of, scores.view(6, 5, 3))
    assert torch.allclose(wide, theirs[0], atol=1e-6)
    assert torch.allclose(among, theirs[1], atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_pooling_by_assignment_keeps_no_order_and_learns(name):
    described = NETWORKS[name].replace(pool="assign", clusters=3)
    torch.manual_seed(0)
    module = described.build(shapes_of(trios())).double().eval()
    rows = torch.arange(6)[:, None]
    whole = module(rows)
    assert torch.allclose(module(rows[[4, 1]]), whole[[4, 1]])
    twin = described.build(shapes_of(trios(rng(1).permutation(5)))).double().eval()
    twin.load_state_dict(module.state_dict())
    assert torch.allclose(twin(rows), whole)
    whole.square().sum().backward()
    for part in ("scores", "own", "neighbors"):
        assert bool(getattr(module.assignment, part).weight.grad.any())


def grid(height, width, wraps):
    at = np.arange(height * width).reshape(height, width)
    down, right = (np.roll(at, -1, 0), np.roll(at, -1, 1)) if wraps else (at[1:], at[:, 1:])
    above, left = (at, at) if wraps else (at[:-1], at[:, :-1])
    pairs = np.concatenate([np.stack([above, down], -1).reshape(-1, 2),
                            np.stack([left, right], -1).reshape(-1, 2)])  # fmt: skip
    return graph_inputs(graph_of(height * width, pairs))


@pytest.mark.parametrize("wraps", [True, False])
def test_on_a_grid_a_graph_convolution_is_a_convolution_with_one_symmetric_kernel(wraps):
    image = torch.randn(1, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])[None, None]
    found = by_matrix(grid(6, 7, wraps), image.reshape(-1, 1)).view(1, 1, 6, 7)
    if wraps:  # every pixel has four neighbours, and the kernel is a fifth
        padded = functional.pad(image, (1, 1, 1, 1), mode="circular")
        assert torch.allclose(found, functional.conv2d(padded, kernel) / 5, atol=1e-6)
        return
    degree = functional.conv2d(torch.ones_like(image), kernel, padding=1)  # 3 in a corner
    wanted = functional.conv2d(image * degree.rsqrt(), kernel, padding=1) * degree.rsqrt()
    assert torch.allclose(found, wanted, atol=1e-6)
    plain = functional.conv2d(image, kernel, padding=1) / 5
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert torch.allclose(found[inside], plain[inside], atol=1e-6)
    assert not torch.allclose(found, plain, atol=1e-2)


@pytest.mark.parametrize("name", ["gcn", "gat", "sage"])
def test_rows_see_their_receptive_field_and_nothing_else_is_needed(name):
    module = built(name, some_graph()).eval()
    whole = module(torch.arange(NODES)[:, None])
    for rows in ([3], [29, 4, 4, 0], [5, 1, 2]):
        assert torch.allclose(module(torch.tensor(rows)[:, None]), whole[rows], atol=1e-6)


@pytest.mark.parametrize("name", ["gcn", "gat", "sage"])
def test_what_is_two_steps_off_is_seen_and_three_steps_off_is_not(name):
    path = [[i, i + 1] for i in range(9)]
    features = rng().random((10, 4)).astype(np.float32)

    def first(changed):
        given_features = features.copy()
        given_features[changed] += 5
        graph = graph_inputs(graph_of(10, path, features=given_features), "none")
        return built(name, graph).eval()(torch.tensor([[0]]))

    assert not torch.allclose(first(2), first(9))
    assert torch.equal(first(3), first(9))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("density", [0.05, 0.5])
def test_networks_learn_and_give_the_same_with_sparse_and_dense_features(name, density):
    graph = some_graph(density=density)
    module = built(name, graph)
    rows = torch.arange(NODES)[:, None]
    module(rows).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
    assert all(bool(p.grad.any()) for n, p in module.named_parameters() if "weight" in n)
    twin = copy.deepcopy(module).eval()
    other = copy.deepcopy(graph)  # with no memory of fields
    twin.fields = Fields(other, getattr(cy.models.fields, module.fields.name[0]), 2)
    twin.fields.features = graph.features if density == 0.05 else dense_rows(graph.features)
    assert torch.allclose(module.eval()(rows), twin(rows), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_in_double_precision_and_on_graphs_as_rows(name):
    owners = np.repeat(np.arange(6), 5)
    pairs = [[g * 5 + i, g * 5 + j] for g in range(6) for i, j in ((0, 1), (1, 2), (3, 4))]
    graph = graph_inputs(graph_of(30, pairs, features=rng().random((30, 4)), owners=owners), "none")
    module = built(name, graph).double().eval()
    whole = module(torch.arange(6)[:, None])
    assert whole.shape == (6, 3)
    assert whole.dtype == torch.float64
    assert torch.allclose(module(torch.tensor([[4], [1]])), whole[[4, 1]])
    moved = rng(1).permutation(5)  # the order of the nodes of a graph says nothing
    order = owners * 5 + np.tile(moved, 6)
    back = np.argsort(order)
    other = graph_inputs(graph_of(30, back[np.array(pairs)], features=graph.features.numpy()[order],
                                  owners=owners), "none")  # fmt: skip
    twin = built(name, other).double().eval()
    twin.load_state_dict(module.state_dict())
    assert torch.allclose(twin(torch.arange(6)[:, None]), whole)


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_sparse_products_and_their_gradients_are_dense_ones(seed, rows, columns, width):
    draw = torch.Generator().manual_seed(seed)
    plain = torch.randn(rows, columns, generator=draw) * (
        torch.rand(rows, columns, generator=draw) < 0.4
    )
    right = torch.randn(columns, width, generator=draw, requires_grad=True)
    twin = right.detach().clone().requires_grad_()
    matrix = dense_rows(plain)
    assert torch.allclose(product(matrix, right), plain @ twin, atol=1e-5)
    weights = torch.randn(rows, width, generator=draw)
    (product(matrix, right) * weights).sum().backward()
    (plain @ twin * weights).sum().backward()
    assert torch.allclose(right.grad, twin.grad, atol=1e-5)
    picked = torch.arange(0, rows, 2)
    assert torch.allclose(product(taken(matrix, picked), twin), plain[picked] @ twin, atol=1e-5)
    both = product(blocks([matrix, matrix]), torch.cat([twin, 2 * twin]))
    assert torch.allclose(both, torch.cat([plain @ twin, plain @ (2 * twin)]), atol=1e-5)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.6])
def test_dropout_by_bits_drops_its_share_and_is_a_function_of_its_place(p):
    layer = BitDropout(p)
    layer.place(3, 7, "drop")
    first = layer(torch.ones(40_001))
    assert abs(float((first == 0).float().mean()) - p) < 4 * np.sqrt(p * (1 - p) / 40_001)
    assert torch.allclose(first[first != 0], torch.tensor(1 / (1 - p)))
    assert torch.equal(first, layer(torch.ones(40_001)))
    layer.place(3, 8, "drop")
    assert not torch.equal(first, layer(torch.ones(40_001)))
    lagged = first[:-1].bool().float() * first[1:].bool().float()
    assert abs(float(lagged.mean()) - (1 - p) ** 2) < 0.01
    assert torch.equal(layer.eval()(torch.ones(5)), torch.ones(5))


def test_decay_of_the_first_layer_alone_is_that_of_kipf():
    from chymist.penalties import pull, value, weights_of

    module = built("gcn", some_graph())
    penalty = cy.penalties.l2(strength=2.5e-4, layers="first").build(None)
    wanted = 5e-4 * module.layers[0].linear.weight.square().sum() / 2
    assert torch.allclose(value(penalty, module), wanted)
    functional.mse_loss(module(torch.arange(NODES)[:, None]), torch.zeros(NODES, 3)).backward()
    before = [p.grad.clone() for p in module.parameters()]
    pull([penalty], weights_of(module))
    for place, (old, parameter) in enumerate(zip(before, module.parameters(), strict=True)):
        first = parameter is module.layers[0].linear.weight
        assert torch.allclose(parameter.grad - old, 5e-4 * parameter * first, atol=1e-8), place


def test_label_propagation_is_that_of_a_closed_form():
    draw = rng()
    graph = some_graph(loose=False)
    edges, train = graph.edges.numpy(), np.arange(9)
    goals = draw.integers(0, 3, 9)
    found = label_propagation(edges, NODES, train, goals, 3, np.arange(NODES))
    adjacency = np.zeros((NODES, NODES))
    adjacency[edges[1], edges[0]] = 1
    root = 1 / np.sqrt(np.maximum(adjacency.sum(1), 1))
    walk = root[:, None] * adjacency * root
    known = np.zeros((NODES, 3))
    known[train, goals] = 1
    limit = np.linalg.solve(np.eye(NODES) - 0.9 * walk, 0.1 * known)
    reached = limit.sum(1) > 1e-9
    wanted = limit[reached] / limit[reached].sum(1, keepdims=True)
    assert np.allclose(found[reached], wanted, atol=0.02)


def test_a_graph_model_without_a_graph_is_refused():
    with pytest.raises(UsageError, match="needs a graph"):
        cy.fit(cy.Recipe(model="gat", length="1 epochs"), cy.load("iris"))
    assert cy.Shapes((1,), 2).graph is None


def test_cora_is_learned(chymist_data):
    run = cy.fit(cy.Recipe(length="60 epochs"), cy.split(cy.load("cora")), doctor=False)
    assert str(run.recipe.model) == "gcn()"
    assert run.recipe.penalty.options["layers"] == "first"
    assert run.score.value > 0.76
    assert {f.name for f in run.floors} >= {"label propagation", "softmax regression",
                                            "perceptron on features, no edges"}  # fmt: skip
    assert max(f.score.value for f in run.floors) < run.score.value
