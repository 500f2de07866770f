"""The social world: tasks are written, characters cast, episodes played and rated."""
