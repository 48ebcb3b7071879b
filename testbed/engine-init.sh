#!/bin/sh
# The first process in an agent's mount and process namespaces: makes what an engine writes outside its folders its own.
# Usage: engine-init.sh <agent's folder> <nameserver> <command> [arguments]
set -e
folder=$1 nameserver=$2
shift 2

# Sockets of containerd's shims, the lock of iptables.
mount -t tmpfs tmpfs /run

# containerd makes a folder there.
if [ -d /opt ]; then
  mkdir "$folder/opt" "$folder/opt-work"
  mount -t overlay overlay -o "lowerdir=/opt,upperdir=$folder/opt,workdir=$folder/opt-work" /opt
fi

# No name can be looked up: an address where nothing listens says so at once, an unreachable one only after a time-out.
echo "nameserver $nameserver" > "$folder/resolv.conf"
target=$(readlink -m /etc/resolv.conf)
case $target in
  # systemd-resolved keeps it there, below the empty file system just mounted.
  /run/*) mkdir -p "${target%/*}" && : > "$target" ;;
esac
if [ -e "$target" ]; then
  mount --bind "$folder/resolv.conf" "$target"
fi

# dockerd does not reap other processes' orphans.
exec docker-init -- "$@"
