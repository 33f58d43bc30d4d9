"""Training before everybody's eyes: the run, its controls, what is shown of it."""
