"""Every episode of an experiment to browse, filter and read: a folder of pages that needs no server."""
