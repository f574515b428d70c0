"""The page's types of JSON files that export writes, generated from the Python dataclasses.

    export.manifest.Manifest --reachable dataclasses, docstrings--> web/viewer/src/manifest.ts
    export.gallery.Gallery                                     --> web/viewer/src/gallery_index.ts

The two sides cannot drift apart: `tests/export/test_typescript.py` holds each file equal to
`generate()`, and `python -m export types` writes them again.
"""

import ast
import dataclasses
import inspect
import itertools
import textwrap
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from export import gallery
from export.manifest import MANIFEST, SCHEMA, Manifest
from teacher.files import replacing

COMMAND = "python -m export types"
_SOURCES = Path(__file__).parent.parent / "web/viewer/src"
GENERATED = _SOURCES / "manifest.ts"
GENERATED_GALLERY = _SOURCES / "gallery_index.ts"
_WIDTH = 100
_SCALARS = {int: "number", float: "number", str: "string", bool: "boolean", types.NoneType: "null"}
_HEADER = """\
// Generated from export/{module}.py by `{command}`: change the dataclasses, not this file.

/** Version of {file} that this page reads; any other is refused. */
export const SCHEMA = {schema};
"""


def generate() -> str:
    """The text of `manifest.ts`: `SCHEMA` and an interface for each dataclass in a `Manifest`."""
    return _generate(Manifest, "manifest", MANIFEST, SCHEMA)


def generate_gallery() -> str:
    """The same of `gallery_index.ts`."""
    return _generate(gallery.Gallery, "gallery", gallery.INDEX, gallery.SCHEMA)


def _generate(root: type, module: str, file: str, schema: int) -> str:
    header = _HEADER.format(module=module, command=COMMAND, file=file, schema=schema)
    return "\n".join([header, *(interface(kind) for kind in reachable(root))])


def write(path: Path, text: str | None = None) -> None:
    """Write `text`, by default `generate()`, to `path`, atomically."""
    with replacing(path) as partial:
        partial.write_text(generate() if text is None else text)


def reachable(root: type) -> list[type]:
    """`root` and the dataclasses its fields use, each after those that it depends on."""
    found: dict[type, None] = {}
    for hint in get_type_hints(root).values():
        for kind in _dataclasses_in(hint):
            found.update(dict.fromkeys(reachable(kind)))
    return [*found, root]


def _dataclasses_in(hint: Any) -> list[type]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return [hint]
    return [kind for argument in get_args(hint) for kind in _dataclasses_in(argument)]


def interface(kind: type) -> str:
    """One dataclass as a TypeScript interface with read-only fields; docstrings become JSDoc."""
    hints, documents = get_type_hints(kind), field_documents(kind)
    lines = [*_jsdoc(inspect.getdoc(kind) or "", ""), f"export interface {kind.__name__} {{"]
    for field in dataclasses.fields(kind):
        lines += _jsdoc(documents.get(field.name, ""), "  ")
        optional = "" if field.default is dataclasses.MISSING else "?"  # an older file lacks it
        lines += [f"  readonly {field.name}{optional}: {type_name(hints[field.name])};"]
    return "\n".join([*lines, "}", ""])


def type_name(hint: Any) -> str:
    """The TypeScript type of JSON written from a value annotated `hint`.

    >>> type_name(tuple[float, float]), type_name(float | None)
    ('readonly [number, number]', 'number | null')
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple and arguments[-1] is Ellipsis:
        of = type_name(arguments[0])
        return f"readonly ({of})[]" if of.startswith("readonly") else f"readonly {of}[]"
    if origin is tuple:
        return f"readonly [{', '.join(map(type_name, arguments))}]"
    if origin is dict:
        return f"Readonly<Record<{', '.join(map(type_name, arguments))}>>"
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in (types.UnionType, Union):
        return " | ".join(map(type_name, arguments))
    return _SCALARS.get(hint) or hint.__name__


def field_documents(kind: type) -> dict[str, str]:
    """Docstrings written below the fields of a dataclass, which Python itself throws away."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    documents = {}
    for field, after in itertools.pairwise(definition.body):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                documents[name] = inspect.cleandoc(text)
    return documents


def _jsdoc(text: str, indent: str) -> list[str]:
    if not text:
        return []
    if len(text) + len(indent) + 7 <= _WIDTH and "\n" not in text:
        return [f"{indent}/** {text} */"]
    inner = textwrap.wrap(" ".join(text.split()), _WIDTH - len(indent) - 3)
    return [f"{indent}/**", *(f"{indent} * {line}" for line in inner), f"{indent} */"]
