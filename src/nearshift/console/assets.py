"""The built front end: read once, compressed once, served from memory."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

STATIC = Path(__file__).parent / "static"
_COMPRESSIBLE = frozenset({".js", ".css", ".html", ".svg", ".json", ".txt"})
_NOT_BUILT = (
    "<!doctype html><title>nearshift</title><h1>The console is not built</h1>"
    "<p>Run <code>python scripts/build_console.py</code> in the checkout, then load this page again.</p>"
)


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    zipped: bytes | None
    media_type: str
    tag: str


class Assets:
    """The files of one folder. Names with a hash in them are kept by browsers for ever, others are asked for again by tag."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._kept: dict[tuple[str, int], _Asset] = {}

    def page(self, request: Request) -> Response:
        """Answer with the page that all views share, or with how to build it."""
        if not (self._folder / "index.html").is_file():
            return HTMLResponse(_NOT_BUILT, 503, {"Cache-Control": "no-store"})
        return self._answer(request, "index.html", "no-cache")

    def file(self, request: Request) -> Response:
        """Answer with one file of the folder, or 404."""
        name = str(request.path_params["name"])
        path = self._folder / name
        if "/" in name or name.startswith(".") or not path.is_file():
            return Response("not found", 404, media_type="text/plain")
        is_hashed = path.stem.rpartition("-")[2].isalnum() and len(path.stem.rpartition("-")[2]) == 8
        return self._answer(request, name, "public, max-age=31536000, immutable" if is_hashed else "no-cache")

    def _answer(self, request: Request, name: str, cache: str) -> Response:
        asset = self._load(name)
        headers = {"Cache-Control": cache, "ETag": asset.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        body = asset.body
        if asset.zipped is not None and _takes_gzip(request.headers):
            body, headers["Content-Encoding"] = asset.zipped, "gzip"
        return Response(body, headers=headers, media_type=asset.media_type)

    def _load(self, name: str) -> _Asset:
        path = self._folder / name
        key = (name, path.stat().st_mtime_ns)
        found = self._kept.get(key)
        if found is None:
            body = path.read_bytes()
            zipped = gzip.compress(body, 6, mtime=0) if path.suffix in _COMPRESSIBLE else None
            kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(name)[0] or "application/octet-stream"
            found = _Asset(body, zipped, kind, f'"{hashlib.sha256(body).hexdigest()[:20]}"')
            self._kept[key] = found
        return found


def _takes_gzip(headers: Headers) -> bool:
    return "gzip" in headers.get("accept-encoding", "")
