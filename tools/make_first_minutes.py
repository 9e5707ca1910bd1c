"""Carry out the commands of `docs/first-five-minutes.md` and write what they print below them.

Run `.venv/bin/python tools/make_first_minutes.py`: about two minutes. A block of the page begins
with a line `$ chymist ...`; what follows it is replaced. Pictures go to `docs/pictures`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "first-five-minutes.md"
BLOCK = re.compile(r"```console\n\$ (?P<command>chymist [^\n]*)\n(?P<output>.*?)```\n", re.DOTALL)
PICTURES = re.compile(r"\(pictures/(first-[a-z-]+\.svg)\)")


def commands(page: str) -> list[str]:
    """The commands of the page, in order.

    Example:
        >>> commands("```console\\n$ chymist sets\\n```\\n")
        ['chymist sets']
    """
    return [found["command"] for found in BLOCK.finditer(page)]


def shown(output: str) -> str:
    """What the page shows of an output: its lines without those of progress.

    Example:
        >>> shown("Train   epoch 1/2\\nResult  accuracy 99 %\\n")
        'Result  accuracy 99 %\\n'
    """
    kept = [
        line.rstrip() for line in output.splitlines() if not line.startswith(("Train", "Entry"))
    ]
    return "".join(f"{line}\n" for line in kept)


def carried_out(page: str, folder: Path) -> str:
    """The page with the outputs of its commands, carried out in a folder."""

    def block(found: re.Match[str]) -> str:
        words = [sys.executable, "-m", *shlex.split(found["command"])]
        settings = {**os.environ, "COLUMNS": "110", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(words, cwd=folder, env=settings, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{found['command']}: {done.stderr}")
        return f"```console\n$ {found['command']}\n{shown(done.stdout)}```\n"

    return BLOCK.sub(block, page)


def main() -> None:
    """Write the page anew."""
    page = PAGE.read_text("utf-8")
    with TemporaryDirectory() as name:
        folder = Path(name)
        made = carried_out(page, folder)
        for picture in sorted(set(PICTURES.findall(page))):
            shutil.copy(folder / picture, PAGE.parent / "pictures" / picture)
    PAGE.write_text(made, "utf-8")


if __name__ == "__main__":
    main()
