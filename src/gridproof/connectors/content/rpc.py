"""Kubo's HTTP RPC, as far as a content store needs it.

Every request here may be repeated (`connectors.http`).
"""

import json
import os
from typing import Any, Final
from urllib.parse import urlencode

from gridproof.connectors.http import HttpError, Links, NoHttpError

from .errors import ContentError, ContentStoreUnreachableError

SETTING: Final = "content.kubo_url"
ANSWER_S: Final = 30.0
MAX_ANSWER: Final = 2**20  # bytes of an answer in JSON
_BOUNDARY_BYTES: Final = 16
_OK: Final = 200
_FAILED: Final = 500  # how Kubo says that it understood and could not
_MAX_DETAIL: Final = 200


class RpcFailedError(ContentError):
    """The Kubo node understood what it was asked, and could not do it."""

    words: str


class Rpc:
    """A way to a node's RPC. Nothing is connected before the first request.

    Args:
        url: such as `http://127.0.0.1:5001`.
        answer_s: how long the node may take for an answer.

    Raises:
        ContentStoreUnreachableError: the address is none.
    """

    def __init__(self, url: str, answer_s: float = ANSWER_S) -> None:
        self.url = url
        try:
            self._links = Links(url, answer_s)
        except HttpError as wrong:
            raise self.unreachable(wrong.detail) from wrong
        self._prefix = self._links.prefix + "/api/v0/"

    def ask(self, command: str, *arguments: str, **options: str) -> list[dict[str, Any]]:
        """Let the node run a command that answers in JSON; its objects, in order.

        Raises:
            RpcFailedError: it could not.
            ContentStoreUnreachableError: no node answers.
        """
        return self._objects(self._request(_path(command, arguments, options), b"", {}, MAX_ANSWER))

    def send(self, command: str, content: bytes, **options: str) -> list[dict[str, Any]]:
        """Let the node run a command that takes a file and answers in JSON; its objects, in order.

        Raises:
            RpcFailedError: it could not.
            ContentStoreUnreachableError: no node answers.
        """
        boundary = os.urandom(_BOUNDARY_BYTES).hex()
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="content"\r\n'
        body = (
            f"{head}Content-Type: application/octet-stream\r\n\r\n".encode()
            + content
            + f"\r\n--{boundary}--\r\n".encode()
        )
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self._objects(self._request(_path(command, (), options), body, headers, MAX_ANSWER))

    def fetch(self, command: str, *arguments: str, limit: int, **options: str) -> bytes:
        """Let the node run a command that answers in bytes; at most one more than the limit.

        Raises:
            RpcFailedError: it could not.
            ContentStoreUnreachableError: no node answers.
        """
        return self._request(_path(command, arguments, options), b"", {}, limit)

    def require_node(self) -> None:
        """Return if what answers is a node.

        Raises:
            ContentStoreUnreachableError: it is not, or nothing answers.
        """
        try:
            told = self.ask("version")
        except RpcFailedError as refused:
            raise self.unreachable(refused.words) from refused
        if not told or not isinstance(told[0].get("Version"), str):
            raise self.otherwise()

    def close(self) -> None:
        """Hang up."""
        self._links.close()

    def unreachable(self, detail: str) -> ContentStoreUnreachableError:
        """The error that says why no node answers."""
        return ContentStoreUnreachableError(setting=SETTING, place=self.url, detail=_printable(detail))

    def otherwise(self) -> ContentStoreUnreachableError:
        """The error for what answers and is no node."""
        return self.unreachable("what answers there is no Kubo node")

    # --- HTTP ------------------------------------------------------------------------------------------------------

    def _objects(self, raw: bytes) -> list[dict[str, Any]]:
        try:
            found = [json.loads(line) for line in raw.splitlines() if line]
        except (ValueError, RecursionError) as unparseable:
            raise self.otherwise() from unparseable
        if not all(isinstance(each, dict) for each in found):
            raise self.otherwise()
        return found

    def _request(self, path: str, body: bytes, headers: dict[str, str], limit: int) -> bytes:
        try:
            status, raw = self._links.post(self._prefix + path, body, headers, limit)
        except NoHttpError as wrong:
            raise self.otherwise() from wrong
        except HttpError as wrong:
            raise self.unreachable(wrong.detail) from wrong
        if status == _OK:
            return raw
        if status == _FAILED:
            told = self._objects(raw)
            if told and isinstance(told[0].get("Message"), str):
                raise RpcFailedError(words=_printable(told[0]["Message"]))
            raise self.otherwise()
        raise self.unreachable(f"it refuses, with HTTP status {status}: {raw.decode(errors='replace')}")


def _path(command: str, arguments: tuple[str, ...], options: dict[str, str]) -> str:
    named = [(name.replace("_", "-"), value) for name, value in options.items()]
    return f"{command}?{urlencode([*(('arg', argument) for argument in arguments), *named])}"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_DETAIL]).strip()
