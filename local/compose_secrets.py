"""Makes the files under ./secrets that docker-compose.yml mounts: `make secrets`.

Only what comes with Python is imported, so that a host with Docker needs nothing else.
"""

import base64
import secrets
from pathlib import Path

FOLDER = Path("secrets")
_NO_BUCKET = """\
# For media in a bucket (PRESSROOM_MEDIA_URL=s3://…):
#[default]
#aws_access_key_id = …
#aws_secret_access_key = …
"""


def main() -> None:
    """Makes what is missing, as after an update that needs more, and changes nothing."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    postgres = _read_or_make("postgres_password", secrets.token_hex(24))
    redis = _read_or_make("redis_password", secrets.token_hex(24))
    contents = {
        "postgres_password": postgres,
        "database_url": f"postgresql://pressroom:{postgres}@postgres:5432/pressroom",
        "redis_password": redis,
        "redis_url": f"redis://:{redis}@valkey:6379/0",
        "secret_keys": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "admin_key": f"pr_{secrets.token_urlsafe(32)}",
        "metrics_token": secrets.token_urlsafe(32),
        "postiz_api_key": "",
        "oidc_client_secret": "",
        "proxy_url": "",
        "ca": "",
        "aws_credentials": _NO_BUCKET,
    }
    missing = [name for name in contents if not (FOLDER / name).exists()]
    for name in missing:
        _write(FOLDER / name, contents[name])
    if missing:
        print(f"created {', '.join(missing)} in {FOLDER}")
        print(f"the key that may do everything is in {FOLDER}/admin_key")
    else:
        print(f"all secrets are in {FOLDER} already; nothing was changed")


def _read_or_make(name: str, new: str) -> str:
    path = FOLDER / name
    return path.read_text(encoding="utf-8").strip() if path.exists() else new


def _write(path: Path, content: str) -> None:
    """Readable by the user of the container, whoever that is; the folder keeps the others out."""
    path.write_text(content, encoding="utf-8")
    path.chmod(0o444)


if __name__ == "__main__":
    main()
