"""Which server is called with which key: as the environment says, else as `login` kept it."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cli.failures import CliFailure, SignInFailure, UsageFailure
from cli.places import config_folder, write_privately

URL, KEY = "PRESSROOM_URL", "PRESSROOM_API_KEY"
PREFIX = "/api/v1"
_HOW = f"pressroom login --url https://…, or set {URL} and {KEY}"
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """`url`: of the server, without the API's prefix. `profile`: the one that is meant if none is
    named."""

    url: str
    api_key: str = field(repr=False)
    profile: str | None = None


def load_sign_in() -> SignIn:
    """Raises `SignInFailure`. A kept key is only for the server that it was kept for."""
    kept = _read_kept()
    url = _url_of_environment() or (kept.url if kept else None)
    if url is None:
        raise SignInFailure("You are not signed in to a server", hint=_HOW)
    key = os.environ.get(KEY, "").strip()
    if key:
        profile = kept.profile if kept and kept.url == url else None
        return SignIn(url=url, api_key=key, profile=profile)
    if kept is None or kept.url != url:
        raise SignInFailure(f"There is no key for {url}", hint=_HOW)
    return kept


def _url_of_environment() -> str | None:
    url = os.environ.get(URL, "").strip()
    return parse_server_url(url) if url else None


def keep_sign_in(signed_in: SignIn) -> Path:
    path = _path()
    try:
        write_privately(path, asdict(signed_in))
    except OSError as error:
        raise CliFailure(f"The key cannot be kept in {path}: {error.strerror}") from error
    return path


def forget_sign_in() -> bool:
    """Whether there was one."""
    path = _path()
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed


def _path() -> Path:
    return config_folder() / "sign-in.json"


def _read_kept() -> SignIn | None:
    path = _path()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        url = parse_server_url(kept["url"])
        return SignIn(url=url, api_key=kept["api_key"], profile=kept.get("profile"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UsageFailure) as error:
        raise SignInFailure(
            f"{path} cannot be read", hint="pressroom login writes it anew"
        ) from error


def parse_server_url(text: str) -> str:
    """`https://host[:port][/path]`, alike for whatever form of it is given: by it is known what was
    published there. Raises `UsageFailure`."""
    text = text.strip().rstrip("/").removesuffix(PREFIX).rstrip("/")
    if "://" not in text:
        scheme = "http" if text.partition(":")[0] in _LOCAL else "https"
        text = f"{scheme}://{text}"
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        known = known and not parts.netloc.endswith(":")
    except ValueError:
        known = None
    if not known or parts.username or parts.query or parts.fragment:
        raise UsageFailure(f"{text!r} is not the address of a server: say https://host")
    host, port = parts.netloc.lower(), parts.port
    if port == _PORTS[parts.scheme]:
        host = host.rpartition(":")[0]
    return f"{parts.scheme}://{host}{parts.path}"


def name_server(url: str) -> str:
    """The same for all names of this machine, by which what was published there is remembered."""
    parts = urlsplit(url)
    if not is_local(url):
        return url
    return parts._replace(netloc=f"127.0.0.1{f':{parts.port}' if parts.port else ''}").geturl()


def is_local(url: str) -> bool:
    return urlsplit(url).hostname in _LOCAL


def is_readable_on_the_way(url: str) -> bool:
    """Whether the key would go over a network unencrypted."""
    return urlsplit(url).scheme == "http" and not is_local(url)
