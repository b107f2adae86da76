"""Which of two is better, and from that an order of all."""
