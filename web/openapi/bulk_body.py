"""The body of a bulk, for the API's description: JSON, or CSV with the same names."""

from typing import Any

from shared.intake.schemas import BulkPublishRequest

_CSV = """The first line names the columns: those of an item (`media_ids`, `caption`,
`integration_ids`, `schedule_date`, `settings` as JSON, `external_id`), `caption_<identifier>` for
captions per platform, and `thread_1` to `thread_9`, or `first_comment`, for what comes under it.
Lists are separated by `|`; an empty cell takes the default. UTF-8. The job's own fields, and a
default `caption_<identifier>`, are query parameters. An error's `items.0` is the first row after
the header; its message names the line of the file."""
_EXAMPLE = """media_ids,caption,integration_ids,schedule_date,caption_x
1,"A clip, with a comma",int-mastodon|int-x,2026-12-01T09:00:00Z,Short
2|3,Two pictures,int-mastodon,,
"""


def _bulk_schema() -> dict[str, Any]:
    schema = BulkPublishRequest.model_json_schema()
    definitions = schema.pop("$defs")
    item, part = definitions["BulkItem"], definitions["ThreadPart"]
    for owner in (schema, item):
        owner["properties"]["thread"]["anyOf"][0]["items"] = part
    schema["properties"]["items"]["items"] = item
    return schema


ROWS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _bulk_schema()},
            "text/csv": {
                "schema": {"type": "string", "description": _CSV},
                "example": _EXAMPLE,
            },
        },
    }
}
