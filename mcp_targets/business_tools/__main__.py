"""Run the business tools by hand: `python -m mcp_targets.business_tools --port 8000`."""

import ssl
from pathlib import Path

from mcp_targets.business_tools import options, replicas
from mcp_targets.business_tools.faces import app
from mcp_targets.business_tools.system import BusinessTools
from mcp_targets.business_tools.telemetry import configure_logs
from mcp_targets.serving import asgi, entry
from mcp_targets.serving.entry import HOST


def main() -> None:
    """Read the options; start simulator and database unless they are there; serve."""
    parser = entry.arguments("business_tools", "Ten tools and many providers, MCP and REST.")
    options.add(parser)
    parser.add_argument(
        "--host", default=HOST, help="where to listen: 0.0.0.0 for callers that the settings allow"
    )
    parser.add_argument("--tls-cert", type=Path, help="serve by TLS with this certificate, …")
    parser.add_argument("--tls-key", type=Path, help="… and its key")
    replicas.add(parser)
    given = parser.parse_args()
    try:
        if given.tls_cert:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(given.tls_cert, given.tls_key)
    except OSError as error:
        parser.error(f"cannot use --tls-cert and --tls-key: {error}")
    entry.watch_parent(given.ready_file)
    if given.replicas or given.restart_every:
        alone = options.alone(given)
        if alone or given.tls_cert or given.host != HOST:
            parser.error(f"--replicas needs {alone or 'neither --tls-cert nor --host'}")
        replicas.serve(given)
        entry.leave()
    configure_logs()
    with options.sources(given) as sources:
        try:
            system = BusinessTools(sources, given.audit_log)
        except ValueError as error:
            parser.error(str(error))
        lines = entry.shown("business_tools", mcp="/mcp", rest="")
        tls = {"ssl_certfile": given.tls_cert, "ssl_keyfile": given.tls_key}
        asgi.serve(app.build(system), given, lines, given.host, **(tls if given.tls_cert else {}))
    entry.leave()


if __name__ == "__main__":
    main()
