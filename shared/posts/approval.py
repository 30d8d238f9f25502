"""Approval: a post that requires one goes out only in the revision that a person approved.

Each edit raises the revision, so it ends the approval, wherever the post is. Staging and releasing
ask for `is_approved`, beside the state.
"""

from sqlalchemy import ColumnElement, or_

from shared.models import Post


def is_approved() -> ColumnElement[bool]:
    """Whether the post may be published as it is; never NULL."""
    as_it_is = Post.approved_revision.is_not_distinct_from(Post.revision)
    return or_(Post.requires_approval.is_(False), as_it_is)
