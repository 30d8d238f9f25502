"""From the body of a publish or bulk-publish to the rows that the rules and the planner work on."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.domain.rows import Row
from shared.domain.times import Spread, in_utc, whole_second
from shared.errors import FieldError, InvalidRequest, Unprocessable
from web.schemas.publishing import BulkItem, BulkPublishRequest, Defaults, PublishRequest

#: Where drafts are parked: a post of the user's must never lie there.
LATEST = datetime(2099, 1, 1, tzinfo=UTC)


def single_row(body: PublishRequest, now: datetime) -> Row:
    return Row(
        **_texts(body),
        media_ids=body.media_ids,
        integration_ids=body.integration_ids,
        publish_at=_time(body.schedule_date, body, "schedule_date") or whole_second(now),
        external_id=body.external_id,
    )


def seeded(body: BulkPublishRequest) -> BulkPublishRequest:
    """With a seed, so that the times of a bulk can be told again."""
    if body.jitter_seed is not None:
        return body
    return body.model_copy(update={"jitter_seed": secrets.randbelow(2**31)})


def bulk_rows(body: BulkPublishRequest, now: datetime) -> list[Row]:
    """`body` must be seeded."""
    spread = Spread(
        start=_time(body.schedule_date, body, "schedule_date") or whole_second(now),
        interval=timedelta(minutes=body.schedule_interval_minutes),
        jitter=timedelta(minutes=body.schedule_jitter_minutes),
        seed=body.jitter_seed or 0,
    )
    rows = [_bulk_row(body, index, item, spread) for index, item in enumerate(body.items)]
    late = [row.path + "schedule_date" for row in rows if row.publish_at >= LATEST]
    if late:
        raise Unprocessable(
            "Some rows lie too far in the future", fields=[_too_far(name) for name in late]
        )
    return rows


def _bulk_row(body: BulkPublishRequest, index: int, item: BulkItem, spread: Spread) -> Row:
    path = f"items.{index}."
    texts = _texts(body)
    texts["captions"] = {**body.captions_per_platform, **item.captions_per_platform}
    texts["settings"] = _merged(body.settings, item.settings)
    if item.caption is not None:
        texts["caption"] = item.caption
    own = item.integration_ids
    return Row(
        **texts,
        position=index,
        path=path,
        media_ids=body.media_ids if item.media_ids is None else item.media_ids,
        integration_ids=body.integration_ids if own is None else own,
        publish_at=_time(item.schedule_date, body, f"{path}schedule_date") or spread.at(index),
        external_id=item.external_id,
    )


def _texts(body: Defaults) -> dict[str, Any]:
    return {
        "caption": body.caption,
        "captions": body.captions_per_platform,
        "settings": body.settings,
        "youtube_title": body.youtube_title,
    }


def _merged(
    defaults: Mapping[str, Mapping[str, Any]], own: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """A row names only what differs."""
    return {key: {**defaults.get(key, {}), **own.get(key, {})} for key in {**defaults, **own}}


def _time(moment: datetime | None, body: Defaults, name: str) -> datetime | None:
    """In UTC and whole seconds. Raises for what no calendar of ours reaches."""
    if moment is None:
        return None
    try:
        found = whole_second(in_utc(moment, ZoneInfo(body.timezone)))
    except OverflowError as error:
        fault = FieldError(field=name, message="is beyond the calendar")
        raise InvalidRequest(f"{name} is beyond the calendar", fields=[fault]) from error
    if found >= LATEST:
        raise Unprocessable("The time lies too far in the future", fields=[_too_far(name)])
    return found


def _too_far(name: str) -> FieldError:
    return FieldError(field=name, message=f"must lie before {LATEST:%Y}", code="too_far")
