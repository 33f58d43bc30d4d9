"""A form in which a class makes a game of its own."""
