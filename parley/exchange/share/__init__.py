"""Sharing: datasets and adapters to the hub with cards that say how they were made, and from the hub to a folder."""
