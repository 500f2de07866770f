"""Watching an experiment: its jobs, its calls and what they took, from files and ledgers alone."""
