"""The study in which people rate episodes: sampling, a web app that asks them, and what comes out of it."""
