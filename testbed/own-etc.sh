#!/bin/sh
# Runs a command in a mount namespace whose /etc is overlaid with the files of the agent's folder `etc`.
# Usage: unshare --mount -- own-etc.sh <agent's folder> <command> [arguments]
set -e
folder=$1
shift

# The overlay is read-only, so that several commands can share the folder at the same time.
mount -t overlay overlay -o "lowerdir=$folder/etc:/etc" /etc
exec "$@"
