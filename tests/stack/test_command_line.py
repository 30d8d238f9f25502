"""The command line on a whole stack: a folder is published once, whatever interrupts it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.child import ROOT
from local.sandbox.process import Admin
from tests.factories.files import FILES
from tests.scenarios.bulks import Press
from tests.servers.breaking_line import BreakingLine, breaking_line
from tests.servers.receiver import receiving
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until

CLIPS, SIZE = 100, 200_000
PROFILE, READER = "terminal", "reader-of-docs"
CHANNELS = [{"id": "cli-mastodon", "name": "Ours", "identifier": "mastodon"}]


class Shell:
    """Runs `pressroom` as a user of their own would, without a terminal."""

    def __init__(self, stack: RunningStack, home: Path, url: str) -> None:
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PRESSROOM_URL": url,
            "PRESSROOM_API_KEY": stack.facts()["admin_key"],
            "PRESSROOM_PROFILE": PROFILE,
            "PRESSROOM_PATIENCE": "3",
        }

    def start(self, *words: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *map(str, words)],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str | Path, code: int = 0) -> tuple[str, str]:
        """What it says on both outputs."""
        return ended(self.start(*words), code)

    def json(self, *words: str, fields: str) -> Any:
        return json.loads(self.run(*words, "--json", fields)[0])


def ended(process: "subprocess.Popen[str]", code: int) -> tuple[str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Traceback" in err) == (code, False), (out, err)
    return out, err


@pytest.fixture(scope="module")
def press(stack: RunningStack) -> Press:
    """Profiles with an organization of their own, so that nobody else's posts are among ours."""
    facts = stack.facts()
    Admin(facts["sandbox_url"]).create_org("cli", keys=["key-cli"], integrations=CHANNELS)
    made = Press(stack=stack, sandboxes={})
    postiz = {"api_url": facts["sandbox_url"], "api_key": "key-cli"}
    for profile in (PROFILE, READER):
        body = {"id": profile, "name": profile, "tts_settings": {"postiz": postiz}}
        made.call(profile, "POST", "/profiles", body)
    return made


def folder_of_clips(folder: Path) -> Path:
    folder.mkdir()
    for number in range(CLIPS):
        head = FILES.mp4(number)
        box = (SIZE - len(head)).to_bytes(4, "big") + b"free"
        clip = folder / f"clip-{number}.mp4"
        clip.write_bytes(head + box + bytes(SIZE - len(head) - len(box)))
        clip.with_suffix(".txt").write_text(f"Clip {number}\n")
    return folder


def test_a_folder_is_published_once_whatever_interrupts_it(press: Press, tmp_path: Path) -> None:
    folder = folder_of_clips(tmp_path / "clips")
    port = urlsplit(press.stack.facts()["web_url"]).port
    assert port is not None
    with breaking_line(port) as line:
        shell = Shell(press.stack, tmp_path, f"http://127.0.0.1:{line.port}")
        command = ["publish", str(folder), "--channels", "cli-mastodon", "--interval", "0", "--yes"]
        interrupt_by_the_user(line, shell.start(*command))
        let_the_network_die_for_good(line, shell.start(*command))
        lose_the_answer_to_the_publish(line, shell, command)
        said = shell.run(*command)[1]
        assert f"{CLIPS} posts that an interrupted run was publishing" in said
        assert "Accepted as job" in said
        again = shell.run(*command)[1]
        assert f"{CLIPS} of {CLIPS} were published by an earlier run" in again
        jobs = shell.json("jobs", "ls", fields="kind,state,total")
        posts = shell.json("posts", "ls", fields="content,external_id")
    kinds = Counter(job["kind"] for job in jobs)
    assert kinds == {"bulk_publish": 1, "upload": CLIPS}, "each clip was sent once"
    assert Counter((post["content"], post["external_id"]) for post in posts) == {
        (f"Clip {number}", f"clip-{number}.mp4"): 1 for number in range(CLIPS)
    }


def interrupt_by_the_user(line: BreakingLine, process: "subprocess.Popen[str]") -> None:
    wait_until(lambda: line.sent > CLIPS * SIZE / 5)
    process.send_signal(signal.SIGINT)
    ended(process, 130)
    assert line.sent < CLIPS * SIZE / 2, "there was still much to send"


def let_the_network_die_for_good(line: BreakingLine, process: "subprocess.Popen[str]") -> None:
    """After breaks that it gets over."""
    line.breaks_at = [line.sent + part * SIZE for part in (2, 5, 8, 11)]
    until = line.sent + CLIPS * SIZE / 3
    wait_until(lambda: line.sent > until)
    line.is_dead = True
    said = ended(process, 1)[1]
    assert line.breaks == 4
    assert "cannot be reached" in said


def lose_the_answer_to_the_publish(line: BreakingLine, shell: Shell, command: list[str]) -> None:
    line.is_dead = False
    line.loses_reply_to = b"POST /api/v1/postiz/bulk-publish HTTP"
    ended(shell.start(*command), 1)
    assert line.is_dead
    line.is_dead = False


def test_the_commands_of_its_page_do_what_it_says(press: Press, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    for number in (1, 2):
        (tmp_path / "clips" / f"clip-{number}.mp4").write_bytes(FILES.mp4(200 + number))
    page = (ROOT / "docs" / "CLI.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.+?)^```$", page, re.MULTILINE | re.DOTALL)
    script = "\n".join(blocks).replace("acme", READER).replace("int-mastodon", "cli-mastodon")
    facts = press.stack.facts()
    run = f'pressroom() {{ "{sys.executable}" -m cli "$@"; }}\nset -euo pipefail\n'
    follows_nothing = "\npressroom publish clips --channels cli-mastodon --dry-run\n"
    done = subprocess.run(
        ["bash", "-c", run + script + follows_nothing],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "SERVER": facts["web_url"],
            "KEY": facts["admin_key"],
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".config/pressroom/sign-in.json").stat().st_mode & 0o777 == 0o600
    assert "The first, at nine\tcli-mastodon\t2031-08-01 09:00" in done.stderr, "the plan"
    assert '"state": "there"' in done.stdout
    assert "it was cancelled" in done.stdout
    assert facts["admin_key"] not in done.stdout + done.stderr
    posts = press.call(READER, "GET", "/posts")["items"]
    assert [(post["content"], post["publish_at"][:16]) for post in posts] == [
        ("The first, at nine", "2031-08-01T07:00"),
        ("The second", "2031-08-01T16:30"),
        ("Better", "2031-09-01T08:00"),
    ]
    press.call(READER, "POST", "/profiles/" + READER + "/cancel")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["pots"], 2, "Did you mean 'posts'?"),
        (["posts", "shwo"], 2, "Did you mean 'show'?"),
        (["posts", "ls", "--json", "nope"], 2, "fields: id, job_id"),
        (["publish", ".", "--channels", "a"], 2, "say --yes"),
        (["posts", "show", "999999"], 1, "There is no post '999999'"),
        (["publish", "gone", "--channels", "a", "--yes"], 1, "There is no file or folder gone"),
        (["jobs", "watch", "999999"], 1, "There is no job '999999'"),
    ],
)
def test_what_goes_wrong_has_a_code_and_a_next_step(
    press: Press, tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    shell = Shell(press.stack, tmp_path, press.stack.facts()["web_url"])
    out, err = shell.run(*words, code=code)
    assert (out, "\x1b" in err) == ("", False)
    assert message in err


def test_a_wrong_key_is_told_from_other_failures(press: Press, tmp_path: Path) -> None:
    shell = Shell(press.stack, tmp_path, press.stack.facts()["web_url"])
    told = shell.run("login", "--profile", "nobody", code=1)[1]
    assert "There is no profile 'nobody'" in told
    assert "is kept in" in shell.run("login", "--profile", PROFILE)[1]
    shell.environ["PRESSROOM_API_KEY"] = "wrong"
    assert "pressroom login" in shell.run("jobs", code=4)[1]
    del shell.environ["PRESSROOM_API_KEY"]
    assert "The key is forgotten" in shell.run("logout")[1]
    assert "There is no key" in shell.run("jobs", code=4)[1]
    shell.environ["PRESSROOM_URL"] = "http://127.0.0.1:9"
    shell.environ["PRESSROOM_API_KEY"] = "any"
    assert "cannot be reached" in shell.run("jobs", code=1)[1]


def test_deliveries_are_heard_on_ones_own_machine(press: Press, tmp_path: Path) -> None:
    shell = Shell(press.stack, tmp_path, press.stack.facts()["web_url"])
    shell.environ["PRESSROOM_PROFILE"] = READER
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(FILES.mp4(210))
    with receiving() as receiver:
        hearing = shell.start("webhooks", "listen", "--forward-to", receiver.url)
        assert hearing.stdout is not None
        secret = hearing.stdout.readline().strip()
        assert secret.startswith("whsec_")
        shell.run("publish", tmp_path, "--channels", "cli-mastodon", "--interval", "0", "--yes")
        wait_until(lambda: {"post.published", "job.completed"} <= set(receiver.types))
        hearing.send_signal(signal.SIGINT)
        out, _ = ended(hearing, 130)
    assert {heard.verified(secret)["type"] for heard in receiver.heard} <= set(receiver.types)
    assert all(heard.id in out and "\t200\n" in out for heard in receiver.heard)
    assert shell.json("webhooks", fields="id") == [], "it takes its webhook away"


def _press_ctrl_c(command: subprocess.Popen[bytes]) -> None:
    """As a terminal does. Again where it came between the question and the wait for an answer:
    the interpreter then looks at it when the wait ends.
    """

    def ended() -> bool:
        command.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            command.wait(2)
        return command.returncode is not None

    wait_until(ended, lambda: "it goes on")


def test_at_a_terminal_it_asks_and_ctrl_c_is_an_answer(press: Press, tmp_path: Path) -> None:
    shell = Shell(press.stack, tmp_path, press.stack.facts()["web_url"])
    (tmp_path / "asked.mp4").write_bytes(FILES.mp4(220))
    for typed, code in ((b"n\n", 0), (b"", 130)):
        ours, theirs = pty.openpty()
        asked = subprocess.Popen(
            [sys.executable, "-m", "cli", "publish", tmp_path, "--channels", "cli-mastodon"],
            cwd=ROOT,
            env={**shell.environ, "PRESSROOM_PROFILE": READER, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        said = b""
        while b"Publish 1 post? [y/N]" not in said:
            said += os.read(ours, 4096)
        if typed:
            os.write(ours, typed)
            asked.wait(PATIENCE)
        else:
            _press_ctrl_c(asked)
            while b"The same command goes on" not in said:
                said += os.read(ours, 4096)
        assert asked.returncode == code
        os.close(theirs)
        os.close(ours)
    listed = press.call(READER, "GET", "/posts")["items"]
    assert "asked.mp4" not in [post["external_id"] for post in listed]
