"""The names that the launcher needs: of providers, switches and flags. Imports nothing."""

from typing import Final

TOOLS: Final = (
    "twilio_communication",
    "database_query",
    "crm_operation",
    "web_search",
    "enrich_data",
    "calendar_operation",
    "send_email",
    "stripe_operation",
    "docs_operation",
    "social_media_post",
)

SWITCHES: Final = {
    "pool": "connections to providers and database are kept",
    "retry": "requests that are safe to repeat are tried again after a failure",
    "breaker": "a provider that fails gets no requests for a while",
    "cache": "answers are cached, and equal requests at the same time become one",
    "limits": "requests stay within the rate limits of the providers",
    "client_limits": "a client that exceeds its rate is refused",
    "timeouts": "calls that take too long are ended; bodies that are too large are refused",
    "auth": "callers need a key or a token",
    "audit": "operations, changes and failed logins are logged",
    "frozen_heap": "the garbage collector skips everything that was loaded at the start",
}
"""What each switch is for. All but `auth` are on: the system can be tried without a key."""
ON_OFF: Final = ("on", "off")

KEYS: Final = {
    "twilio": "AC" + "b0" * 16 + ":simulated",
    "hubspot": "pat-simulated-key",
    "salesforce": "simulated-client",
    "websearch": "BSAsimulated",
    "clearbit": "sk_simulated",
    "hunter": "0123456789abcdef",
    "google_calendar": "ya29.simulated",
    "sendgrid": "SG.simulated",
    "stripe": "sk_test_simulated",
    "notion": "secret_simulated",
    "x_social": "simulated-key",
    "linkedin": "simulated-key",
    "openai": "sk-simulated",
    "slack": "xoxb-simulated",
    "discord": "simulated-key",
    "mixpanel": "user:simulated",
    "shopify": "shpat_simulated",
    "jira": "user@example.org:simulated",
    "digitalocean": "dop_v1_simulated",
    "datadog": "0123456789abcdef",
    "sentry": "sntrys_simulated",
    "mailchimp": "user:simulated",
    "xero": "simulated-key",
    "virustotal": "0123456789abcdef",
}
"""Keys that the simulator accepts; used with the simulator only."""

PROVIDERS: Final = tuple(KEYS)
"""All are simulated. Those from `openai` on consist of a provider file only, without code."""
