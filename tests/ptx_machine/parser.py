"""From PTX as text to what a module declares and its one entry's instructions in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from cnndsl.backends.cuda.gpu import LARGEST_BLOCK

SHARED_START = 1024
"""Where a block's shared memory starts: not at 0, so that an address nobody made is seen."""


class PtxError(AssertionError):
    """A text that this machine cannot run."""


@dataclass(frozen=True)
class Register:
    """A register by its number, and the type that it is declared with."""

    number: int
    kind: str


@dataclass(frozen=True)
class Special:
    """A register that the hardware sets: `%tid.x`."""

    name: str


@dataclass(frozen=True)
class Immediate:
    """A number; of one written as `0f3F800000` the bits."""

    value: int


@dataclass(frozen=True)
class Symbol:
    """What has a name: a variable in memory, a parameter or a label."""

    name: str


@dataclass(frozen=True)
class Address:
    """`[base+offset]`."""

    base: Register | Symbol
    offset: int


@dataclass(frozen=True)
class Vector:
    """`{a, b}`."""

    parts: tuple[Operand, ...]


Operand = Register | Special | Immediate | Symbol | Address | Vector


@dataclass(frozen=True)
class Instruction:
    """
    One instruction: `words` are those of its name between the dots.

    With a `guard` it is executed where that predicate is true or, if `unless`, false.
    """

    words: tuple[str, ...]
    operands: tuple[Operand, ...]
    guard: Register | None
    unless: bool
    text: str


@dataclass
class Module:
    """
    An entry and what it needs.

    `shared` has the offset of each variable in shared memory. Static ones take `shared_bytes`; what
    a launch brings starts behind them. No block has more threads than `most_threads`.
    """

    target: str = ""
    entry: str = ""
    params: dict[str, str] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    shared_bytes: int = 0
    most_threads: int = LARGEST_BLOCK
    registers: list[str] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)


_ENTRY = re.compile(r"\.entry\s+([\w$]+)\s*\((.*?)\)\s*(?:\.\w+[^{]*)?\{", re.DOTALL)
_SHARED = re.compile(
    r"(\.extern|\.visible)?\s*\.shared\s+\.align\s+(\d+)\s+\.b8\s+([\w$]+)\[(\d*)\]"
)
_LABEL = re.compile(r"([\w$]+):")
_GUARD = re.compile(r"@(!?)([%\w$]+)\s+")
_ADDRESS = re.compile(r"\[([%\w$]+)(?:\+?(-?\d+))?\]")
_OPERAND = re.compile(r"\{[^}]*\}|\[[^]]*\]|[^,\s][^,]*")


def parse(text: str) -> Module:
    """The module. Raises `PtxError` for what this machine does not know."""
    text = re.sub(r"//[^\n]*", "", text)
    module = Module()
    target, entry = re.search(r"\.target\s+(\w+)", text), _ENTRY.search(text)
    if target is None or entry is None or len(re.findall(r"\.entry\b", text)) != 1:
        raise PtxError("a module has a target and one entry")
    module.target, module.entry = target[1], entry[1]
    for kind, name in re.findall(r"\.param\s+\.(\w+)\s+([\w$]+)", entry[2]):
        module.params[name] = kind
    if bounds := re.search(r"\.maxntid\s+([\d,\s]+)", entry[0]):
        module.most_threads = prod(int(size) for size in bounds[1].split(","))
    _lay_out(module, text)
    _Body(module).read(_block(text, entry.end()))
    return module


def _lay_out(module: Module, text: str) -> None:
    """Give each variable in shared memory its place; those of the launch share one."""
    end, brought = SHARED_START, []
    for kind, alignment, name, size in _SHARED.findall(text):
        if kind == ".extern":
            brought.append((name, int(alignment)))
            continue
        end = -(-end // int(alignment)) * int(alignment)
        module.shared[name] = end
        end += int(size)
    alignment = max((alignment for _, alignment in brought), default=4)
    end = -(-end // alignment) * alignment
    module.shared.update(dict.fromkeys((name for name, _ in brought), end))
    module.shared_bytes = end - SHARED_START


def _block(text: str, start: int) -> str:
    """What stands between a brace before `start` and its partner."""
    depth = 1
    for match in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return text[start : match.start()]
    raise PtxError("a brace has no partner")


class _Body:
    """Reads statements; registers that are declared between braces are known there only."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.scopes: list[dict[str, Register]] = [{}]

    def read(self, body: str) -> None:
        for statement in _statements(body):
            if statement == "{":
                self.scopes.append({})
            elif statement == "}":
                self.scopes.pop()
            elif statement.endswith(":"):
                self.module.labels[statement[:-1]] = len(self.module.instructions)
            elif statement.startswith(".reg"):
                self.declare(statement)
            elif not statement.startswith((".pragma", ".loc")):
                self.module.instructions.append(self.instruction(statement))

    def declare(self, statement: str) -> None:
        _, kind, names = statement.split(maxsplit=2)
        for name in names.split(","):
            family = re.fullmatch(r"([%\w$]+)<(\d+)>", name.strip())
            several = (
                [f"{family[1]}{i}" for i in range(int(family[2]))] if family else [name.strip()]
            )
            for one in several:
                self.scopes[-1][one] = Register(len(self.module.registers), kind[1:])
                self.module.registers.append(kind[1:])

    def instruction(self, statement: str) -> Instruction:
        guard = _GUARD.match(statement)
        name, _, rest = statement[guard.end() if guard else 0 :].partition(" ")
        # A pair such as `%r1|%p1` is two results.
        texts = [part.strip() for text in _OPERAND.findall(rest) for part in text.split("|")]
        return Instruction(
            tuple(re.sub(r"::", "_", name).split(".")),
            tuple(self.operand(text) for text in texts),
            self.register(guard[2]) if guard else None,
            bool(guard and guard[1]),
            statement,
        )

    def register(self, name: str) -> Register:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        raise PtxError(f"nobody has declared {name}")

    def operand(self, text: str) -> Operand:
        if text.startswith("{"):
            return Vector(tuple(self.operand(part.strip()) for part in text[1:-1].split(",")))
        if text.startswith("["):
            parts = _ADDRESS.fullmatch(text.replace(" ", ""))
            known = self.operand(parts[1]) if parts else None
            if not isinstance(known, Register | Symbol):
                raise PtxError(f"{text} is no address that this machine knows")
            return Address(known, int(parts[2] or "0"))
        if re.fullmatch(r"0[fF][0-9A-Fa-f]{8}", text):
            return Immediate(int(text[2:], 16))
        if re.fullmatch(r"-?(0[xX][0-9A-Fa-f]+|\d+)U?", text):
            return Immediate(int(text.rstrip("U"), 0))
        if any(text in scope for scope in self.scopes):
            return self.register(text)
        return Special(text) if text.startswith("%") else Symbol(text)


def _statements(body: str) -> Iterator[str]:
    """Statements without their semicolons, labels with their colons, and braces around scopes."""
    at = 0
    while at < len(body):
        if body[at].isspace():
            at += 1
        elif body[at] in "{}":
            yield body[at]
            at += 1
        elif label := _LABEL.match(body, at):
            yield label[0]
            at = label.end()
        else:
            end = body.find(";", at)
            if end < 0:
                raise PtxError(f"no semicolon ends {body[at : at + 40]!r}")
            yield " ".join(body[at:end].split())
            at = end + 1
