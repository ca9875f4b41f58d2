"""The desk: one place where every request is first looked up, then asked, then kept and counted."""

from collections.abc import Sequence

from medprefkit.errors import ModelError
from medprefkit.models.calls import CallStore, call_key
from medprefkit.models.privacy import is_local
from medprefkit.models.requests import Asker, Outcome, Reply, Request


class Desk:
    """A model with a memory.

    Args:
        asker: Whoever answers what is not remembered.
        store: What is remembered.
        stage: The stage that asks, for the counts.
    """

    def __init__(self, asker: Asker, store: CallStore, *, stage: str) -> None:
        self.asker = asker
        self._store = store
        self._stage = stage

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return an outcome a request, in order; equal requests are asked once.

        Raises:
            ModelError: If a credentialed request would leave this machine, or the model is out of reach; what was
                answered by then is kept.
        """
        if not is_local(self.asker.place):
            self._refuse_credentialed(requests)
        keys = [call_key(self.asker, request) for request in requests]
        outcomes: dict[str, Outcome] = {}
        waiting: dict[str, Request] = {}
        for key, request in zip(keys, requests, strict=True):
            if key in outcomes or key in waiting:
                continue
            if (reply := self._store.find(key)) is not None:
                outcomes[key] = reply
            else:
                waiting[key] = request
        order = list(waiting)

        def keep(position: int, outcome: Outcome) -> None:
            key = order[position]
            outcomes[key] = outcome
            if isinstance(outcome, Reply):
                self._store.keep(key, self.asker, waiting[key], outcome)

        if waiting:
            self.asker.ask(list(waiting.values()), keep)
        answered = [
            (request.record_id, key)
            for key, request in zip(keys, requests, strict=True)
            if isinstance(outcomes[key], Reply)
        ]
        if answered:
            self._store.note_asked(self._stage, answered)
        return [outcomes[key] for key in keys]

    def _refuse_credentialed(self, requests: Sequence[Request]) -> None:
        for request in requests:
            if request.credentialed:
                raise ModelError(
                    f"{request.record_id}: its source is credentialed, and {self.asker.place} is not this machine; "
                    "use a local model or a loopback endpoint"
                )
