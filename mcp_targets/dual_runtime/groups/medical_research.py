"""Medical literature, clinical trials and biomolecules, from three public services."""

from mcp_targets.dual_runtime.groups.fields import Few, Result, Term
from mcp_targets.dual_runtime.network import Network
from mcp_targets.dual_runtime.tooling.metadata import tool_metadata


class MedicalResearchScraper:
    """Ask PubMed (NCBI E-utilities), ClinicalTrials.gov (API v2) and UniProt."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @tool_metadata(category="research", io_intensive=True, retry_policy="exponential")
    async def pubmed_search(self, term: Term, limit: Few = 10) -> Result:
        """Search the medical literature."""
        # Esearch returns ids, efetch the articles behind them.
        path = "/entrez/eutils"
        listed = await self._network.ask(
            "pubmed", f"{path}/esearch.fcgi", db="pubmed", term=term, retmax=str(limit)
        )
        ids = listed["esearchresult"]["idlist"][:limit]
        fetched = await self._network.ask(
            "pubmed", f"{path}/efetch.fcgi", db="pubmed", id=",".join(ids), term=term
        )
        return {"articles": fetched["articles"][: len(ids)]}

    @tool_metadata(category="research", io_intensive=True, retry_policy="exponential")
    async def trials_search(self, condition: Term, limit: Few = 10) -> Result:
        """Search clinical trials by condition."""
        query = {"query.cond": condition, "pageSize": str(limit)}
        found = await self._network.ask("clinical_trials", "/api/v2/studies", **query)
        return {"trials": found["studies"][:limit]}

    @tool_metadata(category="research", io_intensive=True, retry_policy="exponential")
    async def biomolecule_search(self, name: Term, limit: Few = 10) -> Result:
        """Search proteins by name."""
        found = await self._network.ask("uniprot", "/uniprotkb/search", query=name, size=str(limit))
        return {"biomolecules": found["results"][:limit]}

    @tool_metadata(category="research", io_intensive=True, cache_ttl=60)
    async def medical_search(self, topic: Term, limit: Few = 10) -> Result:
        """Search literature, trials and biomolecules at once."""
        found = await self._network.gather(
            [
                lambda: self.pubmed_search(topic, limit),
                lambda: self.trials_search(topic, limit),
                lambda: self.biomolecule_search(topic, limit),
            ]
        )
        return {name: part for parts in found for name, part in parts.items()}
