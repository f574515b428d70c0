"""Several ES modules as one script: Streamlit takes a component's JavaScript as one string, and there is no build step.

    js/index.mjs --imports, depth first--> each module becomes a function that returns its exports --> one text

Modules keep their own scopes. They may use what the joiner knows, and nothing else: `import { a, b as c } from
"./x.mjs"`, and `export` before a function, class or const; in the entry also `export default function`. Anything else
that begins with import or export is refused here rather than by a browser.
"""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"\./([\w-]+\.mjs)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) ([\w$]+))", re.MULTILINE)
_DEFAULT = re.compile(r"^export default function ([\w$]+)", re.MULTILINE)
_STRANGE = re.compile(r"^(?:import\b|export\b).*$|\bimport\s*\(|\bimport\.meta\b", re.MULTILINE)


def joined(entry: Path) -> str:
    """The module `entry` and all that it imports, as one module with the same default export.

    Raises:
        ValueError: A module is missing, imports itself by a detour, or has an import or export of another form.
    """
    texts: dict[str, str] = {}
    _collect(entry, (), texts)
    last = texts.pop(entry.name)
    main = _DEFAULT.search(last)
    if main is None:
        raise ValueError(f"{entry}: expected one `export default function NAME`")
    body = _body(entry, _DEFAULT.sub(r"function \1", last))
    parts = [
        f"const {_name(name)} = {_wrapped(entry.with_name(name), text)}"
        for name, text in texts.items()
    ]
    return "\n".join([*parts, body, f"export default {main[1]};", ""])


def _collect(module: Path, above: tuple[str, ...], texts: dict[str, str]) -> None:
    """`texts` gets what `module` imports before `module` itself."""
    if module.name in above:
        raise ValueError(f"modules import each other: {' -> '.join((*above, module.name))}")
    if module.name in texts:
        return
    try:
        text = module.read_text()
    except OSError as error:
        raise ValueError(f"{module}, imported by {above[-1:]}: {error.strerror}") from error
    for match in _IMPORT.finditer(text):
        _collect(module.with_name(match[2]), (*above, module.name), texts)
    texts[module.name] = text


def _wrapped(module: Path, text: str) -> str:
    """A function that runs the module and returns what it exports."""
    names = _EXPORT.findall(text)
    return f"(() => {{\n{_body(module, text)}\nreturn {{ {', '.join(names)} }};\n}})();"


def _body(module: Path, text: str) -> str:
    """`text` with imports taken from the functions above, and without the word export."""
    body = _EXPORT.sub("", _IMPORT.sub(_destructured, text))
    strange = _STRANGE.search(body)
    if strange is not None:
        raise ValueError(f"{module}: cannot join {strange[0]!r}")
    return body


def _destructured(match: re.Match[str]) -> str:
    names = match[1].replace(" as ", ": ")
    return f"const {{{names}}} = {_name(match[2])};"


def _name(module: str) -> str:
    return "module_" + re.sub(r"\W", "_", module.removesuffix(".mjs"))
