"""A vector index: exact nearest neighbours by cosine, in shards."""

import threading
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mcp_targets.dual_runtime.errors import Conflict, NotFound, ToolFailure
from mcp_targets.dual_runtime.groups.fields import Few, Id, Result
from mcp_targets.dual_runtime.tooling.metadata import tool_metadata

MAX_DIMENSION: Final = 4096
MAX_ROWS: Final = 200_000
SHARD_ROWS: Final = 4096
"""Optimising makes shards of this size."""

Vector = Annotated[list[float], Field(min_length=1, max_length=4096)]
Vectors = Annotated[dict[str, Vector], Field(min_length=1, max_length=10_000)]
Matrix = npt.NDArray[np.float32]


class Index:
    """Named unit vectors in shards; a search looks at every shard."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.shards: list[tuple[list[str], Matrix]] = []
        self.searches = 0

    @property
    def rows(self) -> int:
        return sum(len(keys) for keys, _ in self.shards)

    def add(self, vectors: dict[str, list[float]]) -> None:
        """Add vectors as a new shard. Raises ToolFailure."""
        if self.rows + len(vectors) > MAX_ROWS:
            raise ToolFailure("INDEX_FULL", f"an index holds up to {MAX_ROWS} vectors")
        self.shards.append((list(vectors), _unit(list(vectors.values()), self.dimension)))

    def optimise(self) -> None:
        """Merge small shards into full ones; of two vectors with one key, keep the newer."""
        if not self.shards:
            return
        all_keys = [key for keys, _ in self.shards for key in keys]
        matrix = np.concatenate([rows for _, rows in self.shards])
        newest = {key: row for row, key in enumerate(all_keys)}
        keys, rows = list(newest), matrix[list(newest.values())]
        self.shards = [
            (keys[start : start + SHARD_ROWS], rows[start : start + SHARD_ROWS])
            for start in range(0, len(keys), SHARD_ROWS)
        ]

    def search(self, vector: list[float], count: int) -> list[dict[str, Any]]:
        """Return the nearest vectors with their cosine, the nearest first. Raises ToolFailure."""
        self.searches += 1
        wanted = _unit([vector], self.dimension)[0]
        found: list[tuple[float, str]] = []
        for keys, rows in self.shards:
            scores = rows @ wanted
            best = np.argsort(-scores, kind="stable")[:count]
            found += [(float(scores[row]), keys[row]) for row in best]
        found.sort(key=lambda hit: (-hit[0], hit[1]))
        return [{"key": key, "score": round(score, 6)} for score, key in found[:count]]

    def shown(self) -> dict[str, Any]:
        return {
            "dimension": self.dimension,
            "rows": self.rows,
            "shards": [len(keys) for keys, _ in self.shards],
            "bytes": sum(rows.nbytes for _, rows in self.shards),
            "searches": self.searches,
        }


class IndexManager:
    """The indexes by name; thread-safe. Its tools compute, so they are not coroutines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._indexes: dict[str, Index] = {}

    @tool_metadata(category="index", memory_intensive=True)
    def index_create(self, name: Id, dimension: int) -> Result:
        """Make an empty vector index."""
        if not 1 <= dimension <= MAX_DIMENSION or not name.isidentifier():
            hint = f"a name of letters, digits and _, and 1 to {MAX_DIMENSION} dimensions"
            raise ToolFailure("BAD_INDEX", f"cannot create {name!r}", hint)
        with self._lock:
            if name in self._indexes:
                raise Conflict("INDEX_EXISTS", f"index {name!r} exists")
            self._indexes[name] = Index(dimension)
            return {"name": name, **self._indexes[name].shown()}

    @tool_metadata(category="index", memory_intensive=True, cpu_intensive=True)
    def index_add(self, name: Id, vectors: Vectors) -> Result:
        """Add vectors by key."""
        with self._lock:
            index = self._get(name)
            index.add(vectors)
            return {"name": name, **index.shown()}

    @tool_metadata(category="index", cpu_intensive=True)
    def index_search(self, name: Id, vector: Vector, count: Few = 10) -> Result:
        """Find the nearest vectors by cosine."""
        with self._lock:
            return {"name": name, "hits": self._get(name).search(vector, count)}

    @tool_metadata(category="index", cpu_intensive=True)
    def index_optimise(self, name: Id) -> Result:
        """Merge small shards into full ones, and save the index to a file."""
        with self._lock:
            index = self._get(name)
            index.optimise()
            keys = [key for shard, _ in index.shards for key in shard]
            rows = [rows for _, rows in index.shards]
            matrix = np.concatenate(rows) if rows else np.empty((0, index.dimension), np.float32)
            np.savez(self._file(name), keys=np.array(keys, dtype=np.str_), rows=matrix)
            return {"name": name, **index.shown()}

    @tool_metadata(category="index", memory_intensive=True)
    def index_load(self, name: Id) -> Result:
        """Load an index from its file."""
        with self._lock:
            if not name.isidentifier() or not self._file(name).exists():
                hint = "index_optimise saves an index to a file"
                raise NotFound("NO_INDEX_FILE", f"index {name!r} was never saved", hint)
            with np.load(self._file(name)) as kept:
                keys, rows = [str(key) for key in kept["keys"]], kept["rows"]
            index = Index(int(rows.shape[1]))
            index.shards = [(keys, rows)] if keys else []
            index.optimise()
            self._indexes[name] = index
            return {"name": name, **index.shown()}

    @tool_metadata(category="index")
    def index_metrics(self, name: Id) -> Result:
        """Show rows, shards, bytes and searches."""
        with self._lock:
            return {"name": name, **self._get(name).shown()}

    def _get(self, name: str) -> Index:
        if name not in self._indexes:
            raise NotFound("UNKNOWN_INDEX", f"there is no index {name!r}")
        return self._indexes[name]

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.npz"


def _unit(vectors: list[list[float]], dimension: int) -> Matrix:
    if any(len(vector) != dimension for vector in vectors):
        raise ToolFailure("BAD_VECTOR", f"every vector needs {dimension} numbers")
    matrix = np.asarray(vectors, dtype=np.float32).reshape(-1, dimension)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.all(np.isfinite(matrix)) or np.any(lengths == 0):
        raise ToolFailure("BAD_VECTOR", "a vector must be finite and not zero")
    return np.asarray(matrix / lengths, dtype=np.float32)
