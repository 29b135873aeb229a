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
        """Whether some worker lives that wakes what is due, fires schedules and takes back what
        dead ones held, as processes of clusters do not. Where none does, that is told once."""
        return self.fleet.is_kept
