"""The state of a provider: records per account, their unique values, and series of proposals."""

import itertools
from collections.abc import Callable, Hashable
from typing import Any

Record = dict[str, Any]


class Store:
    """Records in memory. Every operation is atomic: one event loop, no await inside."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, list[Record]]] = {}
        self._taken: dict[Hashable, set[Any]] = {}
        self._series: dict[Hashable, itertools.count[int]] = {}
        self._by_id: dict[tuple[str, str, Any], Record] = {}

    def insert(self, account: str, collection: str, record: Record) -> None:
        self._records.setdefault(account, {}).setdefault(collection, []).append(record)
        if "id" in record:
            self._by_id[account, collection, record["id"]] = record

    def find(self, account: str, collection: str, record_id: Any) -> Record | None:
        """Return the record with this `id`, or None. Changing it changes the stored record."""
        return self._by_id.get((account, collection, record_id))

    def claim(self, scope: Hashable, value: Any) -> bool:
        """Claim a value that is unique within a scope; return whether it was free."""
        taken = self._taken.setdefault(scope, set())
        free = value not in taken
        taken.add(value)
        return free

    def page(self, account: str, collection: str, start: int, size: int) -> list[Record]:
        """Return up to `size` records, newest first, after skipping the `start` newest."""
        records = self._records.get(account, {}).get(collection, [])
        end = max(0, len(records) - start)
        return records[max(0, end - size) : end][::-1]

    def count(self, account: str, collection: str) -> int:
        return len(self._records.get(account, {}).get(collection, []))

    def propose(
        self,
        series: Hashable,
        serials: range,
        count: int,
        value_of: Callable[[int], Any],
        scope: Hashable,
    ) -> list[tuple[int, Any]]:
        """Return `count` serials with their values. None was proposed before or is taken.

        A series that runs out returns fewer, and in the end none.
        """
        counter = self._series.setdefault(series, itertools.count(serials.start))
        taken = self._taken.get(scope, set())
        found: list[tuple[int, Any]] = []
        while len(found) < count:
            serial = next(counter)
            if serial not in serials:
                break
            value = value_of(serial)
            if value not in taken:
                found.append((serial, value))
        return found

    def state(self, account: str) -> dict[str, list[Record]]:
        """Return everything an account has, oldest first."""
        return self._records.get(account, {})
