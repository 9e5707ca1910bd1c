"""Generated recipes, command lines and named data sets, see `tests.corpora`."""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Callable
from typing import Any

from tests.corpora_files import BAD, EITHER, GOOD, Files, Link, Maker, cut, damaged, table, text

# Recipes as TOML files, and as words of the command line.

MODELS = ("mlp", "linear", "softmax", "cnn")
OPTIONS = {
    "model": ("hidden", "dropout", "activation", "channels"),
    "optimizer": ("lr", "weight_decay", "momentum", "betas"),
    "data": ("scale", "missing", "drop", "encode"), "stop": ("patience", "monitor"),
    "clip": ("norm", "value"), "schedule": ("warmup", "factor"), "loss": ("smoothing", "delta"),
}  # fmt: skip
VALUES = (
    "-1", "0", "1e999", "nan", "inf", "-inf", "1e-400", "9" * 30, "9" * 5000, "true", '""', '"x"',
    "[]", "{}", "[[1]]", "1979-05-27", "07:32:00", '"\\u001b[31m"', '"=cmd"', "[1, 'a']", "0x7fffffffffffffff",
    '"../../x"', '"' + "w" * 100_000 + '"', "{name = 1}", "[nan]", '"\\u0000"', "0b1", "1_000", "'64,64,64'",
    '"os.system"', "[-1, 0]", "[9999999999]", "{a = {b = {}}}", '"1e5 epochs"', "99999999999999999999",
)  # fmt: skip


def recipe(rng: random.Random) -> str:
    """A right recipe."""
    lines = [
        f'batch_size = {rng.choice((1, 16, 64))}', f'length = "{rng.randint(1, 50)} epochs"',
        rng.choice(('precision = "float32"', "")), '[model]', 'name = "mlp"',
        f"hidden = [{rng.randint(1, 64)}]", "[optimizer]", 'name = "adam"', f"lr = {rng.random():.4f}1",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _toml(verdict: str, build: Callable[[random.Random, str], str | bytes]) -> Maker:
    def made(rng: random.Random) -> tuple[str, Files, str]:
        content = build(rng, recipe(rng))
        content = content if isinstance(content, bytes) else content.encode()
        return verdict, {"recipe.toml": content}, "recipe.toml"

    return made


def _value(rng: random.Random, plain: str) -> str:
    slot = rng.choice((*OPTIONS, "batch_size", "length", "precision"))
    value = rng.choice(VALUES)
    if slot not in OPTIONS:
        return f"{slot} = {value}\n"
    name = {"model": "mlp", "optimizer": "adam", "data": "prepare", "stop": "early"}.get(
        slot, "none"
    )
    return f'[{slot}]\nname = "{name}"\n{rng.choice(OPTIONS[slot])} = {value}\n'


RECIPES: dict[str, Maker] = {
    "plain": _toml(GOOD, lambda r, t: t),
    "empty": _toml(GOOD, lambda r, t: ""),
    "comments": _toml(GOOD, lambda r, t: "# \u202e é\n" + t.replace("\n", "  # why\n")),
    "CRLF": _toml(GOOD, lambda r, t: t.replace("\n", "\r\n")),
    "names only": _toml(GOOD, lambda r, t: f'model = "{r.choice(MODELS)}"\noptimizer = "sgd"\n'),
    "unknown field": _toml(BAD, lambda r, t: r.choice(("modell", "os", "__class__", "x" * 999)) + " = 1\n" + t),
    "hostile field": _toml(BAD, lambda r, t: '"' + r.choice(("\\u001b[31m", "a\\nb", "\\u202e", "<script>", "\\u009b")) + '" = 1\n' + t),
    "unknown name": _toml(BAD, lambda r, t: t.replace('"mlp"', r.choice(('"mpl"', '"os.system"', '"\\u001b"', "7", "[]", "true", '"__init__"')))),
    "unknown option": _toml(BAD, lambda r, t: t.replace("hidden", r.choice(("hiden", "self", "__doc__", "'\\u001b'", "build")))),
    "no name": _toml(BAD, lambda r, t: t.replace('name = "mlp"', "")),
    "field twice": _toml(BAD, lambda r, t: "batch_size = 3\n" + t),
    "table twice": _toml(BAD, lambda r, t: t + "[model]\n"),
    "no TOML": _toml(BAD, lambda r, t: t + r.choice(("=", "[", "a b c", '"', "x = ", "[[model]]", "{}", "<xml/>"))),
    "byte order mark": _toml(GOOD, lambda r, t: b"\xef\xbb\xbf" + t.encode()),
    "zero byte": _toml(BAD, lambda r, t: t + "\0"),
    "UTF-16": _toml(BAD, lambda r, t: t.encode("utf-16")),
    "latin-1": _toml(BAD, lambda r, t: t.encode() + "# é".encode("latin-1")),
    "deep": _toml(BAD, lambda r, t: r.choice(("x = " + "[" * 20_000, "x = " + "[" * 5000 + "]" * 5000, "x = " + "{a=" * 9000, "a" + ".a" * 20_000 + " = 1", "[" + "a." * 9000 + "a]"))),
    "long number": _toml(BAD, lambda r, t: t.replace("16", "1").replace("64", "1") + "x = " + "9" * 6000),
    "wide": _toml(BAD, lambda r, t: "".join(f"k{n} = {n}\n" for n in range(20_000))),
    "value": _toml(EITHER, _value),
    "value again": _toml(EITHER, _value),
    "value once more": _toml(EITHER, _value),
    "damage": _toml(EITHER, lambda r, t: damaged(r, t.encode())),
    "random bytes": _toml(EITHER, lambda r, t: r.randbytes(r.randint(1, 300))),
}  # fmt: skip

WORDS = (
    "", "-1", "0", "nan", "inf", "1e999", "9" * 400, "9" * 5000, "x", "=cmd", "\x1b[31m", "a\nb", "\u202e", "128,64,",
    ",,,", "[1,2]", "{}", "none", "auto", "true", "../x", "/etc/passwd", "1e-3", "64", "\0", "a=b", "a=b,=", "loo", "é",
    "10 epochs", "-5 steps", "0 epochs", "1e3 epochs", "10", "٣", "²", "\ud800", "w" * 20_000, "0x10", "1_0", " ",
)  # fmt: skip


def words(seed: int) -> list[str]:
    """Options of `chymist fit iris` (or of another verb) with strange names and values."""
    rng = random.Random(f"words {seed}")
    given: list[str] = []
    for _ in range(rng.randint(1, 3)):
        slot = rng.choice(tuple(OPTIONS))
        option = rng.choice((
            f"--{slot}", f"--{slot}.{rng.choice(OPTIONS[slot])}", f"--{rng.choice(WORDS)}.x", f"--{slot}.",
            "--batch-size", "--length", "--seed", "--test", "--valid", "--group", "--time", "--target", "--columns",
            "--precision", "--threads", "--recipe", "--image-size", "--header", rng.choice(WORDS),
        ))  # fmt: skip
        value = rng.choice(WORDS)
        given += [f"{option}={value}"] if rng.random() < 0.3 else [option, value]
    return ["fit", "iris", "--print-recipe", *given]


# Named data sets: MNIST as IDX files and adult as tables, in miniature.

MNIST = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def mnist(rng: random.Random) -> Files:
    """Four right files of a set of 40 and 10 images of 28 x 28."""
    found: Files = {}
    for name, rows in (("train", 40), ("t10k", 10)):
        images = struct.pack(">BBBBIII", 0, 0, 8, 3, rows, 28, 28) + rng.randbytes(rows * 784)
        labels = struct.pack(">BBBBI", 0, 0, 8, 1, rows) + bytes(n % 10 for n in range(rows))
        found[f"mnist/{name}-images-idx3-ubyte"] = images
        found[f"mnist/{name}-labels-idx1-ubyte"] = labels
    return found


def _mnist(verdict: str, change: Callable[[random.Random, bytes, str], Any]) -> Maker:
    def made(rng: random.Random) -> tuple[str, Files, str]:
        files = mnist(rng)
        name = rng.choice(sorted(files))
        files[name] = change(rng, files[name], name)
        return verdict, {n: c for n, c in files.items() if c is not None}, "mnist"

    return made


def _packed(verdict: str, change: Callable[[random.Random, bytes], bytes]) -> Maker:
    def made(rng: random.Random) -> tuple[str, Files, str]:
        files = {f"{name}.gz": gzip.compress(c, 1, mtime=0) for name, c in mnist(rng).items()}
        name = rng.choice(sorted(files))
        return verdict, {**files, name: change(rng, files[name])}, "mnist"

    return made


def adult(rng: random.Random, rows: int) -> bytes:
    """Rows of the adult census in its own form."""
    names = ["age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"]  # fmt: skip
    kinds = {
        n: names[n]
        in ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
        for n in range(14)
    }
    lines = [
        [*(str(rng.randint(17, 90)) if kinds[n] else rng.choice(("Private", "State-gov", "?")) for n in range(14)), ("<=50K", ">50K")[row % 2]]
        for row in range(rows)
    ]  # fmt: skip
    return text([names, *lines])


def _adult(verdict: str, change: Callable[[random.Random, bytes], Any]) -> Maker:
    def made(rng: random.Random) -> tuple[str, Files, str]:
        files: Files = {
            "tabular/adult-train.csv": adult(rng, 40),
            "tabular/adult-test.csv": adult(rng, 20),
        }
        name = rng.choice(sorted(files))
        files[name] = change(rng, files[name])
        return verdict, {n: c for n, c in files.items() if c is not None}, "adult"

    return made


def _header(rng: random.Random, content: bytes, name: str) -> bytes:
    at = rng.randrange(4, 4 + 4 * content[3], 4)
    value = rng.choice((0, 1, 39, 41, 2**31, 2**32 - 1, 65536))
    return content[:at] + struct.pack(">I", value) + content[at + 4 :]


NAMED: dict[str, Maker] = {
    "mnist": _mnist(GOOD, lambda r, c, n: c),
    "mnist, packed": _packed(GOOD, lambda r, c: c),
    "adult": _adult(GOOD, lambda r, c: c),
    "adult with CRLF": _adult(GOOD, lambda r, c: c.replace(b"\n", b"\r\n")),
    "a file missing": _mnist(BAD, lambda r, c, n: None),
    "a file empty": _mnist(BAD, lambda r, c, n: b""),
    "truncated": _mnist(BAD, lambda r, c, n: cut(r, c)),
    "too long": _mnist(BAD, lambda r, c, n: c + b"\0"),
    "other counts": _mnist(BAD, _header),
    "other magic": _mnist(BAD, lambda r, c, n: bytes([r.choice((1, 80)), *c[1:]])),
    "other type": _mnist(BAD, lambda r, c, n: c[:2] + bytes([r.choice((9, 11, 13, 14))]) + c[3:]),
    "other axes": _mnist(BAD, lambda r, c, n: c[:3] + bytes([r.choice((0, 2, 4, 255))]) + c[4:]),
    "a table": _mnist(BAD, lambda r, c, n: text(table(r))),
    "a folder": lambda r: (BAD, {**{n: c for n, c in mnist(r).items() if "t10k" in n}, "mnist/train-images-idx3-ubyte/": b""}, "mnist"),
    "packed, cut": _packed(BAD, lambda r, c: c[: r.randint(2, len(c) - 9)]),
    "packed, bomb": _packed(BAD, lambda r, c: gzip.compress(bytes(3 * 10**7), 6, mtime=0)),
    "packed, damage": _packed(EITHER, damaged),
    "damage": _mnist(EITHER, lambda r, c, n: damaged(r, c)),
    "labels of the other set": lambda r: (BAD, {**(m := mnist(r)), "mnist/train-labels-idx1-ubyte": m["mnist/t10k-labels-idx1-ubyte"]}, "mnist"),
    "a label of 10": lambda r: (BAD, {**(m := mnist(r)), "mnist/train-labels-idx1-ubyte": m["mnist/train-labels-idx1-ubyte"][:-1] + b"\n"}, "mnist"),
    "adult, missing": _adult(BAD, lambda r, c: None),
    "adult, ragged": _adult(BAD, lambda r, c: c + b"1,2,3\n"),
    "adult, other columns": _adult(BAD, lambda r, c: c.replace(b"age", b"years", 1)),
    "adult, latin-1": _adult(BAD, lambda r, c: c.replace(b"Private", b"Priv\xe9", 1)),
    "adult, broken link": _adult(BAD, lambda r, c: Link("nowhere.csv")),
    "adult, damage": _adult(EITHER, damaged),
}  # fmt: skip
