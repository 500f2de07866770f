"""The paper's tables: what ratings and studies give for them here, and the published numbers that are alike."""
