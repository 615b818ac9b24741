"""What a scenario says to an MCP server besides tool calls: answers, completions, who it is."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mcp_perf.scenario.model.fields import Looked, Part, ToolName, Uri, accepts
from mcp_perf.scenario.problems.wording import InputError


def _constant(value: Any) -> Any:
    """Refuse lookups: a server's questions are answered alike in every journey."""
    if "${" in repr(value):
        raise InputError("answers cannot contain ${…}", "write the value itself")
    return value


class Elicitation(Part):
    """How a user answers a form: `content` wins over the form's own defaults."""

    action: Literal["accept", "decline", "cancel"] = "accept"
    """What the user does with the form."""
    content: Annotated[dict[str, Any], accepts(_constant)] = Field(default_factory=dict)
    """What the user types into it."""

    def check(self) -> None:
        if self.content and self.action != "accept":
            raise InputError(f"content is not sent with {self.action}", "remove content")


class Sampling(Part):
    """What the model says, whatever it is asked."""

    text: Annotated[str, accepts(_constant)]
    """What the model says."""
    model: Annotated[str, Field(min_length=1), accepts(_constant)] = "scripted"
    """The name of the model."""


class Answers(Part):
    """What a server gets when it asks; what is missing here is not declared as a capability."""

    elicitation: Elicitation | None = None
    """What a user would type."""
    sampling: Sampling | None = None
    """What a model would say."""
    roots: tuple[Annotated[Uri, accepts(_constant)], ...] | None = None
    """URIs of folders."""

    def check(self) -> None:
        if not self.model_fields_set:
            raise InputError("no answers", "write elicitation, sampling or roots")


class Complete(Part):
    """A completion: of a prompt's argument, or of a resource template's variable."""

    prompt: ToolName | None = None
    """The prompt whose argument is completed."""
    resource: Looked[Uri | None] = None
    """The URI of the template whose variable is completed."""
    argument: Looked[Annotated[str, Field(min_length=1)]]
    """The name of the argument or variable."""
    value: Looked[str] = ""
    """What has been typed so far."""
    context: Looked[dict[str, str]] = Field(default_factory=dict)
    """Arguments that are known already."""

    def check(self) -> None:
        if (self.prompt is None) == (self.resource is None):
            hint = "write prompt: NAME or resource: URI"
            raise InputError("a completion needs either a prompt or a resource", hint)


class OAuth(Part):
    """Who the client is to the authorization server.

    The texts may contain `${env:NAME}` and `${identity.NAME}`.
    """

    client_id: Looked[str] = ""
    """Without one, the client registers itself, or is known by `metadata_url`."""
    client_secret: Looked[str] = ""
    """A lookup, `${env:NAME}` or `${identity.NAME}`; it needs an `issuer`."""
    grant: Literal["client_credentials", "authorization_code"] | None = None
    """By default the one that fits the credentials."""
    method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    """How the secret is sent."""
    scopes: Looked[tuple[str, ...]] = ()
    """What the token should allow."""
    issuer: Looked[str] = ""
    """The authorization server; the secret is sent to no other one."""
    metadata_url: Looked[str] = ""
    """Where the document that describes the client is."""

    def check(self) -> None:
        if self.client_secret and not self.client_secret.startswith(("${env:", "${identity.")):
            hint = "write client_secret: ${env:NAME}, and list NAME in env"
            raise InputError("a client_secret must not be written into the file", hint)
        if self.grant == "client_credentials" and not (self.client_id and self.client_secret):
            hint = "add client_id and client_secret: ${env:NAME}"
            raise InputError("client_credentials needs a client_id and a client_secret", hint)
        if self.client_secret and not self.client_id:
            raise InputError("a client_secret needs a client_id", "add client_id")
        if self.client_secret and not self.issuer:
            hint = "add issuer: https://… (the secret is sent to no other authorization server)"
            raise InputError("a client_secret needs the issuer that it is for", hint)

    @property
    def flow(self) -> Literal["client_credentials", "authorization_code"]:
        """The grant: what is written, or the one that fits the credentials."""
        return self.grant or ("client_credentials" if self.client_secret else "authorization_code")


class Auth(Part):
    """How the client authorizes itself; a fixed token is written in `headers`."""

    oauth: OAuth
    """OAuth 2.1; it needs `mcp-perf[oauth]`."""
