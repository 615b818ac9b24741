"""The account of each face; they are separate, which makes the arms' states comparable."""

from typing import Final

import msgspec


class Account(msgspec.Struct, frozen=True):
    """A Twilio account, its TaskRouter workspace and the number that it sends from."""

    digits: str
    """32 hexadecimal digits, shared by the account and its workspace."""
    from_number: str

    def variables(self) -> dict[str, str]:
        """Return the values that scenarios may look up."""
        return {
            "account": f"AC{self.digits}",
            "workspace": f"WS{self.digits}",
            "from_number": self.from_number,
        }


REST: Final = Account("a5c0ffee00000000000000000000c001", "+14165550101")
MCP: Final = Account("a5c0ffee00000000000000000000c002", "+14165550102")
STDIO: Final = Account("a5c0ffee00000000000000000000c003", "+14165550103")
IN_PROCESS: Final = Account("a5c0ffee00000000000000000000c004", "+14165550104")
