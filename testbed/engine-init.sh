#!/bin/sh
# The first process in an agent's mount and process namespaces. It gives the engine its own copy of the folders that it writes to
# outside the agent's folder.
# Usage: engine-init.sh <agent's folder> <nameserver> <command> [arguments]
set -e
folder=$1 nameserver=$2
shift 2

# For the sockets of containerd's shims and the lock of iptables.
mount -t tmpfs tmpfs /run

# containerd creates a folder in /opt.
if [ -d /opt ]; then
  mkdir "$folder/opt" "$folder/opt-work"
  mount -t overlay overlay -o "lowerdir=/opt,upperdir=$folder/opt,workdir=$folder/opt-work" /opt
fi

# Make name lookups fail at once: an address where nothing listens refuses immediately, an unreachable one times out.
echo "nameserver $nameserver" > "$folder/resolv.conf"
target=$(readlink -m /etc/resolv.conf)
case $target in
  # systemd-resolved keeps the file in /run, which is now an empty file system.
  /run/*) mkdir -p "${target%/*}" && : > "$target" ;;
esac
if [ -e "$target" ]; then
  mount --bind "$folder/resolv.conf" "$target"
fi

# dockerd does not reap the orphans of other processes, so an init does.
exec docker-init -- "$@"
