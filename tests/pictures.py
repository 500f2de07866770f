"""The pictures of the docs, taken in a real Chromium: of a finished report, and of the page on which people rate.

    python -m tests.pictures results/playhouse docs/images

Each is reduced to a palette: small enough for a repository.
"""

import io
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from PIL import Image

from tests.browser import chromium, tab
from tests.test_annotate_browser import Person, held

#: Name, address of the page, width, height, colour scheme; `beside` sets the next episode of the task beside the first.
PICTURES: tuple[tuple[str, str, int, int, str], ...] = (
    ("report", "index.html", 1280, 1480, "light"),
    ("report-phone", "index.html", 390, 844, "dark"),
    ("report-lineage", "index.html", 1180, 800, "light"),
    ("episodes", "episodes/index.html", 1280, 900, "light"),
    ("episodes-beside", "episodes/index.html", 1280, 1100, "light"),
)


def main(results: Path, folder: Path) -> None:
    """Take every picture of the report in `results`."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for name, page, width, height, scheme in PICTURES:
            address = f"{(results / 'report').resolve().as_uri()}/{page}"
            if name.startswith("episodes"):
                address += f"#{urlencode({'evaluation': 'hard', 'policy': 'bc_sr', 'sort': 'score-down'})}"
            size = {"width": width, "height": height}
            with tab(browser, address, viewport=size, color_scheme=scheme, device_scale_factor=1.5) as shown:
                _save(folder / f"{name}.png", _picture(shown, name))
        _save(folder / "rating.png", _rating(browser))


def _save(path: Path, picture: bytes) -> None:
    path.write_bytes(_reduced(picture))
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def _picture(shown: Any, name: str) -> bytes:
    if name.startswith("episodes"):
        shown.wait_for_selector("#rows tbody tr")
    if name == "episodes-beside":
        shown.click("#rows th a")
        shown.wait_for_selector("#reading h2")
        shown.keyboard.press("b")
        shown.wait_for_selector(".two")
        shown.evaluate("document.activeElement.blur()")
    shown.wait_for_timeout(300)
    picture: bytes = shown.locator(".graph").screenshot() if name == "report-lineage" else shown.screenshot()
    return picture


def _rating(browser: Any) -> bytes:
    """A rater's first conversation, half rated."""
    with TemporaryDirectory() as folder, held(Path(folder), 2) as (study, url):
        ((_, token),) = study.raters.invite(1)
        window = {"viewport": {"width": 1180, "height": 900}, "device_scale_factor": 1.5}
        rater = Person(browser, url, token, **window)
        rater.learn(study)
        for name, score in (("believability", 9), ("relationship", 2), ("knowledge", 4)):
            rater.page.check(f'[name="s0-{name}"][value="{score}"]', force=True)
        rater.page.fill('[name="s0-believability-why"]', "She haggles as somebody would who has to pay the rent.")
        rater.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 60)")
        rater.page.wait_for_timeout(400)
        picture: bytes = rater.page.screenshot()
        return picture


def _reduced(picture: bytes) -> bytes:
    out = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(200, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
