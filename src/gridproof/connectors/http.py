"""Connections to a server that speaks HTTP, kept and given to one request at a time.

A request that finds its connection gone is sent once more over a new one, so every request here must be one that may be
repeated. An answer has a limit in bytes and in time.
"""

import re
import ssl
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from threading import Lock
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from gridproof.errors import GridproofError

KEPT_LINKS: Final = 8
_PIECE: Final = 2**16
_PORT: Final = r"(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])"
HTTP_URL: Final = rf"^https?://{_HOST}(?::{_PORT})?(?:/[A-Za-z0-9._~-]+)*/?\Z"


class HttpError(GridproofError):
    """No answer came over HTTP."""

    detail: str


class NoAddressError(HttpError):
    """This is no address of a server."""


class NoHttpError(HttpError):
    """What answers does not speak HTTP."""


class LateError(HttpError):
    """No answer came over HTTP in time."""


class _Gone(Exception):
    """A connection ended before its answer began."""


class Links:
    """A way to a server. Nothing is connected before the first request; may be used by many threads.

    Args:
        url: such as `http://127.0.0.1:5001`.
        answer_s: how long the server may take for an answer.

    Attributes:
        prefix: the address's path, without a slash at its end.

    Raises:
        NoAddressError: the address is none.
    """

    def __init__(self, url: str, answer_s: float) -> None:
        self._answer_s = answer_s
        self._guard = Lock()
        self._links: list[HTTPConnection] = []
        try:
            parts = urlsplit(url if re.search(HTTP_URL, url) else "")
        except ValueError:
            parts = urlsplit("")
        if not parts.hostname:
            raise NoAddressError(detail="this is no address of the form http://127.0.0.1:5001")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self.prefix = parts.path.rstrip("/")

    def post(
        self, path: str, body: bytes, headers: dict[str, str], limit: int, limit_s: float | None = None
    ) -> tuple[int, bytes]:
        """Send a request that may be repeated, and take its answer.

        Args:
            path: on the server, the prefix included.
            body: what is sent.
            headers: besides those of every request.
            limit: the most bytes of the answer that are read, but for one more.
            limit_s: how long the server may take this time, where that is less than for any answer.

        Returns:
            The answer's status, and its body, at most one byte longer than the limit.

        Raises:
            NoHttpError: what answers does not speak HTTP.
            LateError: no answer came in time.
            HttpError: no answer came, for this reason.
        """
        answer_s = self._answer_s if limit_s is None else min(limit_s, self._answer_s)
        with self._guard:
            kept = self._links.pop() if self._links else None
        try:
            if kept is not None:
                try:
                    return self._converse(kept, path, body, headers, limit, answer_s)
                except _Gone:
                    pass  # the server was started anew since: try over a fresh connection
            return self._converse(self._connection(), path, body, headers, limit, answer_s)
        except _Gone as gone:
            raise HttpError(detail=str(gone)) from gone
        except TimeoutError as late:
            raise LateError(detail=f"no answer within {answer_s:g} s") from late
        except IncompleteRead as cut:
            raise HttpError(detail="it hung up within its answer") from cut
        except HTTPException as wrong:
            raise NoHttpError(detail="what answers does not speak HTTP") from wrong
        except OSError as failure:
            raise HttpError(detail=failure.strerror or str(failure)) from failure

    def close(self) -> None:
        """Hang up."""
        with self._guard:
            links, self._links = self._links, []
        for link in links:
            link.close()

    def _converse(
        self, link: HTTPConnection, path: str, body: bytes, headers: dict[str, str], limit: int, answer_s: float
    ) -> tuple[int, bytes]:
        """Send a request and take its answer; the connection is kept only if both went well."""
        deadline = monotonic() + answer_s
        link.timeout = answer_s
        if link.sock is not None:
            link.sock.settimeout(answer_s)
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
            return HTTPSConnection(self._host, self._port, context=trusted)
        return HTTPConnection(self._host, self._port)
