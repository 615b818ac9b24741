"""Medical literature, clinical trials and biomolecules, from three public services."""

from typing import Any

from mcp_targets.dual_runtime.network import Network


class MedicalResearchScraper:
    """Ask PubMed (NCBI E-utilities), ClinicalTrials.gov (API v2) and UniProt."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def pubmed(self, term: str, limit: int) -> list[dict[str, Any]]:
        """Return articles: esearch for their ids, then efetch for what they are."""
        path = "/entrez/eutils"
        listed = await self._network.ask(
            "pubmed", f"{path}/esearch.fcgi", db="pubmed", term=term, retmax=str(limit)
        )
        ids = listed["esearchresult"]["idlist"][:limit]
        fetched = await self._network.ask(
            "pubmed", f"{path}/efetch.fcgi", db="pubmed", id=",".join(ids), term=term
        )
        articles: list[dict[str, Any]] = fetched["articles"]
        return articles[: len(ids)]

    async def trials(self, condition: str, limit: int) -> list[dict[str, Any]]:
        """Return clinical trials of a condition."""
        query = {"query.cond": condition, "pageSize": str(limit)}
        found = await self._network.ask("clinical_trials", "/api/v2/studies", **query)
        studies: list[dict[str, Any]] = found["studies"]
        return studies[:limit]

    async def biomolecules(self, name: str, limit: int) -> list[dict[str, Any]]:
        """Return proteins that match a name."""
        found = await self._network.ask("uniprot", "/uniprotkb/search", query=name, size=str(limit))
        results: list[dict[str, Any]] = found["results"]
        return results[:limit]

    async def everything(self, topic: str, limit: int) -> dict[str, Any]:
        """Return what all three services have on a topic."""
        articles, trials, molecules = await self._network.gather(
            [
                lambda: self.pubmed(topic, limit),
                lambda: self.trials(topic, limit),
                lambda: self.biomolecules(topic, limit),
            ]
        )
        return {"articles": articles, "trials": trials, "biomolecules": molecules}
