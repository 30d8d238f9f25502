"""The tools: what each is called, takes and answers, and whether it changes anything."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.errors import FieldError, PressroomError, RequestError
from web.http_layer.problems import describe_error, field_errors
from web.mcp import arguments as takes
from web.mcp import planning, reads, writes
from web.mcp import results as gives
from web.mcp.answers import Done, Refused
from web.schemas.accounts import ServersView
from web.schemas.uploads import UploadReply

_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Tool:
    """`about`: for the model that chooses. `run` gets the checked arguments and those as given."""

    name: str
    title: str
    about: str
    takes: type[BaseModel]
    gives: type[BaseModel]
    run: Callable[[Any, Mapping[str, Any]], Done]
    reads_only: bool = False
    destroys: bool = False
    repeatable: bool = False

    @cached_property
    def shown(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "description": self.about,
            "inputSchema": self.takes.model_json_schema(),
            "outputSchema": self.gives.model_json_schema(mode="serialization"),
            "annotations": {
                "title": self.title,
                "readOnlyHint": self.reads_only,
                "destructiveHint": self.destroys,
                "idempotentHint": self.reads_only or self.repeatable,
                "openWorldHint": not self.reads_only,
            },
        }

    def call(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A result of `tools/call`: what cannot be done is one, too, in words."""
        try:
            done = self.run(self.takes.model_validate(given), given)
        except ValidationError as error:
            return _refusal("The arguments are wrong", "invalid_arguments", field_errors(error))
        except Refused as refused:
            return _refusal(refused.message, refused.code, refused.fields)
        except PressroomError as error:
            fields = error.fields if isinstance(error, RequestError) else ()
            return _refusal(describe_error(error), error.code, fields)
        structured = done.result.model_dump(mode="json", by_alias=True)
        return {
            "content": [{"type": "text", "text": done.text}],
            "structuredContent": structured,
            "isError": False,
        }


def _refusal(message: str, code: str, fields: Any) -> dict[str, Any]:
    """Without structured content: that would have to be of the shape of a success."""
    faults: list[FieldError] = list(fields)
    lines = [f"{message} ({code})", *(_line(fault) for fault in faults[:_SHOWN])]
    if len(faults) > _SHOWN:
        lines.append(f"… and {len(faults) - _SHOWN} more")
    return {"content": [{"type": "text", "text": "\n".join(lines)}], "isError": True}


def _line(fault: FieldError) -> str:
    remedy = f" {fault.remedy}" if fault.remedy else ""
    return f"- {fault.field}: {fault.message}{remedy}"


_ALL = (
    Tool(
        name="list_channels",
        title="List channels",
        about="The channels (integrations) of the profile, and whether each can publish now. Their "
        "ids are the integration_ids of plan_posts.",
        takes=takes.OfProfile,
        gives=gives.Channels,
        run=reads.list_channels,
        reads_only=True,
    ),
    Tool(
        name="upload_media",
        title="Upload media",
        about="Takes in the file at a public URL. Answers the medium, whose id goes into media_ids "
        "of plan_posts at once, and the job that fetches it. Repeat the call if its answer was "
        "lost: the same url gives the same medium.",
        takes=takes.ToUpload,
        gives=UploadReply,
        run=writes.upload_media,
        repeatable=True,
    ),
    Tool(
        name="plan_posts",
        title="Plan posts",
        about="Checks posts and shows when each would go out; publishes nothing. Show the plan to "
        "your user, then call publish_posts with its plan_id within 15 minutes.",
        takes=takes.ToPlan,
        gives=gives.PlanResult,
        run=planning.plan_posts,
    ),
    Tool(
        name="publish_posts",
        title="Publish a plan",
        about="Publishes what plan_posts has shown, once: repeat the call with the same plan_id if "
        "its answer was lost. Answers the job; watch it with get_job.",
        takes=takes.PlanId,
        gives=gives.PublishResult,
        run=planning.publish_posts,
        repeatable=True,
    ),
    Tool(
        name="list_posts",
        title="List posts",
        about="Posts, also those of one job, with state, error and the address on the network.",
        takes=takes.WhichList,
        gives=gives.PostsResult,
        run=reads.list_posts,
        reads_only=True,
    ),
    Tool(
        name="get_post",
        title="Read a post",
        about="A post with its timeline. outcome_unknown is an outcome: it may be on the network, "
        "so do not publish it again.",
        takes=takes.PostId,
        gives=gives.PostResult,
        run=reads.get_post,
        reads_only=True,
    ),
    Tool(
        name="edit_post",
        title="Edit a post",
        about="Changes a post that is not released yet, or one that failed before it is retried.",
        takes=takes.ToEdit,
        gives=gives.PostResult,
        run=writes.edit_post,
        destroys=True,
        repeatable=True,
    ),
    Tool(
        name="cancel_posts",
        title="Cancel posts",
        about="Takes posts back that are not published yet: those that meet every given field.",
        takes=takes.ToCancel,
        gives=gives.ChangeResult,
        run=writes.cancel_posts,
        destroys=True,
        repeatable=True,
    ),
    Tool(
        name="retry_posts",
        title="Retry posts",
        about="Tries failed posts again: those that meet every given field. What may be on the "
        "network is left as it is, and counted in may_be_live: see get_post.",
        takes=takes.ToRetry,
        gives=gives.ChangeResult,
        run=writes.retry_posts,
        repeatable=True,
    ),
    Tool(
        name="retry_missing_post",
        title="Retry a post that a person did not find on the channel",
        about="Tries a post again that may be on the network, on a person's word that it is not: "
        "a wrong word publishes it twice. Call it only after your user has looked at the channel "
        "and said so. The key needs the scope approve.",
        takes=takes.MissingPost,
        gives=gives.PostResult,
        run=writes.retry_missing_post,
        destroys=True,
        repeatable=True,
    ),
    Tool(
        name="get_job",
        title="Read a job",
        about="How far a job is, when it will be done, and why posts of it failed.",
        takes=takes.JobId,
        gives=gives.JobResult,
        run=reads.get_job,
        reads_only=True,
    ),
    Tool(
        name="server_health",
        title="Server health",
        about="Whether the Postiz servers behind the channels publish what they are given.",
        takes=takes.OfProfile,
        gives=ServersView,
        run=reads.server_health,
        reads_only=True,
    ),
)
TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in _ALL}
