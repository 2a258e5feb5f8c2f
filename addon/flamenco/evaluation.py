# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates the Python expressions of job types. They can do everything that Blender can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EvaluationError", "evaluate"]


class EvaluationError(Exception):
    """An expression failed."""

    def __init__(self, key: str, expression: str, reason: str) -> None:
        super().__init__(f"cannot work out the setting {key!r}: {reason}")
        #: The setting.
        self.key = key
        #: Its expression.
        self.expression = expression
        #: Why it failed, for people.
        self.reason = reason


def evaluate(key: str, expression: str, names: Mapping[str, Any]) -> Any:
    """The value of a setting's expression.

    The names are its globals, so that lambdas and generators inside of it see them, too.
    """
    try:
        return eval(compile(expression, f"<setting {key}>", "eval"), dict(names))
    except EvaluationError as error:
        # Another setting that this one looks at.
        raise EvaluationError(key, expression, error.reason) from error
    except RecursionError as error:
        raise EvaluationError(key, expression, "it depends on itself") from error
    except Exception as error:
        reason = str(error) if isinstance(error, ValueError) and str(error) else f"{type(error).__name__}: {error}"
        raise EvaluationError(key, expression, reason) from error
