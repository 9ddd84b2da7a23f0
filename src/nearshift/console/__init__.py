"""The console: dashboards, the pipeline and a query editor in a browser, over one warehouse."""

from nearshift.console.app import create_app
from nearshift.console.server import ConsoleServer
from nearshift.console.source import ConsoleSource, Session, StreamMetric, Subscription

__all__ = ["ConsoleServer", "ConsoleSource", "Session", "StreamMetric", "Subscription", "create_app"]
