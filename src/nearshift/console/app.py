"""The console's application: pages, and under `/api/` everything that the pages show as JSON."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from nearshift import limits
from nearshift.clock import Clock, SystemClock
from nearshift.console.answers import Answers
from nearshift.console.assets import Assets
from nearshift.console.board import DashboardContent, checked, describe_folder, table_query
from nearshift.console.cells import Grid, to_csv
from nearshift.console.choices import canonical, parse_choices
from nearshift.console.definition import KpiTile, PivotTile, TableTile
from nearshift.console.editor import Editors, read_schema
from nearshift.console.folder import DashboardFolder
from nearshift.console.guard import Guard
from nearshift.console.live import Content, LiveHub, Viewer, start_thread
from nearshift.console.queries import Query, TileQueries
from nearshift.console.reader import Reader
from nearshift.console.replies import JsonReply, error_reply
from nearshift.console.road import PipelineContent
from nearshift.console.source import ConsoleSource
from nearshift.errors import InternalError, InvalidSql, NearshiftError, NotSupported, UndefinedObject

logger = logging.getLogger("nearshift")
T = TypeVar("T")
_KEEPALIVE_SECONDS = 15.0


class EditorRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What the query page posts: the id its tab made up, and the script."""

    editor: str
    text: str = ""


class Console:
    """The parts behind the routes, and their end. One per application."""

    def __init__(
        self,
        source: ConsoleSource,
        dashboards: Path | None,
        clock: Clock,
        start: Callable[[Callable[[], None]], None],
        assets: Assets,
    ) -> None:
        self.source = source
        self.folder = DashboardFolder(dashboards)
        self.reader = Reader(source)
        self.answers = Answers(self.reader)
        self.hub = LiveHub(source.subscribe, clock, start)
        self.editors = Editors(source, clock)
        self.pipeline = PipelineContent(source, self.folder, self.answers, clock)
        self.assets = assets

    def close(self) -> None:
        """End streams, editors and sessions, so that the warehouse can be closed next. Closing twice is harmless."""
        self.hub.close()
        self.editors.close()
        self.reader.close()  # interrupts what the last passes wait for
        self.hub.wait_for_passes()

    def routes(self) -> list[Route]:
        """Return all routes."""
        page = self.assets.page
        return [
            Route("/", self.home),
            Route("/dashboards", self.home),
            Route("/dashboards/{name}", page),
            Route("/pipeline", page),
            Route("/query", page),
            Route("/static/{name}", self.assets.file),
            Route("/api/overview", self.overview),
            Route("/api/dashboards/{name}", self.dashboard),
            Route("/api/dashboards/{name}/live", self.dashboard_live),
            Route("/api/dashboards/{name}/tiles/{tile}.csv", self.tile_csv),
            Route("/api/pipeline", self.road),
            Route("/api/pipeline/live", self.road_live),
            Route("/api/schema", self.schema),
            Route("/api/query", self.query, methods=["POST"]),
            Route("/api/query/cancel", self.cancel, methods=["POST"]),
            Route("/api/query/close", self.close_editor, methods=["POST"]),
        ]

    async def home(self, _request: Request) -> Response:
        """Go to the first dashboard, or to the pipeline when there is none."""
        entries = await run_in_threadpool(self.folder.entries)
        return RedirectResponse(f"/dashboards/{entries[0].name}" if entries else "/pipeline", 307, {"Cache-Control": "no-store"})

    async def overview(self, _request: Request) -> Response:
        """Answer with what the frame of the pages shows: dashboards and endpoints."""
        boards = await run_in_threadpool(describe_folder, self.folder)
        return JsonReply({"dashboards": boards, "endpoints": dict(self.source.endpoints())})

    async def dashboard(self, request: Request) -> Response:
        """Answer with all parts of a dashboard for the choices in the address."""
        return await self._parts(self._board(request))

    async def dashboard_live(self, request: Request) -> Response:
        """Push the parts of a dashboard."""
        content = self._board(request)
        name = request.path_params["name"]

        def key() -> str:
            entry = self.folder.find(name)
            text = request.query_params.get("choices")
            if entry is None or entry.dashboard is None:
                return f"dashboard {name} ? {text}"
            return f"dashboard {name} {canonical(parse_choices(text, entry.dashboard))}"

        return self._live(await run_in_threadpool(key), content)

    async def road(self, _request: Request) -> Response:
        """Answer with all parts of the pipeline page."""
        return await self._parts(self.pipeline)

    async def road_live(self, _request: Request) -> Response:
        """Push the parts of the pipeline page."""
        return self._live("pipeline", self.pipeline)

    async def schema(self, _request: Request) -> Response:
        """Answer with schemas, relations and columns."""
        return JsonReply(await run_in_threadpool(read_schema, self.reader))

    async def tile_csv(self, request: Request) -> Response:
        """Answer with the rows behind one tile as CSV."""
        name, tile = request.path_params["name"], request.path_params["tile"]
        text = await run_in_threadpool(self._csv, name, tile, request.query_params.get("choices"))
        file = f'attachment; filename="{tile}.csv"'
        return Response(text, media_type="text/csv", headers={"Content-Disposition": file, "Cache-Control": "no-store"})

    async def query(self, request: Request) -> Response:
        """Run a script in an editor's session."""
        asked = await _read(request)
        return JsonReply(await run_in_threadpool(self.editors.run, asked.editor, asked.text))

    async def cancel(self, request: Request) -> Response:
        """Interrupt what an editor runs."""
        asked = await _read(request)
        return JsonReply({"is_cancelled": await run_in_threadpool(self.editors.cancel, asked.editor)})

    async def close_editor(self, request: Request) -> Response:
        """End an editor's session."""
        asked = await _read(request)
        await run_in_threadpool(self.editors.close_one, asked.editor)
        return JsonReply({})

    def _board(self, request: Request) -> DashboardContent:
        return DashboardContent(self.folder, request.path_params["name"], request.query_params.get("choices"), self.answers)

    async def _parts(self, content: Content) -> Response:
        parts = await run_in_threadpool(content.parts, self.hub.fresh_moment())
        return JsonReply({name: msgspec.Raw(value) for name, value in parts.items()})

    def _csv(self, name: str, tile_id: str, choices_text: str | None) -> str:
        board = checked(self.folder.find(name), name)
        tile = next((tile for tile in board.tiles if tile.id == tile_id), None)
        if tile is None:
            raise UndefinedObject(f'tile "{tile_id}" does not exist', sqlstate="42704")
        moment = self.hub.fresh_moment()
        choices = parse_choices(choices_text, board)
        queries = TileQueries(board, choices, self.answers.types(moment, board), moment.now)
        query: Query
        names: list[str] | None = None
        match tile:
            case PivotTile():
                layout = choices.pivots[tile.id]
                parts = queries.pivot(tile)
                query = parts.get("cells") or parts.get("rows") or parts.get("columns") or parts["total"]
                names = [*layout.rows, *layout.columns, layout.measure]
            case TableTile():
                query = table_query(queries, tile)
            case KpiTile():
                query = queries.free(tile.sql) if tile.sql is not None else queries.number(tile, 0)
            case _:
                query = queries.free(tile.sql) if tile.sql is not None else queries.chart(tile)
                names = None if tile.sql is not None else [tile.x, tile.y, *([tile.by] if tile.by else [])]
        grid = self.answers.grid(moment, query)
        return to_csv(grid if names is None else Grid(tuple(names), grid.types, grid.columns, grid.is_cut))

    def _live(self, key: str, content: Content) -> Response:
        loop = asyncio.get_running_loop()
        bell = asyncio.Event()

        def ring() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(bell.set)

        viewer = self.hub.join(key, content, ring)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(self.hub, viewer, bell), media_type="text/event-stream", headers=headers)


async def _events(hub: LiveHub, viewer: Viewer, bell: asyncio.Event) -> AsyncIterator[bytes]:
    """Yield server-sent events ("Server-sent events", HTML standard) until the feed or the connection ends."""
    try:
        yield b"retry: 1000\n\n"
        while not viewer.is_closed:
            try:
                async with asyncio.timeout(_KEEPALIVE_SECONDS):
                    await bell.wait()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            bell.clear()
            push = viewer.take()
            if push is not None:
                yield b"data: " + push.encode() + b"\n\n"
    finally:
        hub.leave(viewer)


async def _read(request: Request) -> EditorRequest:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.CONSOLE_REQUEST_BYTES_MAX:
            raise NotSupported("the request is too long", sqlstate="54000", hint="Split the script.")
    try:
        asked = msgspec.json.decode(bytes(body), type=EditorRequest)
    except msgspec.DecodeError as error:
        raise InvalidSql("the request is not in the expected form", sqlstate="08P01", detail=f"{error}.") from error
    if not 8 <= len(asked.editor) <= 64:
        raise InvalidSql("the id of the editor must have 8 to 64 characters", sqlstate="08P01")
    return asked


async def _on_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, NearshiftError):
        return error_reply(error)
    if isinstance(error, HTTPException):
        reply = error_reply(UndefinedObject(str(error.detail).lower(), sqlstate="42704"))
        reply.status_code = error.status_code
        return reply
    logger.error("a request to the console failed", exc_info=error)
    return error_reply(InternalError("the console could not answer"))


def create_app(
    source: ConsoleSource,
    dashboards_dir: Path | None,
    *,
    clock: Clock | None = None,
    password: str | None = None,
    start: Callable[[Callable[[], None]], None] = start_thread,
    assets: Assets | None = None,
) -> Starlette:
    """Return the console over `source` and the dashboards of a folder (None for none); `app.state.console.close()` ends it.

    Without a password it answers only to names of this machine. `start` runs the loop that pushes; tests hand in one that does nothing.
    """
    console = Console(source, dashboards_dir, clock or SystemClock(), start, assets or Assets())
    app = Starlette(
        routes=console.routes(),
        middleware=[
            Middleware(partial(Guard, password=password)),  # first: nothing else sees a request that is refused
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=4),
        ],
        exception_handlers={NearshiftError: _on_error, HTTPException: _on_error, Exception: _on_error},
    )
    app.state.console = console
    return app
