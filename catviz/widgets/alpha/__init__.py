"""Panels in which alpha is turned: models trained with it, and a model steered by it."""
