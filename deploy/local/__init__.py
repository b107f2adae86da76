"""The whole of Preceptor on one machine: the backends, the provider double and the services as child processes."""
