"""Which algorithm computes a convolution: the fastest that is allowed, as measured or estimated."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.backends.choosing import Considered
from cnndsl.backends.cpu.lowering.candidates import Candidate, ConvWork, candidates
from cnndsl.backends.cpu.lowering.conv_cost import cost, nominal_roof
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.times import Times
from cnndsl.backends.profiling import Roof
from cnndsl.types import Numerics


@dataclass(frozen=True, slots=True)
class ConvChooser:
    """
    The rules of `numerics`, and what was measured on this machine.

    A convolution whose allowed algorithms were all measured is computed by the fastest of them;
    any other by the one that the cost model thinks fastest.
    """

    numerics: Numerics
    times: Times

    def chosen(self, work: ConvWork) -> Candidate:
        """The algorithm for a convolution."""
        allowed = [c for c in candidates(work, self.numerics) if not c.refusal]
        if len(allowed) == 1:
            return allowed[0]
        measured = self.times.of(work.name)
        if all(c.kernel in measured for c in allowed):
            return min(allowed, key=lambda c: measured[c.kernel])
        return min(allowed, key=lambda c: self.estimate(work, c))

    def estimate(self, work: ConvWork, candidate: Candidate) -> float:
        """What the cost model says, in seconds of one image on one thread."""
        return cost(work, candidate).seconds(self._roof)

    def considered(self, work: ConvWork) -> tuple[Considered, ...]:
        """All algorithms with their figures, in the order of preference."""
        found, chosen = candidates(work, self.numerics), self.chosen(work)
        others = sorted((c for c in found if c != chosen), key=lambda c: bool(c.refusal))
        return tuple(self._considered(work, c, chosen) for c in (chosen, *others))

    def _considered(self, work: ConvWork, candidate: Candidate, chosen: Candidate) -> Considered:
        if candidate.refusal and candidate.error_ratio == 1.0:
            return Considered(candidate.kernel, False, candidate.refusal)
        parts, measured = cost(work, candidate), self.times.of(work.name)
        seconds = measured.get(candidate.kernel)
        return Considered(
            kernel=candidate.kernel,
            chosen=candidate == chosen,
            verdict=candidate.refusal or ("" if candidate == chosen else "slower"),
            error_ratio=candidate.error_ratio,
            estimated_ms=1e3 * parts.seconds(self._roof),
            bound=self._roof.bound(2 * parts.macs, parts.bytes_read),
            measured_ms=1e3 * seconds if seconds is not None else None,
        )

    @property
    def _roof(self) -> Roof:
        return self.times.roof or nominal_roof(Target.host())
