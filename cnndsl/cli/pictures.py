"""Files of pictures and arrays as what a model reads."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.cli.arguments import STDIN, read_stdin
from cnndsl.errors import CnnError, FileError, InputError, MissingExtra
from cnndsl.files import fixes_of_reading, reason_of, unreadable
from cnndsl.ir.signature import Shape
from cnndsl.pictures import preprocess

if TYPE_CHECKING:
    from cnndsl.model import Model

ARRAY = ".npy"
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff"),
    ARRAY,
)
"""What a folder is searched for. A file that is named is opened whatever its suffix."""

_ANEW = "the file copied again from where it came"
# Of a picture on standard input, which must be read whole.
_MOST_BYTES = 2**28

# Depths beyond eight bits that Pillow opens, each with what one step of eight bits is there.
_DEEP = {"I;16": 257, "I;16B": 257, "I;16L": 257, "I;16N": 257}


@dataclass(frozen=True, slots=True)
class Sample:
    """One image as the model reads it. `index` counts the images of a file that holds several."""

    file: Path
    index: int | None
    image: NDArray[Any]

    @property
    def name(self) -> str:
        """The file, and which image of it."""
        return str(self.file) if self.index is None else f"{self.file}[{self.index}]"


def find_files(paths: Iterable[str]) -> list[Path]:
    """The files that are named and those in the folders that are. Raises `FileError` for none."""
    found: list[Path] = []
    for path in map(Path, paths):
        found += _inside(path) if os.path.isdir(path) else [path]
    if not found:
        raise FileError(
            f"no pictures in {', '.join(paths)}",
            notes=[f"looked for {' '.join(SUFFIXES)}"],
            fixes=["a folder that holds some; folders in it are not searched"],
        )
    return found


def _inside(folder: Path) -> list[Path]:
    """The pictures and arrays that lie in a folder, in the order of their names."""
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
    except OSError as error:
        raise unreadable(folder, error) from None
    return sorted(file for file in files if file.is_file())


def read_samples(file: Path, model: Model, row: str) -> Iterator[Sample]:
    """
    The images of a file for the input of that name: one of a picture, any number of an array file.

    Raises `InputError` for what cannot be read or does not fit; `MissingExtra` without Pillow.
    """
    try:
        if file.suffix.lower() != ARRAY:
            yield Sample(file, None, preprocess([read_picture(file)], model, row=row)[0])
            return
        array = read_array(file)
        single = _is_one(array, model.inputs[row])
        for index, image in enumerate([array] if single else array):
            yield Sample(file, None if single else index, _image(image, model, row))
    except InputError as error:
        raise _named(error, file) from None


def read_array(file: Path) -> NDArray[Any]:
    """A NumPy file's array, read as it is used. Raises `InputError`."""
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise _unreadable(file, error) from None


def read_picture(file: Path) -> NDArray[np.uint8]:
    """
    A picture as `[h, w, 1]` or, in colour, `[h, w, 3]` as RGB, turned upright by its EXIF tag.

    What is transparent is shown on white. Raises `InputError` and `MissingExtra`.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtra(
            f"pictures such as {file} need Pillow", fixes=['pip install "cnndsl[cli]"']
        ) from None
    try:
        with warnings.catch_warnings():
            # Pillow warns of a picture that is larger than any photograph, then refuses it.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(_opened(file)) as opened:
                upright = ImageOps.exif_transpose(opened)
                return _pixels(upright)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        most = f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels"
        raise InputError(most, code="E603", fixes=["a smaller copy of it"]) from None
    except Image.UnidentifiedImageError:
        raise _no_picture(file) from None
    # A damaged file makes Pillow's decoders raise almost anything.
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError) as error:
        raise _unreadable(file, error) from None


def _opened(file: Path) -> Path | io.BytesIO:
    """What Pillow opens: the file, or all of standard input."""
    return io.BytesIO(read_stdin(_MOST_BYTES)) if str(file) == STDIN else file


def _no_picture(file: Path) -> InputError:
    """The error of a file that is in no format of pictures."""
    if file.is_file() and file.stat().st_size == 0:
        return InputError("it is empty", code="E603", fixes=[_ANEW])
    fix = "numpy.save writes an array" if file.suffix == ".npz" else "save it as .png or .jpg"
    return InputError("it is no picture that Pillow reads", code="E603", fixes=[fix])


def _unreadable(file: Path, error: Exception) -> InputError:
    """The error of a file that cannot be opened, or whose content is damaged."""
    if not isinstance(error, OSError) or error.errno is None:
        fix = "numpy.save of numbers writes one that can" if file.suffix == ARRAY else _ANEW
        return InputError(f"it cannot be read: {error}", code="E603", fixes=[fix])
    fixes = fixes_of_reading(file, error)
    return InputError(f"it cannot be read: {reason_of(error)}", code="E603", fixes=fixes)


def _pixels(picture: Any) -> NDArray[np.uint8]:
    """A Pillow picture's cells."""
    from PIL import Image

    if picture.mode in _DEEP:
        deep = np.asarray(picture, np.uint32)
        return (deep // _DEEP[picture.mode]).astype(np.uint8)[..., None]
    if picture.mode in ("I", "F"):
        raise InputError(f"its cells are {picture.mode} numbers, not 0..255", code="E603")
    if "A" in picture.mode or "transparency" in picture.info:
        shown = picture.convert("RGBA")
        white = Image.new("RGBA", shown.size, "white")
        picture = Image.alpha_composite(white, shown).convert(
            "LA" if picture.mode == "LA" else "RGB"
        )
    grey = picture.mode in ("1", "L", "LA")
    cells = np.asarray(picture.convert("L" if grey else "RGB"), np.uint8)
    return cells[..., None] if grey else cells


def _is_one(array: NDArray[Any], shape: Shape) -> bool:
    """Whether an array is a picture, an image of that shape, or no batch of either."""
    if array.dtype == np.uint8:
        return array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
    return array.shape == shape or array.ndim != len(shape) + 1


def _image(array: NDArray[Any], model: Model, row: str) -> NDArray[Any]:
    """
    One image as the model's input of that name reads it.

    Cells of uint8 are a picture's; all others are taken as the input row's numbers already.
    """
    if array.dtype == np.uint8:
        return preprocess([array], model, row=row)[0]
    shape = model.inputs[row]
    if array.shape != shape or array.dtype.kind not in "fiub":
        if len(model.inputs) == 1:
            model(array)  # says best what is wrong with it
        raise InputError(
            f"it holds {array.dtype} {list(array.shape)}, and {row} reads images {list(shape)}"
        )
    wrong = array.size - np.count_nonzero(np.isfinite(array))
    if wrong:
        count = f"{wrong:,} of its {array.size:,} numbers"
        raise InputError(
            f"{count} {'is' if wrong == 1 else 'are'} NaN or infinite, and so would be the outputs",
            code="E602",
            fixes=["an array of finite numbers"],
        )
    return array


def _named(error: CnnError, file: Path) -> CnnError:
    """The error with the file's name before its message."""
    first = error.diagnostics[0]
    return InputError(
        f"{file}: {first.message}",
        code=first.code,
        notes=first.notes,
        fixes=first.fixes,
    )
