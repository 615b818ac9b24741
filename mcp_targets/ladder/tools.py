"""The tool, as a plain function."""

from typing import Final, TypedDict

PRICES: Final = {"tea": 4, "coffee": 9, "milk": 2}
"""Of one piece, in whole units of some currency."""


class Price(TypedDict):
    """What some pieces of an item cost together."""

    item: str
    quantity: int
    total: int


def price(item: str, quantity: int) -> Price:
    """Return what some pieces of an item cost. Raises ValueError for an item that is not sold."""
    if item not in PRICES:
        raise ValueError(f"{item!r} is not sold here; there are {', '.join(PRICES)}")
    return Price(item=item, quantity=quantity, total=quantity * PRICES[item])
