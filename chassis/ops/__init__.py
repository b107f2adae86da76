"""What every service lets its operators see and do: how it is, its dead letters, the trace of a task."""
