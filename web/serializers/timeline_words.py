"""What happened to a post, in words for people: a sentence for each name of an event."""

from collections.abc import Mapping

#: By the name of the event; tests/unit/web/serializers/test_timeline_words.py finds missing ones.
SENTENCES: Mapping[str, str] = {
    "accepted": "Accepted",
    "account_changed": "Moved to the Postiz organization of the profile's new key",
    "approval_requested": "Waits for an approval",
    "approved": "Approved",
    "cancelled": "Cancelled",
    "cancelling": "Is being taken out of Postiz",
    "claim_lost": "Another worker had taken it over: it is tried again",
    "delete_unknown": "It is not certain that Postiz deleted it: it is looked for",
    "draft_created": "Is a draft in Postiz, as you asked",
    "draft_left_in_postiz": "Its old draft was left in Postiz, where it never goes out by itself",
    "edit_dropped": "Your edit came too late and was dropped: it goes out as it was",
    "edited": "Edited",
    "error_in_postiz": "Postiz reports an error; it may still be published",
    "failed": "Failed",
    "first_part_published": "Its first part is published, the rest of the thread follows",
    "found_in_postiz": "Found in Postiz's calendar",
    "held": "Is late, and waits for you to retry or cancel it",
    "internal_error": "A fault in Pressroom stopped it: it is tried again",
    "let_go": "Goes on",
    "no_free_millisecond": "No free moment to mark the call to Postiz: it is tried again",
    "not_cancelled": "Could not be cancelled: it had gone out",
    "outcome_unknown": "It is not known whether Postiz took the call: it is looked for",
    "overdue_in_postiz": "Its time is over, and Postiz has not published it",
    "parked": "Put aside in Postiz, so that it cannot go out by itself",
    "parking": "Is being put aside in Postiz, so that it cannot go out twice",
    "parking_failed": "Could not be put aside in Postiz: it is tried again",
    "published": "Published",
    "refused_before_sending": "Refused before it was sent, because Postiz would refuse it",
    "rejected": "Rejected",
    "release_delayed": "Postiz could not be told to publish it: it is told again",
    "release_undone": "Postiz had not scheduled it: it is released again",
    "release_unknown": "It is not known whether Postiz heard to publish it: it is looked at",
    "releasing": "Postiz is told to publish it",
    "rescheduling": "Is being taken out of Postiz, to be handed over as edited",
    "restored": "Known again after the database was restored",
    "retried": "Tried again, as a person asked",
    "scheduled": "Postiz will publish it at its time",
    "settings_assumed": "Settings that its network needs were assumed",
    "staged": "Its draft is in Postiz",
    "staging": "Its draft is being made in Postiz",
    "staging_delayed": "Postiz did not take it: it is tried again",
    "staging_split": "Postiz refused a call with several posts: they are sent in smaller groups",
    "staging_undone": "Its draft was not made: it is tried again",
    "staging_unknown": "It is not known whether Postiz made its draft: it is looked for",
    "taken_back": "Taken out of Postiz, to be handed over as edited",
    "thread_left_out": "Its thread was left out: the network has none",
    "to_stage_anew": "Its draft in Postiz is replaced by the edited one",
    "too_late_to_cancel": "Too late to cancel: it goes out as it is",
    "too_late_to_edit": "Too late for the edit: it goes out as it was",
    "unscheduled_in_postiz": "Postiz has it no longer in its calendar",
}


def describe_event(name: str) -> str:
    """A name without a sentence is shown as it is: later versions may have written it."""
    return SENTENCES.get(name) or name.replace("_", " ").capitalize()
