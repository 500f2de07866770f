"""Calling models: requests, the ledger, endpoints, and the engines that a job starts for itself."""
