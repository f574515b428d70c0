"""Configurations on disk: frozen dataclasses to JSON and back, without losing which variant was chosen.

A nested dataclass is written as {"type": class name, fields...}, so a field that is a union of configurations
(`field: HashGridConfig | ...`) reads back as the variant that was saved.

A field that is not in the file gets its default, where it has one: the file is older than the field. So the default of
a new field must mean what was done before there was one.
"""

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from teacher.errors import UserError

C = TypeVar("C")


def to_plain(value: object) -> Any:
    """`value` as JSON's types: dataclasses become tagged dictionaries, tuples lists, paths text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def from_plain(kind: type[C], value: Any, where: str = "configuration") -> C:
    """The inverse of `to_plain` for a value of type `kind`.

    Raises:
        UserError: a key is unknown, or one is missing that has no default.
    """
    return _read(kind, value, where)


def with_defaults(kind: type, value: Any, where: str = "configuration") -> Any:
    """The plain `value` of a `kind`, with what it does not say yet as it would be written now."""
    return to_plain(from_plain(kind, value, where))


def _read(kind: Any, value: Any, where: str) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return _read_union(typing.get_args(kind), value, where)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_read(k, v, where) for k, v in zip(kinds, value, strict=True))
    if typing.get_origin(kind) is dict:
        _, inner = typing.get_args(kind)
        return {key: _read(inner, item, f"{where}.{key}") for key, item in value.items()}
    return Path(value) if kind is Path else value


def _read_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None:
        return None
    named = {kind.__name__: kind for kind in kinds if isinstance(kind, type)}
    named = {name: kind for name, kind in named.items() if dataclasses.is_dataclass(kind)}
    if isinstance(value, dict) and named:
        if value.get("type") not in named:
            raise _misfit(where, f"type {value.get('type')!r}", f"one of {', '.join(named)}")
        return _read(named[value["type"]], value, where)
    plain = [kind for kind in kinds if kind is not type(None) and kind not in named.values()]
    return _read(plain[0], value, where)


def _read_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _misfit(where, repr(value), f"the fields of {kind.__name__}")
    hints = typing.get_type_hints(kind)
    names = {f.name for f in dataclasses.fields(kind)}
    given = value.keys() - {"type"}
    if not _required(kind) <= given <= names:
        raise _misfit(where, f"keys {sorted(given)}", f"keys {sorted(names)}")
    return kind(**{name: _read(hints[name], value[name], f"{where}.{name}") for name in given})


def _required(kind: Any) -> set[str]:
    missing = dataclasses.MISSING
    fields = dataclasses.fields(kind)
    return {f.name for f in fields if f.default is missing and f.default_factory is missing}


def _misfit(where: str, given: str, expected: str) -> UserError:
    remedy = "it was written by another version of Pocketfield: train again, or use that version"
    return UserError(where, given, expected, remedy)
