"""What annotation costs: prices, estimates, a limit that is not passed, and what was spent."""
