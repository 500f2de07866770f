"""The workflow on a real SLURM: a throw-away cluster on loopback."""
