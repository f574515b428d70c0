"""The command line's part: whether to show a training, and where."""

from dataclasses import dataclass

from teacher.errors import UserError
from teacher.live.view import LiveView


@dataclass(frozen=True)
class LiveOptions:
    """A live view of the training, in a browser on this machine; changes nothing of what is learnt."""

    viewer: bool = False
    """Show it (needs the extra `viewer`: viser)."""
    viewer_port: int = 7007
    """Port on this machine."""
    viewer_share: float = 0.2
    """Most of the time that goes into pictures for it."""

    def open(self) -> LiveView | None:
        """The view, if it is wanted.

        Raises:
            UserError: viser is missing, the port is taken, or the share is no share.
        """
        if not self.viewer:
            return None
        if not 0 < self.viewer_share <= 1:
            given = f"{self.viewer_share:g}"
            raise UserError("--viewer-share", given, "above 0, at most 1", "0.2 is usual")
        from teacher.live.server import ViserServer

        return LiveView(ViserServer(self.viewer_port), self.viewer_share)
