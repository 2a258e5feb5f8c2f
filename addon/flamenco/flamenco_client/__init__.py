# SPDX-License-Identifier: GPL-3.0-or-later
"""A typed client of the render farm manager's API.

It needs Python 3.10 or newer and urllib3 (1.26 or 2), and knows nothing of Blender::

    with Client("http://manager:8080/") as manager:
        print(manager.get_version().name)

Each operation of the API is a method of `Client`; what goes wrong is a `ClientError`. `models` and
`operations` are generated from the API's document, the other modules are written by hand.
"""

from .client import Client
from .errors import ApiError, BadAnswer, ClientError, ConnectionFailed, TimedOut

__all__ = ["ApiError", "BadAnswer", "Client", "ClientError", "ConnectionFailed", "TimedOut"]
