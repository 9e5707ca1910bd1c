"""Generated NPY, NPZ and Parquet files, see `tests.corpora`."""

from __future__ import annotations

import datetime as dt
import io
import os
import random
import zipfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from tests.corpora_files import BAD, EITHER, GOOD, HOSTILE, Maker, damaged, flipped, marked, packed

Arrays = dict[str, Any]


class Harm:
    """An object whose unpickling would make a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harm",)


def arrays(rng: random.Random) -> Arrays:
    """Right inputs and targets."""
    rows = 24
    x = np.array([[rng.gauss(0, 1) for _ in range(3)] for _ in range(rows)])
    return {"x": x, "y": np.array([n % 2 for n in range(rows)])}


def npy(array: Any, version: tuple[int, int] | None = None) -> bytes:
    """An array as the bytes of an NPY file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), version)
    return file.getvalue()


def npz(given: Arrays, method: int = zipfile.ZIP_STORED) -> bytes:
    """Arrays (or contents) as the bytes of an NPZ file."""
    files = {f"{n}.npy": a if isinstance(a, bytes) else npy(a) for n, a in given.items()}
    return packed(files, method)


def headed(text: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """An NPY file with a header of one's own."""
    size = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + size + text.encode("latin-1") + content


def claims(shape: str, descr: str = "'<f8'", content: bytes = bytes(800)) -> bytes:
    """An NPY file that claims a form."""
    return headed(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}", content)


def _npz(verdict: str, build: Callable[[random.Random, Arrays], Arrays], method: int = 8) -> Maker:
    return lambda rng: (verdict, {"a.npz": npz(build(rng, arrays(rng)), method)}, "a.npz")


def _raw(
    verdict: str, build: Callable[[random.Random, Arrays], bytes], name: str = "a.npz"
) -> Maker:
    return lambda rng: (verdict, {name: build(rng, arrays(rng))}, name)


def _npy(verdict: str, build: Callable[[random.Random, np.ndarray], bytes]) -> Maker:
    def made(rng: random.Random) -> tuple[str, dict[str, Any], str]:
        found = arrays(rng)
        return verdict, {"a.npy": build(rng, np.column_stack([found["x"], found["y"]]))}, "a.npy"

    return made


def _objects(rng: random.Random, given: Arrays) -> Arrays:
    file = io.BytesIO()
    np.save(file, np.array([Harm()] * 24, object), allow_pickle=True)
    return {**given, rng.choice("xy"): file.getvalue()}


def _put(array: np.ndarray, rng: random.Random, value: float) -> np.ndarray:
    array = array.copy()
    array[rng.randrange(len(array)), 0] = value
    return array


def _typed(rng: random.Random, x: np.ndarray) -> np.ndarray:
    dtype = rng.choice((">f8", "<f4", ">f4", "<f2", "i1", ">i2", "<i4", ">u8", "u1", "?", "g"))
    return np.asarray((x > 0) if dtype == "?" else np.abs(x * 9), dtype)


def _records(rng: random.Random, whole: np.ndarray) -> bytes:
    rows = np.zeros(len(whole), [("age", "<f4"), ("job", "<U9"), ("day", "<M8[D]"), ("y", "S3")])
    rows["age"], rows["job"] = (
        whole[:, 0],
        rng.choices(["a", "b", "\u00e9", HOSTILE[0][:9]], k=len(whole)),
    )
    rows["day"], rows["y"] = rng.randrange(20_000), np.where(whole[:, 3], b"yes", b"no")
    rows["day"] += np.arange(len(whole)) % 5
    return npy(rows)


def _large(rng: random.Random, given: Arrays) -> Arrays:
    wide = np.array(rng.choices([0.0, 0.5, 1.5, -2.0], k=64), np.float32)
    return {"x": np.tile(wide, (5000, 1)) * np.arange(5000)[:, None], "y": np.arange(5000) % 3}


HEADERS = (
    "", "{", "{}", "[1]", "None", "{'descr': '<f8'}", "(" * 3000, "[" * 9000, "9**9**9", "{'descr': __import__('os'), 'shape': ()}",
    "{'descr': '<f8', 'fortran_order': 0, 'shape': (100,)}", "{'descr': '<f8', 'fortran_order': False, 'shape': 100}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': [100]}", "{'descr': 'zz', 'fortran_order': False, 'shape': (100,)}",
    "{'descr': 7, 'fortran_order': False, 'shape': (100,)}", "{'descr': {'a': 1}, 'fortran_order': False, 'shape': (100,)}",
    "{'descr': [('a',)], 'fortran_order': False, 'shape': (100,)}", "{'descr': '<f8', 'fortran_order': False, 'shape': (1e2,)}",
    "\0" * 64, "-" * 9000 + "1", "\x1b[31m",
)  # fmt: skip
FORMS = (
    ("(10**9,)", "'<f8'"), ("(1000000000000,)", "'<f8'"), ("(-5, 2)", "'<f8'"), ("(99999999999, 99999999999)", "'<f8'"),
    ("(True, 9)", "'<f8'"), ("(100,)", "'|O'"), ("(50,)", "'<c16'"), ("(100,)", "'|V8'"), ("(1,)", "'<U2000000000'"),
    ("(99,)", "'<U0'"), ("(1,)", "[('a', '<f8', (1000000000,))]"), ("(50,)", "[('a', '<f8'), ('a', '<f8')]"),
    ("(10, 10)", "[('a', '|O')]"), ("()", "'<f8'"), ("(0, 100)", "'<f8'"), ("(1,1,1,1,1,1,1,1,1,100)", "'<f8'"),
    ("(100,)", "'<m8[s]'"), ("(100,)", "'<M8'"), ("(" + "1," * 4000 + ")", "'<f8'"),
)  # fmt: skip

ARRAYS: dict[str, Maker] = {
    "plain": _npz(GOOD, lambda r, a: a, 0),
    "compressed": _npz(GOOD, lambda r, a: a),
    "other packing": _npz(GOOD, lambda r, a: a, 14),
    "parts": _npz(GOOD, lambda r, a: {f"{n}_{p}": v for n, v in a.items() for p in ("train", "test")}),
    "images": _npz(GOOD, lambda r, a: {"images": np.frombuffer(r.randbytes(24 * 48), np.uint8).reshape(24, 4, 4, 3), "labels": a["y"]}),
    "other types": _npz(GOOD, lambda r, a: {**a, "x": _typed(r, a["x"])}),
    "columns first": _npz(GOOD, lambda r, a: {**a, "x": np.asfortranarray(a["x"])}, 0),
    "texts as targets": _npz(GOOD, lambda r, a: {**a, "y": np.where(a["y"], r.choice(HOSTILE) + "1", "b")}),
    "hostile names": _npz(GOOD, lambda r, a: {**a, "z" + r.choice(HOSTILE).replace("/", "-")[:99]: a["y"]}),
    "other files": _raw(GOOD, lambda r, a: packed({"x.npy": npy(a["x"]), "y.npy": npy(a["y"]), "notes.txt": b"x"})),
    "large": _npz(GOOD, _large, 0),
    "junk before it": _raw(GOOD, lambda r, a: r.randbytes(50) + npz(a)),
    "NPY": _npy(GOOD, lambda r, w: npy(w, r.choice((None, (2, 0), (3, 0))))),
    "NPY columns first": _npy(GOOD, lambda r, w: npy(np.asfortranarray(w))),
    "NPY of records": _npy(GOOD, _records),
    "objects": _npz(BAD, _objects),
    "objects in NPY": _npy(BAD, lambda r, w: next(iter(_objects(r, {}).values()))),
    "infinite": _npz(BAD, lambda r, a: {**a, "x": _put(a["x"], r, r.choice((np.inf, -np.inf)))}),
    "not a number": _npz(BAD, lambda r, a: {**a, "x": _put(a["x"], r, np.nan)}),
    "other length": _npz(BAD, lambda r, a: {**a, "y": a["y"][: r.randrange(1, 23)]}),
    "one class": _npz(BAD, lambda r, a: {**a, "y": np.array(["a"] * 24)}),
    "no rows": _npz(BAD, lambda r, a: {n: v[:0] for n, v in a.items()}),
    "one row": _npz(BAD, lambda r, a: {n: v[:1] for n, v in a.items()}),
    "complex": _npz(BAD, lambda r, a: {**a, r.choice("xy"): a["x"] * 1j}),
    "names that say nothing": _npz(BAD, lambda r, a: {"a": a["x"], "b": a["y"]}),
    "no targets": _npz(BAD, lambda r, a: {"x": a["x"]}),
    "axes": _npz(BAD, lambda r, a: {**a, "x": a["x"].reshape(r.choice([(24, 3, 1, 1, 1), (72,), (24, 3, 1, 1, 1, 1)]))}),
    "claims a form": _npz(BAD, lambda r, a: {**a, "x": claims(*r.choice(FORMS))}),
    "claims in NPY": _npy(BAD, lambda r, w: claims(*r.choice(FORMS))),
    "header": _npz(BAD, lambda r, a: {**a, "x": headed(r.choice(HEADERS), bytes(800))}),
    "header in NPY": _npy(BAD, lambda r, w: headed(r.choice(HEADERS), bytes(800), r.choice((b"\1\0", b"\2\0", b"\3\0")))),
    "version": _npy(BAD, lambda r, w: b"\x93NUMPY" + bytes([r.randint(4, 255), 0]) + npy(w)[8:]),
    "claims a header": _npy(BAD, lambda r, w: b"\x93NUMPY\2\0" + r.randbytes(3) + b"\x7f" + npy(w)[12:]),
    "truncated NPY": _npy(BAD, lambda r, w: npy(w)[: r.randrange(900)]),
    "too long": _npy(BAD, lambda r, w: npy(w) + r.randbytes(r.randint(1, 99))),
    "truncated": _raw(BAD, lambda r, a: npz(a)[: r.randrange(900)]),
    "bomb": _npz(BAD, lambda r, a: {**a, "x": np.zeros((24, r.choice((2**16, 2**18))))}),
    "leads out": _npz(BAD, lambda r, a: {**a, r.choice(("../z", "/etc/z", "a/../../z", "C:\\z")): a["y"]}),
    "names twice": _raw(BAD, lambda r, a: packed([(f"{n}.npy", npy(v)) for n, v in a.items() for _ in "ab"])),
    "encrypted": _raw(BAD, lambda r, a: marked(npz(a), 6, 8, b"\1\0")),
    "unknown packing": _raw(BAD, lambda r, a: marked(npz(a), 8, 10, bytes([r.choice((1, 9, 97, 99)), 0]))),
    "claims a size": _raw(BAD, lambda r, a: marked(npz(a), 22, 24, r.choice((b"\xff\xff\xff\x7f", b"\1\0\0\0")))),
    "wrong CRC": _raw(BAD, lambda r, a: marked(npz(a), 14, 16, r.randbytes(4))),
    "other files only": _raw(BAD, lambda r, a: packed({"x.txt": b"1"})),
    "other file": _raw(BAD, lambda r, a: r.choice((b"", npy(a["x"]), b"PK\5\6" + bytes(18), b"PAR1" + bytes(99)))),
    "random bytes": _raw(BAD, lambda r, a: r.randbytes(r.randint(1, 5000)), "a.npy"),
    "damage": _raw(EITHER, lambda r, a: damaged(r, npz(a))),
    "flipped": _raw(EITHER, lambda r, a: flipped(r, npz(a, 0), 1)),
    "damaged NPY": _npy(EITHER, lambda r, w: damaged(r, npy(w))),
    "damaged header": _npy(EITHER, lambda r, w: flipped(r, npy(w)[:128], r.choice((1, 2, 9))) + npy(w)[128:]),
    "damaged records": _npy(EITHER, lambda r, w: (c := _records(r, w), flipped(r, c[:200], 1) + c[200:])[1]),
    "random signs": _npz(EITHER, lambda r, a: {**a, "y": npy(np.frombuffer(r.randbytes(24 * 8), "<U2"))}),
    "random numbers": _npz(EITHER, lambda r, a: {**a, "x": npy(np.frombuffer(r.randbytes(24 * 16), r.choice(("<f4", "<i8", "<f2"))).reshape(24, -1))}),
}  # fmt: skip

# Parquet. pyarrow is imported where it is used, as an installation may lack it.


def columns(rng: random.Random) -> Arrays:
    """The columns of a right table."""
    rows = 40
    return {
        "price": [None if n % 9 == 4 else rng.randrange(9999) / 100 for n in range(rows)],
        "job": [rng.choice(("clerk", "smith", None)) for n in range(rows)],
        "count": [rng.randrange(-9, 99) for n in range(rows)],
        "y": [("no", "yes")[n % 2] for n in range(rows)],
    }


def parquet(given: Arrays, **options: Any) -> bytes:
    """Columns as the bytes of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    fields = [value if isinstance(value, pa.Array) else pa.array(value) for value in given.values()]
    pq.write_table(pa.Table.from_arrays(fields, names=list(given)), file, **options)
    return file.getvalue()


def _parquet(
    verdict: str, build: Callable[[random.Random, Arrays], Arrays], **options: tuple[Any, ...]
) -> Maker:
    def made(rng: random.Random) -> tuple[str, dict[str, Any], str]:
        chosen = {name: rng.choice(values) for name, values in options.items()}
        content = parquet(build(rng, columns(rng)), **chosen)
        return verdict, {"t.parquet": content}, "t.parquet"

    return made


def _bytes(verdict: str, build: Callable[[random.Random, bytes], bytes]) -> Maker:
    return lambda rng: (verdict, {"t.parquet": build(rng, parquet(columns(rng)))}, "t.parquet")


def _arrow(verdict: str, values: Callable[[random.Random, Any], Any]) -> Maker:
    """A column that is made by pyarrow."""

    def build(rng: random.Random, given: Arrays) -> Arrays:
        import pyarrow as pa

        return {"made": values(rng, pa), **given}

    return _parquet(verdict, build)


def _twice(rng: random.Random, content: bytes) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    fields = [pa.array([1.5, 2.5, 3.5])] * 2 + [pa.array(["a", "b", "a"])]
    pq.write_table(pa.Table.from_arrays(fields, names=["a", "a", "y"]), file)
    return file.getvalue()


def _footer(rng: random.Random, content: bytes, count: int) -> bytes:
    """Damage in the description of the columns."""
    size = int.from_bytes(content[-8:-4], "little") + 8
    return content[:-size] + flipped(rng, content[-size:-8], count) + content[-8:]


def _pages(rng: random.Random, content: bytes, count: int) -> bytes:
    """Damage in the pages, or in their headers."""
    size = int.from_bytes(content[-8:-4], "little") + 8
    return content[:4] + flipped(rng, content[4:-size], count) + content[-size:]


def _hostile(rng: random.Random, given: Arrays) -> Arrays:
    first, second, name = rng.sample(HOSTILE, 3)
    return {name + "1": [rng.choice((first, second, None)) for _ in range(40)], **given,
            "y": [(first + "1", second + "2")[n % 2] for n in range(40)]}  # fmt: skip


def _nested(rng: random.Random, pa: Any) -> Any:
    kind = rng.choice(("list", "struct", "map", "list of list"))
    if kind == "map":
        return pa.array([[("a", 1)]] * 40, pa.map_(pa.string(), pa.int64()))
    return pa.array([{"list": [1], "struct": {"a": 1}, "list of list": [[1], []]}[kind]] * 40)


def _moments(rng: random.Random, pa: Any) -> Any:
    unit = rng.choice(("s", "ms", "us", "ns"))
    zone = rng.choice((None, "UTC", "Europe/Paris", "+07:30"))
    return pa.array([rng.randrange(10**9) for _ in range(40)], pa.timestamp(unit, zone))


def _beyond(rng: random.Random, pa: Any) -> Any:
    kind = rng.choice((pa.timestamp("us"), pa.timestamp("ms"), pa.date32()))
    most = 2**31 - 1 if kind == pa.date32() else 2**63 - 1
    return pa.array([rng.choice((most, -most)) for _ in range(40)], kind)


def _repeated(text: str, rows: int) -> Any:
    """A column that holds a text once, and says that it stands in every row."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))


def _others(rng: random.Random, pa: Any) -> Any:
    form, values = rng.choice((
        (pa.float16(), [np.float16(n / 4) for n in range(40)]), (pa.bool_(), [n % 3 == 0 for n in range(40)]),
        (pa.decimal128(9, 2), [Decimal(n) / 4 for n in range(40)]), (pa.large_string(), ["ab"[n % 2] for n in range(40)]),
        (pa.binary(), [b"a", b"b"] * 20), (pa.time64("ns"), [dt.time(n % 9) for n in range(40)]),
        (pa.duration("ns"), [dt.timedelta(n) for n in range(40)]), (pa.date32(), [dt.date(2020, 1, 1 + n % 28) for n in range(40)]),
        (pa.uint64(), [2**63 + n for n in range(40)]), (pa.int8(), [n - 20 for n in range(40)]),
    ))  # fmt: skip
    return pa.array(values, form)


PARQUET: dict[str, Maker] = {
    "plain": _parquet(GOOD, lambda r, t: t, compression=("none", "snappy", "gzip", "zstd", "brotli", "lz4")),
    "pages": _parquet(GOOD, lambda r, t: t, data_page_version=("1.0", "2.0"), use_dictionary=(True, False), write_page_checksum=(True, False)),
    "row groups": _parquet(GOOD, lambda r, t: t, row_group_size=(1, 7, 39)),
    "hostile names and cells": _parquet(GOOD, _hostile),
    "wide": _parquet(GOOD, lambda r, t: {**{f"c{n}": [r.random()] * 20 + [0.5] * 20 for n in range(r.choice((200, 500)))}, **t}),
    "categories": _arrow(GOOD, lambda r, pa: pa.array([r.choice("abc") for _ in range(40)]).dictionary_encode()),
    "moments": _arrow(GOOD, _moments),
    "other types": _arrow(GOOD, _others),
    "index of pandas": lambda r: (GOOD, {"t.pq": parquet({**columns(r), "__index_level_0__": list(range(40))})}, "t.pq"),
    "nested": _arrow(BAD, _nested),
    "beyond the calendar": _arrow(BAD, _beyond),
    "other bytes": _arrow(BAD, lambda r, pa: pa.array([b"\xff\xfe" + r.randbytes(2)] * 40)),
    "intervals": _arrow(BAD, lambda r, pa: pa.array([[1.0, 2.0]] * 40, pa.list_(pa.float32(), 2))),
    "no value": _arrow(BAD, lambda r, pa: pa.nulls(40, r.choice((pa.null(), pa.string(), pa.float64())))),
    "infinite": _parquet(BAD, lambda r, t: {**t, "count": [float("inf")] + [1.5] * 39}),
    "missing targets": _parquet(BAD, lambda r, t: {**t, "y": [None, *t["y"][1:]]}),
    "one class": _parquet(BAD, lambda r, t: {**t, "y": ["a"] * 40}),
    "one row": _parquet(BAD, lambda r, t: {name: values[:1] for name, values in t.items()}),
    "no rows": _parquet(BAD, lambda r, t: {name: values[:0] for name, values in t.items()}),
    "no columns": _parquet(BAD, lambda r, t: {}),
    "target only": _parquet(BAD, lambda r, t: {"y": t["y"]}),
    "bomb of rows": _parquet(BAD, lambda r, t: {"x": np.zeros(r.choice((5, 20)) * 10**6, np.int8)}),
    "bomb of bytes": _parquet(BAD, lambda r, t: {"x": ["a" * 200_000 + str(n) for n in range(40)], "y": t["y"]}, compression=("zstd", "gzip")),
    "bomb of texts": _parquet(BAD, lambda r, t: {"x": _repeated("a" * 90_000, 2000), "y": [n % 2 for n in range(2000)]}),
    "names twice": _bytes(BAD, _twice),
    "empty": _bytes(BAD, lambda r, c: r.choice((b"", b"PAR1", b"PAR1PAR1", b"PAR1" + bytes(8) + b"PAR1"))),
    "encrypted": _bytes(BAD, lambda r, c: c[:-4] + b"PARE"),
    "truncated": _bytes(BAD, lambda r, c: c[: r.randrange(len(c) - 1)]),
    "claims a footer": _bytes(BAD, lambda r, c: c[:-8] + r.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4))) + b"PAR1"),
    "without pages": _bytes(BAD, lambda r, c: b"PAR1" + c[-8 - int.from_bytes(c[-8:-4], "little") :]),
    "other file": _bytes(BAD, lambda r, c: r.choice((b"a,b\n1,2\n", npy(np.eye(9)), npz(arrays(r)), b"ARROW1\0\0", b"Obj\1", b"ORC"))),
    "random bytes": _bytes(BAD, lambda r, c: r.choice((b"", b"PAR1")) + r.randbytes(r.randint(1, 5000)) + r.choice((b"", b"\x40\0\0\0PAR1"))),
    "damage": _bytes(EITHER, damaged),
    "flipped footer": _bytes(EITHER, lambda r, c: _footer(r, c, r.choice((1, 1, 3)))),
    "flipped pages": _bytes(EITHER, lambda r, c: _pages(r, c, r.choice((1, 1, 3)))),
    "end damaged": _bytes(EITHER, lambda r, c: c[:-40] + flipped(r, c[-40:], 2)),
}  # fmt: skip
