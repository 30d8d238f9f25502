"""Explores every state that a model can reach, breadth first, and tells how it was reached."""

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=tuple[Hashable, ...])


class Step(NamedTuple, Generic[S]):
    """One thing that may happen next: in words, what it leads to, and whether it is a fault.

    `may_never`: nothing has to come of it, however long one waits.
    """

    words: str
    state: S
    fault: bool = False
    may_never: bool = False


Successors = Callable[[S], Iterable[Step[S]]]


@dataclass(frozen=True)
class Trace(Generic[S]):
    """The shortest way from the start to a state."""

    steps: tuple[Step[S], ...]
    start: S

    @property
    def last(self) -> S:
        return self.steps[-1].state if self.steps else self.start

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(step.words for step in self.steps)

    def __str__(self) -> str:
        lines = (
            f"{number:3}. {'FAULT: ' if step.fault else ''}{step.words}"
            for number, step in enumerate(self.steps, start=1)
        )
        return "\n".join(lines)


@dataclass
class Explored(Generic[S]):
    """All states that were reached, in the order of their distance from the start."""

    successors: Successors[S]
    states: list[S] = field(default_factory=list)
    depth: int = 0
    #: Of each state, the number of the one that it was first reached from.
    parents: "array[int]" = field(default_factory=lambda: array("l"))
    #: The steps that can be counted on, as numbers of states.
    sources: "array[int]" = field(default_factory=lambda: array("l"))
    targets: "array[int]" = field(default_factory=lambda: array("l"))

    def trace(self, number: int) -> Trace[S]:
        path = [number]
        while self.parents[path[-1]] >= 0:
            path.append(self.parents[path[-1]])
        states = [self.states[each] for each in reversed(path)]
        steps = tuple(map(self._step, states, states[1:]))
        return Trace(steps=steps, start=states[0])

    def _step(self, source: S, target: S) -> Step[S]:
        return next(step for step in self.successors(source) if step.state == target)

    def first(self, bad: Callable[[S], bool]) -> Trace[S] | None:
        """The shortest way to a state that is `bad`, if there is one."""
        found = (number for number, state in enumerate(self.states) if bad(state))
        number = next(found, None)
        return None if number is None else self.trace(number)

    def stuck(self, settled: Callable[[S], bool]) -> Iterator[int]:
        """The states from which no steps that can be counted on lead to a settled one, nearest
        first."""
        good = bytearray(settled(state) for state in self.states)
        firsts, sources = self._steps_by_target()
        waiting = array("l", (number for number, is_good in enumerate(good) if is_good))
        while waiting:
            target = waiting.pop()
            for source in sources[firsts[target] : firsts[target + 1]]:
                if not good[source]:
                    good[source] = True
                    waiting.append(source)
        return (number for number, is_good in enumerate(good) if not is_good)

    def _steps_by_target(self) -> "tuple[array[int], array[int]]":
        """Where the steps into each state begin in the second array, and whence they come."""
        firsts = array("l", bytes(8 * (len(self.states) + 1)))
        for target in self.targets:
            firsts[target + 1] += 1
        for number in range(len(self.states)):
            firsts[number + 1] += firsts[number]
        free, sources = firsts[:], array("l", bytes(8 * len(self.sources)))
        for source, target in zip(self.sources, self.targets, strict=True):
            sources[free[target]] = source
            free[target] += 1
        return firsts, sources


def explore(
    start: S, successors: Successors[S], *, until: Callable[[S], bool] = lambda _: False
) -> Explored[S]:
    """Every state within reach of `start`; stops at the first one that `until` names."""
    found = Explored(successors=successors, states=[start], parents=array("l", [-1]))
    numbers, levels = {start: 0}, array("l", [0])
    parts: dict[tuple[int, Hashable], Hashable] = {}
    for source, state in enumerate(found.states):  # the list grows while it is read
        found.depth = levels[source]
        if until(state):
            break
        for step in successors(state):
            target = numbers.get(step.state, -1)
            if target < 0:
                target = len(found.states)
                reached = _with_shared_parts(step.state, parts)
                numbers[reached] = target
                found.states.append(reached)
                found.parents.append(source)
                levels.append(levels[source] + 1)
            if not (step.fault or step.may_never):
                found.sources.append(source)
                found.targets.append(target)
    return found


def _with_shared_parts(state: S, parts: dict[tuple[int, Hashable], Hashable]) -> S:
    """The same state in less memory: millions of states have few different parts."""
    shared = (parts.setdefault(place, place[1]) for place in enumerate(state))
    return tuple.__new__(type(state), shared)
