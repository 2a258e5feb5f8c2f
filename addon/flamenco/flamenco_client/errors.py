# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong. Everything that the client raises on purpose is a `ClientError`."""

from __future__ import annotations

from typing import Any

__all__ = ["ApiError", "BadAnswer", "ClientError", "ConnectionFailed", "TimedOut"]


class ClientError(Exception):
    """The base of all errors of this package."""


class ConnectionFailed(ClientError):
    """The manager cannot be reached, or the connection broke off."""

    #: Whether the manager may have got the request.
    is_sent: bool

    def __init__(self, message: str, *, is_sent: bool = True) -> None:
        super().__init__(message)
        self.is_sent = is_sent


class TimedOut(ConnectionFailed):
    """The manager did not answer in time."""


class BadAnswer(ClientError):
    """An answer that is not what the API promises, perhaps because something else listens there."""


class ApiError(ClientError):
    """The manager refused the request."""

    #: The HTTP status, 400 or above.
    status: int
    #: What is wrong, for the user.
    message: str
    #: After how many seconds to try again, if the manager said so.
    retry_after: int | None
    #: The body, decoded if it is JSON; None if there is none.
    body: Any
    #: Whether a token or other credentials went with the request.
    had_credentials: bool = False

    def __init__(self, status: int, message: str, retry_after: int | None = None, body: Any = None) -> None:
        super().__init__(f"{message} (HTTP {status})")
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.body = body
