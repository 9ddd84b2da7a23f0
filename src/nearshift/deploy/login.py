"""How a Redshift is reached: by which way, and as whom. Passwords are asked for when they are needed and kept nowhere."""

from __future__ import annotations

import ipaddress
import os
from typing import Any, Final

import msgspec

from nearshift.clock import Clock
from nearshift.deploy.calls import Caller
from nearshift.deploy.connections import DataApiConnection, DriverConnection, RemoteConnection, driver
from nearshift.deploy.names import Names
from nearshift.errors import ConfigurationError

PASSWORD_VARIABLE: Final = "NEARSHIFT_REDSHIFT_PASSWORD"


def open_redshift(names: Names, aws: Caller, clock: Clock) -> RemoteConnection:
    """Return a connection to the pipeline's warehouse. Raises TargetError, and ConfigurationError when nobody says who logs in."""
    if names.settings.connect == "data-api":
        return DataApiConnection(aws, data_api_place(names), clock)
    module = driver()
    host, port = _endpoint(names, aws)
    user, password = _login(names, aws)
    options = {"host": host, "port": port, "database": names.settings.database, "user": user, "password": password}
    return DriverConnection(lambda: module.connect(**options, ssl=not _is_loopback(host)))


def data_api_place(names: Names) -> dict[str, str]:
    """Return the members of a Data API request that say where and as whom."""
    settings = names.settings
    place = {"Database": settings.database}
    if names.workgroup is not None:
        place["WorkgroupName"] = names.workgroup
    else:
        place["ClusterIdentifier"] = settings.cluster or ""
    if names.secret is not None:
        place["SecretArn"] = names.secret
    elif settings.user is not None and settings.cluster is not None:
        place["DbUser"] = settings.user
    return place


def _endpoint(names: Names, aws: Caller) -> tuple[str, int]:
    settings = names.settings
    if settings.host is not None:
        return settings.host, settings.port
    told: dict[str, Any]
    if settings.cluster is not None:
        told = aws.call("redshift", "describe_clusters", ClusterIdentifier=settings.cluster)["Clusters"][0].get("Endpoint", {})
        address, port = told.get("Address"), told.get("Port", settings.port)
    else:
        told = aws.call("redshift-serverless", "get_workgroup", workgroupName=names.workgroup)["workgroup"].get("endpoint", {})
        address, port = told.get("address"), told.get("port", settings.port)
    if not address:
        raise ConfigurationError("the warehouse has no address yet", hint="Wait until it is available, or set host in [targets.redshift].")
    return address, port


def _login(names: Names, aws: Caller) -> tuple[str, str]:
    settings = names.settings
    password = os.environ.get(PASSWORD_VARIABLE)
    if settings.user is not None and password is not None:
        return settings.user, password
    if names.secret is not None:
        told = aws.call("secretsmanager", "get_secret_value", SecretId=names.secret)["SecretString"]
        secret = msgspec.json.decode(told)
        return secret["username"], secret["password"]
    if settings.cluster is not None:
        if settings.user is None:
            raise ConfigurationError("nobody is named who logs in", hint="Set user or secret in [targets.redshift] of nearshift.toml.")
        told = aws.call(
            "redshift", "get_cluster_credentials", ClusterIdentifier=settings.cluster, DbUser=settings.user, DbName=settings.database,
            AutoCreate=False,
        )  # fmt: skip
        return told["DbUser"], told["DbPassword"]
    told = aws.call("redshift-serverless", "get_credentials", workgroupName=names.workgroup, dbName=settings.database)
    return told["dbUser"], told["dbPassword"]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
