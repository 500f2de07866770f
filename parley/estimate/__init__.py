"""The estimate: what a run would do, why, and what it would cost, before anything is spent."""
