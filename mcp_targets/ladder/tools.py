"""The tool, as a plain function."""

from typing import Final, TypedDict

PRICES: Final = {"tea": 4, "coffee": 9, "milk": 2}
"""The price of one piece, in whole units of some currency."""


class Price(TypedDict):
    """The total price of some pieces of an item."""

    item: str
    quantity: int
    total: int


def price(item: str, quantity: int) -> Price:
    """Return the price of some pieces of an item. Raises ValueError for an item not sold here."""
    if item not in PRICES:
        raise ValueError(f"{item!r} is not sold here; there are {', '.join(PRICES)}")
    return Price(item=item, quantity=quantity, total=quantity * PRICES[item])
