"""The tables. PostgreSQL is the source of truth; everything else is a wake-up or a cache."""

from shared.models.accounts import Account, Hold, Integration, Profile, Server, SettingsHold
from shared.models.api import (
    AgentPlan,
    ApiKey,
    IdempotencyKey,
    KeySession,
    RequestedEdit,
    RetiredKey,
)
from shared.models.audit import AuditEntry
from shared.models.base import Base
from shared.models.events import Event
from shared.models.heartbeats import Pulse
from shared.models.jobs import Job, JobMedia
from shared.models.links import ApprovalLink, CalendarLink
from shared.models.media import AccountMedia, Media
from shared.models.people import OneTimeLink, User, UserSession
from shared.models.posts import TIMED, Handover, Post, Submission
from shared.models.schedules import Schedule, ScheduleRun
from shared.models.uploads import IncomingUpload
from shared.models.webhooks import Delivery, Webhook

__all__ = [
    "TIMED",
    "Account",
    "AccountMedia",
    "AgentPlan",
    "ApiKey",
    "ApprovalLink",
    "AuditEntry",
    "Base",
    "CalendarLink",
    "Delivery",
    "Event",
    "Handover",
    "Hold",
    "IdempotencyKey",
    "IncomingUpload",
    "Integration",
    "Job",
    "JobMedia",
    "KeySession",
    "Media",
    "OneTimeLink",
    "Post",
    "Profile",
    "Pulse",
    "RequestedEdit",
    "RetiredKey",
    "Schedule",
    "ScheduleRun",
    "Server",
    "SettingsHold",
    "Submission",
    "User",
    "UserSession",
    "Webhook",
]
