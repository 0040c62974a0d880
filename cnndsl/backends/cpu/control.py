"""Loops in LLVM IR, written as Python's: `with code.each(0, n) as i`, or with a state, `loop`."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from llvmlite import ir

from cnndsl.backends.cpu.integers import I64, Int, Value, raw

Index = Any  # an element count: a Python integer, an Int or an int64 ir.Value

I32 = ir.IntType(32)


@dataclass(frozen=True, slots=True)
class Variable:
    """An int64 that code changes as it runs: in a register, once LLVM has seen all of it."""

    builder: ir.IRBuilder
    place: Value

    @property
    def value(self) -> Int:
        """What it holds where this is emitted."""
        return Int(self.builder, self.builder.load(self.place))

    def set(self, value: Index) -> None:
        """Let it hold another number."""
        self.builder.store(raw(value), self.place)


@dataclass(frozen=True, slots=True)
class Control:
    """Code while it is written, as far as it is integers and loops."""

    builder: ir.IRBuilder

    def integer(self, value: Index) -> Int:
        """An integer with operators."""
        return Int(self.builder, raw(value))

    def variable(self, value: Index) -> Variable:
        """A variable that holds `value` at first."""
        with self.builder.goto_entry_block():
            place = self.builder.alloca(I64)
        made = Variable(self.builder, place)
        made.set(value)
        return made

    @contextmanager
    def during(self, condition: Callable[[], Value]) -> Generator[None]:
        """Emit `while condition(): ...`, the condition being an i1 that is emitted once."""
        b = self.builder
        head, turn, done = (b.append_basic_block(name) for name in ("head", "turn", "done"))
        b.branch(head)
        b.position_at_end(head)
        b.cbranch(condition(), turn, done)
        b.position_at_end(turn)
        yield
        b.branch(head).set_metadata("llvm.loop", self._as_written())
        b.position_at_end(done)

    @contextmanager
    def each(self, start: Index, stop: Index, step: Index = 1) -> Generator[Int]:
        """
        Emit `for i in range(start, stop, step)`, the body being what the with block emits.

        For loops whose state is in memory only.
        """
        with self._turns(start, stop, step, []) as (i, _, _):
            yield Int(self.builder, i)

    def loop(
        self,
        start: Index,
        stop: Index,
        step: Index,
        carried: Sequence[Any],
        body: Callable[[Value, list[Any]], Sequence[Any]],
    ) -> list[Any]:
        """
        Emit `for i in range(start, stop, step)`, its state in registers; the state at the end.

        `carried` is the state (vectors, Ints or ir.Values) before the loop; `body(i, state)` emits
        one turn and returns the state after it.
        """
        before = [_register(value) for value in carried]
        with self._turns(start, stop, step, before) as (i, phis, after):
            state = [_like(value, phi) for value, phi in zip(carried, phis, strict=True)]
            after += [_register(value) for value in body(i, state)]
        return state

    @contextmanager
    def _turns(
        self, start: Index, stop: Index, step: Index, before: list[Value]
    ) -> Generator[tuple[Value, list[Value], list[Value]]]:
        """
        A loop around what the with block emits: its counter and its state in each turn.

        The block appends the state after a turn to the third list.
        """
        b = self.builder
        entry = b.block
        head, turn, done = (b.append_basic_block(name) for name in ("head", "turn", "done"))
        b.branch(head)
        b.position_at_end(head)
        phis = [b.phi(value.type) for value in (I64(0), *before)]
        for phi, value in zip(phis, (raw(start), *before), strict=True):
            phi.add_incoming(value, entry)
        counter, *state = phis
        b.cbranch(b.icmp_signed("<", counter, raw(stop)), turn, done)
        b.position_at_end(turn)
        after: list[Value] = []
        yield counter, list(state), after
        stepped = b.add(counter, raw(step))
        for phi, value in zip(phis, (stepped, *after), strict=True):
            phi.add_incoming(value, b.block)
        b.branch(head).set_metadata("llvm.loop", self._as_written())
        b.position_at_end(done)

    def _as_written(self) -> ir.MDValue:
        """
        The mark of a loop that is to be left as it is.

        Unrolled by LLVM, a loop whose sums fill the registers spills addresses, and short runs
        spend their time in its remainder.
        """
        module = self.builder.module
        wishes = [["llvm.loop.unroll.disable"], ["llvm.loop.vectorize.width", I32(1)]]
        mark = module.add_metadata(wishes)
        if mark.operands[0] is not mark:  # LLVM knows a loop's mark by its naming itself first
            mark.operands = (mark, *mark.operands)
        return mark


def _register(value: Any) -> Value:
    """The ir.Value of a vector, an integer or an ir.Value."""
    return value if isinstance(value, ir.Value) else value.value


def _like(value: Any, register: Value) -> Any:
    """A vector, an integer or an ir.Value, as `value` is, that is in `register`."""
    return register if isinstance(value, ir.Value) else replace(value, value=register)
