"""Tool schemas of every build that chat templates tell apart.

Templates walk through schemas by type: some print JSON, some TypeScript, some XML. A
few fixed schemas reach all of that; generators choose among those that a template takes.
"""

from __future__ import annotations

from typing import Any

from maskspec.shapes.messages import WEATHER_TOOL

__all__ = ["SCHEMAS", "is_flat"]


def _schema(name: str, description: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, **more}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


_PERSON = {
    "type": "object",
    "description": "A person",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "contact": {"type": "object", "properties": {"email": {"type": "string", "format": "email"}}},
    },
    "required": ["name"],
}

SCHEMAS: tuple[dict[str, Any], ...] = (
    WEATHER_TOOL,
    _schema("now", "Tell the time", {}),
    _schema(
        "add",
        "Add two numbers",
        {"a": {"type": "number", "description": "First"}, "b": {"type": "integer"}},
        required=["a", "b"],
    ),
    _schema(
        "set_mode",
        "Choose a mode\nfor everything that follows",
        {
            "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
            "loud": {"type": "boolean", "default": False},
            "note": {"type": ["string", "null"], "description": "Optional"},
        },
        required=["mode"],
    ),
    _schema(
        "order",
        "Order an item",
        {
            "item": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            "count": {"type": "integer"},
        },
        required=["item"],
    ),
    _schema(
        "search",
        'Search "pages" <quickly> & well',
        {
            "query": {"type": "string"},
            "limit": {"type": "integer", "default": 10, "minimum": 1, "maximum": 50},
            "sites": {"type": "array", "items": {"type": "string"}},
            "exact": {"type": "boolean"},
        },
        required=["query"],
    ),
    _schema(
        "book",
        "Book a journey",
        {
            "passenger": _PERSON,
            "legs": {
                "type": "array",
                "description": "Every leg",
                "items": {
                    "type": "object",
                    "properties": {"to": {"type": "string"}, "class": {"type": "string", "enum": ["first", "second"]}},
                    "required": ["to"],
                },
            },
            "options": {"type": "object", "additionalProperties": True},
            "price": {"anyOf": [{"type": "number"}, {"type": "null"}], "description": "At most"},
        },
        required=["passenger", "legs"],
        additionalProperties=False,
    ),
    {
        "type": "function",
        "function": {
            **_schema(
                "store",
                "Store a value",
                {
                    "key": {"type": "string", "title": "Key", "examples": ["k"]},
                    "value": {"oneOf": [{"type": "string"}, {"type": "integer"}], "nullable": True},
                    "counts": {"type": "array", "items": {"type": "integer"}, "default": []},
                    "marks": {"type": "array", "items": {"type": "boolean"}, "description": "Marks"},
                    "rate": {"type": "number", "nullable": True, "default": 0.5},
                    "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
                },
                required=["key"],
            )["function"],
            "strict": True,
            "return": {"type": "object", "properties": {"stored": {"type": "boolean"}}, "description": "Success"},
        },
    },
    {
        "type": "function",
        "function": {
            "name": "undescribed",
            "parameters": {
                "type": "object",
                "properties": {"x": {"type": "string"}, "of": {"type": "integer", "enum": [1, 2]}, "any": {}},
                "$defs": {"unused": {"type": "string"}},
            },
        },
    },
    {"type": "function", "function": {"name": "bare", "description": "Takes nothing"}},
)
"""All schemas, the simplest first: nested objects, lists of objects, alternatives and omissions after the flat ones."""

_NESTING = ("array", "object")


def is_flat(schema: dict[str, Any]) -> bool:
    """Whether all arguments are strings, numbers, booleans or null."""
    properties = schema["function"].get("parameters", {}).get("properties", {})
    return not any(of.get("type") in _NESTING for of in properties.values())
