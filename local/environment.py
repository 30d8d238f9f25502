"""The environment of each process: the user's own, with only what the stack decides changed."""

from collections.abc import Mapping
from urllib.parse import quote

from cryptography.fernet import Fernet

from local import secret_files
from local.home import Home

#: Decided by the stack, or kept from processes that do not need it, whatever the user's own say.
_OURS = ("DATABASE_URL", "REDIS_URL", "PRESSROOM_ADMIN_KEY")

#: What only processes get that call Postiz, fetch media or deliver webhooks: web and the workers.
_CREDENTIALS = (
    "PRESSROOM_SECRET_KEYS",
    "PRESSROOM_PROXY_URL",
    "POSTIZ_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)


def without(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    """Of these names, and of the files that may hold their values."""
    hidden = {*names, *(f"{name}_FILE" for name in names)}
    return {name: value for name, value in environ.items() if name not in hidden}


def without_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """For processes that need only the database and the broker."""
    return without(environ, *_CREDENTIALS)


def service_environment(
    users: Mapping[str, str], home: Home, *, database_url: str, redis_url: str
) -> dict[str, str]:
    environ = without(users, *_OURS)
    defaults = {
        "PRESSROOM_MEDIA_URL": f"file://{quote(str(home.media))}",
        "PRESSROOM_ALLOW_PRIVATE_URLS": str(not _names_allowed_hosts(users)).lower(),
        "PRESSROOM_LOG_FORMAT": "text",
        "PRESSROOM_METRICS_DIR": str(home.metrics),
        "PYTHONUNBUFFERED": "1",
    }
    for name, value in defaults.items():
        if f"{name}_FILE" not in environ:
            environ.setdefault(name, value)
    if not ("PRESSROOM_SECRET_KEYS" in environ or "PRESSROOM_SECRET_KEYS_FILE" in environ):
        environ["PRESSROOM_SECRET_KEYS"] = _secret_keys(home)
    return {**environ, "DATABASE_URL": database_url, "REDIS_URL": redis_url}


def _names_allowed_hosts(users: Mapping[str, str]) -> bool:
    """Whether the user says which private hosts may be called; else all may, as the sandbox is."""
    name = "PRESSROOM_ALLOWED_HOSTS"
    return bool(users.get(name) or users.get(f"{name}_FILE"))


def _secret_keys(home: Home) -> str:
    """Made at the first start; whoever loses the file loses the credentials in the database."""
    return secret_files.read_or_make(home.secret_keys, lambda: Fernet.generate_key().decode())
