"""The one error that is shown to users, and the one place that turns errors into exit codes.

Everything a user can get wrong raises `UserError`, which names the thing, what was given, what was expected and what
to do. `exit_on_user_error` wraps a command line: such an error is printed on one screen and the process ends with 2.
"""

import errno
import sys
from collections.abc import Callable


class UserError(ValueError):
    """Input that cannot be used: the thing at fault, what was given, what was expected, what to do.

    >>> print(UserError("camera 'r_3'", "a NaN pose", "16 finite numbers", "remove the frame"))
    camera 'r_3'
      given:    a NaN pose
      expected: 16 finite numbers
      remedy:   remove the frame
    """

    def __init__(self, thing: str, given: str, expected: str, remedy: str) -> None:
        super().__init__(thing, given, expected, remedy)
        self.thing, self.given, self.expected, self.remedy = thing, given, expected, remedy

    def __str__(self) -> str:
        return (
            f"{self.thing}\n  given:    {self.given}\n"
            f"  expected: {self.expected}\n  remedy:   {self.remedy}"
        )


def _disk_full(error: OSError) -> UserError:
    return UserError(
        f"writing {error.filename or 'a file'}",
        "a full disk",
        "room for the artefacts of this stage",
        "free some space and run the same command again: it resumes from the last checkpoint",
    )


def is_full_disk(error: OSError) -> bool:
    """Whether there was no room, on the disk or in the user's share of it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def exit_on_user_error(main: Callable[[], None]) -> None:
    """Run a command line's `main`; exit 2 on a `UserError` or a full disk, 130 on Ctrl-C."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if not is_full_disk(error):
            raise
        print(f"error: {_disk_full(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted: run the same command again to go on", file=sys.stderr)
        sys.exit(130)
