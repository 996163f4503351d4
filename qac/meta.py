"""What a model file's section ``meta`` says: settings as JSON, each of its type before anything relies on it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from qac._native import MAX_LABEL_BYTES, VectorizerConfig
from qac.config import DecodingConfig, Loss


@dataclass(frozen=True)
class ComposerMeta:
    """What of a composer is no array."""

    word_order: int
    character_order: int
    older: tuple[float, ...]
    settings: Mapping[str, float]


@dataclass(frozen=True)
class ModelMeta:
    """What of a model is no array."""

    qac: str
    """Version of the program that wrote it."""
    text: str
    """Text protocol of the training, to be applied to requests."""
    unicode: str
    """Version of the Unicode tables that texts were normalised by."""
    labels: int
    weights: int
    weight_bits: int
    max_label_bytes: int
    repeat_weight: float
    recall: tuple[float, ...]
    loss: Loss
    decoding: DecodingConfig
    session: VectorizerConfig
    prefix: VectorizerConfig | None
    composer: ComposerMeta | None
    config: Mapping[str, Any]
    """The TrainingConfig, not read yet: :func:`read_settings`."""
    summary: Mapping[str, float]

    def __post_init__(self) -> None:
        if not 1 <= self.max_label_bytes <= MAX_LABEL_BYTES:
            raise ValueError(f'"max_label_bytes" must be from 1 to {MAX_LABEL_BYTES}, got {self.max_label_bytes}')


def parse_meta(content: bytes) -> ModelMeta:
    """Read the section.

    Raises
    ------
    ValueError, RecursionError, OverflowError
        It is not JSON, lacks a setting, or one is not of its type or not in its range.
    """
    return read_settings(ModelMeta, json.loads(content, parse_constant=_refuse))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no setting")


_T = TypeVar("_T")


def read_settings(kind: type[_T], stored: object, place: str = "") -> _T:
    """Return the dataclass that JSON says.

    What it says beyond the fields is let be: a newer version may have put it there.

    Raises
    ------
    ValueError, OverflowError
        A field is missing or not of its type or not in its range.
    """
    if not isinstance(stored, dict):
        raise ValueError(f"the settings {place or 'as a whole'} are not an object")
    hints = get_type_hints(kind)
    values = {}
    for field in fields(kind):  # type: ignore[arg-type]  # mypy has no type of dataclasses' types
        name = f"{place}.{field.name}" if place else field.name
        if field.name not in stored:
            raise ValueError(f'the setting "{name}" is missing')
        values[field.name] = _read(hints[field.name], stored[field.name], name)
    return kind(**values)


def _read(hint: Any, value: Any, name: str) -> Any:
    if is_dataclass(hint):
        return read_settings(hint, value, name)  # type: ignore[arg-type]  # it is a type, not an instance
    origin, parts = get_origin(hint), get_args(hint)
    if NoneType in parts:
        (other,) = (part for part in parts if part is not NoneType)
        return None if value is None else _read(other, value, name)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(parts[0], item, name) for item in value)
    if origin is Mapping and isinstance(value, dict):
        return {key: _read(parts[1], item, f"{name}.{key}") for key, item in value.items()}
    if hint is Any or (origin is Literal and value in parts) or _is_number(hint, value) or type(value) is hint:
        return value
    raise ValueError(f'the setting "{name}" cannot be {value!r:.60}')


def _is_number(hint: Any, value: object) -> bool:
    return hint is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
