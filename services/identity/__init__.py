"""Identity: accounts, sessions, vendors with their API keys, and what is attested about experts."""
