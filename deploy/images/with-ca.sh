#!/bin/sh
# Runs a command that trusts the handed-over CA bundle, if there is one.
if [ -f /build/ca-bundle.crt ]; then
    export PIP_CERT=/build/ca-bundle.crt SSL_CERT_FILE=/build/ca-bundle.crt
fi
exec "$@"
