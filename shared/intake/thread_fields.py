"""The fields of a thread: what is published under a post, as replies or as comments."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from shared.domain.networks.thread_support import MAX_DELAY, MAX_PARTS
from shared.domain.rows.thread_parts import RowPart
from shared.intake.fields import NullIsAbsent, Whole

#: A call to Postiz may have 100 kB, so a longer caption could never be sent.
Caption = Annotated[str, Field(max_length=100_000)]
Captions = dict[str, Caption]
Ids = Annotated[list[str], Field(max_length=100)]
Delay = Annotated[Whole, Field(ge=0, le=MAX_DELAY)]


class ThreadPart(NullIsAbsent):
    """A part after the first one; it has text or media."""

    captions_per_platform: Captions = Field({}, description="By integration id or identifier")
    media_ids: Ids = Field([])
    delay_minutes: Delay = Field(0, description="After the part before it")
    caption: Caption = Field("", validate_default=True)

    @field_validator("caption")
    @classmethod
    def _is_not_empty(cls, caption: str, info: ValidationInfo) -> str:
        texts = [caption, *info.data.get("captions_per_platform", {}).values()]
        if not info.data.get("media_ids") and not any(text.strip() for text in texts):
            raise ValueError("a part needs a caption or a medium")
        return caption


class ThreadFields(NullIsAbsent):
    """What is published under a post; `first_comment` is short for a thread of one part."""

    thread: Annotated[list[ThreadPart], Field(max_length=MAX_PARTS)] | None = Field(
        None, description="Parts under the first: replies, or comments where there are none"
    )
    first_comment: Caption | None = Field(None, description="Short for a thread of one part")

    @field_validator("first_comment")
    @classmethod
    def _is_the_only_one(cls, comment: str | None, info: ValidationInfo) -> str | None:
        if comment is not None and info.data.get("thread") is not None:
            raise ValueError("give either thread or first_comment")
        if comment is not None and not comment.strip():
            raise ValueError("a comment needs a text")
        return comment

    @property
    def parts(self) -> Sequence[RowPart] | None:
        """As the rules take them; None if neither field is given."""
        if self.first_comment is not None:
            return [RowPart(place="first_comment", caption=self.first_comment)]
        if self.thread is None:
            return None
        return [
            RowPart(
                place=f"thread.{index}",
                caption=part.caption,
                captions=part.captions_per_platform,
                media_ids=part.media_ids,
                delay_minutes=part.delay_minutes,
            )
            for index, part in enumerate(self.thread)
        ]
