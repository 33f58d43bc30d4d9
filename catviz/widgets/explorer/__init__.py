"""Any model on any text: every head, ranked, compared, and taken out."""
