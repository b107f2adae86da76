"""Payment providers: one file per rail."""
