"""Frozen dataclasses to JSON values and back, checked against their annotations.

A field with a default may be missing (a file from before the field existed); an unknown one is refused (a newer version
wrote it, or somebody mistyped it). Decoders are composed once per type, so that long lists of numbers stay cheap.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from harness.files.number_lists import NumberList
from harness.files.strict_json import MAX_INTEGER, MAX_NUMBER, Mismatch, describe, number, shown

T = TypeVar("T")
Decoder = Callable[[object], Any]


def encode(value: object) -> Any:
    """``value`` as dictionaries, lists, strings, numbers, booleans and None.

    Raises ValueError on NaN, infinity and other numbers that ``decode`` would refuse.
    """
    if isinstance(value, float):
        if not -MAX_NUMBER <= value <= MAX_NUMBER:  # also false for NaN
            raise ValueError(f"only finite numbers within ±{MAX_NUMBER:g} can be stored, not {value}")
        return value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): encode(item) for name, item in value.items()}
    if isinstance(value, array):
        return encode(tuple(value))
    if is_dataclass(value):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def decode(kind: type[T], node: object) -> T:
    """The value of type ``kind`` that ``node`` stands for. Raises Mismatch with the path to what is wrong."""
    return cast("T", _decoder(cast("Any", kind))(node))


@cache
def _decoder(kind: Any) -> Decoder:
    if is_dataclass(kind):
        return _object(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _one_of(arguments)
    if origin in (tuple, Sequence):
        return _sequence(arguments, fixed=origin is tuple and arguments[-1] is not ...)
    if origin in (Union, UnionType):  # ``Literal | None`` gives the former
        return _optional(arguments)
    if origin is Mapping:
        return _mapping(arguments[1])
    raise TypeError(f"no decoder for {kind}")


def _text(node: object) -> str:
    if not isinstance(node, str):
        raise Mismatch(describe(node), "a string")
    return node


def _integer(node: object) -> int:
    if not isinstance(node, int) or isinstance(node, bool) or abs(node) > MAX_INTEGER:
        raise Mismatch(describe(node), "a whole number")
    return node


def _boolean(node: object) -> bool:
    if not isinstance(node, bool):
        raise Mismatch(describe(node), "true or false")
    return node


_SCALARS: dict[Any, Decoder] = {str: _text, int: _integer, float: number, bool: _boolean}


def _one_of(choices: tuple[str, ...]) -> Decoder:
    def read(node: object) -> str:
        if not isinstance(node, str) or node not in choices:
            raise Mismatch(describe(node), " or ".join(choices))
        return node

    return read


def _optional(arguments: tuple[Any, ...]) -> Decoder:
    (kind,) = (argument for argument in arguments if argument is not NoneType)
    read_some = _decoder(kind)
    return lambda node: None if node is None else read_some(node)


def _sequence(arguments: tuple[Any, ...], *, fixed: bool) -> Decoder:
    read_item = _decoder(arguments[0])
    length = len(arguments) if fixed else None

    def read(node: object) -> Sequence[Any]:
        if isinstance(node, NumberList):
            numbers = {float: node.floats, int: node.integers}.get(arguments[0], lambda: None)()
            if numbers is not None and length is None:
                return numbers
            node = node.plain()
        if not isinstance(node, list) or (length is not None and len(node) != length):
            raise Mismatch(describe(node), "a list" if length is None else f"a list of {length}")
        items: list[Any] = []
        try:
            items.extend(map(read_item, node))
        except Mismatch as mismatch:
            raise mismatch.under(f"[{len(items)}]") from None
        return tuple(items)

    return read


def _members(node: object) -> Mapping[str, object]:
    if not isinstance(node, dict):
        raise Mismatch(describe(node), "an object")
    return node


def _mapping(kind: Any) -> Decoder:
    read_item = _decoder(kind)

    def read(node: object) -> Mapping[str, Any]:
        return {name: _at(name, read_item, item) for name, item in _members(node).items()}

    return read


def _object(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    readers = {field.name: _decoder(hints[field.name]) for field in fields(kind)}
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}

    def read(node: object) -> Any:
        members = _members(node)
        for name in members.keys() - readers.keys():
            raise Mismatch("an unknown key", f"one of {', '.join(readers)}", shown(name))
        for name in required - members.keys():
            raise Mismatch("nothing", "a value", name)
        return kind(**{name: _at(name, readers[name], item) for name, item in members.items()})

    return read


def _at(name: str, read: Decoder, node: object) -> Any:
    try:
        return read(node)
    except Mismatch as mismatch:
        raise mismatch.under(name) from None
