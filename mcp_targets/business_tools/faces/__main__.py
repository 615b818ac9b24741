"""Run the face `naive` alone: `python -m mcp_targets.business_tools.faces`."""

from mcp_targets.business_tools import options
from mcp_targets.business_tools.faces import app
from mcp_targets.business_tools.faces.naive import NaiveTools, NaiveUpstreams
from mcp_targets.serving import asgi, entry


def main() -> None:
    """Read the options; serve the tools without anything around them."""
    parser = entry.arguments("business_tools.faces", "The same tools in the common bad way.")
    options.add(parser)
    given = parser.parse_args()
    entry.watch_parent(given.ready_file)
    with options.sources(given) as sources:
        settings, providers = sources.settings(), sources.provider_files()
        secrets = {name: one.get_secret_value() for name, one in settings.secrets.items()}
        upstreams = NaiveUpstreams(providers, sources.addresses, secrets)
        tools = NaiveTools(upstreams, settings.mongodb_uri.get_secret_value(), providers)
        asgi.serve(app.bare(tools), given, entry.shown("business_tools, naive", mcp="/mcp"))
    entry.leave()


if __name__ == "__main__":
    main()
