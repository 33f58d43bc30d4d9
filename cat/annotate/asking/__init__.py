"""Asking an OpenAI-compatible endpoint: requests, their pace, retries and failures."""
