"""What a counted call says of a thread."""

from shared.domain.publishing.batching import size_of
from shared.postiz.payloads import Element, ElementPart, RemoteMedia

IMAGE = RemoteMedia(id="m", path="https://a.example/m.png")
PARTS = [ElementPart(content="b", images=[IMAGE], delay_minutes=5), ElementPart(content="ä" * 99)]


def element(content: str = "a", parts: list[ElementPart] = PARTS) -> Element:
    return Element(
        integration_id="int", content=content, settings={"c": 1}, images=[IMAGE], parts=parts
    )


def test_parts_follow_the_first_one_with_their_delays() -> None:
    image = [{"id": "m", "path": "https://a.example/m.png"}]
    assert element().as_json()["value"] == [
        {"content": "a", "image": image},
        {"content": "b", "image": image, "delay": 5},
        {"content": "ä" * 99, "image": [], "delay": 0},
    ]


def test_the_estimate_of_a_thread_is_not_below_its_size() -> None:
    assert element().size > element(parts=[]).size + 2 * 99
    estimate = size_of("a", {"c": 1}, 2, [part.content for part in PARTS])
    assert estimate >= element().size
