"""Several iterators at once, each in a thread of its own, as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

T = TypeVar("T")


def merged(make: Callable[[Event], Sequence[Iterator[T]]], threads: int) -> Iterator[T]:
    """The items of all iterators as they come; those of one iterator keep their order.

    What an iterator raises is raised here. If that happens, or whoever reads the items stops, the
    others are told to halt and are waited for.

    Args:
        make: gets an event that is set when iterators should end, and makes them.
        threads: iterators that run at once; with one, everything runs in the caller's thread.

    Example:
        >>> sorted(merged(lambda halt: [iter("ab"), iter("cd")], threads=2))
        ['a', 'b', 'c', 'd']
    """
    halt = Event()
    iterators = make(halt)
    if threads <= 1:
        for iterator in iterators:
            yield from iterator
        return
    items: SimpleQueue[tuple[T] | Future[None]] = SimpleQueue()

    def run(iterator: Iterator[T]) -> None:
        for item in iterator:
            items.put((item,))

    with ThreadPoolExecutor(threads, "crew") as pool:
        try:
            for iterator in iterators:
                pool.submit(run, iterator).add_done_callback(items.put)
            left = len(iterators)
            while left:
                found = items.get()
                if isinstance(found, tuple):
                    yield found[0]
                else:
                    found.result()
                    left -= 1
        finally:
            halt.set()
            pool.shutdown(wait=True, cancel_futures=True)
