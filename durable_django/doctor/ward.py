"""The ward: what all examiners need to know of the fleet, read once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..figures import Fleet


@dataclass(frozen=True)
class Ward:
    """The database's time, and the fleet as it was then."""

    now: datetime
    fleet: Fleet

    @property
    def is_staffed(self) -> bool:
        """Whether some worker lives. Where none does nothing moves, which is told once."""
        return self.fleet.alive > 0
