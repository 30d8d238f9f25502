"""Settings of every process, read once from the environment: `NAME`, or `NAME_FILE`."""

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from shared import redaction
from shared.http_address import (
    AllowedHost,
    MalformedAddress,
    parse_allowed_host,
    parse_http_address,
    parse_postiz_address,
)

#: For a day, leftovers of unclear calls and failed posts are searched for in Postiz.
SHORTEST_RETENTION_DAYS = 2
#: Of the admin key, in characters: it opens everything, and may be guessed at from anywhere.
SHORTEST_ADMIN_KEY = 16

_CERTIFICATES = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def _split_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_allowed(text: str) -> AllowedHost:
    try:
        return parse_allowed_host(text)
    except MalformedAddress as error:
        raise ValueError(f"{text!r} {error}") from error


def _is_origin(text: str) -> bool:
    """Whether it is a plain http address without a path."""
    try:
        address = parse_http_address(text)
    except MalformedAddress:
        return False
    return address.scheme == "http" and address.path in {"", "/"} and not address.query


class Settings(BaseModel):
    """Names and defaults as in docs/CONFIGURATION.md; durations are in seconds."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    database_url: SecretStr = Field(
        SecretStr("postgresql://pressroom@localhost/pressroom"), alias="DATABASE_URL"
    )
    redis_url: SecretStr = Field(SecretStr("redis://localhost:6379/0"), alias="REDIS_URL")
    postiz_api_url: str | None = Field(None, alias="POSTIZ_API_URL")
    postiz_api_key: SecretStr | None = Field(None, alias="POSTIZ_API_KEY")
    secret_keys: tuple[SecretStr, ...] = Field((), alias="PRESSROOM_SECRET_KEYS")
    media_url: str = Field("file:///var/lib/pressroom/media", alias="PRESSROOM_MEDIA_URL")
    allowed_hosts: tuple[AllowedHost, ...] = Field((), alias="PRESSROOM_ALLOWED_HOSTS")
    allow_private_urls: bool = Field(False, alias="PRESSROOM_ALLOW_PRIVATE_URLS")
    proxy_url: SecretStr | None = Field(None, alias="PRESSROOM_PROXY_URL")
    ca: str | None = Field(None, alias="PRESSROOM_CA")
    admin_key: SecretStr | None = Field(None, alias="PRESSROOM_ADMIN_KEY")
    log_format: str = Field("json", alias="PRESSROOM_LOG_FORMAT", pattern="^(json|text)$")

    public_url: str | None = Field(None, alias="PRESSROOM_PUBLIC_URL")
    flower_url: str | None = Field(None, alias="PRESSROOM_FLOWER_URL", pattern="^https?://")
    sandbox_url: str | None = Field(None, alias="PRESSROOM_SANDBOX_URL")
    oidc_issuer: str | None = Field(None, alias="PRESSROOM_OIDC_ISSUER")
    oidc_client_id: str | None = Field(None, alias="PRESSROOM_OIDC_CLIENT_ID")
    oidc_client_secret: SecretStr | None = Field(None, alias="PRESSROOM_OIDC_CLIENT_SECRET")

    metrics_dir: Path | None = Field(None, alias="PRESSROOM_METRICS_DIR")
    metrics_token: SecretStr | None = Field(None, alias="PRESSROOM_METRICS_TOKEN")
    media_retention_days: float = Field(90, alias="PRESSROOM_MEDIA_RETENTION_DAYS")
    event_retention_days: float = Field(90, alias="PRESSROOM_EVENT_RETENTION_DAYS")
    job_retention_days: float = Field(365, alias="PRESSROOM_JOB_RETENTION_DAYS")
    delivery_retention_days: float = Field(30, alias="PRESSROOM_DELIVERY_RETENTION_DAYS")
    audit_retention_days: float = Field(730, alias="PRESSROOM_AUDIT_RETENTION_DAYS", ge=365)
    idempotency_retention_days: float = Field(2, alias="PRESSROOM_IDEMPOTENCY_RETENTION_DAYS", ge=1)

    upload_expiry_seconds: int = Field(  # addresses of parts are signed for a week at most
        86_400, alias="PRESSROOM_UPLOAD_EXPIRY_SECONDS", ge=1, le=604_800
    )

    failed_keys_per_minute: int = Field(60, alias="PRESSROOM_FAILED_KEYS_PER_MINUTE", ge=1)
    requests_per_minute: int = Field(6000, alias="PRESSROOM_REQUESTS_PER_MINUTE", ge=1)
    quota_media_bytes: int = Field(1024**4, alias="PRESSROOM_QUOTA_MEDIA_BYTES", ge=0)
    quota_open_posts: int = Field(1_000_000, alias="PRESSROOM_QUOTA_OPEN_POSTS", ge=0)
    quota_schedules: int = Field(1000, alias="PRESSROOM_QUOTA_SCHEDULES", ge=0)
    quota_open_uploads: int = Field(100, alias="PRESSROOM_QUOTA_OPEN_UPLOADS", ge=0)
    quota_requests_per_minute: int = Field(6000, alias="PRESSROOM_QUOTA_REQUESTS_PER_MINUTE", ge=1)
    uploads_per_key: int = Field(4, alias="PRESSROOM_UPLOADS_PER_KEY", ge=1)
    streams_per_key: int = Field(3, alias="PRESSROOM_STREAMS_PER_KEY", ge=1)
    downloads_per_key: int = Field(4, alias="PRESSROOM_DOWNLOADS_PER_KEY", ge=1)
    live_calls_per_key: int = Field(3, alias="PRESSROOM_LIVE_CALLS_PER_KEY", ge=1)
    trusted_proxies: int = Field(0, alias="PRESSROOM_TRUSTED_PROXIES", ge=0, le=10)

    settle_seconds: float = Field(60, alias="PRESSROOM_SETTLE_SECONDS", ge=0)
    unknown_release_seconds: float = Field(90, alias="PRESSROOM_UNKNOWN_RELEASE_SECONDS", ge=0)
    writes_per_second: float = Field(5, alias="PRESSROOM_WRITES_PER_SECOND", gt=0)
    error_final_seconds: float = Field(1800, alias="PRESSROOM_ERROR_FINAL_SECONDS", ge=0)
    overdue_seconds: float = Field(300, alias="PRESSROOM_OVERDUE_SECONDS", ge=0)
    outcome_unknown_seconds: float = Field(7200, alias="PRESSROOM_OUTCOME_UNKNOWN_SECONDS", ge=0)
    call_timeout_seconds: float = Field(20, alias="PRESSROOM_CALL_TIMEOUT_SECONDS", gt=0)

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _keys_are_a_comma_separated_list(cls, value: object) -> object:
        return _split_list(value) if isinstance(value, str) else value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _hosts_are_a_comma_separated_list(cls, value: object) -> object:
        return tuple(map(_parse_allowed, _split_list(value))) if isinstance(value, str) else value

    @field_validator(
        "postiz_api_url",
        "postiz_api_key",
        "proxy_url",
        "ca",
        "admin_key",
        "metrics_dir",
        "metrics_token",
        "public_url",
        "flower_url",
        "sandbox_url",
        "oidc_issuer",
        "oidc_client_id",
        "oidc_client_secret",
        mode="before",
    )
    @classmethod
    def _empty_is_absent(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator(
        "media_retention_days",
        "event_retention_days",
        "job_retention_days",
        "delivery_retention_days",
    )
    @classmethod
    def _is_for_ever_or_long_enough(cls, value: float) -> float:
        if value and value < SHORTEST_RETENTION_DAYS:
            raise ValueError(f"must be 0 (for ever) or at least {SHORTEST_RETENTION_DAYS} days")
        return value

    @field_validator("postiz_api_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            parse_postiz_address(value)
        return value

    @field_validator("public_url", "sandbox_url", "oidc_issuer")
    @classmethod
    def _is_a_web_address(cls, value: str | None) -> str | None:
        if value is not None:
            parse_http_address(value)
        return value.rstrip("/") if value else None

    @model_validator(mode="after")
    def _openid_is_whole_or_absent(self) -> Self:
        parts = (self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret)
        if any(parts) and not (all(parts) and self.public_url):
            raise ValueError(
                "sign-in with OpenID Connect needs PRESSROOM_OIDC_ISSUER, _CLIENT_ID and "
                "_CLIENT_SECRET, and PRESSROOM_PUBLIC_URL, which people are sent back to"
            )
        return self

    @field_validator("postiz_api_key")
    @classmethod
    def _fits_into_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        key = value.get_secret_value() if value else ""
        if not (key.isascii() and key.isprintable()):
            raise ValueError("must be printable ASCII")
        return value

    @field_validator("admin_key")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_ADMIN_KEY:
            raise ValueError(f"must have at least {SHORTEST_ADMIN_KEY} characters")
        return value

    @field_validator("proxy_url")
    @classmethod
    def _is_a_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        """The messages never repeat the value: it may contain a password."""
        if value is not None:
            login, at, rest = value.get_secret_value().rpartition("@")
            bare = f"http://{rest}" if at else rest
            if (at and not login.startswith("http://")) or not _is_origin(bare):
                raise ValueError("must be http://[user:password@]host[:port] and nothing more")
        return value

    @field_validator("ca")
    @classmethod
    def _holds_certificates(cls, value: str | None) -> str | None:
        """Only the certificates, without the comments that many files have between them."""
        if value is None:
            return None
        found = "\n".join(_CERTIFICATES.findall(value))
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
        except (ssl.SSLError, ValueError) as error:
            raise ValueError("must hold certificates in PEM") from error
        return found

    @property
    def lease_seconds(self) -> float:
        """How long a claim is valid without a heartbeat: two publishing calls (40 s by default)."""
        return 2 * self.call_timeout_seconds


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from `environ` (default: this process's); `NAME_FILE` wins over `NAME`.

    Raises `pydantic.ValidationError` for a wrong value and `OSError` for a file that cannot be
    read.
    """
    environ = os.environ if environ is None else environ
    names = [field.alias for field in Settings.model_fields.values() if field.alias]
    values: dict[str, str] = {name: environ[name] for name in names if name in environ}
    for name in names:
        if path := environ.get(f"{name}_FILE"):
            values[name] = Path(path).read_text(encoding="utf-8").strip()
    settings = Settings.model_validate(values)
    _register_secrets(settings)
    return settings


def _register_secrets(settings: Settings) -> None:
    """Make the log redact every secret, and the passwords in addresses."""
    found = [getattr(settings, name) for name in Settings.model_fields]
    for secret in (
        part for value in found for part in (value if isinstance(value, list) else [value])
    ):
        if isinstance(secret, SecretStr):
            text = secret.get_secret_value()
            redaction.remember_secret(text)
            if "://" in text:
                redaction.remember_secret(unquote(urlsplit(text).password or ""))
