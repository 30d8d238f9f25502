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
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    postgres, redis = secrets.token_hex(24), secrets.token_hex(24)
    contents = {
        "postgres_password": postgres,
        "database_url": f"postgresql://pressroom:{postgres}@postgres:5432/pressroom",
        "redis_password": redis,
        "redis_url": f"redis://:{redis}@valkey:6379/0",
        "secret_keys": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "admin_key": f"pr_{secrets.token_urlsafe(32)}",
        "postiz_api_key": "",
        "proxy_url": "",
        "ca": "",
        "aws_credentials": _NO_BUCKET,
    }
    if any((FOLDER / name).exists() for name in contents):
        raise SystemExit(f"there are secrets in {FOLDER} already; nothing was changed")
    for name, content in contents.items():
        _write(FOLDER / name, content)
    print(f"created {len(contents)} files in {FOLDER}; sign in with the key in {FOLDER}/admin_key")


def _write(path: Path, content: str) -> None:
    """Readable by the user of the container, whoever that is; the folder keeps the others out."""
    path.write_text(content, encoding="utf-8")
    path.chmod(0o444)


if __name__ == "__main__":
    main()
