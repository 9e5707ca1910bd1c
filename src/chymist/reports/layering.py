"""Where the boxes of a graph stand: in rows from top to bottom, in columns as of a newspaper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, log, sqrt

Point = tuple[float, float]

GAP, LANE = 26.0, 12.0  # pixels between boxes of a row; of an edge that passes by
DOWN = 34.0  # between rows
TITLE, PAD = 20.0, 9.0  # above the boxes of a frame; around them
BETWEEN = 74.0  # columns
TURN = 34.0  # below a column, where an edge goes to the next
TALL = 640.0  # of a drawing that needs no columns
SHAPE = 1.55  # width of a drawing with columns, in heights
SWEEPS = 8


@dataclass(frozen=True)
class Layout:
    """A graph with places.

    Args:
        centers: middle of each box, and its top.
        routes: of each edge, pieces of a line: each piece begins and ends upright, or runs along
            corners where it leads to the next column.
        frames: group, left, top, width, height, whether it goes on in another column.
        width, height: of the whole.
    """

    centers: tuple[Point, ...]
    routes: tuple[tuple[tuple[Point, ...], ...], ...]
    frames: tuple[tuple[int, float, float, float, float, bool], ...]
    width: float
    height: float


@dataclass
class _Item:
    """A box, or a place where an edge passes a row."""

    width: float
    height: float
    groups: tuple[int, ...]
    rank: int
    box: int = -1
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)
    x: float = field(default=0.0, init=False)
    y: float = field(default=0.0, init=False)


def layout(
    sizes: Sequence[Point], edges: Sequence[tuple[int, int]], groups: Sequence[tuple[int, ...]]
) -> Layout:
    """Rows by the longest way from an input, few crossings, straight edges (Sugiyama's method).

    Long graphs are cut into columns, where few edges are cut and frames stay whole.

    Args:
        sizes: width and height of each box, each after those that lead to it.
        edges: from a box to a later one.
        groups: frames that each box stands in, outer ones first.

    Returns:
        The places.

    Example:
        >>> found = layout([(40, 20)] * 3, [(0, 1), (0, 2), (1, 2)], [(), (), ()])
        >>> [y for _, y in found.centers], len(found.routes[1])
        ([8.0, 62.0, 116.0], 3)

    Source: Sugiyama, Tagawa, Toda 1981, Methods for visual understanding of hierarchical systems.
    """
    return _Layering(sizes, edges, groups).place()


class _Layering:
    """A graph on its way to places."""

    def __init__(
        self, sizes: Sequence[Point], edges: Sequence[tuple[int, int]],
        groups: Sequence[tuple[int, ...]],
    ) -> None:  # fmt: skip
        self.edges = list(edges)
        ranks = _ranks(len(sizes), self.edges)
        self.items = [
            _Item(*size, tuple(inside), rank, box)
            for box, (size, inside, rank) in enumerate(zip(sizes, groups, ranks, strict=True))
        ]
        self.boxes = len(sizes)
        self._spans: dict[int, tuple[int, int]] = {}
        for item in self.items:
            for g in item.groups:
                low, high = self._spans.get(g, (item.rank, item.rank))
                self._spans[g] = min(low, item.rank), max(high, item.rank)
        self.ways = [self._way(a, b) for a, b in self.edges]
        self.rows: list[list[int]] = [[] for _ in range(max(ranks, default=0) + 1)]
        for n, item in enumerate(self.items):
            self.rows[item.rank].append(n)

    def place(self) -> Layout:
        """Order the rows, cut them into columns, and find the places."""
        self._order()
        heights = [max(self.items[n].height for n in row) for row in self.rows]
        gaps = [self._gap(r) for r in range(len(self.rows))]
        columns = self._columns(heights, gaps)
        left, bottom = 0.0, 0.0
        edges_of: list[tuple[float, float, float]] = []  # left, right, bottom of each column
        for rows in columns:
            self._straighten(rows)
            inside = [n for r in rows for n in self.rows[r]]
            room = PAD * (1 + max(len(self.items[n].groups) for n in inside))
            low = min(self.items[n].x - self.items[n].width / 2 for n in inside)
            for n in inside:
                self.items[n].x += left + room - low
            right = max(self.items[n].x + self.items[n].width / 2 for n in inside) + room
            y = 8.0
            for r in rows:
                y += gaps[r] if r > rows[0] else self._titles(r, rows[0])
                for n in self.rows[r]:
                    self.items[n].y = y
                y += heights[r]
            edges_of.append((left, right, y))
            left, bottom = right + BETWEEN, max(bottom, y)
        frames = self._frames(columns, heights)
        ends = [top + tall for _, _, top, _, tall, _ in frames]
        turns = max((len(self._crossing(rows[-1])) for rows in columns[:-1]), default=0)
        height = max([bottom + (TURN + 4 + 6 * turns if turns else 8), *(end + 8 for end in ends)])
        routes = self._routes(columns, heights, edges_of)
        return Layout(
            tuple((item.x, item.y) for item in self.items[: self.boxes]), routes, frames,
            left - BETWEEN, height,
        )  # fmt: skip

    def _way(self, start: int, end: int) -> list[int]:
        """Items that an edge passes, with its ends."""
        first, last = self.items[start], self.items[end]
        way = [start]
        for rank in range(first.rank + 1, last.rank):
            inside = tuple(g for g in last.groups if g in first.groups or self._spans[g][0] <= rank)
            self.items.append(_Item(LANE, 0.0, inside, rank))
            way.append(len(self.items) - 1)
        way.append(end)
        for a, b in pairwise(way):
            self.items[a].below.append(b)
            self.items[b].above.append(a)
        return way

    def _order(self) -> None:
        """Sort the rows by the middle of their neighbours until no crossing goes away."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(SWEEPS):
            if not fewest:
                break
            down = sweep % 2 == 0
            places = {n: float(i) for row in self.rows for i, n in enumerate(row)}
            for row in self.rows if down else self.rows[::-1]:
                wanted = {}
                for n in row:
                    near = self.items[n].above if down else self.items[n].below
                    wanted[n] = sum(places[m] for m in near) / len(near) if near else places[n]
                self._sort(row, wanted)
                places.update({n: float(i) for i, n in enumerate(row)})
            found = self._crossings()
            if found < fewest:
                best, fewest = [list(row) for row in self.rows], found
        self.rows = best

    def _sort(self, row: list[int], wanted: dict[int, float]) -> None:
        """Sort a row; what stands in one frame stays together."""
        sums: dict[tuple[int, ...], list[float]] = {}
        for n in row:
            for deep in range(1, len(self.items[n].groups) + 1):
                sums.setdefault(self.items[n].groups[:deep], []).append(wanted[n])
        middles = {some: sum(values) / len(values) for some, values in sums.items()}

        def key(n: int) -> tuple[tuple[float, int], ...]:
            inside = self.items[n].groups
            steps = [(middles[inside[: d + 1]], inside[d]) for d in range(len(inside))]
            return (*steps, (wanted[n], -1))

        row.sort(key=key)

    def _crossings(self) -> int:
        total = 0
        for upper, lower in zip(self.rows, self.rows[1:], strict=False):
            at = {n: i for i, n in enumerate(lower)}
            ends = [sorted(at[m] for m in self.items[n].below) for n in upper]
            flat = [end for some in ends for end in some]
            total += sum(a > b for i, a in enumerate(flat) for b in flat[i + 1 :])
        return total

    def _straighten(self, rows: Sequence[int]) -> None:
        """Find places across: as near to the middle of the neighbours as the widths allow."""
        inside = {n for r in rows for n in self.rows[r]}
        for r in rows:
            x = 0.0
            for i, n in enumerate(self.rows[r]):
                x += self._apart(self.rows[r][i - 1], n) if i else 0.0
                self.items[n].x = x
        for sweep in range(13):  # the last one downwards
            for r in rows if sweep % 2 == 0 else rows[::-1]:
                row = self.rows[r]
                wanted, weights = [], []
                for n in row:
                    item = self.items[n]
                    near = item.above if sweep % 2 == 0 else item.below
                    near = [m for m in near if m in inside]
                    own = [m for m in near if self.items[m].groups == item.groups]
                    near = own or near
                    heavy = [m for m in near if (item.box < 0) == (self.items[m].box < 0)]
                    near = heavy or near
                    middle = sum(self.items[m].x for m in near) / len(near) if near else item.x
                    wanted.append(middle)
                    weights.append(_weight(item, heavy if own else (), near))
                apart = [self._apart(a, b) for a, b in pairwise(row)]
                for n, x in zip(row, _spread(wanted, weights, apart), strict=True):
                    self.items[n].x = x

    def _apart(self, one: int, two: int) -> float:
        """Least distance of the middles of two neighbours in a row."""
        a, b = self.items[one], self.items[two]
        frames = len(set(a.groups) ^ set(b.groups))
        gap = LANE / 2 if a.box < 0 and b.box < 0 else GAP
        return (a.width + b.width) / 2 + gap + PAD * frames

    def _gap(self, rank: int) -> float:
        """Room above a row: for labels, and the frames that end and begin there."""
        if rank == 0:
            return 0.0
        before = [self.items[n] for n in self.rows[rank - 1]]
        ends = [sum(self._spans[g][1] == rank - 1 for g in item.groups) for item in before]
        return DOWN + PAD * max(ends) + self._titles(rank)

    def _titles(self, rank: int, first: int = 0) -> float:
        """Room for the titles of frames that begin in a row of a column."""
        return TITLE * max(len(self._begun(self.items[n], first)) for n in self.rows[rank])

    def _begun(self, item: _Item, first: int) -> list[int]:
        """Frames that begin, in a column, in the row of an item."""
        return [g for g in item.groups if max(self._spans[g][0], first) == item.rank]

    def _columns(self, heights: Sequence[float], gaps: Sequence[float]) -> list[list[int]]:
        """Cut the rows into columns of about one height, at the cheapest places."""
        total = sum(heights) + sum(gaps)
        rows = len(self.rows)
        if total <= TALL:
            return [list(range(rows))]
        wide = sorted(sum(self.items[n].width + GAP for n in row) for row in self.rows)
        across = wide[int(0.9 * (rows - 1))] + BETWEEN
        ends = [0.0]
        for height, gap in zip(heights, gaps, strict=True):
            ends.append(ends[-1] + height + gap)
        most = min(max(1, round(sqrt(SHAPE * total / across))), rows)
        found = [self._cut(many, ends, max(total / many, max(heights)))
                 for many in range(1, most + 1)]  # fmt: skip
        _, cuts = min(
            (cost + 0.4 * log(many * many * across / total / SHAPE) ** 2, cuts)
            for many, (cost, cuts) in enumerate(found, 1)
        )
        return [list(range(a, b)) for a, b in pairwise(cuts) if a < b]

    def _cut(self, many: int, ends: Sequence[float], goal: float) -> tuple[float, list[int]]:
        """Where so many columns begin and end, and what that costs."""
        rows = len(self.rows)
        # best[c][r]: least cost of c columns that end before row r, and where the last one begins.
        best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
        for _ in range(many):
            now: dict[int, tuple[float, int]] = {}
            for stop in range(1, rows + 1):
                options = [
                    (cost + ((ends[stop] - ends[start]) / goal - 1) ** 2 + self._cost(start), start)
                    for start, (cost, _) in best[-1].items()
                    if start < stop
                ]
                now[stop] = min(options, default=(inf, 0))
            best.append(now)
        cuts, stop = [rows], rows
        for level in range(many, 0, -1):
            stop = best[level][stop][1]
            cuts.append(stop)
        return best[many][rows][0], cuts[::-1]

    def _cost(self, start: int) -> float:
        """What it costs to begin a column with a row: edges and frames that are cut."""
        if start == 0:
            return 0.0
        edges = len(self._crossing(start - 1)) - 1
        low = {g for n in self.rows[start - 1] for g in self.items[n].groups}
        frames = len(low & {g for n in self.rows[start] for g in self.items[n].groups})
        return 0.3 * edges + 0.1 * frames

    def _crossing(self, rank: int) -> list[tuple[int, int]]:
        return [(n, m) for n in self.rows[rank] for m in self.items[n].below]

    def _frames(
        self, columns: Sequence[Sequence[int]], heights: Sequence[float]
    ) -> tuple[tuple[int, float, float, float, float, bool], ...]:
        """Frames around the boxes of each group, column by column, if no other box is in them."""
        found = []
        for rows in columns:
            here = [
                item
                for item in self.items[: self.boxes]
                if item.rank in range(rows[0], rows[-1] + 1)
            ]
            for group in sorted({g for item in here for g in item.groups}):
                members = [item for item in self.items if group in item.groups
                           and item.rank in range(rows[0], rows[-1] + 1)]  # fmt: skip
                inner = max(len(item.groups) - item.groups.index(group) - 1 for item in members)
                pad = PAD * (1 + inner)
                left = min(item.x - item.width / 2 for item in members) - pad
                right = max(item.x + item.width / 2 for item in members) + pad
                # A frame that goes on below the first row of a column has no title there.
                top = min(
                    item.y - max(PAD, TITLE * sum(item.groups.index(g) >= item.groups.index(group)
                                                  for g in self._begun(item, rows[0])) - 2)
                    for item in members
                )  # fmt: skip
                end = max(item.y + item.height for item in members) + pad
                strange = any(
                    group not in item.groups
                    and item.x + item.width / 2 > left and item.x - item.width / 2 < right
                    and item.y + item.height > top and item.y < end
                    for item in here
                )  # fmt: skip
                if not strange:
                    more = self._spans[group][0] < rows[0]
                    found.append((group, left, top, right - left, end - top, more))
        return tuple(found)

    def _routes(
        self, columns: Sequence[Sequence[int]], heights: Sequence[float],
        edges_of: Sequence[tuple[float, float, float]],
    ) -> tuple[tuple[tuple[Point, ...], ...], ...]:  # fmt: skip
        column = {r: c for c, rows in enumerate(columns) for r in rows}
        lanes: dict[tuple[int, int], int] = {}
        for rows in columns[:-1]:
            for lane, pair in enumerate(self._crossing(rows[-1])):
                lanes[pair] = lane
        routes = []
        for way in self.ways:
            pieces: list[tuple[Point, ...]] = []
            for a, b in pairwise(way):
                start, end = self.items[a], self.items[b]
                low = start.y + (start.height if start.box >= 0 else heights[start.rank])
                if start.box < 0:  # past its row
                    pieces.append(((start.x, start.y), (start.x, low)))
                if column[start.rank] == column[end.rank]:
                    pieces.append(((start.x, low), (end.x, end.y)))
                    continue
                here = column[start.rank]
                lane = 6 * lanes[a, b]
                middle = edges_of[here][1] + BETWEEN / 2 - 12 + lane
                floor, ceiling = edges_of[here][2] + TURN + lane, end.y - 14 - lane
                pieces.append((
                    (start.x, low), (start.x, floor), (middle, floor), (middle, ceiling),
                    (end.x, ceiling), (end.x, end.y),
                ))  # fmt: skip
            routes.append(tuple(pieces))
        return tuple(routes)


def _weight(item: _Item, heavy: Sequence[int], near: Sequence[int]) -> float:
    """How much it matters that an item stands where its neighbours want it."""
    if len(heavy) == 1:  # straight on
        return 8.0 if item.box >= 0 else 0.2
    return (1.0 if near else 0.1) if item.box >= 0 else 0.001


def _ranks(boxes: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Longest way from a source; sources stand just above what they lead to."""
    ranks = [0] * boxes
    for a, b in sorted(edges, key=lambda edge: edge[1]):
        ranks[b] = max(ranks[b], ranks[a] + 1)
    led = {b for _, b in edges}
    for n in range(boxes):
        users = [ranks[b] for a, b in edges if a == n]
        if n not in led and users:
            ranks[n] = min(users) - 1
    used = {rank: n for n, rank in enumerate(sorted(set(ranks)))}
    return [used[rank] for rank in ranks]


def _spread(
    wanted: Sequence[float], weights: Sequence[float], apart: Sequence[float]
) -> list[float]:
    """Places as near to wanted ones as least distances allow: isotonic regression.

    Example:
        >>> _spread([0.0, 0.0], [1.0, 1.0], [4.0])
        [-2.0, 2.0]
    """
    shifts = [0.0]
    for distance in apart:
        shifts.append(shifts[-1] + distance)
    blocks: list[list[float]] = []  # sum of weight x place, weight, number
    for place, weight, shift in zip(wanted, weights, shifts, strict=True):
        blocks.append([weight * (place - shift), weight, 1])
        while len(blocks) > 1 and (blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]):
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    flat = [block[0] / block[1] for block in blocks for _ in range(int(block[2]))]
    return [place + shift for place, shift in zip(flat, shifts, strict=True)]
