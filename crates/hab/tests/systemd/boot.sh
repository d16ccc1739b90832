#!/bin/sh
# Boots a systemd whose root is this machine's with a layer of memory over it. Runs as process 1 of
# new namespaces: boot.sh WORK PROGRAM UNIT PROBE
set -eu
work=$1 program=$2 unit=$3 probe=$4
root=$work/root
mkdir "$root" "$work/layer" "$work/out"
touch "$work/out/console"

mount --make-rprivate /
mount -t tmpfs tmpfs "$work/layer"
mkdir "$work/layer/files" "$work/layer/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/layer/files,workdir=$work/layer/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
for place in sys/fs/cgroup run dev tmp; do mount -t tmpfs tmpfs "$root/$place"; done
mkdir "$root/sys/fs/cgroup/unified" "$root/sys/fs/cgroup/systemd"
if grep -q '^cgroup2 /sys/fs/cgroup ' /proc/self/mounts; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
  mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
fi
for device in null:3 zero:5 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
touch "$root/dev/console"
mount --bind "$work/out/console" "$root/dev/console"
mkdir "$root/srv/out"
mount --bind "$work/out" "$root/srv/out"
ip link set lo up

cp "$program" "$root/usr/bin/hab"
cp "$probe" "$root/srv/probe.sh"
units=$root/etc/systemd/system
cp "$unit" "$units/hab-sup.service"
rm -rf "$root/hab" "$units"/*.wants
cat >"$units/probe.service" <<'UNIT'
[Unit]
Wants=hab-sup.service
After=hab-sup.service
[Service]
Type=oneshot
ExecStart=/bin/sh -x /srv/probe.sh
StandardError=file:/srv/out/trace
ExecStopPost=/bin/systemctl --no-block exit
UNIT

# systemd has to be process 1, so it takes the place of this shell.
exec env container=other chroot "$root" /lib/systemd/systemd --system --unit=probe.service \
  --log-target=console </dev/null
