"""Asks an ASGI application inside the process, without a server."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.applications import Starlette


class InProcess:
    """A client of one application; each request is complete before the call returns. Safe to use from several threads."""

    def __init__(self, app: Starlette, base_url: str) -> None:
        self._app = app
        self._base_url = base_url

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send GET."""
        return self._send("GET", path, options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send POST."""
        return self._send("POST", path, options)

    def _send(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self._base_url, timeout=30) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())
