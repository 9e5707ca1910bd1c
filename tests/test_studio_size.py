"""What the studio's pages weigh, what is in the package, and where the parts come from."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from chymist.studio.built import FOLDER, HASHED, TYPES

ROOT = Path(__file__).resolve().parent.parent
IMPORTED = re.compile(r"""(?:from|import)\s*["']\./([^"']+)["']""")  # not import(): that is later
built = pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the pages are not built")


def packed(name: str) -> int:
    """Bytes of a file as it is sent."""
    return len(gzip.compress((FOLDER / name).read_bytes(), 9, mtime=0))


def needed(names: set[str]) -> set[str]:
    """Files, and the modules that they cannot begin without."""
    found, left = set(), set(names)
    while left:
        name = left.pop()
        found.add(name)
        if name.endswith(".js"):
            left |= set(IMPORTED.findall((FOLDER / name).read_text("utf-8"))) - found
    return found


def first() -> set[str]:
    """What a browser loads before anything is shown: the page, its parts, and the list of runs."""
    page = (FOLDER / "index.html").read_text("utf-8")
    parts = set(re.findall(r"""/?static/([\w.-]+)""", page))
    runs = {path.name for path in FOLDER.glob("runs-*.js")}
    return needed(parts | runs) | {"index.html"}


@built
def test_the_first_load_is_small() -> None:
    names = first()
    assert {"index.html", "main.js", "style.css"} <= names
    curves = {path.name for path in FOLDER.glob("curves-*.js")}  # uPlot and the charts
    assert sum(map(packed, needed(names - {"index.html"}) | curves | {"index.html"})) <= 120_000


@built
def test_the_page_names_all_modules_of_its_first_load() -> None:
    links = set(re.findall(r"""rel="modulepreload" href="/static/([\w.-]+)\"""",
                           (FOLDER / "index.html").read_text("utf-8")))  # fmt: skip
    assert links == {name for name in first() if name.endswith(".js")} - {"first.js"}
    assert len(links) > 5


@built
def test_all_pages_together_are_small() -> None:
    assert sum(packed(path.name) for path in FOLDER.iterdir()) <= 400_000


@built
def test_pages_name_no_other_machine_and_hold_no_maps() -> None:
    for path in FOLDER.iterdir():
        assert path.suffix in TYPES, path
        text = path.read_text("utf-8")
        assert "sourceMappingURL" not in text
        found = set(re.findall(r"""https?://[^\s"'`)<]+""", text))
        assert not {one for one in found if not one.startswith("http://www.w3.org/")}, path
        for word in ("eval(", "new Function", "document.write"):
            assert word not in text, (path, word)


def test_sources_of_the_pages_write_no_markup_from_texts() -> None:
    for path in sorted((ROOT / "web/src").rglob("*.ts*")):
        text = path.read_text("utf-8")
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                     "new Function", "WebSocket", 'setAttribute("style"', "http://", "https://"):  # fmt: skip
            lines = [line for line in text.splitlines() if word in line and "w3.org" not in line]
            assert not lines, (path.name, word, lines)


def test_the_lock_file_is_exact_and_names_no_registry() -> None:
    wanted = json.loads((ROOT / "web/package.json").read_text("utf-8"))
    exact = re.compile(r"\d+\.\d+\.\d+")
    for group in ("dependencies", "devDependencies"):
        assert all(exact.fullmatch(version) for version in wanted[group].values())
    text = (ROOT / "web/package-lock.json").read_text("utf-8")
    assert '"resolved"' not in text
    assert "://" not in re.sub(r'"url": "[^"]*"', "", text)
    locked = json.loads(text)["packages"]
    assert all(
        one.get("integrity", "").startswith("sha512-") for name, one in locked.items() if name
    )


def test_licences_of_all_parts_are_there() -> None:
    locked = json.loads((ROOT / "web/package-lock.json").read_text("utf-8"))["packages"]
    text = (ROOT / "src/chymist/studio/LICENSES.txt").read_text("utf-8")
    for name, one in locked.items():
        if name and not one.get("dev"):
            assert f"{name.removeprefix('node_modules/')} {one['version']}\n" in text
            assert one["license"] == "MIT"
    assert text.count("Permission is hereby granted") == 4


def test_names_with_a_hash_are_known() -> None:
    assert HASHED.search("chunk-TAN4MZWR.js")
    assert not HASHED.search("main.js")
    assert not HASHED.search("chunk-tan4mzwr.js")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source archive."""
    folder = tmp_path_factory.mktemp("dist")
    words = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-t",
        "sdist",
        "-d",
        str(folder),
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    return folder


def test_the_wheel_holds_pages_and_licences_but_no_sources_of_pages(made: Path) -> None:
    (wheel,) = made.glob("*.whl")
    assert wheel.stat().st_size <= 3_000_000
    names = zipfile.ZipFile(wheel).namelist()
    assert "chymist/studio/server.py" in names
    assert any(re.search(r"dist-info/licenses/.*LICENSES\.txt$", name) for name in names)
    assert not [name for name in names if name.endswith((".ts", ".tsx")) or "node_modules" in name]
    if (FOLDER / "index.html").is_file() and "studio/static" not in (
        ROOT / ".gitignore"
    ).read_text():
        held = {Path(name).name for name in names if name.startswith("chymist/studio/static/")}
        assert held == {path.name for path in FOLDER.iterdir()}


def test_the_source_archive_can_build_the_pages(made: Path) -> None:
    (archive,) = made.glob("*.tar.gz")
    with tarfile.open(archive) as held:
        names = [name.split("/", 1)[-1] for name in held.getnames()]
    for name in ("web/package-lock.json", "web/build.mjs", "web/src/main.tsx", "tools/web.sh"):
        assert name in names
    assert not [name for name in names if "node_modules" in name]
