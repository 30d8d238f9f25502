"""All media of a post: those of its first part, and those of the parts of its thread."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.orm import InstrumentedAttribute

from shared.models import Post

_IN_THREAD = "$[*].media_ids[*]"
_IN_EDIT = "$.media_ids[*]", "$.thread[*].media_ids[*]"
_NONE = cast(array([]), ARRAY(BigInteger))


def list_media(post: Post) -> list[int]:
    return [*post.media_ids, *media_of_parts(post.thread)]


def media_of_parts(thread: Collection[Mapping[str, Any]]) -> list[int]:
    return [media_id for part in thread for media_id in part["media_ids"]]


def media_of_edit(edit: Mapping[str, Any]) -> list[int]:
    """Of an edit as it is stored beside a post."""
    return [*edit.get("media_ids", ()), *media_of_parts(edit.get("thread", ()))]


def used_media() -> ColumnElement[list[int]]:
    """In SQL, as an array."""
    own = Post.media_ids
    return case(
        (func.jsonb_array_length(Post.thread) == 0, own),
        else_=own.op("||")(_ids_at(Post.thread, _IN_THREAD)),
    )


def uses_any_of(ids: Sequence[int]) -> ColumnElement[bool]:
    """In SQL: whether a post uses one of these media."""
    return used_media().bool_op("&&")(cast(literal(list(ids)), ARRAY(BigInteger)))


def edited_media() -> ColumnElement[list[int]]:
    """In SQL, as an array: those of the edit that waits beside a post."""
    own, below = (_ids_at(Post.edit, path) for path in _IN_EDIT)
    return own.op("||")(below)


def _ids_at(column: InstrumentedAttribute[Any], path: str) -> ColumnElement[list[int]]:
    found = func.jsonb_path_query(column, path).column_valued("found")
    ids = select(func.array_agg(cast(cast(found, Text), BigInteger))).correlate(Post)
    return func.coalesce(ids.scalar_subquery(), _NONE)
