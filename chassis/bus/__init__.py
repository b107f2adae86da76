"""The event bus: outbox and relay on the way out; consumer, inbox, parked keys and half-joins on the way in."""
