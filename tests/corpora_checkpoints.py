"""Generated damage to the checkpoints of a run: pure functions from a seed and files to files.

`BAD` damage of the newest checkpoint must be named and passed over, `GOOD` changes have no effect,
`EITHER` may be one or the other; see `tests.corpora`.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
from collections.abc import Callable
from typing import Any

from tests.corpora_files import BAD, EITHER, GOOD, Fifo, Files, Link, cut, flipped, spliced, zeroed

TENSORS = ("model.safetensors", "optimizer.safetensors", "best.safetensors", "random.safetensors")
NAMES = (*TENSORS, "state.json")
Parts = dict[str, Any]  # the files of one checkpoint by name
Change = Callable[[random.Random, Parts, Parts], Any]  # (newest, older) -> the newest, changed


def hashed(parts: Parts) -> Parts:
    """A checkpoint whose manifest tells the truth about its files."""
    manifest = json.loads(parts["MANIFEST.json"])
    manifest["files"] = {
        name: [len(content), hashlib.sha256(content).hexdigest()]
        for name, content in parts.items()
        if name in manifest["files"]
    }
    return {**parts, "MANIFEST.json": json.dumps(manifest).encode()}


def unpack(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and data of a safetensors file."""
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def pack(header: dict[str, Any] | str, data: bytes) -> bytes:
    """A safetensors file."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def largest(header: dict[str, Any]) -> str:
    """Name of the largest tensor."""
    return max(
        header, key=lambda name: header[name]["data_offsets"][1] - header[name]["data_offsets"][0]
    )


def on_file(names: tuple[str, ...], change: Callable[[random.Random, bytes], Any]) -> Change:
    """Damage to the bytes of one file that the manifest does not know of."""

    def changed(rng: random.Random, new: Parts, old: Parts) -> Parts:
        name = rng.choice(names)
        return {**new, name: change(rng, new[name])}

    return changed


def on_tensors(
    names: tuple[str, ...], change: Callable[[random.Random, dict[str, Any], bytes], bytes]
) -> Change:
    """A tensor file written anew, with a manifest that agrees."""

    def changed(rng: random.Random, new: Parts, old: Parts) -> Parts:
        name = rng.choice(names)
        return hashed({**new, name: change(rng, *unpack(new[name]))})

    return changed


def on_json(change: Callable[[random.Random, dict[str, Any]], Any]) -> Change:
    """The plain values edited, with a manifest that agrees."""

    def changed(rng: random.Random, new: Parts, old: Parts) -> Parts:
        made = change(rng, json.loads(new["state.json"]))
        text = made if isinstance(made, str) else json.dumps(made)
        return hashed({**new, "state.json": text.encode()})

    return changed


def on_manifest(change: Callable[[random.Random, dict[str, Any]], Any]) -> Change:
    """The manifest edited."""

    def changed(rng: random.Random, new: Parts, old: Parts) -> Parts:
        made = change(rng, json.loads(new["MANIFEST.json"]))
        text = made if isinstance(made, str) else json.dumps(made)
        return {**new, "MANIFEST.json": text.encode()}

    return changed


def _counter(rng: random.Random, plain: dict[str, Any]) -> Any:
    name, value = rng.choice((
        ("step", -1), ("step", "13"), ("step", 13.5), ("step", None), ("step", 10**30), ("step", True), ("step", [13]),
        ("loss_sum", "x"), ("loss_rows", -5), ("loss_rows", 1.5), ("stopped", 1), ("stopped", "no"), ("rate", None),
        ("rate", "fast"), ("best_step", -1), ("best_step", 10**30), ("best_value", "x"), ("best_value", {}),
    ))  # fmt: skip
    plain["counters"][name] = value
    return plain


def _unknown(rng: random.Random, plain: dict[str, Any]) -> Any:
    name = rng.choice(
        ("model", "optimizer", "best", "__class__", "noise", "__dict__", "x", "", "\x1b[31m")
    )
    plain["counters"][name] = rng.choice((1, None, "os.system", {}))
    return plain


def _without(rng: random.Random, plain: dict[str, Any]) -> Any:
    table = rng.choice((plain["counters"], plain["counters"], plain))
    del table[
        rng.choice(
            ["step", "rate", "loss_sum"] if table is not plain else ["counters", "optimizer"]
        )
    ]
    return plain


def _other_step(rng: random.Random, plain: dict[str, Any]) -> Any:
    plain["counters"]["step"] += rng.choice((1, -1, 7, -13))
    return plain


def _twice(rng: random.Random, plain: dict[str, Any]) -> Any:
    text = json.dumps(plain)
    return text.replace('"step": ', '"step": 13, "step": 1', 1)


def _optimizer(rng: random.Random, plain: dict[str, Any]) -> Any:
    key = rng.choice(("999.exp_avg", "x.y", "", "-1.step", "0.unknown", "1e3.step", "0.__class__"))
    plain["optimizer"][key] = 1.0
    return plain


def _no_object(rng: random.Random, plain: dict[str, Any]) -> Any:
    return rng.choice(
        (
            "[]",
            "null",
            "7",
            '"x"',
            "{",
            "",
            "[" * 100_000,
            '{"counters": {}}',
            "\ufeff{}",
            "{}",
            "NaN",
        )
    )


def _renamed(rng: random.Random, header: dict[str, Any], data: bytes) -> bytes:
    header[rng.choice(("x", "../x", "__class__", "\x1b[31m", "999.exp_avg", "0."))] = header.pop(
        largest(header)
    )
    return pack(header, data)


def _reshaped(rng: random.Random, header: dict[str, Any], data: bytes) -> bytes:
    entry = header[largest(header)]
    total = 1
    for side in entry["shape"]:
        total *= side
    entry["shape"] = rng.choice(([total, 1], [1, total, 1], [1, 1, total]))
    return pack(header, data)


def _retyped(rng: random.Random, header: dict[str, Any], data: bytes) -> bytes:
    entry = header[largest(header)]
    entry["dtype"] = {"F32": "I32", "U8": "I8", "F64": "I64"}[entry["dtype"]]
    return pack(header, data)


def _fewer(rng: random.Random, header: dict[str, Any], data: bytes) -> bytes:
    last = max(
        header, key=lambda name: (header[name]["data_offsets"][1], -header[name]["data_offsets"][0])
    )
    start = header.pop(last)["data_offsets"][0]
    return pack(header, data[:start])


def _more(rng: random.Random, header: dict[str, Any], data: bytes) -> bytes:
    name = rng.choice(("extra", "0.extra", "7.exp_avg", "network.0.weight2"))
    header[name] = {"dtype": "F32", "shape": [2], "data_offsets": [len(data), len(data) + 8]}
    return pack(header, data + bytes(8))


def _not_finite(rng: random.Random, header: dict[str, Any], data: bytes) -> bytes:
    start, end = header[largest(header)]["data_offsets"]
    at = start + 4 * rng.randrange((end - start) // 4)
    parameters = not any("exp_avg" in name for name in header)  # a moment may overflow in health
    value = rng.choice((float("nan"), *((float("inf"), float("-inf")) if parameters else ())))
    return pack(header, data[:at] + struct.pack("<f", value) + data[at + 4 :])


def _odd_header(rng: random.Random, header: dict[str, Any], data: bytes) -> bytes:
    name = largest(header)
    text = json.dumps(header)
    wrong = {
        **header,
        name: {
            **header[name],
            "data_offsets": rng.choice(([0, 4], [8, 2**60], [-8, 0], [0, len(data) + 8])),
        },
    }
    return rng.choice((
        struct.pack("<Q", 2**40) + text.encode() + data, struct.pack("<Q", 99_000_000) + b"{" + data,
        struct.pack("<Q", 2**63) + data, pack("[]", data), pack("{}", data), pack("{}", b""), pack("{" * 50_000, data),
        pack(wrong, data), b"", bytes(8), b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.", b"PK\x03\x04" + data,
        pack(text[:-1] + f', "{name}": ' + json.dumps({**header[name], "shape": [1]}) + "}", data),
    ))  # fmt: skip


def _swapped(rng: random.Random, new: Parts, old: Parts) -> Parts:
    name = rng.choice([n for n in NAMES if new[n] != old[n]])
    return {**new, name: old[name]}


def _exchanged(rng: random.Random, new: Parts, old: Parts) -> Parts:
    first, second = rng.sample(NAMES, 2)
    if {first, second} == {"model.safetensors", "best.safetensors"}:
        second = "state.json"  # a manifest that agrees would make the exchange a right checkpoint
    return {**new, first: new[second], second: new[first]}


def _special(rng: random.Random, new: Parts, old: Parts) -> Parts:
    name = rng.choice((*NAMES, "MANIFEST.json"))
    odd = rng.choice(
        (Fifo(), Link("/dev/zero"), Link(name), Link("nowhere"), Link(".."), Link("/dev/null"))
    )
    return {**new, name: odd}


def _unlisted(rng: random.Random, manifest: dict[str, Any]) -> Any:
    manifest["files"] = rng.choice(
        ({}, [], None, 7, "x", {"../../recipe.toml": [1, "x"]}, {"/etc/passwd": [1, "x"]})
    )
    return manifest


def _short_list(rng: random.Random, new: Parts, old: Parts) -> Parts:
    name = rng.choice([n for n in NAMES if n != "random.safetensors"])
    manifest = json.loads(new["MANIFEST.json"])
    del manifest["files"][name]
    changed = old[name] if name != "state.json" else new[name].replace(b"0", b"1")
    return {**new, name: changed, "MANIFEST.json": json.dumps(manifest).encode()}


def _odd_manifest(rng: random.Random, manifest: dict[str, Any]) -> Any:
    return rng.choice(("", "[]", "null", "{", "{}", "[" * 100_000, '{"files": {}}', {**manifest, "format": 99},
                       {**manifest, "files": dict.fromkeys(NAMES, "x")}, {**manifest, "files": {n: [1] for n in NAMES}}))  # fmt: skip


def _without_file(rng: random.Random, new: Parts, old: Parts) -> Parts:
    gone = rng.choice((*NAMES, "MANIFEST.json"))
    return {name: content for name, content in new.items() if name != gone}


def _without_listed(rng: random.Random, new: Parts, old: Parts) -> Parts:
    gone = rng.choice(NAMES)
    left = {name: content for name, content in new.items() if name != gone}
    manifest = json.loads(left["MANIFEST.json"])
    del manifest["files"][gone]
    return {**left, "MANIFEST.json": json.dumps(manifest).encode()}


DAMAGE: dict[str, tuple[str, Change]] = {
    "nothing": (GOOD, lambda r, n, o: n),
    "another layout of the JSON": (GOOD, on_json(lambda r, p: json.dumps(p, indent=r.randint(0, 4)))),
    "manifest in another layout": (GOOD, on_manifest(lambda r, m: json.dumps(m, indent=3, sort_keys=True))),
    "extra files": (GOOD, lambda r, n, o: {**n, r.choice(("notes.txt", "x.safetensors", ".tmp-x", "a\x1b[31m")): b"x"}),
    "header with words": (GOOD, on_tensors(TENSORS, lambda r, h, d: pack({**h, "__metadata__": {"a": "=cmd"}}, d))),
    "cut at a page": (BAD, on_file(TENSORS[:3], lambda r, c: c[: 4096 * r.randrange((len(c) + 4095) // 4096)])),
    "cut anywhere": (BAD, on_file(NAMES, cut)),
    "one bit": (BAD, on_file(NAMES, lambda r, c: flipped(r, c, 1))),
    "bits": (BAD, on_file(NAMES, lambda r, c: flipped(r, c, 5))),
    "page of zeros": (BAD, on_file(NAMES, zeroed)),
    "all zeros": (BAD, on_file((*NAMES, "MANIFEST.json"), lambda r, c: bytes(len(c)))),
    "appended": (BAD, on_file(NAMES, lambda r, c: c + r.randbytes(r.choice((1, 4096))))),
    "other bytes": (BAD, on_file(NAMES, lambda r, c: r.randbytes(len(c)))),
    "manifest bit": (EITHER, on_file(("MANIFEST.json",), lambda r, c: flipped(r, c, 1))),
    "manifest damage": (EITHER, on_file(("MANIFEST.json",), spliced)),
    "manifest odd": (BAD, on_manifest(_odd_manifest)),
    "manifest empty": (BAD, on_manifest(_unlisted)),
    "manifest too short": (BAD, _short_list),
    "file missing": (BAD, _without_file),
    "file missing, not listed": (BAD, _without_listed),
    "special file": (BAD, _special),
    "file of the older one": (BAD, _swapped),
    "file of the older one, listed": (BAD, lambda r, n, o: hashed({**n, "state.json": o["state.json"]})),
    "all files of the older one": (BAD, lambda r, n, o: o),
    "two files exchanged": (BAD, _exchanged),
    "two files exchanged, listed": (BAD, lambda r, n, o: hashed(_exchanged(r, n, o))),
    "counter": (BAD, on_json(_counter)),
    "unknown counter": (BAD, on_json(_unknown)),
    "counter missing": (BAD, on_json(_without)),
    "another step": (BAD, on_json(_other_step)),
    "step twice": (BAD, on_json(_twice)),
    "unknown moment": (BAD, on_json(_optimizer)),
    "no object": (BAD, on_json(_no_object)),
    "tensor renamed": (BAD, on_tensors(TENSORS, _renamed)),
    "tensor of another shape": (BAD, on_tensors(TENSORS[:3], _reshaped)),
    "tensor of another type": (BAD, on_tensors(TENSORS, _retyped)),
    "tensor missing": (BAD, on_tensors(TENSORS, _fewer)),
    "tensor added": (BAD, on_tensors(TENSORS[:3], _more)),
    "not finite": (BAD, on_tensors(TENSORS[:3], _not_finite)),
    "odd header": (BAD, on_tensors(TENSORS, _odd_header)),
}  # fmt: skip

AROUND: dict[str, Callable[[random.Random], Files]] = {
    "none": lambda r: {},
    "empty folder": lambda r: {"step-99999999/": b""},
    "a file": lambda r: {"step-99999999": b"x"},
    "no number": lambda r: {"step-\x1b[31m/": b"", "step-x/MANIFEST.json": b"{}"},
    "a draft": lambda r: {".tmp-step-00000099/model.safetensors": b"x"},
    "a link": lambda r: {"step-00000099": Link("..")},
    "a loop": lambda r: {"step-00000099": Link("step-00000099")},
}


def damage(seed: int, older: Parts, newest: Parts) -> tuple[str, str, Parts, Files]:
    """Name, verdict, the changed newest checkpoint, and what lies beside it."""
    rng = random.Random(f"checkpoints {seed}")
    name = list(DAMAGE)[seed % len(DAMAGE)]
    verdict, change = DAMAGE[name]
    around = rng.choice(list(AROUND)) if seed % 5 == 4 else "none"
    return f"{seed}: {name}, {around}", verdict, change(rng, newest, older), AROUND[around](rng)
