"""What a workflow does with the post that it has just read: pure decisions."""

from dataclasses import dataclass

from .networks import rule_problem
from .orgs import Integration
from .posts import QUEUE, Post


@dataclass(frozen=True)
class Proceed:
    pass


@dataclass(frozen=True)
class Stop:
    """Nothing to do: the post is a draft again, or is published already."""


@dataclass(frozen=True)
class Fail:
    """The post becomes ERROR; `notification` tells why where Postiz tells it.

    Most notifications come after the state, those about a channel that is off before it.
    """

    error: str
    notification: str | None = None
    tells_first: bool = False


def on_read(post: Post | None) -> Proceed | Stop | Fail:
    """After each of the two reads: before the sleep, and just before the send."""
    if post is None or post.deleted:
        return Fail("No Post")
    return Proceed() if post.state == QUEUE else Stop()


def on_send(post: Post, integration: Integration | None) -> Proceed | Fail:
    """The channel's own state and the network's rules for the first part, met only now."""
    if integration is None:
        return Fail("No Integration")
    if integration.refresh_needed:
        because = "you need to reconnect it"
        return _channel_failure(integration, "Refresh channel needed", because)
    if integration.disabled:
        return _channel_failure(integration, "Channel disabled", "it's disabled")
    values = [(post.content, [str(media["path"]) for media in post.image])]
    problem = rule_problem(integration.identifier, values, post.settings)
    return provider_failure(integration, problem) if problem else Proceed()


def _channel_failure(integration: Integration, error: str, because: str) -> Fail:
    text = f"We couldn't post to {integration.identifier} for {integration.name} because {because}."
    return Fail(error, f"{text} Please enable it and try again.", tells_first=True)


def provider_failure(integration: Integration, message: str) -> Fail:
    text = f"An error occurred while posting on {integration.identifier}: {message}"
    return Fail(message, text)


def part_failure(integration: Integration, message: str) -> Fail:
    """Of a part of a thread: the state is that of the first part, which is published."""
    text = f"An error occurred while posting comments on {integration.identifier}: {message}"
    return Fail(message, text)


def unknown_failure(message: str) -> Fail:
    """Postiz tells nobody of an error that it does not know."""
    return Fail(message)


def unconfirmed(integration: Integration) -> Fail:
    """Of a time-out, and of a video that is pending for too long: it may be there."""
    text = (
        f"Your post was sent to {integration.identifier.capitalize()}, but we couldn't confirm it"
        f" was published. Please check your {integration.name} account before posting again to"
        " avoid duplicates."
    )
    return Fail("Could not confirm the post status", text)


def token_notification(integration: Integration) -> str:
    return (
        f"Could not refresh your {integration.identifier} channel . Please go back to the system"
        " and connect it again http://localhost:4290/launches"
    )


def published_notification(integration: Integration, url: str) -> str:
    return f"Your post has been published on {integration.identifier.capitalize()} at {url}"
