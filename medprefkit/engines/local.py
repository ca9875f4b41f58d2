"""The default engine: this process, in order, one batch at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from medprefkit.protocols import In, Out


class LocalEngine:
    """Runs a step in a `for` loop; satisfies `protocols.Engine`."""

    def map(
        self,
        make_step: Callable[[], Callable[[Sequence[In]], Sequence[Out]]],
        records: Iterable[In],
        *,
        batch_size: int,
    ) -> Iterator[Out]:
        """Yield one output per record, in the order of the records; nothing for no records.

        Raises:
            ValueError: If the step does not return one output per record: a bug in the step, not in the data.
        """
        source = iter(records)
        step = None
        while batch := list(islice(source, batch_size)):
            step = step or make_step()  # built only where there is work: models are slow to load
            outputs = step(batch)
            if len(outputs) != len(batch):
                raise ValueError(f"{step!r} returned {len(outputs)} records for {len(batch)}")
            yield from outputs
