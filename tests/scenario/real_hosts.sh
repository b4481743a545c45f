#!/usr/bin/env bash
# Real hosts: two system-mode libvirtd with real QEMU guests, from ../shared/testbed/hosts. A configuration file with their URIs
# is enough: `emplace place` boots a guest that answers, `emplace vms migrate` moves it live, it still answers, and virsh from
# outside agrees. A guest may come out of a migration hung although libvirt reports success: so ping and console decide, never
# the return code alone.
#
# usage: real_hosts.sh BUILD_DIRECTORY
set -euo pipefail

build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
testbed=$(cd "$here/../../.." && pwd)/shared/testbed/hosts

skip() {
  echo "skipped: $*"
  exit 77
}
fail() {
  echo "FAILED: $*" >&2
  for log in "$work/emplaced.log" "$work/console"; do
    [ -f "$log" ] && { echo "--- $log"; tail -n 30 "$log"; } >&2
  done
  exit 1
}

[ -x "$testbed/up.sh" ] || skip "../shared/testbed/hosts is not there"
[ "$(id -u)" = 0 ] || skip "namespaces and libvirtd need root"

# Names, addresses and directories of our own, so that test hosts that someone else has up stay untouched.
work=$(mktemp -d /tmp/emplace-real-XXXXXX)
chmod 0711 "$work"
export VH_ROOT=$work/hosts VH_PFX=em$((RANDOM % 900 + 100)) VH_NET=10.$((RANDOM % 100 + 100)).$((RANDOM % 250)) VH_HOSTS="a b"
service=

clean_up() {
  local status=$?
  trap - EXIT
  if [ -n "$service" ]; then
    kill -TERM "$service" 2>/dev/null || true
    wait "$service" 2>/dev/null || true
  fi
  [ ! -d "$VH_ROOT/a" ] || "$bed/down.sh" -f >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}
trap clean_up EXIT

# install.sh builds two programs beside itself, and the test bed may be read-only.
bed=$work/testbed
cp -r "$testbed" "$bed"
chmod -R u+w "$bed"
echo "== bringing up two hosts"
"$bed/install.sh" >"$work/install.log" 2>&1 || { tail -n 20 "$work/install.log" >&2; skip "the test bed can't be installed here"; }
"$bed/up.sh" >"$work/up.log" 2>&1 || { tail -n 20 "$work/up.log" >&2; skip "the test bed does not come up here"; }
. "$bed/env.sh"

guest=$work/guest
mkdir -p "$guest"
cat >"$work/emplaced.toml" <<END
[service]
listen = "127.0.0.1:0"
data = "$work/data"
[libvirt]
poll_s = 1
[[host]]
name = "a"
uri = "$(uri a)"
peer_uri = "qemu+tcp://$NET.1/system"
migration_uri = "tcp://$NET.1"
zone = "z1"
rack = "r1"
disk_gib = 10
[[host]]
name = "b"
uri = "$(uri b)"
peer_uri = "qemu+tcp://$NET.2/system"
migration_uri = "tcp://$NET.2"
zone = "z1"
rack = "r2"
disk_gib = 10
END
mkdir -p "$work/data"
chmod 0711 "$work/data"

echo "== starting emplaced"
coproc EMPLACED { exec "$build/bin/emplaced" --config "$work/emplaced.toml" 2>"$work/emplaced.log"; }
service=$EMPLACED_PID
IFS= read -r -t 60 line <&"${EMPLACED[0]}" || fail "emplaced did not start"
url=${line#*url=}
url=${url%% *}
emplace() { "$build/bin/emplace" --url "$url" --data "$work/data" "$@"; }

# wait_until SECONDS COMMAND...
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}
both_enabled() { [ "$(emplace --json hosts | grep -o '"state":"enabled"' | wc -l)" = 2 ]; }
console_has() { grep -aq "$1" "$work/console"; }
answers() { ip netns exec "$SW" python3 "$bed/ping.py" "$address" 1 50 | grep -qv 'got=0'; }
runs_on() { V "$1" list --name | grep -qx guest-1; }

wait_until 60 both_enabled || fail "the hosts were not seen: $(emplace hosts)"
emplace hosts

echo "== placing a guest"
address=$NET.77
truncate -s 64M "$guest/disk.img"
emplace place --name guest-1 --vcpus 1 --memory 128 --disk 1 --start --wait --timeout 120 \
  --parameter kernel="$VH_ROOT/guest/vmlinuz-cloud" --parameter initramfs="$VH_ROOT/guest/initramfs-cloud.gz" \
  --parameter "cmdline=console=ttyS0 quiet ip4=$address/24 hostname=guest-1" --parameter disk="$guest/disk.img" \
  --parameter bridge=br0 --parameter mac=52:54:00:77:00:4d --parameter console="$work/console" \
  --parameter emulator="$bed/qemu-oddram" --parameter machine=pc --parameter cpu_model=qemu64 ||
  fail "the guest was not placed"
wait_until 120 console_has GUEST-UP || fail "the guest did not come up"
wait_until 20 answers || fail "the guest does not answer"
from=$(emplace --json vms guest-1 | grep -o '"host":"[ab]"' | cut -d'"' -f4)
runs_on "$from" || fail "virsh does not see guest-1 on $from"
to=$([ "$from" = a ] && echo b || echo a)
echo "guest-1 runs on $from and answers at $address"

echo "== moving it to $to"
# The disk lies on a file system that both hosts see; libvirt can't know that it is safe.
emplace vms migrate guest-1 --to "$to" --option mode=p2p --option unsafe=true --option bandwidth_mib_s=64 --wait --timeout 180 ||
  fail "the migration failed"
runs_on "$to" || fail "virsh does not see guest-1 on $to"
! runs_on "$from" || fail "virsh still sees guest-1 on $from"
wait_until 20 answers || fail "the guest does not answer after its move"
emplace vms --verify || fail "emplaced and libvirt disagree"
emplace doctor || fail "doctor found something"

echo "== deleting it"
emplace vms delete guest-1
! runs_on "$to" || fail "virsh still sees the deleted guest-1"
echo "a real guest was placed on $from, moved live to $to, answered there, and was deleted"
