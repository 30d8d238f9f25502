"""What a plan's faults and warnings mean on the page for composing.

The API's own words name its fields; whoever looks at the page is led to what stands there.
"""

from collections.abc import Mapping
from typing import NamedTuple

from shared.domain.networks.channel_states import NOT_READY
from shared.domain.rows.duplicates import DUPLICATE


class PageWords(NamedTuple):
    """`message`: in place of the API's, which stays where this is empty."""

    remedy: str
    message: str = ""


_SETTINGS = "Choose it under 1. Channels, “What the networks ask for”."
_CHANNELS = "Choose channels under 1. Channels, or in this row, under “Other captions …”."
_CLOCK = "The plan shows the time that it is. Choose another one if that is not meant."
_TIMES = "Clear the times of these rows: they then get the next free times."

#: By the code of the fault or warning.
PLAN_WORDS: Mapping[str, PageWords] = {
    "default_setting_used": PageWords(
        "Other values can be chosen under 1. Channels, “What the networks ask for”."
    ),
    "missing_setting": PageWords(_SETTINGS),
    "invalid_setting": PageWords(f"{_SETTINGS} A row of a CSV may have settings of its own."),
    "empty_post": PageWords("Write a caption, or add a file.", "There is neither text nor a file."),
    "caption_too_long": PageWords(
        "Shorten it, or write one for this network alone, under “Other captions …”."
    ),
    "caption_is_changed": PageWords("Write it without <."),
    "media_refused": PageWords(
        "Change the files of this row, or take the channel out of it, under “Other captions …”."
    ),
    "unknown_media": PageWords("Add the file to this row again."),
    "missing_integration": PageWords(_CHANNELS, "It has no channel."),
    "unknown_integration": PageWords(_CHANNELS),
    "integration_disabled": PageWords("Connect it again in Postiz, or take the channel out."),
    "thread_not_supported": PageWords(
        "Take the first comment or thread out of this row, or the channel."
    ),
    "thread_left_out": PageWords("Take the channel out of these rows if the thread matters."),
    "unknown_platform": PageWords("Correct the name in the CSV, or leave its column out."),
    "too_many_posts": PageWords(
        "Spread them: “More about times” has how many posts of a channel a day are allowed."
    ),
    "time_is_skipped": PageWords(_CLOCK),
    "time_comes_twice": PageWords(_CLOCK),
    "over_daily_cap": PageWords(_TIMES),
    "under_min_gap": PageWords(_TIMES),
    DUPLICATE: PageWords(
        "Change the text, or leave the row out. How many hours count, the profile says."
    ),
    NOT_READY: PageWords(
        "Its posts wait, and go on by themselves when it is ready again; Channels says why."
    ),
    "medium_not_fetched": PageWords("Wait a moment, then show the plan again."),
    "media_facts_unknown": PageWords("Save the video anew with a video program, and add it again."),
    "video_too_short": PageWords("Use a longer video, or take the channel out of these rows."),
    "video_too_long": PageWords("Cut the video, or take the channel out of these rows."),
    "video_too_large": PageWords("Save the video with a lower quality, and add it again."),
    "aspect_ratio": PageWords("Crop the video to that shape; else the network may do so."),
    "not_a_short": PageWords("Cut it if it is meant to be a Short."),
}
