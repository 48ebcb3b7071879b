#!/bin/sh
# Runs a command in a mount namespace in which the files of an agent's folder `etc` lie over those of /etc.
# Usage: unshare --mount -- own-etc.sh <agent's folder> <command> [arguments]
set -e
folder=$1
shift

# Read-only, so that any number of these can share the folder at the same time.
mount -t overlay overlay -o "lowerdir=$folder/etc:/etc" /etc
exec "$@"
