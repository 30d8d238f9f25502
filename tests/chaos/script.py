"""The script of a run, from its seed: which harm is done when, and by which dice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.chaos.harm import VICTIMS, Act, in_background
from tests.chaos.options import Options

KILL = "kill"
EDITS = ("delete draft", "delete scheduled", "move scheduled", "edit draft")
STUBBORN = ("undeletable", "undeletable when cancelled", "unmovable", "killed in its release")
PAUSES = ("pause job", "pause profile", "pause account")


@dataclass(frozen=True, kw_only=True)
class Scene:
    at: float
    act: str
    seed: str


def write(rng: random.Random, options: Options) -> list[Scene]:
    """Kills and the rest, anywhere in the run, in the order of their times."""
    roles = rng.choices(list(VICTIMS), list(VICTIMS.values()), k=options.kills)
    acts = [f"{KILL} {role}" for role in roles]
    few, some = max(1, options.kills // 20), max(2, options.kills // 8)
    acts += ["flush"] * few + ["second beat"] * few + ["freeze"] * some + ["flood"] * some
    acts += ["rotate"] * max(3, options.kills // 3)
    edits = max(1, options.posts // 1000)
    acts += [act for act in EDITS for _ in range(edits)]
    acts += ["cancel post"] * max(2, options.posts // 100) + ["cancel job"] * edits
    acts += ["edit post", "move post"] * max(3, options.posts // 60) + ["move job"] * edits
    acts += ["retry post"] * edits * 2 + ["retry on word"] * edits
    acts += ["end overdue"] * some
    acts += [act for act in PAUSES for _ in range(max(1, options.kills // 16))]
    acts += ["detour"] * max(1, options.kills // 10)
    acts += ["spoil secret"] * max(1, options.kills // 12) + ["revoke keys"] * few
    acts += ["vanish"] * (options.kills // 20) + ["run schedule"] * some
    acts += ["spoil schedule", "spoil webhook"]
    acts += [act for act in STUBBORN for _ in range(max(1, options.kills // 35))]
    acts += ["disconnect channel"] * some + ["stall"]
    scenes = [
        Scene(at=_when(rng, act) * options.seconds, act=act, seed=f"{rng.random()}")
        for act in acts
        if act not in options.without
    ]
    return sorted(scenes, key=lambda scene: scene.at)


def _when(rng: random.Random, act: str) -> float:
    """As a share of the run: what is retried must have failed before."""
    if act in ("spoil schedule", "spoil webhook"):
        return rng.uniform(0.05, 0.3)
    if act == "stall":
        return rng.uniform(0.4, 0.6)
    late = act.startswith("retry") or act == "end overdue"
    return rng.uniform(0.5 if late else 0.05, 1.0)


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
