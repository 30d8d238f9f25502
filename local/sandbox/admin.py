"""The sandbox's own controls under /_sandbox: organizations, ledger, posts, faults, statistics."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

from aiohttp import web

from . import page
from .dates import iso
from .faults import Fault, read_fault
from .orgs import Org
from .posts import Post
from .state import Sandbox
from .timing import changed

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LOOPBACK = ("127.", "::1", "::ffff:127.")


class Admin:
    def __init__(self, sandbox: Sandbox, refuse: Callable[[float], None]) -> None:
        self._sandbox = sandbox
        self._refuse = refuse

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._page),
            web.get("/_sandbox/published/{post}", self._published),
            *self._guarded(),
        ]

    def _guarded(self) -> list[web.RouteDef]:
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "orgs", self._list_orgs),
            ("POST", "orgs", self._create_org),
            ("DELETE", "orgs", self._delete_all_orgs),
            ("GET", "orgs/{org}", self._get_org),
            ("PATCH", "orgs/{org}", self._patch_org),
            ("DELETE", "orgs/{org}", self._delete_org),
            ("GET", "timing", self._get_timing),
            ("PATCH", "timing", self._patch_timing),
            ("GET", "ledger", self._ledger),
            ("GET", "posts", self._posts),
            ("GET", "sends", self._sends),
            ("GET", "stats", self._stats),
            ("POST", "reset", self._reset),
            ("GET", "faults", self._list_faults),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("DELETE", "faults/{fault}", self._remove_fault),
        ]
        return [
            web.route(method, f"/_sandbox/{path}", _guard(handler))
            for method, path, handler in routes
        ]

    # pages

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return _html(page.overview(self._sandbox, stats(self._sandbox)))

    async def _published(self, request: web.Request) -> web.StreamResponse:
        post = self._sandbox.posts.get(request.match_info["post"])
        sends = self._sandbox.ledger.entries(kind="send")
        mine = [send for send in sends if post and send["post"] == post.id]
        if not mine:
            return _html(page.nothing(), status=404)
        return _html(page.published(self._sandbox, mine[-1]))

    # organizations

    async def _list_orgs(self, _request: web.Request) -> web.StreamResponse:
        return _json([_shown(self._sandbox, org) for org in self._sandbox.orgs.all()])

    async def _create_org(self, request: web.Request) -> web.StreamResponse:
        org = self._sandbox.orgs.create(await request.json())
        return _json(_shown(self._sandbox, org), status=201)

    async def _get_org(self, request: web.Request) -> web.StreamResponse:
        return _json(_shown(self._sandbox, self._org(request)))

    async def _patch_org(self, request: web.Request) -> web.StreamResponse:
        org, changes = self._org(request), await request.json()
        simple = {"name", "limit", "window_seconds", "subscribed"} & set(changes)
        org = replace(org, **{name: changes[name] for name in simple})
        with self._sandbox.database.transaction():
            self._sandbox.orgs.update(org)
            self._sandbox.orgs.add_keys(org.id, changes.get("add_keys", []))
            self._sandbox.orgs.revoke_keys(changes.get("revoke_keys", []))
            self._sandbox.orgs.add_integrations(org.id, changes.get("add_integrations", []))
            for integration, change in changes.get("integrations", {}).items():
                self._sandbox.orgs.change_integration(org.id, integration, change)
        return _json(_shown(self._sandbox, org))

    async def _delete_org(self, request: web.Request) -> web.StreamResponse:
        self._sandbox.orgs.delete(self._org(request).id)
        return _json({"deleted": True})

    async def _delete_all_orgs(self, _request: web.Request) -> web.StreamResponse:
        for org in self._sandbox.orgs.all():
            self._sandbox.orgs.delete(org.id)
        return _json({"deleted": True})

    def _org(self, request: web.Request) -> Org:
        org = self._sandbox.orgs.get(request.match_info["org"])
        if org is None:
            raise KeyError(f"organization {request.match_info['org']}")
        return org

    # how long things take

    async def _get_timing(self, _request: web.Request) -> web.StreamResponse:
        return _json(asdict(self._sandbox.pace.timing))

    async def _patch_timing(self, request: web.Request) -> web.StreamResponse:
        """Until it is changed again, reset, or the server starts anew."""
        self._sandbox.pace.timing = changed(self._sandbox.pace.timing, await request.json())
        return await self._get_timing(request)

    # what happened

    async def _ledger(self, request: web.Request) -> web.StreamResponse:
        entries = self._sandbox.ledger.entries(
            kind=request.query.get("kind"),
            since=int(request.query.get("since", 0)),
            limit=int(request.query.get("limit", 10_000)),
        )
        return _json(entries)

    async def _sends(self, request: web.Request) -> web.StreamResponse:
        since = int(request.query.get("since", 0))
        return _json(self._sandbox.ledger.entries(kind="send", since=since))

    async def _posts(self, _request: web.Request) -> web.StreamResponse:
        return _json([_row(post) for post in self._sandbox.posts.all()])

    async def _stats(self, _request: web.Request) -> web.StreamResponse:
        return _json(stats(self._sandbox))

    async def _reset(self, _request: web.Request) -> web.StreamResponse:
        await self._sandbox.end_calls()
        self._sandbox.workflows.stop_all()
        self._sandbox.posts.clear()
        self._sandbox.ledger.clear()
        self._sandbox.orgs.clear_budgets()
        self._sandbox.pace.timing = self._sandbox.options.timing
        return _json({"reset": True})

    # faults

    async def _list_faults(self, _request: web.Request) -> web.StreamResponse:
        return _json([asdict(fault) for fault in self._sandbox.faults.all()])

    async def _add_fault(self, request: web.Request) -> web.StreamResponse:
        fault: Fault = read_fault(await request.json())
        if fault.kind == "refuse":
            self._refuse(float(fault.args.get("seconds", 5)))
            return _json(asdict(fault), status=201)
        return _json(asdict(self._sandbox.faults.add(fault)), status=201)

    async def _remove_fault(self, request: web.Request) -> web.StreamResponse:
        self._sandbox.faults.remove(int(request.match_info["fault"]))
        return _json({"deleted": True})

    async def _clear_faults(self, _request: web.Request) -> web.StreamResponse:
        self._sandbox.faults.remove()
        return _json({"deleted": True})


def stats(sandbox: Sandbox) -> dict[str, Any]:
    ledger = sandbox.ledger.counts()
    return {
        "requests": ledger.get("request", 0),
        "sends": ledger.get("send", 0),
        "ledger": ledger,
        "posts": sandbox.posts.state_counts(),
        "workflows": sandbox.workflows.counts(),
        "orgs": [_org_stats(sandbox, org) for org in sandbox.orgs.all()],
    }


def _org_stats(sandbox: Sandbox, org: Org) -> dict[str, Any]:
    budget, now = sandbox.orgs.budget(org.id), sandbox.clock()
    remaining = budget.remaining(now=now, limit=org.limit)
    return {
        "id": org.id,
        "name": org.name,
        "integrations": list(sandbox.orgs.integrations(org.id)),
        "limit": org.limit,
        "used": budget.hits if now < budget.window_ends else 0,
        "remaining": remaining,
        "window_seconds": org.window_seconds,
        "resets_in": max(0.0, budget.window_ends - now),
        "blocked_for": max(0.0, budget.block_ends - now),
        "counted_calls": budget.counted,
        "refused_calls": budget.refused,
        "trips": budget.trips,
    }


def _shown(sandbox: Sandbox, org: Org) -> dict[str, Any]:
    channels = sandbox.orgs.integrations(org.id, deleted=True).values()
    integrations = [asdict(channel) for channel in channels]
    return {**asdict(org), "keys": sandbox.orgs.keys(org.id), "integrations": integrations}


def _row(post: Post) -> dict[str, Any]:
    return {**asdict(post), "deleted": post.deleted, "publish_date": iso(post.date_ms)}


def _guard(handler: Handler) -> Handler:
    """Only from this machine, only from this origin, and mistakes answered in words."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        foreign = origin is not None and origin.partition("://")[2] != request.host
        if foreign or not (request.remote or "").startswith(_LOOPBACK):
            return _json({"error": "only from this machine"}, status=403)
        try:
            return await handler(request)
        except KeyError as error:
            return _json({"error": f"not found: {error.args[0]}"}, status=404)
        except (ValueError, TypeError) as error:
            return _json({"error": str(error)}, status=400)

    return guarded


def _json(body: Any, *, status: int = 200) -> web.Response:
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")


def _html(text: str, *, status: int = 200) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html")
