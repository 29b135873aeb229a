"""What the inline driver does here in place of a claim: it takes what hints tell of.

Each hint is delivered twice, each once more with those that come after it, and every second batch
is turned around: a hint is only a hint. It may take nothing that no message told of.
"""

from collections.abc import Sequence
from uuid import UUID

from durable_django.executors.dispatches import Dispatches
from durable_django.executors.django_q import DjangoQ
from durable_django.store import dispatching
from durable_django.store.claiming import Claimed
from durable_django.store.dispatching import Hint
from durable_django.store.gates import read_gates
from tests.handing_over.engine import Inbox, never_commits


class Taking:
    """One test's. ``turns``: whether batches are turned around."""

    def __init__(self, engine: DjangoQ, *, turns: bool = True) -> None:
        self.engine = engine
        self._turns = turns
        self.dispatches = Dispatches(engine)
        self._late: list[Hint] = []
        self._batches = 0

    def claim(self, worker_id: UUID, queues: Sequence[str], count: int) -> list[Claimed]:
        """Hands over what is ready and was not announced, and takes what the broker delivers."""
        if never_commits():
            # What was to be sent then is lost. In the order of the claim it is handed over again.
            for queue in queues:
                lost = dispatching.oldest_untaken([queue])
                dispatching.withdraw([one.hint for one in lost])
        # Anew: what an operator did a moment ago is seen by another process a moment later.
        Dispatches(self.engine).dispatch(queues, worker_id)
        clusters = dict.fromkeys(map(self.engine.cluster_of, ["default", *queues]))
        return [run for cluster in clusters for run in self._taken(worker_id, cluster)]

    def _taken(self, worker_id: UUID, cluster: str) -> list[Claimed]:
        inbox = Inbox(cluster)
        messages = inbox.read()
        if not messages:
            return []
        hints = [message.hint for message in messages]
        self._batches += 1
        if self._turns and self._batches % 2 == 0:
            hints.reverse()
        late, self._late = self._late, hints
        gates = read_gates()
        taken = [dispatching.take(worker_id, hint, gates)[0] for hint in late + hints]
        again = [dispatching.take(worker_id, hint, gates)[0] for hint in hints]
        assert not any(again), "a hint that came twice was good twice"
        for message in messages:
            inbox.acknowledge(message)
        return [run for run in taken if run is not None]
