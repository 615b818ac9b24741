"""The web: the live page, our part of Locust's page, and who may use them."""
