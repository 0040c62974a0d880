"""Find the grammar and the specs, which stand beside the package or, in a wheel, inside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource(*parts: str) -> Path:
    """
    The path of a shipped file, such as `resource("specs", "alexnet.cnn")`.

    The path need not exist: ask it.
    """
    inside = _PACKAGE.joinpath(*parts)
    return inside if (_PACKAGE / parts[0]).is_dir() else _PACKAGE.parent.joinpath(*parts)


def shipped_specs() -> list[str]:
    """The names of the specs that come with the package: `alexnet`, `lenet5`, ..."""
    return sorted(path.stem for path in resource("specs").glob("*.cnn"))
