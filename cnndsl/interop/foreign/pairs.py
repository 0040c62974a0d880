"""Pairs of rows and layers that a user has made: a text with a line for each."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from cnndsl.errors import Diagnostic, FileError, Fix, WeightsError
from cnndsl.files import unreadable

_NONE = "-"


@dataclass(frozen=True)
class Pairs:
    """The layer of each unit that a user has paired, and the modules to leave out."""

    layers: Mapping[str, str] = field(default_factory=dict[str, str])
    out: tuple[str, ...] = ()

    def leaves_out(self, layer: str) -> bool:
        """Whether the layer, or a module that it is in, is left out."""
        return any(layer == name or layer.startswith((f"{name}.", f"{name}/")) for name in self.out)

    def check(self, units: AbstractSet[str], layers: AbstractSet[str]) -> None:
        """Raise `WeightsError` for names that neither side has."""
        findings: list[Diagnostic] = []
        for unit, layer in self.layers.items():
            for name, known, what in ((unit, units, "the table"), (layer, layers, "the file")):
                if name not in known:
                    near = get_close_matches(name, known, 1, 0.5)
                    fixes = tuple(Fix(f"{found}?") for found in near)
                    message = f"the map names {name!r}, which {what} does not have"
                    findings.append(Diagnostic("E401", message, fixes=fixes))
        for name in self.out:
            if not any(Pairs(out=(name,)).leaves_out(layer) for layer in layers):
                message = f"the map leaves out {name!r}, which the file does not have"
                findings.append(Diagnostic("E401", message))
        if findings:
            raise WeightsError.of(findings)


def read_pairs(path: Path) -> Pairs:
    """A file of pairs. Raises `FileError` and, for a line that is none, `WeightsError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError:
        raise FileError(
            f"cannot read {path}: it is not UTF-8", fixes=["save it as UTF-8"]
        ) from None
    except ValueError as error:
        raise FileError(f"{str(path)!r} is no path of a file: {error}") from None
    return parse_pairs(text)


def parse_pairs(text: str) -> Pairs:
    """
    Read lines `ROW = LAYER`; `- = LAYER` leaves a layer or a module out. Comments begin with `#`.

    Raises `WeightsError` for a line that says neither.

    >>> parse_pairs("conv1 = stem.0  # the first\\n- = aux")
    Pairs(layers={'conv1': 'stem.0'}, out=('aux',))
    """
    layers: dict[str, str] = {}
    out: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        row, equals, layer = (part.strip() for part in words.partition("="))
        if not (row and equals and layer):
            raise WeightsError(
                f"line {number} of the map is neither ROW = LAYER nor - = LAYER: {words!r}",
                code="E402",
            )
        if row == _NONE:
            out.append(layer)
        elif row in layers:
            raise WeightsError(f"line {number} of the map pairs {row} again", code="E402")
        else:
            layers[row] = layer
    return Pairs(layers, tuple(out))
