"""SOTOPIA's profiles: the published files of characters, relationships, environments and casts, in and out."""
