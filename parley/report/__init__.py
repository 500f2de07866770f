"""The report: everything that an experiment found, as one self-contained page, and its figures as files for papers."""
