"""Tools on the cores: thin, the work is in `cores`."""

from typing import Annotated, Literal

from pydantic import Field

from mcp_targets.dual_runtime.cores.medical_research import MedicalResearchScraper
from mcp_targets.dual_runtime.cores.test_runner import TestRunner
from mcp_targets.dual_runtime.cores.vector_index import IndexManager
from mcp_targets.dual_runtime.groups.fields import Id, Result, Timeout
from mcp_targets.dual_runtime.tooling.metadata import tool_metadata

Term = Annotated[str, Field(min_length=1, max_length=300)]
Few = Annotated[int, Field(ge=1, le=100)]
Vector = Annotated[list[float], Field(min_length=1, max_length=4096)]
Vectors = Annotated[dict[str, Vector], Field(min_length=1, max_length=10_000)]


class TestTools:
    """Run tests and checks."""

    __test__ = False  # a class of that name is no test of pytest's

    def __init__(self, runner: TestRunner) -> None:
        self._runner = runner

    @tool_metadata(
        category="development", runtime="fastapi", cpu_intensive=True, timeout_seconds=120
    )
    async def run_tests(
        self,
        path: Term = ".",
        tool: Literal["pytest", "unittest", "mypy", "flake8"] = "pytest",
        timeout_ms: Timeout = 60_000,
    ) -> Result:
        """Run pytest, unittest, mypy or flake8 on a path."""
        return await self._runner.run(tool, path, timeout_ms / 1000)


class IndexTools:
    """Make and search vector indexes. They compute, so they are not coroutines."""

    def __init__(self, manager: IndexManager) -> None:
        self._manager = manager

    @tool_metadata(category="index", memory_intensive=True)
    def index_create(self, name: Id, dimension: int) -> Result:
        """Make an empty vector index."""
        return self._manager.create(name, dimension)

    @tool_metadata(category="index", memory_intensive=True, cpu_intensive=True)
    def index_add(self, name: Id, vectors: Vectors) -> Result:
        """Add vectors by key."""
        return self._manager.add(name, vectors)

    @tool_metadata(category="index", cpu_intensive=True)
    def index_search(self, name: Id, vector: Vector, count: Few = 10) -> Result:
        """Find the nearest vectors by cosine."""
        return self._manager.search(name, vector, count)

    @tool_metadata(category="index", cpu_intensive=True)
    def index_optimise(self, name: Id) -> Result:
        """Make full shards of small ones, and keep the index in a file."""
        return self._manager.optimise(name)

    @tool_metadata(category="index", memory_intensive=True)
    def index_load(self, name: Id) -> Result:
        """Take an index from its file."""
        return self._manager.load(name)

    @tool_metadata(category="index")
    def index_metrics(self, name: Id) -> Result:
        """Show rows, shards, bytes and searches."""
        return self._manager.shown(name)


class MedicalTools:
    """Search medical sources."""

    def __init__(self, scraper: MedicalResearchScraper) -> None:
        self._scraper = scraper

    @tool_metadata(category="research", io_intensive=True, retry_policy="exponential")
    async def pubmed_search(self, term: Term, limit: Few = 10) -> Result:
        """Search the medical literature."""
        return {"articles": await self._scraper.pubmed(term, limit)}

    @tool_metadata(category="research", io_intensive=True, retry_policy="exponential")
    async def trials_search(self, condition: Term, limit: Few = 10) -> Result:
        """Search clinical trials by condition."""
        return {"trials": await self._scraper.trials(condition, limit)}

    @tool_metadata(category="research", io_intensive=True, retry_policy="exponential")
    async def biomolecule_search(self, name: Term, limit: Few = 10) -> Result:
        """Search proteins by name."""
        return {"biomolecules": await self._scraper.biomolecules(name, limit)}

    @tool_metadata(category="research", io_intensive=True, cache_ttl=60)
    async def medical_search(self, topic: Term, limit: Few = 10) -> Result:
        """Search literature, trials and biomolecules at once."""
        return await self._scraper.everything(topic, limit)
