"""The composition root: one aiohttp server around one Sandbox."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from aiohttp import web

from . import wire
from .admin import Admin
from .state import Options, Sandbox

_KEEP_ALIVE = 5.0
_BACKLOG = 1024
_LOGIN = "<!doctype html><title>Login</title><h1>Sign in</h1><form><input name='email'></form>"


class Server:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._sandbox = Sandbox(options)
        self._runner = web.AppRunner(
            self._app(),
            keepalive_timeout=_KEEP_ALIVE,
            access_log=None,
            shutdown_timeout=0.3,
        )
        self._site: web.TCPSite | None = None
        self._port = options.port
        self._refusing: asyncio.Task[None] | None = None

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(Admin(self._sandbox, self.refuse).routes())
        if self._options.layout == "image":
            app.router.add_get("/auth/login", _login)
            app.router.add_route("*", "/public/v1{tail:.*}", _to_login)
        app.router.add_route("*", "/{tail:.*}", self._api())
        return app

    def _api(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        calls = self._sandbox.calls

        async def handle(request: web.Request) -> web.StreamResponse:
            call = asyncio.create_task(wire.handle(self._sandbox, request))
            calls.add(call)
            call.add_done_callback(calls.discard)
            await asyncio.wait([call])
            return web.Response(status=503) if call.cancelled() else call.result()

        return handle

    async def start(self) -> str:
        """Listen, resume what was running, and return the address."""
        await self._runner.setup()
        await self._listen()
        address = self._runner.addresses[0]
        self._port = address[1]
        self._sandbox.url = f"http://{self._options.host}:{self._port}"
        self._sandbox.workflows.resume()
        return self._sandbox.url

    async def _listen(self) -> None:
        self._site = web.TCPSite(
            self._runner,
            self._options.host,
            self._port,
            backlog=_BACKLOG,
            reuse_address=True,
        )
        await self._site.start()

    async def stop(self) -> None:
        await self._runner.cleanup()
        await self._sandbox.end_calls()
        self._sandbox.database.close()

    def refuse(self, seconds: float) -> None:
        """Close the listening socket, and every idle connection, for a while."""
        if self._refusing is None or self._refusing.done():
            self._refusing = asyncio.create_task(self._refuse(seconds))

    async def _refuse(self, seconds: float) -> None:
        await asyncio.sleep(0.05)  # the request that asked for it is answered first
        assert self._site is not None
        await self._site.stop()
        self._close_connections()
        await asyncio.sleep(seconds)
        await self._listen()

    def _close_connections(self) -> None:
        server = self._runner.server
        for connection in list(server.connections) if server else []:
            connection.close()  # a request under way is still answered
            if connection._current_request is None:
                connection.force_close()


async def _login(_request: web.Request) -> web.StreamResponse:
    return web.Response(text=_LOGIN, content_type="text/html")


async def _to_login(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": "/auth/login"})


async def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    server = Server(options)
    print(f"listening on {await server.start()}", flush=True)
    await stopped.wait()
    await server.stop()
