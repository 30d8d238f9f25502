"""The judge: each post by its state, against what was sent and what was done to it."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.domain.networks.failure_reasons import INCOMPLETE
from shared.domain.publishing.reconciliation import CANCELLED_LATE
from shared.domain.publishing.states import PostState
from shared.models import Post
from tests.chaos.diary import Diary, origin
from tests.chaos.evidence import Evidence, is_settled, wanted
from tests.chaos.minds import ELSEWHERE, TAKEN_BACK, WORD_GIVEN
from tests.chaos.revisions import broken_promises
from tests.chaos.stubborn import stubborn

FAR = "2099"
#: Failures that nothing was done to cause, but that end a post honestly.
HONEST = frozenset({"too_many_attempts"})
DELETED_BY_TEAMMATE = ("draft deleted", "scheduled deleted")


@dataclass(frozen=True, kw_only=True)
class Violation:
    kind: str
    what: str
    post_id: int | None = None


@dataclass(frozen=True)
class Judge:
    evidence: Evidence
    diary: Diary

    def judge(self, post: Post) -> Iterator[Violation]:
        """Each post by its state, against the sends and what the sandbox shows of its id."""
        if not is_settled(post, self.evidence.never_published):
            yield self._says("unsettled", post, f"still {post.state}")
            return
        sends = self.evidence.sends_for(post)
        yield from self._taken_back(post)
        if self.evidence.asked[wanted(post)] > 1 and len(sends) > 1:
            yield self._says("duplicate", post, f"sent {len(sends)} times")
        if origin(post.content) in self.diary.details(WORD_GIVEN):
            return  # whatever it came to, it was sent again on somebody's word
        for words in broken_promises(post, self.evidence.events[post.id], sends, self.diary):
            yield self._says("outdated", post, words)
        match post.state:
            case PostState.PUBLISHED:
                yield from self._published(post, [send["post"] for send in sends])
            case PostState.FAILED:
                yield from self._failed(post, sent=bool(sends))
            case PostState.CANCELLED if post.error_code == CANCELLED_LATE:
                pass  # and says that it may have been sent
            case _ if sends:
                yield self._says("disagreement", post, f"{post.state}, and was sent")

    def _taken_back(self, post: Post) -> Iterator[Violation]:
        if post.state == PostState.CANCELLED:
            return
        if origin(post.content) in self.diary.details(TAKEN_BACK):
            yield self._says("disagreement", post, f"answered as cancelled, and is {post.state}")

    def _published(self, post: Post, sent: list[str]) -> Iterator[Violation]:
        if not sent:
            yield self._says("lost", post, "says published, and was never sent")
        elif post.postiz_post_id not in sent:
            yield self._says("disagreement", post, f"names {post.postiz_post_id}, sent was {sent}")

    def _failed(self, post: Post, *, sent: bool) -> Iterator[Violation]:
        code, deleted = post.error_code, self._deleted_by_teammate(post)
        refused = post.postiz_post_id in self.evidence.refused_by_network
        if self._stubborn(post) and not sent:
            return  # it ended, and neither was it sent
        if code == "outcome_unknown":
            if not self.why_unknown(post):
                yield self._says("unexplained", post, "nothing explains why nobody can tell")
        elif code == CANCELLED_LATE and not sent:
            pass  # edited in the calendar, deleted too late to know, and it says so
        elif code == INCOMPLETE:
            if not (sent and refused):
                yield self._says("lost", post, "says that a part failed, and none did")
        elif sent and not deleted:
            yield self._says("disagreement", post, f"failed as {code}, and was sent")
        elif not (refused or deleted or code in HONEST):
            yield self._says("lost", post, f"failed without a cause of ours: {code}")

    def why_unknown(self, post: Post) -> str:
        remote = self.evidence.remote.get(post.postiz_post_id or "")
        if self._deleted_by_teammate(post):
            return "a teammate deleted the draft"
        if remote and remote["publish_date"].startswith(FAR) and not remote["deleted"]:
            return "the status change landed after it was parked"
        if self._stubborn(post):
            return "Postiz refused to delete or to move its draft"
        if self._was_elsewhere(post):
            return "its profile was pointed at another organization before its release was settled"
        return ""

    def _was_elsewhere(self, post: Post) -> bool:
        """From the last status change on, until nobody could look any more."""
        at = {event.event: event.at.timestamp() for event in self.evidence.events[post.id]}
        return any(
            entry.detail == post.profile_id
            and at.get("releasing", 0.0) < entry.at < at.get("failed", 0.0)
            for entry in self.diary.of(ELSEWHERE)
        )

    def _stubborn(self, post: Post) -> bool:
        return origin(post.content) in stubborn(self.diary)

    def _deleted_by_teammate(self, post: Post) -> bool:
        return any(
            entry.detail == origin(post.content)
            for what in DELETED_BY_TEAMMATE
            for entry in self.diary.of(what)
        )

    @staticmethod
    def _says(kind: str, post: Post, what: str) -> Violation:
        return Violation(kind=kind, what=f"post {post.id} {what}", post_id=post.id)
