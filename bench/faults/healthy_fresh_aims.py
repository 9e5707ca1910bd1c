"""Healthy programs whose aim is not a plain loss of a row: pairs, games, codes, language.

Written without a look at the doctor's rules; each has a bar, as in `healthy_fresh`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.faults.building import adam, digits, net
from bench.faults.harness import Case, Program, Rows, batches_of
from bench.faults.healthy_fresh import LOSSES, PLAIN, Attention, Bag
from bench.faults.healthy_fresh_traps import NETS, OPTIMISATION, ROWS
from bench.faults.healthy_rows import by_length, hits, padded, pictured


# ------------------------------------------------------------------ pairs
def neighbours(out: Tensor, y: Tensor) -> float:
    """Share of rows whose nearest other row is of their class."""
    far = torch.cdist(out, out).fill_diagonal_(torch.inf)
    return float((y[far.argmin(1)] == y).float().mean())


def triplet(out: Tensor, y: Tensor) -> Tensor:
    """Batch-hard triplet loss, margin 1."""
    far, same = torch.cdist(out, out), y[:, None] == y
    hardest = (far * same).amax(1)
    nearest = (far + 1e6 * same).amin(1)
    return F.softplus(hardest - nearest).mean()


def batch_hard_triplets() -> Program:
    model = net(64, 64, 8)
    return Program(model, triplet, adam(model, 1e-3), *digits(), 64, 20, measure=neighbours)


def views(program: Program, generator: torch.Generator) -> Iterator[Rows]:
    """Each row twice, with other noise."""
    for x, y in batches_of(program, generator):
        if len(x) == program.batch_size:
            yield x + 0.15 * torch.randn(x.shape, generator=generator), y


def info_nce(out: Tensor, _: Tensor) -> Tensor:
    """Each view is to find its partner among the 64 rows."""
    losses = []
    for part in out.split(64):
        one, other = (F.normalize(part[:, i], dim=-1) for i in (0, 1))
        losses.append(F.cross_entropy(one @ other.T / 0.2, torch.arange(len(part))))
    return torch.stack(losses).mean()


def partners(out: Tensor, _: Tensor) -> float:
    """Share of views that find their partner among all."""
    one, other = (F.normalize(out[:, i], dim=-1) for i in (0, 1))
    return float(((one @ other.T).argmax(1) == torch.arange(len(out))).float().mean())


def contrastive_views() -> Program:
    draw = torch.Generator().manual_seed(4)
    (x, y), (xv, yv) = digits()
    pairs = [r[:, None].repeat(1, 2, 1) for r in (x, xv)]
    pairs[1] = pairs[1] + 0.15 * torch.randn(pairs[1].shape, generator=draw)
    model = net(64, 64, 32)
    return Program(
        model,
        info_nce,
        adam(model, 2e-3),
        (pairs[0], y),
        (pairs[1], yv),
        64,
        20,
        batches=views,
        measure=partners,
    )


def like_or_not() -> Program:
    draw = torch.Generator().manual_seed(5)
    sets = []
    for x, y in digits():
        other = torch.randint(0, len(x), (len(x),), generator=draw)
        same = torch.tensor([int((y == c).nonzero()[k % 60]) for k, c in enumerate(y)])
        other = torch.where(torch.rand(len(x), generator=draw) < 0.5, same, other)
        sets.append((torch.stack([x, x[other]], 1), torch.where(y == y[other], 1.0, -1.0)))
    model = net(64, 64, 16)

    def right(out: Tensor, y: Tensor) -> float:
        like = F.cosine_similarity(out[:, 0], out[:, 1])
        return float(((like > 0.6) == (y > 0)).float().mean())

    return Program(
        model,
        lambda out, y: F.cosine_embedding_loss(out[:, 0], out[:, 1], y, margin=0.2),
        adam(model, 2e-3),
        *sets,
        32,
        25,
        measure=right,
    )


# ------------------------------------------------------------------ codes
class Variational(nn.Module):
    """Code of mean and log-variance; outputs: picture, mean, log-variance."""

    def __init__(self) -> None:
        super().__init__()
        self.coder, self.painter = net(64, 64, 16), net(8, 64, 64)

    def forward(self, x: Tensor) -> Tensor:
        mean, spread = self.coder(x).chunk(2, -1)
        z = mean + torch.randn_like(mean) * (spread / 2).exp() if self.training else mean
        return torch.cat([self.painter(z), mean, spread], -1)


def bound(out: Tensor, x: Tensor) -> Tensor:
    """Negative evidence lower bound, in nats a picture."""
    picture, mean, spread = out.split([64, 8, 8], -1)
    miss = F.binary_cross_entropy_with_logits(picture, x, reduction="none").sum(-1)
    return (miss + 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(-1)).mean()


def variational() -> Program:
    (x, _), (xv, _) = digits()
    model = Variational()
    return Program(
        model,
        bound,
        adam(model, 2e-3),
        (x, x),
        (xv, xv),
        32,
        30,
        measure=lambda out, y: pictured(out[:, :64].sigmoid(), y),
    )


class Branches(nn.Module):
    """A head at each depth: all are taught."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64, 48), nn.Linear(48, 48)])
        self.heads = nn.ModuleList([nn.Linear(48, 10), nn.Linear(48, 10)])

    def forward(self, x: Tensor) -> Tensor:
        outs = []
        for layer, head in zip(self.layers, self.heads, strict=True):
            x = F.relu(layer(x))
            outs.append(head(x))
        return torch.stack(outs, 1)


def deep_supervision() -> Program:
    model = Branches()
    return Program(
        model,
        lambda o, y: F.cross_entropy(o[:, 1], y) + 0.3 * F.cross_entropy(o[:, 0], y),
        adam(model),
        *digits(),
        32,
        15,
        measure=lambda out, y: hits(out[:, 1], y),
    )


# ------------------------------------------------------------------ language
def sentences(count: int, seed: int, length: int = 12) -> Tensor:
    """Words of a chain: each follows its predecessor by one of two rules (3 : 1)."""
    draw = np.random.default_rng(seed)
    words = np.zeros((count, length), int)
    words[:, 0] = draw.integers(0, 20, count)
    for t in range(1, length):
        usual = (words[:, t - 1] * 3 + 1) % 20
        words[:, t] = np.where(draw.random(count) < 0.85, usual, draw.integers(0, 20, count))
    return torch.tensor(words)


class Tied(nn.Module):
    """A recurrent language model that reads and writes with the same word vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 32)
        self.body = nn.GRU(32, 32, batch_first=True)
        self.head = nn.Linear(32, 20, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.words(x))[0]).transpose(1, 2)


def guessed(out: Tensor, y: Tensor) -> float:
    """Share of wanted words that are guessed."""
    return float((out.argmax(1) == y)[y >= 0].float().mean())


def tied_words() -> Program:
    one, other = sentences(500, 1), sentences(300, 2)
    model = Tied()
    return Program(
        model,
        nn.CrossEntropyLoss(),
        adam(model, 3e-3),
        (one[:, :-1], one[:, 1:]),
        (other[:, :-1], other[:, 1:]),
        32,
        12,
        measure=guessed,
    )


class Masked(nn.Module):
    """A transformer that guesses the hidden words."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Attention(21, 20, pool=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).transpose(1, 2)


def topical(count: int, seed: int, length: int = 12) -> Tensor:
    """Words of one of four topics; which of its five follows from the place (noise 1 in 10)."""
    draw = np.random.default_rng(seed)
    usual = 5 * draw.integers(0, 4, (count, 1)) + np.arange(length) % 5
    return torch.tensor(
        np.where(draw.random(usual.shape) < 0.9, usual, draw.integers(0, 20, usual.shape))
    )


def masked_words() -> Program:
    sets = []
    for words, seed in ((topical(800, 3), 1), (topical(300, 4), 2)):
        hidden = torch.rand(words.shape, generator=torch.Generator().manual_seed(seed)) < 0.15
        hidden[:, 5] = True
        sets.append((words.masked_fill(hidden, 20), words.masked_fill(~hidden, -100)))
    model = Masked()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)

    return Program(
        model,
        nn.CrossEntropyLoss(ignore_index=-100),
        optimizer,
        *sets,
        50,
        10,
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 160),
        clip=1.0,
        measure=guessed,
    )


def padded_attention() -> Program:
    model = Attention(50, 2, pad=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    return Program(model, F.cross_entropy, optimizer, *padded(), 50, 8, clip=1.0)


class PaddedBag(Bag):
    """Sum of word vectors; token 0 is none."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16, padding_idx=0)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.words(x).sum(1))


def buckets() -> Program:
    model = PaddedBag()
    return Program(model, F.cross_entropy, adam(model, 5e-3), *padded(), 32, 8, batches=by_length)


# ------------------------------------------------------------------ games
def cloud(count: int, generator: torch.Generator) -> Tensor:
    """Points of a slanted Gaussian about (1, -1)."""
    u = torch.randn(count, 2, generator=generator)
    return u @ torch.tensor([[0.6, 0.3], [0.0, 0.5]]) + torch.tensor([1.0, -1.0])


def in_the_cloud(points: Tensor) -> float:
    """1 less the error of means and deviations."""
    true = cloud(5000, torch.Generator().manual_seed(1))
    near = (points.mean(0) - true.mean(0)).abs().mean()
    return 1 - float(near + (points.std(0) - true.std(0)).abs().mean())


def game() -> tuple[nn.Module, nn.Module, list[torch.optim.Optimizer]]:
    """A generator, a discriminator, and their optimisers."""
    painter = net(4, 32, 2)
    critic = net(2, 32, 32, 1, act=lambda: nn.LeakyReLU(0.2))
    moves = [torch.optim.Adam(m.parameters(), 2e-3, (0.5, 0.9)) for m in (painter, critic)]
    return painter, critic, moves


def gan_generator() -> Program:
    """The watched program trains the generator; its loader trains the discriminator."""
    painter, critic, (optimizer, other) = game()

    def batches(_: Program, generator: torch.Generator) -> Iterator[Rows]:
        for _ in range(40):
            z = torch.randn(64, 4, generator=generator)
            odds = critic(torch.cat([cloud(64, generator), painter(z).detach()]))
            other.zero_grad()
            truth = torch.arange(128)[:, None] < 64
            F.binary_cross_entropy_with_logits(odds, truth.float()).backward()
            other.step()
            yield torch.randn(64, 4, generator=generator), torch.ones(64, 1)

    def fool(out: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(critic(out), y)

    draw = torch.Generator().manual_seed(3)
    z = torch.randn(900, 4, generator=draw)
    return Program(
        painter,
        fool,
        optimizer,
        (z[:500], torch.ones(500, 1)),
        (z[500:], torch.ones(400, 1)),
        64,
        20,
        batches=batches,
        measure=lambda out, _: in_the_cloud(out),
    )


def gan_discriminator() -> Program:
    """The watched program trains the discriminator; its loader trains the generator."""
    painter, critic, (other, optimizer) = game()

    def batches(_: Program, generator: torch.Generator) -> Iterator[Rows]:
        for _ in range(40):
            other.zero_grad()
            odds = critic(painter(torch.randn(64, 4, generator=generator)))
            F.binary_cross_entropy_with_logits(odds, torch.ones(64, 1)).backward()
            other.step()
            with torch.no_grad():
                made = painter(torch.randn(64, 4, generator=generator))
            yield torch.cat([cloud(64, generator), made]), (torch.arange(128)[:, None] < 64).float()

    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        sets = [torch.cat([cloud(200, draw), painter(torch.randn(200, 4, generator=draw))])] * 2
    truth = (torch.arange(400)[:, None] < 200).float()

    def measure(*_: Tensor) -> float:
        with torch.no_grad():
            return in_the_cloud(painter(torch.randn(400, 4, generator=draw)))

    return Program(
        critic,
        nn.BCEWithLogitsLoss(),
        optimizer,
        (sets[0], truth),
        (sets[1], truth),
        128,
        20,
        batches=batches,
        measure=measure,
    )


def bootstrapped_values() -> Program:
    """Q-learning on a chain of ten states: step left or right, 1 at the right end, discount 0.9."""
    draw = torch.Generator().manual_seed(7)
    s, a = (torch.randint(0, n, (1200,), generator=draw) for n in (10, 2))
    after = (s + 2 * a - 1).clamp(0, 9)
    paid = (after == 9).float()
    y = torch.stack([a.float(), paid, after.float()], 1)
    x = torch.eye(10)[s]
    model, target = net(10, 32, 2), net(10, 32, 2)
    target.load_state_dict(model.state_dict())

    def loss(out: Tensor, goal: Tensor) -> Tensor:
        with torch.no_grad():
            value = target(torch.eye(10)[goal[:, 2].long()]).amax(1)
            aim = goal[:, 1] + 0.9 * value * (goal[:, 1] == 0)
        return F.smooth_l1_loss(out.gather(1, goal[:, :1].long())[:, 0], aim)

    def batches(program: Program, generator: torch.Generator) -> Iterator[Rows]:
        for at, rows in enumerate(batches_of(program, generator)):
            if at % 10 == 0:
                target.load_state_dict(model.state_dict())
            yield rows

    def measure(out: Tensor, goal: Tensor) -> float:
        away = 8 - (x[1000:].argmax(1) + 2 * goal[:, 0] - 1).clamp(0, 9)
        true = 0.9 ** (away + 1)
        got = out.gather(1, goal[:, :1].long())[:, 0]
        return 1 - float((got - true).abs().mean() / true.std())

    return Program(
        model,
        loss,
        adam(model, 5e-3),
        (x[:1000], y[:1000]),
        (x[1000:], y[1000:]),
        32,
        25,
        batches=batches,
        measure=measure,
    )


AIMS = (
    (batch_hard_triplets, 0.94, "rows coupled on purpose"),
    (contrastive_views, 0.60, "rows coupled on purpose; labels unused"),
    (like_or_not, 0.80, "cosine embedding"),
    (variational, 0.45, "loss of 30; the penalty is part of it"),
    (deep_supervision, 0.93, "two heads"),
    (tied_words, 0.78, "a weight used twice; the chain itself 0.85"),
    (masked_words, 0.80, "most targets ignored; the rule itself 0.9"),
    (padded_attention, 0.85, "-inf in the mask"),
    (buckets, 0.88, "length buckets"),
    (gan_generator, 0.60, "constant targets; loss does not fall"),
    (gan_discriminator, 0.60, "loss does not fall; rows move"),
    (bootstrapped_values, 0.80, "targets move"),
)
FRESH_HEALTHY = tuple(
    Case(row[0].__name__, lambda _seed, _twin, f=row[0]: f(), trap="".join(row[2:]), bar=row[1])
    for row in (*PLAIN, *LOSSES, *OPTIMISATION, *NETS, *ROWS, *AIMS)
)
