#!/usr/bin/env bash
# Runs life.sh of a folder on a machine of its own: a copy of this one's files that is thrown away, a network of its own,
# and systemd as the first process, so that the unit is run as on an owner's machine. As root, in a mount namespace:
#   unshare --mount machine.sh FOLDER
set -euo pipefail
folder=$1
machine=$folder/machine
mkdir "$machine"
no_container() {
  echo 'no container can be started here: the package was built and not installed' >&2
  exit 0
}
mount -t tmpfs tmpfs "$machine" || no_container
mkdir "$machine"/{changes,work,root}
root=$machine/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$machine/changes,workdir=$machine/work" "$root" || no_container
# That of a container's image, which forbids services.
rm -f "$root/usr/sbin/policy-rc.d"
cat >"$root/etc/systemd/system/life.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/life/life.sh
UNIT

options=(--quiet --directory="$root" --machine="admit-one-$$" --bind="$folder:/life" --private-network --console=pipe
  --resolv-conf=off --timezone=off --link-journal=no)
groups=()
finish() {
  local group
  for group in "${groups[@]}"; do
    echo $$ >"${group%/*}/cgroup.procs" || true
    find "$group" -depth -type d -exec rmdir {} + || true
  done
}
trap finish EXIT
# Nobody gives it a control group where no systemd runs: one by hand, in each hierarchy that systemd uses.
if [ ! -d /run/systemd/system ]; then
  options+=(--register=no --keep-unit)
  for hierarchy in /sys/fs/cgroup/{systemd,unified}; do
    mkdir "$hierarchy/admit-one-$$" 2>/dev/null || continue
    groups+=("$hierarchy/admit-one-$$")
    echo $$ >"$hierarchy/admit-one-$$/cgroup.procs" || true
  done
fi

boot() {
  timeout 300 systemd-nspawn "${options[@]}" "$@" </dev/null >"$folder/console" 2>&1
}
boot --as-pid2 /bin/true || no_container
status=0
boot --boot systemd.unit=life.service || status=$?
if [ ! -e "$folder/log" ]; then
  echo 'systemd does not boot here: the command of the unit runs as its user, without the rest of the unit' >&2
  status=0
  boot --as-pid2 /life/life.sh || status=$?
fi
[ "$status" -eq 0 ] || { cat "$folder/console" >&2; exit "$status"; }
