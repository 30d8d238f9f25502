"""What a workflow does with the post that it has just read: pure decisions."""

from collections.abc import Sequence
from dataclasses import dataclass

from .networks import network, rule_problem
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
    """The post becomes ERROR; `notification` tells why where Postiz tells it."""

    error: str
    notification: str | None = None


def on_read(post: Post | None) -> Proceed | Stop | Fail:
    """After each of the two reads: before the sleep, and just before the send."""
    if post is None or post.deleted:
        return Fail("No Post")
    return Proceed() if post.state == QUEUE else Stop()


def on_send(post: Post, replies: Sequence[Post], integration: Integration | None) -> Proceed | Fail:
    """The channel's own state and the network's rules, met only now."""
    if integration is None:
        return Fail("No Integration")
    if integration.refresh_needed:
        return _channel_failure(integration, "you need to reconnect it")
    if integration.disabled:
        return _channel_failure(integration, "it is disabled")
    values = [
        (each.content, [str(media["path"]) for media in each.image]) for each in (post, *replies)
    ]
    problem = rule_problem(integration.identifier, values, post.settings)
    return provider_failure(integration, problem) if problem else Proceed()


def _channel_failure(integration: Integration, reason: str) -> Fail:
    text = f"We couldn't post to {integration.identifier} for {integration.name} because {reason}."
    return Fail(reason, f"{text} Please enable it and try again.")


def provider_failure(integration: Integration, message: str) -> Fail:
    text = f"An error occurred while posting on {integration.identifier}: {message}"
    return Fail(message, text)


def published_notification(integration: Integration, url: str) -> str:
    name = network(integration.identifier).name
    return f"Your post has been published on {name} at {url}"
