"""Objects of Amazon S3 or of a store that speaks its protocol.

boto3 finds credentials, region and endpoint (`AWS_ENDPOINT_URL_S3`, profiles) as it does everywhere. Where the endpoint is not Amazon's
and no endpoint is set for STS, the roles of IAM_ROLE are not assumed: such a store knows none, and the same statement should run there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from nearshift import limits
from nearshift.errors import InvalidSql
from nearshift.streams.roles import assume_roles
from nearshift.transfer.places import FoundFile, TransferError

SCHEME = "s3://"
_IP = re.compile(r"https?://(?:\d+\.\d+\.\d+\.\d+|\[)")


@dataclass(frozen=True, slots=True)
class S3Access:
    """Whose rights are used: role ARNs of a chain, or keys, or the machine's own when both are empty; and the bucket's region."""

    region: str | None = None
    roles: tuple[str, ...] = ()
    keys: tuple[str, str, str | None] | None = field(default=None, repr=False)


class S3Objects:
    """The objects that one set of rights can reach; a `places.Place`."""

    def __init__(self, access: S3Access) -> None:
        self._access = access
        self._made: Any = None

    def find(self, prefix: str) -> Sequence[FoundFile]:
        """Return the objects whose keys begin with a prefix; markers of folders, which end in a slash, are left out."""
        bucket, key = _split(prefix)
        found: list[FoundFile] = []
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
                objects = (one for one in page.get("Contents", ()) if one["Size"] or not one["Key"].endswith("/"))
                found += [_found(f"{SCHEME}{bucket}/{one['Key']}", one["Size"], one) for one in objects]
        except (ClientError, BotoCoreError) as error:
            raise _refused(prefix, error) from error
        return sorted(found, key=lambda one: one.url)

    def stat(self, url: str) -> FoundFile | None:
        """Return the object of exactly that key, or None."""
        bucket, key = _split(url)
        try:
            one = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if str(error.response.get("Error", {}).get("Code")) in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise _refused(url, error) from error
        except BotoCoreError as error:
            raise _refused(url, error) from error
        return _found(url, one["ContentLength"], one)

    def open(self, url: str) -> BinaryIO:
        """Open an object for reading; it comes in pieces, and a connection that breaks is an error and never a short file."""
        bucket, key = _split(url)
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise _refused(url, error) from error
        return cast("BinaryIO", BufferedReader(_Body(url, answer["Body"]), limits.MIB))

    def put(self, url: str, content: BinaryIO) -> None:
        """Write an object, in parts when it is large."""
        bucket, key = _split(url)
        try:
            self._client.upload_fileobj(content, bucket, key)
        except (ClientError, BotoCoreError, boto3.exceptions.S3UploadFailedError) as error:
            raise _refused(url, error) from error

    def delete(self, urls: Sequence[str]) -> None:
        """Delete objects."""
        try:
            for url in urls:
                bucket, key = _split(url)
                self._client.delete_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise _refused(urls[0], error) from error

    @property
    def _client(self) -> Any:
        """The client of boto3, made when it is first needed."""
        if self._made is None:
            try:
                self._made = _client(self._access)
            except (ClientError, BotoCoreError, ValueError) as error:
                raise _refused(SCHEME, error) from error
        return self._made


def _client(access: S3Access) -> Any:
    if access.keys is not None:
        key, secret, token = access.keys
        session = boto3.Session(key, secret, token, region_name=access.region)
    else:
        session = assume_roles((), access.region)
    client = session.client("s3")
    is_amazon = _is_amazon(client)
    if access.roles and (is_amazon or not _is_amazon(session.client("sts", region_name=session.region_name or "us-east-1"))):
        session = assume_roles(access.roles, access.region)
        client = session.client("s3")
    if not is_amazon and _IP.match(str(client.meta.endpoint_url)) is None:
        # A store of one's own rarely has a host per bucket; botocore sees that by itself only where the endpoint is an IP address.
        client = session.client("s3", config=Config(s3={"addressing_style": "path"}), region_name=session.region_name or "us-east-1")
    return client


def _is_amazon(client: Any) -> bool:
    return ".amazonaws.com" in str(client.meta.endpoint_url)


class _Body(RawIOBase):
    """The body of an answer as a raw stream, with errors of ours."""

    def __init__(self, url: str, body: Any) -> None:
        super().__init__()
        self._url = url
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._body.read(len(buffer))
        except (BotoCoreError, HTTPClientError, OSError) as error:
            raise _refused(self._url, error) from error
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._body.close()
        super().close()


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    if not bucket or not url.startswith(SCHEME):
        raise InvalidSql(f'"{url}" is not the address of an object in Amazon S3', sqlstate="22023", hint="Write 's3://bucket/prefix'.")
    return bucket, key


def _found(url: str, size: int, facts: Any) -> FoundFile:
    etag = facts.get("ETag")
    return FoundFile(url, int(size), str(etag).strip('"') if etag else None, facts.get("LastModified"))


def _refused(url: str, error: Exception) -> TransferError:
    """Return the error in the words in which Redshift passes those of S3 on."""
    if isinstance(error, ClientError):
        answer = error.response
        code = str(answer.get("Error", {}).get("Code", ""))
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
        request = answer.get("ResponseMetadata", {}).get("RequestId", "")
        words = str(answer.get("Error", {}).get("Message") or code)
        name = {"403": "AccessDenied", "404": "NoSuchKey"}.get(code, code)
        message = f"S3ServiceException:{words},Status {status},Error {name},Rid {request}"
        hint = "Check the name of the bucket and the rights of the role." if str(status) in {"403", "404"} else None
        return TransferError(message, hint=hint)
    return TransferError(
        f"could not reach '{url}': {error}", hint="Check the endpoint (AWS_ENDPOINT_URL_S3), the region and the credentials.",
    )  # fmt: skip
