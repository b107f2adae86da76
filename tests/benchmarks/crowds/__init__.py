"""Made-up crowds of which all is known, the frozen list of methods, and how far each is from the best of them."""
