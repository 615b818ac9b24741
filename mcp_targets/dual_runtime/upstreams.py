"""The providers that the system asks; light, for the catalog reads it as well."""

from typing import Final

UPSTREAMS: Final = (
    "peer_status",
    "peer_load",
    "peer_storage",
    "p2p_network",
    "github",
    "public_ip",
    "pubmed",
    "clinical_trials",
    "uniprot",
)
"""The first three are what the headline comparison is about."""
