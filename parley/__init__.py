"""Parley: experiments in social learning as one graph of files."""

__version__ = "0.1.0"
