"""The script of a run, from its seed: which harm is done when, and by which dice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.chaos.harm import VICTIMS, Act, in_background
from tests.chaos.options import Options


@dataclass(frozen=True, kw_only=True)
class Scene:
    at: float
    act: str
    seed: str


def write(rng: random.Random, options: Options) -> list[Scene]:
    """Kills and the rest, anywhere in the run, in the order of their times."""
    roles = rng.choices(list(VICTIMS), list(VICTIMS.values()), k=options.kills)
    acts = [f"kill {role}" for role in roles]
    few, some = max(1, options.kills // 20), max(2, options.kills // 8)
    acts += ["flush"] * few + ["second beat"] * few + ["freeze"] * some + ["flood"] * some
    acts += ["rotate"] * max(3, options.kills // 3)
    edits = max(1, options.posts // 1000)
    acts += ["delete draft"] * edits + ["delete scheduled"] * edits + ["move scheduled"] * edits
    scenes = [
        Scene(at=rng.uniform(0.05, 1.0) * options.seconds, act=act, seed=f"{rng.random()}")
        for act in acts
    ]
    return sorted(scenes, key=lambda scene: scene.at)


def summary(scenes: list[Scene]) -> str:
    counts = Counter(scene.act for scene in scenes)
    return ", ".join(f"{number} x {act}" for act, number in sorted(counts.items()))


def play(scenes: list[Scene], acts: Mapping[str, Act]) -> None:
    """Do each at its time, without waiting for its end; return when the last has ended."""
    began = time.monotonic()
    under_way: list[threading.Thread] = []
    for scene in scenes:
        time.sleep(max(0.0, began + scene.at - time.monotonic()))
        under_way.append(in_background(acts[scene.act], random.Random(scene.seed)))
    for thread in under_way:
        thread.join(timeout=300)
