"""Keywords from the published sources that the paper took its own from (arXiv 2403.08715, section 3)."""
