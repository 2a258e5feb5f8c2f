# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on a thread whose result is picked up later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Background"]

T = TypeVar("T")


class Background(Generic[T]):
    """Starts at once. Blender may quit while it runs."""

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._value: T
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"flamenco-{name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:
            # It is raised where the result is asked for.
            self._error = error

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return not self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the result; whether there is one."""
        self._thread.join(seconds)
        return self.is_done

    def result(self) -> T:
        """The result; waits for it, and raises what the work raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value
