#!/usr/bin/env bash
# Real hosts: two system-mode libvirtd with real QEMU guests, from ../shared/testbed/hosts. A configuration file with their URIs
# is enough: `emplace place` boots a guest that answers, `emplace vms migrate` moves it live, it still answers, and virsh from
# outside agrees. Then a second replica is stopped between define and create: the first one finishes its start and moves the
# guest away, and when the second goes on, the guest still runs once. A guest may come out of a migration hung although libvirt reports success: so ping and console decide, never
# the return code alone.
#
# usage: real_hosts.sh BUILD_DIRECTORY
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
disk_of_host="disk_gib = 10"
more_hosts() { :; }
. "$here/real_bed.sh"

console_has() { grep -aq "$1" "$work/console"; }
answers() { ip netns exec "$SW" python3 "$bed/ping.py" "$address" 1 50 | grep -qv 'got=0'; }
runs_on() { V "$1" list --name | grep -qx "${2:-guest-1}"; }
guest_parameters=(--parameter kernel="$VH_ROOT/guest/vmlinuz-cloud" --parameter initramfs="$VH_ROOT/guest/initramfs-cloud.gz"
  --parameter bridge=br0 --parameter emulator="$bed/qemu-oddram" --parameter machine=pc --parameter cpu_model=qemu64)

echo "== placing a guest"
address=$NET.77
truncate -s 64M "$guest/disk.img"
emplace place --name guest-1 --vcpus 1 --memory 128 --disk 1 --start --wait --timeout 120 \
  "${guest_parameters[@]}" --parameter "cmdline=console=ttyS0 quiet ip4=$address/24 hostname=guest-1" --parameter disk="$guest/disk.img" \
  --parameter mac=52:54:00:77:00:4d --parameter console="$work/console" ||
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
echo "== a second replica, stopped between define and create"
mkdir -p "$work/second"
printf '%s admin second\n' "$(printf secret | sha256sum | cut -d' ' -f1)" >"$work/second/tokens"
printf secret >"$work/second/token"
{
  printf '[auth]\ntokens_file = "%s"\n[database]\nurl = "host=%s user=emplace dbname=postgres"\n' "$work/second/tokens" "$work/data/pg"
  sed -e "s|^data = .*|data = \"$work/second\"\nreplica = \"second\"|" "$work/emplaced.toml"
} >"$work/second.toml"
mkfifo "$work/second.out"
exec {second_out}<>"$work/second.out"
EMPLACE_FAIL_AT=start.defined:stop "$build/bin/emplaced-failpoints" --config "$work/second.toml" >"$work/second.out" 2>"$work/second.log" &
second=$!
IFS= read -r -t 60 line <&"$second_out" || fail "the second emplaced did not start"
second_url=${line#*url=}
second_emplace() { "$build/bin/emplace" --url "${second_url%% *}" --token-file "$work/second/token" "$@"; }
is_stopped() { [ "$(cut -d' ' -f3 "/proc/$second/stat")" = T ]; }
state_of() { emplace --json vms "$1" | grep -o '"state":"[a-z]*"' | head -n 1 | cut -d'"' -f4; }
is_running() { [ "$(state_of guest-2)" = running ]; }

second_emplace place --name guest-2 --vcpus 1 --memory 128 --disk 1 --start "${guest_parameters[@]}" \
  --parameter "cmdline=console=ttyS0 quiet ip4=$NET.78/24 hostname=guest-2" --parameter mac=52:54:00:77:00:4e \
  --parameter console="$work/console-2" || true  # it may stop before it has answered
wait_until 30 is_stopped || fail "the second replica did not come to its stop"
wait_until 90 is_running || fail "the first replica did not finish what the second had begun"
from=$(emplace --json vms guest-2 | grep -o '"host":"[ab]"' | cut -d'"' -f4)
to=$([ "$from" = a ] && echo b || echo a)
runs_on "$from" guest-2 || fail "virsh does not see guest-2 on $from"
emplace vms migrate guest-2 --to "$to" --option mode=p2p --wait --timeout 180 || fail "guest-2 was not moved"
echo "the first replica started guest-2 on $from and moved it to $to; the second goes on"
kill -CONT "$second"
second_sees_it() { second_emplace --json vms guest-2 | grep -q "\"host\":\"$to\""; }
wait_until 60 second_sees_it || fail "the second replica does not see where guest-2 is"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  runs_on "$to" guest-2 || fail "guest-2 stopped running on $to"
  ! runs_on "$from" guest-2 || fail "guest-2 runs twice"
  sleep 0.5
done
emplace vms --verify || fail "emplaced and libvirt disagree"
emplace vms delete guest-2
! runs_on "$to" guest-2 || fail "virsh still sees the deleted guest-2"

echo "a real guest was placed on $from, moved live to $to, answered there, and was deleted; one whose start was cut off ran once"
