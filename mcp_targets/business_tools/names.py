"""The names that the launcher needs: of providers, switches and flags. Imports nothing."""

from typing import Final

PROVIDERS: Final = (
    "twilio",
    "hubspot",
    "salesforce",
    "websearch",
    "clearbit",
    "hunter",
    "google_calendar",
    "sendgrid",
    "stripe",
    "notion",
    "x_social",
    "linkedin",
    "openai",
    "slack",
    "discord",
    "mixpanel",
    "shopify",
    "jira",
    "digitalocean",
    "datadog",
    "sentry",
    "mailchimp",
    "xero",
    "virustotal",
)
"""All are simulated; from `openai` on each is a provider file only, without code."""

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
    "breaker": "a provider that fails is left alone for a while",
    "cache": "answers are cached, and equal requests at one time become one",
    "limits": "providers get no more requests than they allow",
    "client_limits": "a client that exceeds its rate is refused",
    "timeouts": "calls that take too long, and bodies that are too large, are ended",
    "auth": "callers need a key or a token",
    "audit": "operations, changes and failed logins are written down",
    "frozen_heap": "the garbage collector passes over what has been there since the start",
}
"""What each switch is for. All are on but `auth`, so that the system can be tried at once."""
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
"""What the simulator takes for a key; used with the simulator only."""
