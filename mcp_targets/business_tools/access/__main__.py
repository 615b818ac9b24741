"""Make what the settings need: `python -m mcp_targets.business_tools.access key`."""

import argparse
import getpass
import os
import sys

from cryptography.fernet import Fernet

from mcp_targets.business_tools.access import keys
from mcp_targets.business_tools.settings import SecretBox


def main() -> None:
    """Print a caller's key and its hash, a new key for secrets, or a secret encrypted."""
    parser = argparse.ArgumentParser("python -m mcp_targets.business_tools.access")
    parser.add_argument("what", choices=("key", "box", "encrypt"), help=main.__doc__)
    match parser.parse_args().what:
        case "key":
            key, known = keys.new_key()
            made = f"key for the caller: {key}\nhash for api_keys:  {known}"
        case "box":
            made = Fernet.generate_key().decode()
        case "encrypt":
            secret = getpass.getpass("secret: ") if sys.stdin.isatty() else sys.stdin.read()
            try:
                made = SecretBox(os.environ.get("BUSINESS_TOOLS_KEY", "")).close(secret.strip())
            except ValueError as error:
                parser.error(str(error))
    sys.stdout.write(made + "\n")


if __name__ == "__main__":
    main()
