-- Of a line whose trace is recorded: where the trace goes on when the line is paid.
ALTER TABLE earning ADD COLUMN traceparent text;
