"""Kubo's HTTP RPC, as far as a content store needs it.

Connections are kept and given to one request at a time. A request that finds its connection gone is sent once more over
a new one: every request here may be repeated. An answer has a limit in bytes and in time.
"""

import json
import os
import re
import ssl
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from threading import Lock
from time import monotonic
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from gridproof.connectors.config.settings import KUBO_URL

from .errors import ContentError, ContentStoreUnreachableError

SETTING: Final = "content.kubo_url"
ANSWER_S: Final = 30.0
KEPT_LINKS: Final = 8
MAX_ANSWER: Final = 2**20  # bytes of an answer in JSON
_PIECE: Final = 2**16
_BOUNDARY_BYTES: Final = 16
_OK: Final = 200
_FAILED: Final = 500  # how Kubo says that it understood and could not
_MAX_DETAIL: Final = 200


class RpcFailedError(ContentError):
    """The Kubo node understood what it was asked, and could not do it."""

    words: str


class _Gone(Exception):
    """A connection ended before its answer began."""


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
        self._answer_s = answer_s
        self._guard = Lock()
        self._links: list[HTTPConnection] = []
        try:
            parts = urlsplit(url if re.search(KUBO_URL, url) else "")
        except ValueError:
            parts = urlsplit("")
        if not parts.hostname:
            raise self.unreachable("this is no address of the form http://127.0.0.1:5001")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/") + "/api/v0/"

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
        with self._guard:
            links, self._links = self._links, []
        for link in links:
            link.close()

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
        status, raw = self._exchange(self._prefix + path, body, headers, limit)
        if status == _OK:
            return raw
        if status == _FAILED:
            told = self._objects(raw)
            if told and isinstance(told[0].get("Message"), str):
                raise RpcFailedError(words=_printable(told[0]["Message"]))
            raise self.otherwise()
        raise self.unreachable(f"it refuses, with HTTP status {status}: {raw.decode(errors='replace')}")

    def _exchange(self, path: str, body: bytes, headers: dict[str, str], limit: int) -> tuple[int, bytes]:
        with self._guard:
            kept = self._links.pop() if self._links else None
        try:
            if kept is not None:
                try:
                    return self._converse(kept, path, body, headers, limit)
                except _Gone:
                    pass  # the node was started anew since: try over a fresh connection
            return self._converse(self._connection(), path, body, headers, limit)
        except _Gone as gone:
            raise self.unreachable(str(gone)) from gone
        except TimeoutError as late:
            raise self.unreachable(f"no answer within {self._answer_s:g} s") from late
        except IncompleteRead as cut:
            raise self.unreachable("it hung up within its answer") from cut
        except HTTPException as wrong:
            raise self.otherwise() from wrong
        except OSError as failure:
            raise self.unreachable(failure.strerror or str(failure)) from failure

    def _converse(
        self, link: HTTPConnection, path: str, body: bytes, headers: dict[str, str], limit: int
    ) -> tuple[int, bytes]:
        """Send a request and take its answer; the connection is kept only if both went well."""
        deadline = monotonic() + self._answer_s
        try:
            try:
                link.request("POST", path, body, headers)
                answer = link.getresponse()
            except ConnectionError as gone:
                raise _Gone(gone.strerror or "it hung up") from gone
            raw = self._body(answer, limit, deadline)
        except BaseException:
            link.close()
            raise
        if answer.will_close or len(raw) > limit:
            link.close()
            return answer.status, raw
        with self._guard:
            if len(self._links) < KEPT_LINKS:
                self._links.append(link)
                return answer.status, raw
        link.close()
        return answer.status, raw

    @staticmethod
    def _body(answer: HTTPResponse, limit: int, deadline: float) -> bytes:
        raw = bytearray()
        while len(raw) <= limit:
            piece = answer.read1(min(_PIECE, limit + 1 - len(raw)))
            if not piece:
                break
            raw += piece
            if monotonic() > deadline:
                raise TimeoutError
        if len(raw) <= limit:
            if answer.length:
                raise IncompleteRead(bytes(raw), answer.length)
            answer.close()  # all was read: the connection may take the next request
        return bytes(raw)

    def _connection(self) -> HTTPConnection:
        if self._secure:
            trusted = ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=self._answer_s, context=trusted)
        return HTTPConnection(self._host, self._port, timeout=self._answer_s)


def _path(command: str, arguments: tuple[str, ...], options: dict[str, str]) -> str:
    named = [(name.replace("_", "-"), value) for name, value in options.items()]
    return f"{command}?{urlencode([*(('arg', argument) for argument in arguments), *named])}"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_DETAIL]).strip()
