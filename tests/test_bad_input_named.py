"""Single cases that the corpora of bad input brought to light, by name; bombs; hostile names."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.cli import main
from chymist.errors import ChymistError
from tests.corpora_files import HOSTILE, chunk, packed, picture, quoted, table, text
from tests.test_bad_input import one_line

RNG = random.Random(5)


def refused(source: Path, words: str) -> None:
    with pytest.raises(ChymistError, match=words) as caught:
        cy.load(source)
    assert one_line(caught.value.line()) == ""


def photos(place: Path) -> Path:
    for label in ("ant", "bee"):
        (place / "photos" / label).mkdir(parents=True)
        for n in range(3):
            (place / "photos" / label / f"{n}.png").write_bytes(picture(RNG, mode="L"))
    return place / "photos"


def test_a_pipe_among_the_images_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(photos(tmp_path) / "bee" / "9.png")
    refused(tmp_path / "photos", "not a regular file, in bee/9.png")


def test_a_device_among_the_images_is_not_read(tmp_path: Path) -> None:
    (photos(tmp_path) / "bee" / "9.png").symlink_to("/dev/zero")
    refused(tmp_path / "photos", "not a regular file")


@pytest.mark.parametrize("name", ["//host/share/1.png", "/1.png", "a/../../1.png", "C:/1.png"])
def test_a_zip_whose_names_lead_out(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed({"x/1.png": picture(RNG), name: picture(RNG)}))
    refused(tmp_path / "a.zip", "leads out of it")


def test_a_zip_with_a_name_twice(tmp_path: Path) -> None:
    entries = [(f"{label}/1.png", picture(RNG)) for label in ("a", "b", "b")]
    (tmp_path / "a.zip").write_bytes(packed(entries))  # type: ignore[arg-type]
    refused(tmp_path / "a.zip", "holds a name twice")


def test_a_zip_entry_without_a_name(tmp_path: Path) -> None:
    entries = [("a/1.png", picture(RNG)), ("b/1.png", picture(RNG)), ("", b"x")]
    (tmp_path / "a.zip").write_bytes(packed(entries))  # type: ignore[arg-type]
    assert len(cy.load(tmp_path / "a.zip")) == 2


@pytest.mark.parametrize("option", ["--test", "--valid"])
@pytest.mark.parametrize("share", ["inf", "1e999", "9" * 400, "nan", "-inf", "-1", "1.5"])
def test_shares_that_are_none(option: str, share: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "iris", f"{option}={share}", "--print-recipe"]) == 2
    assert one_line(capsys.readouterr().err.removesuffix("\n")) == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = " + "9" * 5000, "not valid TOML"),
        ("x = " + "[" * 20_000, "not valid TOML"),
        ("a" + ".a" * 20_000 + " = 1", "more than 32 parts"),
        ('"a"' + '."a"' * 99 + " = 1", "more than 32 parts"),
        ("x" * 9999 + " = 1", "unknown recipe field"),
    ],
    ids=["long number", "deep list", "deep key", "deep quoted key", "long name"],
)
def test_recipes_that_used_to_end_in_a_traceback_or_a_wait(content: str, words: str) -> None:
    with pytest.raises(ChymistError, match=words) as caught:
        cy.Recipe.from_toml(content)
    assert one_line(caught.value.line()) == ""


def test_a_recipe_with_a_byte_order_mark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.toml").write_bytes(b"\xef\xbb\xbfbatch_size = 7\n")
    assert main(["fit", "iris", "--recipe", str(tmp_path / "r.toml"), "--print-recipe"]) == 0
    assert "batch_size = 7" in capsys.readouterr().out


def test_a_known_table_with_another_column_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHYMIST_DATA", str(tmp_path))
    names = "claims,cost\n"  # the published file has claims,payment and no header
    (tmp_path / "iris.csv").write_text(names)
    from chymist.data.tables import read_table

    with pytest.raises(ChymistError, match="other columns than expected"):
        read_table(tmp_path / "iris.csv", names=("claims", "payment", "cost"))


def test_a_hundred_thousand_columns_with_one_name(tmp_path: Path) -> None:
    head = ",".join([f"c{n}" for n in range(100_000)] + ["c7"])
    (tmp_path / "t.csv").write_text(head + "\n" + ",".join(["1"] * 100_001) + "\n")
    refused(tmp_path / "t.csv", "'c7' as columns 8 and 100001")


def flat(width: int, height: int, mode: int, channels: int) -> bytes:
    """A PNG file of one colour: a few bytes, many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, mode, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + width * channels)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


BOMBS = ("table.csv.gz", "one large image", "many large images", "zip")

LOADING = """
import contextlib, io, resource, sys
from chymist.cli import main
with contextlib.redirect_stdout(io.StringIO()):  # imports what it needs before memory is limited
    main(["fit", "digits", "--print-recipe"])
import PIL.PngImagePlugin
status = open("/proc/self/status").read()
idle = int(status.split("VmSize:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (idle + 512 * 2**20, resource.RLIM_INFINITY))
sys.exit(main(["fit", *sys.argv[1:], "--print-recipe"]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_stay_below_512_megabytes(name: str, tmp_path: Path) -> None:
    if name == "table.csv.gz":
        source = tmp_path / name
        source.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 2**26, 6))
    elif name == "zip":
        source = tmp_path / "a.zip"
        source.write_bytes(packed({"a/1.png": bytes(2**28), "b/1.png": picture(RNG)}))
    else:
        source = photos(tmp_path)
        for n in range(1 if name == "one large image" else 2):
            (source / "bee" / f"9{n}.png").write_bytes(flat(7000, 7000, 6, 4))
    sized = ["--image-size", "16"] if source.is_dir() else []
    done = subprocess.run(
        [sys.executable, "-c", LOADING, str(source), *sized], capture_output=True, text=True,
        timeout=300, check=False, env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )  # fmt: skip
    if source.is_dir():
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 1, done.stderr
        assert "too" in done.stderr
        assert done.stderr.count("\n") == 1


def test_many_images_of_one_colour_are_refused_at_full_size(tmp_path: Path) -> None:
    photos(tmp_path)
    for label in ("ant", "bee"):
        for n in range(3):
            (tmp_path / "photos" / label / f"{n}.png").write_bytes(flat(7000, 7000, 0, 1))
    refused(tmp_path / "photos", "unpack to too much")


def test_hostile_names_come_out_inert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, (first, second, column) in enumerate(
        zip(HOSTILE[::3], HOSTILE[1::3], HOSTILE[2::3], strict=False)
    ):
        rows = table(random.Random(number))
        rows[0][0] = column[:60]
        for row in rows[1:]:
            row[-1] = (first if row[-1] == "y" else second)[:60]
        source = Path(f"{number}{first[:40]}.csv".replace("/", "-"))
        source.write_bytes(quoted(rows))
        out = Path(f"run{number}")
        for argv in (
            ["fit", str(source), "--model", "softmax", "--length", "2 epochs", "--out", str(out)],
            ["show", str(out)], ["show", str(out), "--json"], ["runs", "."], ["runs", ".", "--json"],
            ["evaluate", str(out)], ["predict", str(out), str(source), "--out", "p.csv"],
        ):  # fmt: skip
            shown = told(argv)
            assert shown.replace("\n", "").isprintable(), (argv, shown)
        page = (out / "report.html").read_text("utf-8")
        assert all(c.isprintable() or c in "\n" for c in page)
        assert "<script>alert" not in page
        cells = [
            cell
            for row in csv.reader(io.StringIO(Path("p.csv").read_text("utf-8")))
            for cell in row
        ]
        assert not [cell for cell in cells if cell[:1] in ("=", "+", "@", "\t", "\r")]
        assert not [
            c
            for cell in cells
            for c in cell
            if (ord(c) < 32 and c not in "\t\n\r") or 127 <= ord(c) < 160
        ]


def told(argv: list[str]) -> str:
    """All that a command says, on both streams; it must succeed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(argv) == 0, err.getvalue()
    if "--json" in argv:
        json.loads(out.getvalue())
    return out.getvalue() + err.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.text(max_size=6), min_size=1, max_size=4), max_size=8),
    st.sampled_from(",;\t|"),
)
def test_any_text_as_a_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "t.csv"
    path.write_bytes(delimiter.join("\n".join(row) for row in rows).encode("utf-8", "replace"))
    with contextlib.suppress(ChymistError):
        cy.load(path)
    path.write_bytes(
        text([[cell.replace("\n", " ") for cell in row] for row in rows], delimiter)
        if _clean(rows)
        else b"x"
    )
    with contextlib.suppress(ChymistError):
        cy.load(path)


def _clean(rows: list[list[str]]) -> bool:
    return not any("\ud800" <= c <= "\udfff" for row in rows for cell in row for c in cell)


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=80),
    st.dictionaries(
        st.text(max_size=9),
        st.one_of(
            st.none(),
            st.integers(),
            st.floats(),
            st.text(max_size=9),
            st.booleans(),
            st.lists(st.integers(), max_size=3),
        ),
        max_size=3,
    ),
)
def test_any_text_as_a_recipe(content: str, options: dict[str, object]) -> None:
    with contextlib.suppress(ChymistError):
        cy.Recipe.from_toml(content)
    for slot in ("model", "optimizer", "data", "stop"):
        with contextlib.suppress(ChymistError):
            cy.Recipe.from_dict({slot: {"name": "mlp", **options}})
