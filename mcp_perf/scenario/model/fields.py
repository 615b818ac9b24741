"""What all parts of the model share, and how their values are read.

A file with mistakes is read twice: strictly, which shows what is wrong with its values, and as a
*draft*, whose wrong values are left out or stay as written. What the parts must agree on is then
checked in the draft, so one mistake does not hide another.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, Final, Self, TypeVar, get_origin

import pydantic
from pydantic_core import CoreSchema

from mcp_perf.scenario.model import syntax
from mcp_perf.scenario.problems.mistake import Path
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.values import units

DRAFT: Final = "draft"
"""The context in which a part is built from its valid values."""
LOOKUPS: Final = "lookups"
"""Marks what may hold `${…}`."""

T = TypeVar("T")
Looked = Annotated[T, LOOKUPS]


def accepts(check: Callable[[T], T]) -> pydantic.AfterValidator:
    """Return the validator for what a value has to be besides its type."""

    def validate(value: T, info: pydantic.ValidationInfo) -> T:
        return value if info.context == DRAFT else check(value)

    return pydantic.AfterValidator(validate)


def as_list(value: Any) -> Any:
    """Take one value as a list of one. Refuse an empty list: it would expect nothing at all."""
    if value == []:
        raise InputError("an empty list expects nothing", "write a value, or remove the key")
    return value if isinstance(value, list | tuple) else [value]


def reads(read: Callable[[Any], Any]) -> pydantic.PlainValidator:
    """Return what reads a value; in a draft, one that cannot be read stays as written."""

    def validate(value: Any, info: pydantic.ValidationInfo) -> Any:
        try:
            return read(value)
        except InputError:
            if info.context != DRAFT:
                raise
            return value

    return pydantic.PlainValidator(validate)


class _OneOrMore:
    """Says in the JSON Schema that a list of one may be written as that one."""

    @staticmethod
    def __get_pydantic_json_schema__(
        schema: CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> dict[str, Any]:
        many = handler(schema)
        return {"anyOf": [many["items"], {**many, "minItems": 1}]}


Listed = Annotated[tuple[T, ...], pydantic.BeforeValidator(as_list), _OneOrMore]


def one_key(**keys: str) -> dict[str, Any]:
    """Return the JSON Schema of a mapping with one of these keys, and the types of their values."""
    properties = {key: {"type": kind} for key, kind in keys.items()}
    return {**_mapping(properties), "minProperties": 1, "maxProperties": 1}


def all_keys(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a mapping with all of these keys."""
    return {**_mapping(properties), "required": [*properties]}


def _mapping(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def either(*forms: dict[str, Any]) -> pydantic.WithJsonSchema:
    """Say in the JSON Schema how a value may be written."""
    return pydantic.WithJsonSchema({"anyOf": [*forms]} if forms[1:] else forms[0])


def _text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern}$"}


DURATION: Final = _text(units.DURATION)
PERCENT: Final = _text(units.PERCENT)
Seconds = Annotated[float, pydantic.BeforeValidator(units.seconds), either(DURATION)]
_positive = pydantic.BeforeValidator(units.positive_seconds)
PositiveSeconds = Annotated[float, _positive, either(DURATION)]
PerSecond = Annotated[float, pydantic.BeforeValidator(units.per_second), either(_text(units.RATE))]
Fraction = Annotated[float, pydantic.BeforeValidator(units.fraction), either(PERCENT)]
Identifier = Annotated[str, accepts(syntax.identifier)]
Expression = Annotated[str, accepts(syntax.expression)]
Pattern = Annotated[str, accepts(syntax.pattern)]
NumberOrLookup = Annotated[Any, accepts(syntax.number), either({"type": ["number", "string"]})]
Headers = Annotated[dict[str, str], accepts(syntax.headers)]
Flat = Annotated[dict[str, Any], accepts(syntax.flat)]
ToolName = Annotated[str, accepts(syntax.tool)]
Uri = Annotated[str, accepts(syntax.uri)]
Whole = Annotated[int, pydantic.Field(strict=True)]
Positive = Annotated[float, pydantic.Field(strict=True, gt=0, allow_inf_nan=False)]
Flag = Annotated[bool, pydantic.Field(strict=True)]


class Part(pydantic.BaseModel):
    """A part of a scenario."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    def check(self) -> None:
        """Refuse values that do not go together. Raises InputError."""

    @classmethod
    @cache
    def by_key(cls) -> dict[str, str]:
        """Return the keys of the file -> the names of the fields."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}

    @classmethod
    def misplaced(cls, key: str) -> InputError:
        """Say what is wrong with a key that the part does not have."""
        return InputError(f"unknown key {quote(key)}", suggest(key, cls.by_key()))

    def at(self, key: str) -> Any:
        """Return the value of a key of the file."""
        return getattr(self, self.by_key().get(key, key))

    def texts(self, path: Path) -> Iterator[tuple[Path, Any]]:
        """Yield the values that may hold lookups, each with its path."""
        fields = type(self).model_fields
        for key, name in self.by_key().items():
            value = getattr(self, name)
            if isinstance(value, Part):
                yield from value.texts((*path, key))
            elif value and LOOKUPS in fields[name].metadata:
                yield (*path, key), value

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _build(
        cls, given: Any, handler: Callable[[Any], Self], info: pydantic.ValidationInfo
    ) -> Self:
        if info.context != DRAFT:
            part = handler(given)
            part.check()
            return part
        written = given if isinstance(given, dict) else {}
        kept = {
            key: value
            for key, value in written.items()
            if key in cls.by_key() or cls.model_config["extra"] == "allow"
        }
        fields = cls.model_fields
        needed = [key for key, name in cls.by_key().items() if fields[name].is_required()]
        try:
            return handler({**dict.fromkeys(needed), **kept})
        except pydantic.ValidationError:
            return cls.model_construct()

    @pydantic.field_validator("*", mode="wrap")
    @classmethod
    def _keep(cls, value: Any, handler: Callable[[Any], Any], info: pydantic.ValidationInfo) -> Any:
        """In a draft, keep a wrong mapping as written; leave out anything else that is wrong."""
        try:
            return handler(value)
        except pydantic.ValidationError:
            if info.context != DRAFT:
                raise
        field = cls.model_fields[str(info.field_name)]
        if get_origin(field.annotation) is dict:
            return value if isinstance(value, dict) else {}
        return None if field.is_required() else field.get_default(call_default_factory=True)
