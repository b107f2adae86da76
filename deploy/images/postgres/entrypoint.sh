#!/bin/sh
# Makes a cluster with its first database, then serves: nothing listens before both are there.
set -eu
data=$HOME/data
printf %s "$POSTGRES_PASSWORD" >"$HOME/password"
initdb --pgdata="$data" --username="$POSTGRES_USER" --pwfile="$HOME/password" --auth=scram-sha-256 \
    --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --encoding=UTF8 --no-sync --no-instructions
rm "$HOME/password"
if [ "$POSTGRES_DB" != postgres ]; then
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$data" postgres >/dev/null
fi
echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
program=$1
shift
exec "$program" "$@" -D "$data" -c listen_addresses='*'
