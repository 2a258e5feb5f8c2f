# SPDX-License-Identifier: GPL-3.0-or-later
"""How values are written in JSON, and read from it.

Reading is lenient where a newer or an older manager may differ: unknown fields are ignored, unknown words of
an enumeration are kept, and `null` is an empty list or object. What is missing or of the wrong type is an
error that names the place.
"""

from __future__ import annotations

import enum
import re
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, NamedTuple, TypeVar

from .errors import BadAnswer

M = TypeVar("M", bound="Model")


class OpenEnum(str, enum.Enum):
    """An enumeration of words. A word that it does not know becomes a member too, without a name."""

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(str(self.value), spec)


class Codec:
    """Reads and writes one kind of value. This one takes everything as it is."""

    def read(self, value: Any, place: str) -> Any:
        """The Python value of a JSON value; `place` says where it is, for error messages."""
        return value

    def write(self, value: Any) -> Any:
        """The JSON value of a Python value."""
        return value


class _Plain(Codec):
    """A value of one of JSON's own types."""

    def __init__(self, types: tuple[type, ...], name: str) -> None:
        self._types = types
        self._name = name

    def read(self, value: Any, place: str) -> Any:
        # For Python, True is a number too.
        if not isinstance(value, self._types) or (isinstance(value, bool) and bool not in self._types):
            raise wrong(place, self._name, value)
        return value


class _Integer(Codec):
    def read(self, value: Any, place: str) -> int:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong(place, "a whole number", value)
        return value


class _Object(Codec):
    def read(self, value: Any, place: str) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise wrong(place, "an object", value)
        return value

    def write(self, value: Any) -> Any:
        return dict(value)


class _Time(Codec):
    """RFC 3339. Python 3.10 reads neither `Z` nor more than six digits of a second."""

    _PATTERN = re.compile(
        r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
    )

    def read(self, value: Any, place: str) -> datetime:
        match = self._PATTERN.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise wrong(place, "a date and time with a time zone", value)
        year, month, day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = match.groups()
        offset = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
        zone = timezone(-offset if sign == "-" else offset) if offset else timezone.utc
        micros = int((fraction or "0")[:6].ljust(6, "0"))
        try:
            return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micros, tzinfo=zone)
        except ValueError as error:
            raise wrong(place, "a date and time that exists", value) from error

    def write(self, value: datetime) -> str:
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone, so the manager would not know which moment it is")
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


class ListOf(Codec):
    """A list of values of one kind."""

    def __init__(self, item: Codec) -> None:
        self.item = item

    def read(self, value: Any, place: str) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise wrong(place, "a list", value)
        return [self.item.read(item, f"{place}[{index}]") for index, item in enumerate(value)]

    def write(self, value: Any) -> list[Any]:
        return [self.item.write(item) for item in value]


class MapOf(Codec):
    """An object with any keys and values of one kind."""

    def __init__(self, item: Codec) -> None:
        self.item = item

    def read(self, value: Any, place: str) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise wrong(place, "an object", value)
        return {key: self.item.read(item, join(place, key)) for key, item in value.items()}

    def write(self, value: Any) -> dict[str, Any]:
        return {key: self.item.write(item) for key, item in value.items()}


class Choice(Codec):
    """A word of an enumeration."""

    def __init__(self, words: type[OpenEnum]) -> None:
        self.words = words

    def read(self, value: Any, place: str) -> OpenEnum:
        if not isinstance(value, str):
            raise wrong(place, "a word", value)
        return self.words(value)

    def write(self, value: OpenEnum | str) -> str:
        return str(value)


class Of(Codec):
    """An object of one class."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    def read(self, value: Any, place: str) -> Model:
        return self.model.from_json(value, place)

    def write(self, value: Model) -> dict[str, Any]:
        return value.to_json()


class Field(NamedTuple):
    """How one attribute is written."""

    #: Its name in Python.
    attribute: str
    #: Its name in JSON.
    name: str
    codec: Codec
    #: There is no answer without it.
    required: bool = False


class Model:
    """The base of all classes that are objects in JSON."""

    WIRE: ClassVar[tuple[Field, ...]] = ()

    @classmethod
    def from_json(cls: type[M], value: Any, place: str = "") -> M:
        """Makes an instance of a JSON object.

        Raises `BadAnswer` if something is missing or of the wrong type. What has a default may be missing.
        """
        if not isinstance(value, dict):
            raise wrong(place, f"an object ({cls.__name__})", value)
        values = {}
        for field in cls.WIRE:
            inside = join(place, field.name)
            if field.name not in value:
                if field.required:
                    raise BadAnswer(f"{inside} is missing")
                continue
            found = value[field.name]
            if found is not None or field.required:
                values[field.attribute] = field.codec.read(found, inside)
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """The JSON object. What is None is left out."""
        written = {}
        for field in self.WIRE:
            value = getattr(self, field.attribute)
            if value is not None:
                written[field.name] = field.codec.write(value)
        return written


def wrong(place: str, expected: str, found: Any) -> BadAnswer:
    """The error for a value that is not what it should be."""
    shown = repr(found)
    if len(shown) > 100:
        shown = shown[:100] + "…"
    return BadAnswer(f"{place or 'the answer'} should be {expected}, but is {shown}")


def join(place: str, name: str) -> str:
    """The place of a field of an object."""
    return f"{place}.{name}" if place else name


#: Any JSON value.
ANY = Codec()
TEXT = _Plain((str,), "a text")
INTEGER = _Integer()
NUMBER = _Plain((int, float), "a number")
BOOLEAN = _Plain((bool,), "true or false")
#: An object with any fields, as a dict.
OBJECT = _Object()
#: A moment, as a datetime with a time zone.
TIME = _Time()

#: Instead of a codec, for answers that are not JSON: the status code, text, or bytes.
STATUS = object()
PLAIN_TEXT = object()
BYTES = object()
