"""Warnings and planned posts as replies show them."""

from shared.domain.networks.warning import Advice
from shared.domain.rows.post_rows import CheckedRow, PlannedPost
from shared.intake.validation import Checked
from web.schemas.publishing import PlannedPostView, PlanWarning


def warnings(checked: Checked) -> list[PlanWarning]:
    return [_warning(advice) for advice in checked.advice]


def _warning(advice: Advice) -> PlanWarning:
    return PlanWarning(indexes=list(advice.indexes), **vars(advice.said))


def posts(row: CheckedRow) -> list[PlannedPostView]:
    return [_post(post) for post in row.posts]


def _post(post: PlannedPost) -> PlannedPostView:
    own = post.row.caption_key(post.channel) is not None
    return PlannedPostView(
        integration_id=post.channel.id,
        identifier=post.channel.identifier,
        settings=post.settings,
        assumed=list(post.assumed),
        content=post.content if own else None,
    )
