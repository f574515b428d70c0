"""Packages that only some commands need, and what to say where one is not installed."""

from importlib import import_module
from typing import Any

from teacher.errors import UserError


def needed(module: str, extra: str) -> Any:
    """The module `module`, which the extra `extra` of this package installs.

    Raises:
        UserError: its package is missing; names what to install.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise UserError(
            f"the package {package}",
            "it is not installed",
            f"what the extra `{extra}` brings",
            f'pip install -e ".[{extra}]"',
        ) from None
