"""The two faces, and the two servers that they run on."""
