"""
Write `examples/pages`: a scanned page and two that are set here.

    pip download --no-deps scikit-image==0.26.0
    python examples/make_pages.py scikit_image-0.26.0-*.whl

The scan is scikit-image's; the others are this project's own texts in the fonts DejaVu.
"""

import argparse
import textwrap
import zipfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "examples" / "pages"
FONTS = Path("/usr/share/fonts/truetype/dejavu")


def set_page(text: str, font: Path) -> Image.Image:
    """The beginning of a text as a page of 620 x 877 pixels, black on white."""
    page = Image.new("L", (620, 877), 255)
    pen, face, y = ImageDraw.Draw(page), ImageFont.truetype(font, 13), 50
    for paragraph in text.split("\n\n"):
        for line in textwrap.wrap(paragraph, 85):
            pen.text((50, y), line, font=face, fill=0)
            y += 18
            if y > 810:
                return page
        y += 10
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("wheel", type=Path, help="the wheel of scikit-image")
    wheel = zipfile.ZipFile(parser.parse_args().wheel)
    PAGES.mkdir(exist_ok=True)
    (PAGES / "scan.png").write_bytes(wheel.read("skimage/data/page.png"))
    for name, source, font in (
        ("serif", "docs/numerics.md", "DejaVuSerif.ttf"),
        ("sans", "specs/language.md", "DejaVuSans.ttf"),
    ):
        page = set_page((ROOT / source).read_text("utf-8"), FONTS / font)
        page.quantize(16).save(PAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
