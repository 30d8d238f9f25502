"""The recorded exchanges with a running Postiz: sent to whatever answers in its place."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import requests

from local.sandbox.process import SandboxProcess

Exchange = dict[str, Any]
RECORDED = Path(__file__).parents[1] / "contract" / "exchanges.json"
EXCHANGES: list[Exchange] = json.loads(RECORDED.read_text())
NAMES = [exchange["name"] for exchange in EXCHANGES]
KEYS = {key: f"key-{key}" for key in ("main", "other", "limited", "limited-other")}


def integration(
    name: str, identifier: str, title: str, profile: str, **more: Any
) -> dict[str, Any]:
    ident = {"id": name, "identifier": identifier, "name": title, "profile": profile}
    return {**ident, **more}


ORGS: list[dict[str, Any]] = [
    {
        "id": "main",
        "keys": [KEYS["main"]],
        "limit": 100000,
        "integrations": [
            integration(
                "int-instagram", "instagram-standalone", "IG Chan", "ig_handle", picture=""
            ),
            integration("int-mastodon", "mastodon", "Masto Chan", "ma_handle"),
            integration(
                "int-tiktok",
                "tiktok",
                "TikTok Chan",
                "tt_handle",
                picture="https://postiz.example/uploads/t.png",
                customer={"id": "cust-acme", "name": "Acme"},
            ),
            integration(
                "int-x", "x", "X Chan", "x_handle", picture="https://postiz.example/uploads/x.png"
            ),
            integration("int-x-disabled", "x", "X Disabled", "xd", disabled=True),
            integration("int-x-refresh", "x", "X NeedsRefresh", "xr", refresh_needed=True),
            integration("int-youtube", "youtube", "YT Chan", "yt_handle"),
        ],
    },
    {
        "id": "other",
        "keys": [KEYS["other"]],
        "integrations": [integration("int-other-org", "x", "Other", "other")],
    },
    {
        "id": "limited",
        "keys": [KEYS["limited"]],
        "limit": 3,
        "integrations": [integration("int-x-limited", "x", "X Limited", "xl")],
    },
    {"id": "limited-other", "keys": [KEYS["limited-other"]], "limit": 3},
]


class FileHandler(BaseHTTPRequestHandler):
    """Serves ok.mp4, ok.png, big.png, text.mp4, and redir.mp4, which leads to ok.mp4."""

    files: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].strip("/")
        if name == "redir.mp4":
            self.send_response(302)
            self.send_header("Location", "/ok.mp4")
            self.end_headers()
            return
        content = self.files.get(name)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def serving_files(files: dict[str, bytes]) -> Iterator[str]:
    """Its address. `files`: by name, all that the exchanges upload."""
    FileHandler.files = {
        "ok.mp4": files["small.mp4"],
        "ok.png": files["small.png"],
        "big.png": files["big.png"],
        "text.mp4": files["t.txt"],
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), FileHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Replay:
    """Sends the exchanges in their order and remembers what came back. `sandbox`: the usual one."""

    sandbox: SandboxProcess

    def __init__(
        self,
        addresses: Mapping[str, str],
        keys: Mapping[str, str],
        files: dict[str, bytes],
        file_server: str,
    ) -> None:
        """`addresses`: of the API, of each server that the exchanges name."""
        self.addresses = addresses
        self.files = files
        today = datetime.now(UTC).date()
        self.words = {
            **keys,
            "files": file_server,
            "today": today.isoformat(),
            "tomorrow": (today + timedelta(days=1)).isoformat(),
        }
        self.answers: dict[str, requests.Response] = {}

    def fill(self, value: Any) -> Any:
        text = json.dumps(value, ensure_ascii=False)
        for word, meaning in self.words.items():
            text = text.replace("{" + word + "}", meaning)
        return json.loads(text)

    def send(self, exchange: Exchange) -> None:
        asked = self.fill({key: exchange[key] for key in exchange if key not in ("reply", "name")})
        headers = dict(asked.get("headers", {}))
        if "authorization" in asked:
            headers["Authorization"] = asked["authorization"]
        body = self.body(asked, headers)
        address = f"{self.addresses[asked.get('server', 'usual')]}{asked['path']}"
        answer = requests.request(asked["method"], address, headers=headers, timeout=120, **body)
        self.answers[exchange["name"]] = answer
        if answer.status_code < 300:
            self.learn(exchange["name"], answer.json())

    def body(self, asked: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        if "json" in asked:
            return {"json": asked["json"]}
        if "parts" in asked:
            return {"files": [self.part(part) for part in asked["parts"]]}
        if "form" in asked:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            return {"data": asked["form"]}
        if "raw" in asked or "json_size" in asked:
            headers["Content-Type"] = "application/json"
            return {"data": asked.get("raw") or '{"x":"' + "a" * asked["json_size"] + '"}'}
        return {}

    def part(self, part: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
        if "text" in part:
            return part["field"], (None, part["text"])
        content = self.files[part["file"]]
        return part["field"], (part.get("filename", part["file"]), content, part.get("type"))

    def learn(self, name: str, reply: Any) -> None:
        """Later exchanges name what earlier replies held."""
        if isinstance(reply, list):
            for index, element in enumerate(reply):
                self.words[f"{name}.{index}"] = element.get("postId", "")
        elif "originalName" in reply:
            self.words |= {f"{name}.id": reply["id"], f"{name}.path": reply["path"]}
        elif name == "get-posts-dec":
            groups = {post["id"]: post["group"] for post in reply["posts"]}
            self.words["group of post-multi.0"] = groups[self.words["post-multi.0"]]


def shape(value: object) -> object:
    """Keys and types, without the values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def comparable(posts: list[dict[str, Any]], dated: bool) -> list[dict[str, Any]]:
    """Posts without what the server chose, in an order of their own."""
    chosen = ("id", "group") if dated else ("id", "group", "publishDate")
    kept = [{key: post[key] for key in post if key not in chosen} for post in posts]
    return sorted(kept, key=lambda post: json.dumps(post, sort_keys=True))


def compare_body(reply: Any, expected: Any, match: str) -> None:
    """Raises `AssertionError` where they differ in what `match` is about."""
    match match:
        case "exact":
            assert reply == expected
        case "any order":
            assert sorted(reply, key=lambda each: each["id"]) == expected
        case "shape":
            assert shape(reply) == shape(expected)
            if isinstance(expected, list):
                assert [each["integration"] for each in reply] == [
                    each["integration"] for each in expected
                ]
        case "posts":
            dated = all(post["publishDate"] for post in expected["posts"])
            assert comparable(reply["posts"], dated) == comparable(expected["posts"], dated)
        case "settings":
            assert shape({**reply["output"], "settings": {}}) == shape(
                {**expected["output"], "settings": {}}
            )
            wanted = expected["output"]["settings"]["required"]
            assert reply["output"]["settings"]["required"] == wanted
            assert set(wanted) <= set(reply["output"]["settings"]["properties"])
