"""The edge: Envoy's configuration, made from the contracts. One source for the local stack and for Kubernetes."""
