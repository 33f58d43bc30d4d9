"""Asking an OpenAI-compatible endpoint: requests, pace, failures, and the talk about one text."""
