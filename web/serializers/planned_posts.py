"""Warnings and planned posts as replies show them."""

from shared.domain.networks.warning import RowWarning
from shared.domain.rows.post_rows import CheckedRow, PlannedPost
from shared.intake.validation import Checked
from web.schemas.publishing import PlannedPostView, PlanWarning
from web.serializers.rows import part_view


def warning_views(checked: Checked) -> list[PlanWarning]:
    return [_warning_view(advice) for advice in checked.advice]


def _warning_view(advice: RowWarning) -> PlanWarning:
    return PlanWarning(indexes=list(advice.indexes), **vars(advice.said))


def post_views(row: CheckedRow) -> list[PlannedPostView]:
    return [_post_view(post) for post in row.posts]


def _post_view(post: PlannedPost) -> PlannedPostView:
    own = post.row.caption_key(post.channel) is not None
    return PlannedPostView(
        integration_id=post.channel.id,
        identifier=post.channel.identifier,
        settings=post.settings,
        assumed=list(post.assumed),
        content=post.content if own else None,
        thread=[part_view(part) for part in post.thread_json],
    )
