"""Texts through the Batch API: submitted, polled, collected by custom id, at a lower price."""
