"""How late releases are: 250 in a minute on one Postiz, and 1,000 in a minute over ten."""

from pathlib import Path

import pytest

from tests.scenarios.bulks import percentile, press, spread

REAL_PACE = {"PRESSROOM_WRITES_PER_SECOND": "5", "PRESSROOM_SETTLE_SECONDS": "10"}
#: Promised for two cores that do nothing else (issue: p99 under 2 s).
PROMISED = 2.0


@pytest.mark.parametrize(("servers", "each"), [(1, 250), (10, 100)])
def test_releases_are_on_time(
    tmp_path: Path, servers: int, each: int, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles = [f"profile-{number}" for number in range(servers)]
    with press(tmp_path, profiles, **REAL_PACE) as one:
        times = spread(each, first_in=45, seconds=60)
        jobs = {name: one.bulk(name, times)["job"]["id"] for name in profiles}
        for name, job in jobs.items():
            one.wait_until_published(name, job)
        late = sorted(each for name, job in jobs.items() for each in one.lateness(name, job))
    with capsys.disabled():
        print(
            f"\n{len(late)} releases in a minute on {servers} Postiz: late by"
            f" {percentile(late, 0.5):.2f} s at p50, {percentile(late, 0.99):.2f} s at p99,"
            f" {late[-1]:.2f} s at most"
        )
    assert late[0] > -0.05  # never early
    assert percentile(late, 0.99) < PROMISED
