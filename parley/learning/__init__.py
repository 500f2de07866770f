"""Learning: rated seats are selected, their turns become a dataset, the dataset trains an adapter."""
