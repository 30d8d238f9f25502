"""What each state of a post means, in words for people."""

from collections.abc import Mapping

from shared.domain.publishing.states import PostState

#: In the order in which a post goes through them.
STATE_WORDS: Mapping[PostState, str] = {
    PostState.WAITING_APPROVAL: "nothing of it is in Postiz until somebody approves it",
    PostState.HELD: "it is late, and waits for you to retry or cancel it",
    PostState.PENDING: "it waits for its turn; nothing of it is in Postiz yet",
    PostState.STAGING: "its draft is being made in Postiz",
    PostState.STAGED: "it is a draft in Postiz, and Pressroom publishes it at its time",
    PostState.RELEASING: "Postiz is told to publish it",
    PostState.SCHEDULED: "it stands in Postiz's calendar, which publishes it at its time",
    PostState.PUBLISHED: "it is on the network",
    PostState.RESCHEDULING: "it is taken out of Postiz, to be handed over anew as edited",
    PostState.FAILED: "it is not published, for the reason that is given",
    PostState.CANCELLING: "it is being taken out of Postiz",
    PostState.CANCELLED: "it was taken back",
    PostState.DRAFT: "it is a draft in Postiz, as was asked for, and stays one",
}
assert set(STATE_WORDS) == set(PostState)
