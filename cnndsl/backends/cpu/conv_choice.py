"""Which algorithm computes a convolution: the fastest that is allowed, as measured or estimated."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.backends.choosing import Considered
from cnndsl.backends.cpu.lowering.candidates import Candidate, ConvWork, candidates
from cnndsl.backends.cpu.lowering.conv_cost import cost, nominal_roof
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.times import NOTHING_MEASURED, Seconds, Times
from cnndsl.backends.profiling import Roof
from cnndsl.types import Options


@dataclass(frozen=True, slots=True)
class ConvChooser:
    """
    What is asked for, and what was measured on this machine.

    A convolution whose allowed algorithms were all measured is computed by the fastest of them;
    any other by the one that the cost model thinks fastest.
    """

    options: Options
    times: Times = NOTHING_MEASURED

    def chosen(self, work: ConvWork) -> Candidate:
        """The algorithm for a convolution."""
        allowed = [c for c in self._candidates(work) if not c.refusal]
        if len(allowed) == 1:
            return allowed[0]
        measured = self._measured(work)
        if all(c.kernel in measured for c in allowed):
            return min(allowed, key=lambda c: measured[c.kernel])
        return min(allowed, key=lambda c: c.margin * self.estimate(work, c))

    def estimate(self, work: ConvWork, candidate: Candidate) -> float:
        """What the cost model says, in seconds of an image of a batch on one thread."""
        return cost(work, candidate, self.options.batch).seconds(self._roof)

    def considered(self, work: ConvWork) -> tuple[Considered, ...]:
        """All algorithms with their figures, in the order of preference."""
        found, chosen = self._candidates(work), self.chosen(work)
        others = sorted((c for c in found if c != chosen), key=lambda c: bool(c.refusal))
        return tuple(self._considered(work, c, chosen) for c in (chosen, *others))

    def _considered(self, work: ConvWork, candidate: Candidate, chosen: Candidate) -> Considered:
        if candidate.refusal and candidate.error_ratio == 1.0:
            return Considered(candidate.kernel, False, candidate.refusal)
        parts = cost(work, candidate, self.options.batch)
        seconds = self._measured(work).get(candidate.kernel)
        return Considered(
            kernel=candidate.kernel,
            chosen=candidate == chosen,
            verdict=candidate.refusal or ("" if candidate == chosen else "slower"),
            error_ratio=candidate.error_ratio,
            estimated_ms=1e3 * parts.seconds(self._roof),
            bound=self._roof.bound(2 * parts.macs, parts.bytes_read),
            measured_ms=1e3 * seconds if seconds is not None else None,
        )

    def _candidates(self, work: ConvWork) -> tuple[Candidate, ...]:
        return candidates(work, self.options.numerics)

    def _measured(self, work: ConvWork) -> Seconds:
        return self.times.of(work.name, self.options.batch)

    @property
    def _roof(self) -> Roof:
        return self.times.roof or nominal_roof(Target.host())
