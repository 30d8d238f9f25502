"""The sandbox's pure rules: sniffing, sanitizing, dates, addresses, routes."""

import random

import pytest

from local.sandbox import content, dates, networks, routes, sniffing, timing, urls


def box(brand: bytes) -> bytes:
    return b"\x00\x00\x00\x18ftyp" + brand + b"\x00" * 20


@pytest.mark.parametrize(
    ("head", "extension"),
    [
        (b"\x89PNG\r\n\x1a\n\x00", "png"),
        (b"\xff\xd8\xff\xe0", "jpg"),
        (b"GIF89a", "gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
        (b"BM\x00\x00", "bmp"),
        (b"II*\x00", "tif"),
        (b"MM\x00*", "tif"),
        (box(b"avif"), "avif"),
        (box(b"isom"), "mp4"),
        (box(b"mp42"), "mp4"),
        (box(b"qt  "), None),
        (box(b"M4V "), None),
        (box(b"M4VH"), None),
        (box(b"3gp5"), None),
        (box(b"heic"), None),
        (b"\x1aE\xdf\xa3", None),
        (b"plain text", None),
        (b"", None),
    ],
)
def test_sniffing(head: bytes, extension: str | None) -> None:
    kind = sniffing.sniff(head)
    assert (kind.extension if kind else None) == extension


def test_sizes() -> None:
    assert sniffing.Kind("png", "image/png").limit == 10_485_760
    assert sniffing.Kind("mp4", "video/mp4").limit == 1_073_741_824


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("a & b", "a & b"),
        ("5 > 3 & so", "5 > 3 & so"),
        ("a & b <b>x</b>", "a &amp; b x"),
        ("fence test & <b>x</b>", "fence test &amp; x"),
        ("a < b", "a &lt; b"),
        ("x<script>steal()</script>y", "xy"),
        ("&amp; <i>twice</i>", "&amp; twice"),
        ("two\nlines <br>é 😀", "two\nlines é 😀"),
    ],
)
def test_content_with_a_tag_is_sanitized_and_escaped(sent: str, stored: str) -> None:
    assert content.stored(sent) == stored


@pytest.mark.parametrize(
    ("text", "length"),
    [("abc", 3), ("日本", 4), ("😀", 2), ("see https://example.com/" + "a" * 90, 27)],
)
def test_x_counts_weights(text: str, length: int) -> None:
    assert content.weighted_length(text) == length


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-12-20T10:00:00.123Z", "2026-12-20T10:00:00.123Z"),
        ("2026-12-26T08:15:30+03:00", "2026-12-26T05:15:30.000Z"),
        ("2026-12-26T08:15:30", "2026-12-26T08:15:30.000Z"),
        ("2026-12-20", "2026-12-20T00:00:00.000Z"),
        ("2026-12-20T10:00Z", "2026-12-20T10:00:00.000Z"),
        ("2099-01-01T00:00:07.431Z", "2099-01-01T00:00:07.431Z"),
        ("tomorrow", None),
        ("2026-13-45", None),
        ("2026-12-20T10:00:00 00:00", None),
        (None, None),
        (1790000000000, None),
    ],
)
def test_dates(text: object, iso: str | None) -> None:
    ms = dates.to_ms(text)
    assert (None if ms is None else dates.iso(ms)) == iso


def ms_of(text: str) -> int:
    ms = dates.to_ms(text)
    assert ms is not None
    return ms


def test_minute_and_second_of_a_date() -> None:
    ms = ms_of("2026-12-20T10:11:12.345Z")
    assert dates.iso(dates.this_minute(ms)) == "2026-12-20T10:11:00.000Z"
    assert dates.iso(dates.without_milliseconds(ms)) == "2026-12-20T10:11:12.000Z"
    assert dates.iso_seconds(ms) == "2026-12-20T10:11:12"


def test_next_slot_is_the_first_free_posting_time() -> None:
    now = ms_of("2026-11-22T10:20:00Z")
    assert dates.next_slot(now, []) == "2026-11-22T11:40:00"
    taken = {ms_of("2026-11-22T11:40:00Z")}
    assert dates.next_slot(now, taken) == "2026-11-23T02:00:00"


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://cdn.example.com/a.mp4", True),
        ("https://8.8.8.8/a.mp4", True),
        ("https://192.0.2.1/a.mp4", True),
        ("http://cdn.example.com/a.mp4", False),
        ("https://127.0.0.1/a.mp4", False),
        ("https://10.1.2.3/a.mp4", False),
        ("https://169.254.169.254/a.mp4", False),
        ("https://[::1]/a.mp4", False),
        ("https://localhost/a.mp4", False),
        ("https://nope.invalid/a.mp4", False),
        ("https://[broken/a.mp4", False),
        ("not a url", False),
        (None, False),
    ],
)
def test_public_addresses(url: object, public: bool) -> None:
    assert urls.is_public(url) is public


def test_extension_is_that_of_the_path_in_lower_case() -> None:
    assert urls.has_valid_extension("https://a.example/x.mp4?sig=a.b%2Fc")
    assert not urls.has_valid_extension("https://a.example/x.MP4")
    assert not urls.has_valid_extension("https://a.example/x.bmp")


def test_private_addresses_can_be_allowed() -> None:
    assert urls.problems({"url": "http://127.0.0.1:9/a.mp4"}, allow_private=True) == []
    assert urls.problems({"url": "not a url.mp4"}, allow_private=True) == [urls.NOT_PUBLIC]


@pytest.mark.parametrize(
    ("method", "path", "label", "params"),
    [
        ("PUT", "/posts/abc/status", "PUT /posts/:id/status", {"id": "abc"}),
        ("DELETE", "/posts/abc", "DELETE /posts/:id", {"id": "abc"}),
        ("DELETE", "/posts/group/g", "DELETE /posts/group/:group", {"group": "g"}),
        ("GET", "/posts", "GET /posts", {}),
    ],
)
def test_routes(method: str, path: str, label: str, params: dict[str, str]) -> None:
    assert routes.match(method, path) == routes.Match(label, params)


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/posts"), ("GET", "/posts/abc"), ("GET", "/nope")]
)
def test_no_route(method: str, path: str) -> None:
    assert routes.match(method, path) is None


VIDEO, IMAGE = "https://a.example/a.mp4", "https://a.example/a.png"


@pytest.mark.parametrize(
    ("identifier", "text", "media", "fits"),
    [
        ("x", "a" * 280, [], True),
        ("x", "a" * 281, [], False),
        ("x", "a", [IMAGE] * 4, True),
        ("x", "a", [IMAGE] * 5, False),
        ("x", "a", [VIDEO, IMAGE], False),
        ("instagram", "a", [], False),
        ("instagram-standalone", "a", [IMAGE] * 10, True),
        ("instagram", "a", [IMAGE] * 11, False),
        ("tiktok", "a", [VIDEO], True),
        ("tiktok", "a", [VIDEO, IMAGE], False),
        ("tiktok", "a", [], False),
        ("youtube", "a", [VIDEO], True),
        ("youtube", "a", [IMAGE], False),
        ("pinterest", "a", [VIDEO, IMAGE], True),
        ("pinterest", "a", [VIDEO], False),
        ("linkedin", "a", [VIDEO, VIDEO], False),
        ("mastodon", "a" * 500, [], True),
        ("mastodon", "a" * 501, [], False),
        ("bluesky", "a" * 301, [], False),
        ("telegram", "a" * 4096, [], True),
    ],
)
def test_rules_of_the_networks(identifier: str, text: str, media: list[str], fits: bool) -> None:
    assert (networks.rule_problem(identifier, [(text, media)], {}) is None) is fits


def test_facebook_story_needs_media() -> None:
    story = {"post_type": "story"}
    assert networks.rule_problem("facebook", [("a", [])], story)
    assert networks.rule_problem("facebook", [("a", [IMAGE])], story) is None


def test_optional_setting_is_checked_only_where_given() -> None:
    given = {
        "privacy_level": "SELF_ONLY",
        "autoAddMusic": "no",
        "content_posting_method": "UPLOAD",
        **dict.fromkeys(
            ("duet", "stitch", "comment", "brand_content_toggle", "brand_organic_toggle"), False
        ),
    }
    assert networks.settings_problems("tiktok", given, "") == []
    assert networks.settings_problems("tiktok", {**given, "title": "t" * 91}, "") == [
        "title must be shorter than or equal to 90 characters"
    ]


def drawn(span: timing.Span) -> list[float]:
    chance = random.Random(1)
    return sorted(timing.drawn(span, chance) for _ in range(1001))


def test_span_of_one_number_is_that_number() -> None:
    assert set(drawn(1.5)) == {1.5}


def test_loaded_server_is_as_slow_as_a_real_one_was_seen() -> None:
    put, network = drawn(timing.LOADED.queue_to_start), drawn(timing.LOADED.send_delay)
    assert (put[0] >= 0.1, put[-1] <= 9, 1.8 < put[500] < 3.2) == (True, True, True)
    assert (network[0] >= 2.6, 12 < network[500] < 18) == (True, True)


def test_timing_is_read_by_name_and_as_json() -> None:
    assert timing.from_json("loaded") == timing.LOADED
    read = timing.from_json('{"send_delay": [1, 2.5], "search_rate": 7}')
    assert read == timing.Timing(send_delay=(1, 2.5), search_rate=7)


def test_timing_names_what_it_does_not_know() -> None:
    assert timing.from_json('{"send_delay": 2}') == timing.Timing(send_delay=2)
    with pytest.raises(ValueError, match="unknown timing: sleep"):
        timing.from_json('{"sleep": 2}')
