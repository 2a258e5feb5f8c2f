# SPDX-License-Identifier: GPL-3.0-or-later
"""The client: the operations on top of the transport."""

from __future__ import annotations

from .operations import Operations

__all__ = ["Client"]


class Client(Operations):
    """A connection to one manager. It can be used from several threads at once.

    See `flamenco_client.transport.Transport` for how it is made.
    """
