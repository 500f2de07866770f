"""Exchange: SOTOPIA's files in and out."""
