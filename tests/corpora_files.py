"""Generated tables, images and zips, and what all corpora are made with, see `tests.corpora`."""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

GOOD, BAD, EITHER = "good", "bad", "either"
HOSTILE = (
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202egnp.exe", "two\nlines", "<script>alert(1)</script>",
    "=cmd|'/C calc'!A0", "@SUM(1)", "+1+1", "\x9b31m", "a\rb", "]]>&amp;\"'", "\u200bzero", "x" * 300, "-- \x08\x7f",
    "{{7*7}}", "$(touch x)", "%s%n", "../up", "\U0001f600", "e\u0301",
)  # fmt: skip


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    to: str


@dataclass(frozen=True)
class Fifo:
    """A named pipe that nobody writes to."""


Files = dict[str, Any]  # name -> bytes, Link or Fifo; a name that ends in / is an empty folder


@dataclass(frozen=True)
class Case:
    """One input: its files, what of them is given to chymist, and what must come of it."""

    name: str
    verdict: str
    files: Files
    source: str


Maker = Callable[[random.Random], tuple[str, Files, str]]


def write(case: Case, folder: Path) -> Path:
    """Put the files of a case into a folder; returns what is to be read."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(content.to)
        elif isinstance(content, Fifo):
            os.mkfifo(path)
        elif name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(content)
    return folder / case.source


# Damage to bytes of any kind.


def cut(rng: random.Random, content: bytes) -> bytes:
    """The beginning of a file."""
    return content[: rng.randrange(len(content))]


def flipped(rng: random.Random, content: bytes, count: int | None = None) -> bytes:
    """A file with some bits turned over."""
    changed = bytearray(content)
    for _ in range(count or rng.choice((1, 1, 2, 8, 64))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def zeroed(rng: random.Random, content: bytes, page: int = 4096) -> bytes:
    """A file of which one page was never written."""
    start = rng.randrange(0, len(content), page)
    size = min(page, len(content) - start)
    return content[:start] + bytes(size) + content[start + size :]


def spliced(rng: random.Random, content: bytes) -> bytes:
    """A file with a stretch repeated, removed or put elsewhere."""
    a, b, c = sorted(rng.randrange(len(content) + 1) for _ in range(3))
    return rng.choice((
        content[:a] + content[b:], content[:b] + content[a:],
        content[:a] + content[b:c] + content[a:b] + content[c:],
    ))  # fmt: skip


def damaged(rng: random.Random, content: bytes) -> bytes:
    """A file with random damage."""
    return rng.choice((cut, flipped, zeroed, spliced))(rng, content)


# Tables.

Rows = list[list[str]]


def table(rng: random.Random, rows: int | None = None) -> Rows:
    """A right table: header, numbers, texts, dates, and a target of two classes."""
    columns = [f"c{n}" for n in range(rng.randint(1, 4))]
    kinds = ["number", *(rng.choice(("number", "text", "date")) for _ in columns[1:])]
    made = [[*columns, "target"]]
    for row in range(rows or rng.randint(24, 40)):
        cells = {
            "number": lambda: f"{rng.gauss(0, 10):.4g}",
            "text": lambda: rng.choice(("red", "green", "blue")),
            "date": lambda: f"2024-0{rng.randint(1, 9)}-{rng.randint(10, 28)}",
        }
        made.append([*(cells[kind]() for kind in kinds), "yn"[row % 2]])
    return made


def text(rows: Rows, delimiter: str = ",", end: str = "\n") -> bytes:
    """Rows as they are, without quotes."""
    return (end.join(delimiter.join(row) for row in rows) + end).encode()


def quoted(rows: Rows, delimiter: str = ",") -> bytes:
    """Rows with every cell in quotes."""
    return text([['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows], delimiter)


def put(rng: random.Random, rows: Rows, cell: str, column: int = 0) -> Rows:
    """Rows with one cell of one column replaced."""
    rows[rng.randrange(1, len(rows))][column] = cell
    return rows


def _csv(
    verdict: str, build: Callable[[random.Random, Rows], bytes], name: str = "table.csv"
) -> Maker:
    return lambda rng: (verdict, {name: build(rng, table(rng))}, name)


def _named(rng: random.Random) -> tuple[str, Files, str]:
    name = f"{rng.choice(HOSTILE)[:60].replace('/', '-')}.csv"
    return GOOD, {name: text(table(rng))}, name


def _hostile_cells(rng: random.Random, rows: Rows) -> bytes:
    first, second, column = rng.sample(HOSTILE, 3)
    rows[0][0] = column
    for row in rows[1:]:
        row[-1] = first if row[-1] == "y" else second
    return quoted(rows)


def _wide(rng: random.Random, rows: Rows) -> bytes:
    width = rng.choice((1_000, 2_000, 4_000))
    head = [*(f"c{n}" for n in range(width)), "target"]
    return text([head, *([f"{rng.random():.2f}"] * width + ["yn"[n % 2]] for n in range(12))])


def _ragged(rng: random.Random, rows: Rows) -> bytes:
    row = rows[rng.randrange(1, len(rows))]
    row.extend(["9"] * rng.randint(1, 5)) if rng.random() < 0.5 or len(row) < 3 else row.pop()
    return text(rows)


def _insert(rng: random.Random, rows: Rows) -> bytes:
    content = text(rows)
    at = rng.randrange(len(content))
    bits = (
        b'"',
        b"\r",
        b"\x0b",
        b"\x0c",
        "\u2028".encode(),
        b"\x1c",
        b"\x85",
        b",",
        b"\t",
        b"''",
        b"\xff",
        b"\n\n",
    )
    return content[:at] + rng.choice(bits) * rng.choice((1, 2, 99)) + content[at:]


def _signs(rng: random.Random, rows: Rows) -> bytes:
    return "".join(
        rng.choice(",;\t|\"\n\r 'ab1.-?é\u202e") for _ in range(rng.randint(1, 2000))
    ).encode()


CSV: dict[str, Maker] = {
    "plain": _csv(GOOD, lambda r, t: text(t)),
    "byte order mark": _csv(GOOD, lambda r, t: b"\xef\xbb\xbf" + text(t)),
    "CRLF": _csv(GOOD, lambda r, t: text(t, end="\r\n")),
    "delimiter": _csv(GOOD, lambda r, t: text(t, r.choice("\t;|"))),
    "all quoted": _csv(GOOD, lambda r, t: quoted(t, r.choice(",;"))),
    "gzip": _csv(GOOD, lambda r, t: gzip.compress(text(t), mtime=0), "table.csv.gz"),
    "missing cells": _csv(GOOD, lambda r, t: text(put(r, t, r.choice(("", "?", "NA", "NaN"))))),
    "blank lines": _csv(GOOD, lambda r, t: text(t).replace(b"\n", b"\n\n  \n", 5)),
    "no last line end": _csv(GOOD, lambda r, t: text(t).rstrip()),
    "decimal commas": _csv(GOOD, lambda r, t: text(t, ";").replace(b".", b",")),
    "hostile cells": _csv(GOOD, _hostile_cells),
    "hostile file name": _named,
    "newline in a cell": _csv(GOOD, lambda r, t: quoted([[*row[:-1], row[-1] + "\nz"] for row in t])),
    "wide": _csv(GOOD, _wide),
    "zero byte": _csv(BAD, lambda r, t: text(put(r, t, "\0"))),
    "UTF-16": _csv(BAD, lambda r, t: text(t).decode().encode(r.choice(("utf-16", "utf-16-le", "utf-32")))),
    "latin-1": _csv(BAD, lambda r, t: text(put(r, t, "é")).decode().encode("latin-1")),
    "mixed encodings": _csv(BAD, lambda r, t: text(t) + "é,é\n".encode() + "é,é\n".encode("latin-1")),
    "ragged": _csv(BAD, _ragged),
    "open quote": _csv(BAD, lambda r, t: text(put(r, t, '"7'))),
    "names twice": _csv(BAD, lambda r, t: text([["a"] * len(t[0]), *t[1:]])),
    "empty": _csv(BAD, lambda r, t: r.choice((b"", b"\n", b" \r\n\t", b"\xef\xbb\xbf"))),
    "header only": _csv(BAD, lambda r, t: text(t[:1])),
    "one row": _csv(BAD, lambda r, t: text(t[:2])),
    "infinite": _csv(BAD, lambda r, t: text(put(r, t, r.choice(("inf", "-Infinity", "1e999", "9" * 400))))),
    "no target": _csv(BAD, lambda r, t: text(put(r, t, r.choice(("", "?")), -1))),
    "one class": _csv(BAD, lambda r, t: text([t[0], *([*row[:-1], "y"] for row in t[1:])])),
    "huge cell": _csv(BAD, lambda r, t: text(put(r, t, "w" * r.choice((140_000, 3_000_000))))),
    "cut gzip": _csv(BAD, lambda r, t: (c := gzip.compress(text(t), mtime=0))[: r.randint(3, len(c) - 9)], "t.csv.gz"),
    "other file": _csv(BAD, lambda r, t: r.choice((b"PK\x03\x04", b"PAR1", b"%PDF-1.7", b"\x93NUMPY", b"\xd0\xcf\x11\xe0")) + r.randbytes(99)),
    "random bytes": _csv(EITHER, lambda r, t: r.randbytes(r.randint(1, 5000))),
    "random signs": _csv(EITHER, _signs),
    "large integers": _csv(EITHER, lambda r, t: text(put(r, t, str(r.getrandbits(r.choice((53, 64, 999))))))),
    "thousands": _csv(EITHER, lambda r, t: quoted([t[0], *([f"{r.randrange(10**7):,}", *row[1:]] for row in t[1:])])),
    "damage": _csv(EITHER, lambda r, t: damaged(r, text(t))),
    "damaged gzip": _csv(EITHER, lambda r, t: damaged(r, gzip.compress(text(t), mtime=0)), "t.csv.gz"),
    "inserted": _csv(EITHER, _insert),
}  # fmt: skip

# Images and folders of images.


def picture(
    rng: random.Random, form: str = "PNG", mode: str = "RGB", side: int = 8, **save: Any
) -> bytes:
    """A small image as the bytes of a file."""
    image = Image.frombytes("L", (side, side), rng.randbytes(side * side)).convert(mode)
    if mode == "P":
        image.putpalette(rng.randbytes(768))
    file = io.BytesIO()
    image.save(file, form, **save)
    return file.getvalue()


def folder(rng: random.Random) -> Files:
    """A right folder of images: two classes of three."""
    names = [f"photos/{label}/{n}.png" for label in ("ant", "bee") for n in range(3)]
    return {name: picture(rng, mode="L") for name in names}


def _image(verdict: str, content: Callable[[random.Random], Any], name: str = "bee/9.png") -> Maker:
    def made(rng: random.Random) -> tuple[str, Files, str]:
        return verdict, {**folder(rng), f"photos/{name}": content(rng)}, "photos"

    return made


def _files(verdict: str, build: Callable[[random.Random], Files]) -> Maker:
    return lambda rng: (verdict, build(rng), "photos")


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def claimed(width: int, height: int) -> bytes:
    """A PNG file that claims to be large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def frames(rng: random.Random, form: str) -> bytes:
    """An animation of two frames."""
    shown = [Image.frombytes("RGB", (8, 8), rng.randbytes(192)) for _ in range(2)]
    file = io.BytesIO()
    shown[0].save(file, form, save_all=True, append_images=shown[1:])
    return file.getvalue()


def upright(rng: random.Random) -> bytes:
    """A photograph that its EXIF entry turns."""
    exif = Image.Exif()
    exif[0x0112] = rng.randint(1, 8)
    return picture(rng, "JPEG", exif=exif)


def _hostile_names(rng: random.Random) -> Files:
    first, second, file = (name[:60].replace("/", "-") for name in rng.sample(HOSTILE[:17], 3))
    names = [f"photos/x{label}/{n}{file}.png" for label in (first, second) for n in range(4)]
    return {name: picture(rng, mode="L") for name in names}


MASKS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
    b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    b"<html><script>alert(1)</script></html>", b"II*\0" + bytes(64), b"GIF89a", b"\x89PNG\r\n\x1a\n",
    b"BM" + bytes(50), b"RIFF\xff\xff\xff\xffWEBPVP8 ", b"\xff\xd8\xff\xe0", b"%PDF-1.7\n", b"plain text",
    b"P6 9 9 255\n" + bytes(243), b"8BPS" + bytes(99), b"qoif" + bytes(99), b"\0\0\1\0\1\0" + bytes(99),
)  # fmt: skip

IMAGES: dict[str, Maker] = {
    "plain": _image(GOOD, picture),
    "16 bits": _image(GOOD, lambda r: picture(r, mode="I;16")),
    "palette": _image(GOOD, lambda r: picture(r, mode="P", transparency=3)),
    "transparent": _image(GOOD, lambda r: picture(r, mode=r.choice(("RGBA", "LA")))),
    "one bit": _image(GOOD, lambda r: picture(r, mode="1")),
    "CMYK": _image(GOOD, lambda r: picture(r, "JPEG", "CMYK"), "bee/9.jpg"),
    "turned": _image(GOOD, upright, "bee/9.JPEG"),
    "other formats": _image(GOOD, lambda r: picture(r, r.choice(("BMP", "GIF", "WEBP")), "P"), "bee/9.webp"),
    "other sizes": _image(GOOD, lambda r: picture(r, side=r.randint(1, 99))),
    "other files": _image(GOOD, lambda r: r.randbytes(99), "bee/notes.txt"),
    "hidden files": _image(GOOD, lambda r: r.randbytes(99), "bee/._1.png"),
    "hostile names": _files(GOOD, _hostile_names),
    "link inside": _image(GOOD, lambda r: Link("../ant/1.png")),
    "one level down": _files(GOOD, lambda r: {f"photos/all/{n[7:]}": c for n, c in folder(r).items()}),
    "truncated": _image(BAD, lambda r: picture(r, side=40)[: r.randint(1, 1500)]),
    "no bytes": _image(BAD, lambda r: b""),
    "random bytes": _image(BAD, lambda r: r.randbytes(r.randint(1, 9999))),
    "disguised": _image(BAD, lambda r: r.choice(MASKS)),
    "claims 1e9 pixels": _image(BAD, lambda r: claimed(*r.choice(((40_000, 25_000), (2**31 - 1, 1), (9_000, 9_000))))),
    "animation": _image(BAD, lambda r: frames(r, r.choice(("GIF", "PNG", "WEBP")))),
    "wrong CRC": _image(BAD, lambda r: picture(r).replace(b"IHDR", b"IHDr")),
    "long text": _image(BAD, lambda r: picture(r)[:33] + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(9 * 10**6)))),
    "link loop": _image(BAD, lambda r: Link(r.choice(("9.png", "./../bee/9.png")))),
    "broken link": _image(BAD, lambda r: Link("nowhere.png")),
    "pipe": _image(BAD, lambda r: Fifo()),
    "device": _image(BAD, lambda r: Link("/dev/zero")),
    "link to a folder": _image(EITHER, lambda r: Link(r.choice(("..", "/", "../ant"))), "wasp"),
    "outside a class": _image(BAD, picture, "stray.png"),
    "empty class": _image(BAD, lambda r: b"", "wasp/"),
    "one class": _files(BAD, lambda r: {n: c for n, c in folder(r).items() if "ant" in n}),
    "no images": _files(BAD, lambda r: {"photos/ant/1.txt": b"x", "photos/bee/": b""}),
    "link out": lambda r: (EITHER, {**folder(r), "out/x.png": picture(r), "photos/bee/9.png": Link("../../out/x.png")}, "photos"),
    "damage": _image(EITHER, lambda r: damaged(r, picture(r, side=40))),
    "damaged JPEG": _image(EITHER, lambda r: damaged(r, upright(r)), "bee/9.jpg"),
    "damaged others": _image(EITHER, lambda r: damaged(r, picture(r, r.choice(("BMP", "GIF", "WEBP")), side=30)), "bee/9.gif"),
    "folder named as image": _image(EITHER, lambda r: b"", "bee/9.png/"),
}  # fmt: skip

# Zips.


def packed(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of files; names may come twice as (name, content) pairs."""
    file = io.BytesIO()
    pairs = files.items() if isinstance(files, dict) else files
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)  # of names that come twice
        for name, content in pairs:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            if isinstance(content, Link):
                entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
                content = content.to.encode()
            archive.writestr(entry, content)
    return file.getvalue()


def marked(content: bytes, local: int, central: int, value: bytes) -> bytes:
    """A zip with a field of every entry overwritten, at its places in both headers."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        start = content.find(mark)
        while start >= 0:
            changed[start + offset : start + offset + len(value)] = value
            start = content.find(mark, start + 4)
    return bytes(changed)


def _zip(verdict: str, build: Callable[[random.Random, Files], bytes]) -> Maker:
    return lambda rng: (verdict, {"photos.zip": build(rng, folder(rng))}, "photos.zip")


def _also(*names: str) -> Callable[[random.Random, Files], bytes]:
    return lambda rng, files: packed({**files, rng.choice(names): picture(rng, mode="L")})


def _bomb(rng: random.Random, files: Files) -> bytes:
    return packed(
        {**files, f"photos/bee/{rng.randrange(99)}.png": bytes(rng.choice((2**22, 2**25)))}
    )


def _stored_wrong(rng: random.Random, files: Files) -> bytes:
    content = bytearray(packed(files, zipfile.ZIP_STORED))
    content[content.find(b"IDAT") + rng.randint(4, 30)] ^= 255
    return bytes(content)


ZIPS: dict[str, Maker] = {
    "plain": _zip(GOOD, lambda r, f: packed(f)),
    "stored": _zip(GOOD, lambda r, f: packed(f, zipfile.ZIP_STORED)),
    "other packing": _zip(GOOD, lambda r, f: packed(f, r.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))),
    "with folders": _zip(GOOD, lambda r, f: packed({"photos/": b"", "photos/ant/": b"", **f})),
    "other files": _zip(GOOD, lambda r, f: packed({**f, "photos/ant/notes.txt": r.randbytes(50), "__MACOSX/x.png": b"x"})),
    "hostile names": _zip(GOOD, lambda r, f: packed(_hostile_names(r))),
    "names that differ in case": _zip(GOOD, lambda r, f: packed({**f, **{n.replace("ant", "ANT"): c for n, c in f.items()}})),
    "junk before it": _zip(GOOD, lambda r, f: r.randbytes(50) + packed(f)),
    "leads out": _zip(BAD, _also("../1.png", "photos/../../1.png", "photos/ant/../../../etc/1.png")),
    "absolute": _zip(BAD, _also("/etc/1.png", "//host/share/1.png", "/1.png")),
    "drive": _zip(BAD, _also("C:/1.png", "C:\\Windows\\1.png", "c:1.png", "\\\\host\\share\\1.png")),
    "backslashes": _zip(BAD, _also("..\\1.png", "photos\\..\\..\\1.png", "\\1.png")),
    "link": _zip(BAD, lambda r, f: packed({**f, "photos/bee/9.png": Link(r.choice(("/etc/passwd", "../ant/1.png")))})),
    "bomb": _zip(BAD, _bomb),
    "nested": _zip(BAD, lambda r, f: packed({"photos.zip": packed({"inner.zip": packed(f)})})),
    "names twice": _zip(BAD, lambda r, f: packed([*f.items(), ("photos/bee/1.png", picture(r, mode="L"))])),
    "encrypted": _zip(BAD, lambda r, f: marked(packed(f), 6, 8, b"\1\0")),
    "wrong CRC": _zip(BAD, _stored_wrong),
    "unknown packing": _zip(BAD, lambda r, f: marked(packed(f), 8, 10, bytes([r.choice((1, 9, 97, 99)), 0]))),
    "claims a size": _zip(BAD, lambda r, f: marked(packed(f), 22, 24, r.choice((b"\xff\xff\xff\x7f", b"\1\0\0\0")))),
    "claims entries": _zip(EITHER, lambda r, f: packed(f)[:-12] + b"\xff\xfe" + packed(f)[-10:]),
    "no image": _zip(BAD, lambda r, f: packed({"a.csv": b"a,b\n1,2\n", "b/c.txt": b""})),
    "empty": _zip(BAD, lambda r, f: packed({})),
    "a table": _zip(BAD, lambda r, f: packed({"table.csv": text(table(r))})),
    "damaged image": _zip(BAD, lambda r, f: packed({**f, "photos/bee/9.png": picture(r)[:40]})),
    "truncated": _zip(BAD, lambda r, f: packed(f)[: r.randint(4, 300)]),
    "strange names": _zip(EITHER, _also("", "photos/bee/" + "n" * 5000 + ".png", "photos//bee///9.png", "./photos/bee/9.png", "photos/bee/\0.png", "photos/bee/..png", "a" * 9 + "/" * 99 + "b.png")),
    "damage": _zip(EITHER, lambda r, f: damaged(r, packed(f))),
    "flipped": _zip(EITHER, lambda r, f: flipped(r, packed(f), 1)),
    "end damaged": _zip(EITHER, lambda r, f: packed(f)[:-40] + flipped(r, packed(f)[-40:], 3)),
}  # fmt: skip
