"""Walk through the studio as `docs/studio-first-minutes.md` tells it, and take its pictures.

Run `.venv/bin/python -m tools.make_studio_minutes` from the project's root: about two minutes. It
trains on digits, opens the studio in a headless Chromium, asserts what each page says, and writes
`docs/pictures/studio-*.png`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from tests.browser import Browser
from tests.studio import studio_of
from tests.studio_minutes import GOOD, LONG, SICK, Minutes, chymist

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
COLORS = 256  # of a picture: pages have few
TALL = 1150  # pixels of the window


def main() -> None:
    """Take the pictures anew."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for words in (GOOD, SICK):
            if chymist(words, folder).wait():
                raise SystemExit("a run could not be trained")
        training = chymist(LONG, folder)
        browser = Browser(folder)
        try:
            with studio_of(folder / "runs") as studio, browser.visit(studio.address) as (page, _):

                def show(what: str) -> None:
                    page.wait_for_timeout(600)  # what fades in
                    path = PICTURES / f"studio-{what}.png"
                    page.screenshot(path=str(path))
                    Image.open(path).quantize(COLORS).save(path, optimize=True)
                    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")

                page.set_viewport_size({"width": 1280, "height": TALL})
                Minutes(page, show).all()
        finally:
            browser.close()
            training.kill()


if __name__ == "__main__":
    main()
