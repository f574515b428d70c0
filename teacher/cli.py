"""What the stages' command lines share: verbs and named presets, read by tyro.

python -m STAGE VERB [PRESET] --field value ...
"""

import dataclasses
import difflib
import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Union

import tyro

from teacher.errors import UserError

Presets = Mapping[str, tuple[str, Any]]
"""Name to (description, configuration)."""


def preset_command(base: type, name: str, description: str, config: Any) -> Any:
    """The subcommand `name` of the verb `base`: its field `train` defaults to `config`.

    `base` is a frozen, keyword-only dataclass whose field `train` has no default; `preset` holds the name.
    """
    hint = next(f.type for f in dataclasses.fields(base) if f.name == "train")
    field = ("train", hint, dataclasses.field(default=config))
    kind = dataclasses.make_dataclass(
        name, [field], bases=(base,), namespace={"preset": name}, frozen=True, kw_only=True
    )
    subcommand = tyro.conf.subcommand(name, description=description, prefix_name=False)
    return Annotated[kind, subcommand]


def _check_preset(prog: str, presets: Presets) -> None:
    """Name the presets in our own words: the parser's message for this is hard to read."""
    if len(sys.argv) < 3 or sys.argv[1] != "train":
        return
    name = sys.argv[2]
    if name in presets or name.startswith("-"):
        return
    close = difflib.get_close_matches(name, presets, 1)
    remedy = f"did you mean {close[0]!r}?" if close else f"`{prog} train --help` says more"
    raise UserError("preset", repr(name), f"one of {', '.join(presets)}", remedy)


def run_command_line(prog: str, train: type, presets: Presets, others: tuple[type, ...]) -> None:
    """Parse the command line and run its verb: `train PRESET` or one of `others` (named by their class)."""
    os.environ.setdefault(
        "THP_MEM_ALLOC_ENABLE", "1"
    )  # huge pages: zeroing a table's gradient costs a quarter
    _check_preset(prog, presets)
    commands = [preset_command(train, name, *preset) for name, preset in presets.items()]
    verb = tyro.conf.subcommand("train", description=train.__doc__, prefix_name=False)
    presets_verb = Annotated[Union[tuple(commands)], verb]  # noqa: UP007 - a union built at run time
    run_verbs(prog, others, (presets_verb,))


def run_verbs(prog: str, kinds: tuple[type, ...], first: tuple[Any, ...] = ()) -> None:
    """Parse the command line and run its verb: one of `first` (annotated for tyro) or of `kinds`, by class name."""
    verbs = [
        Annotated[kind, tyro.conf.subcommand(kind.__name__.lower(), prefix_name=False)]
        for kind in kinds
    ]
    union: Any = Union[(*first, *verbs)]
    tyro.cli(union, prog=prog, config=(tyro.conf.AvoidSubcommands,)).run()
