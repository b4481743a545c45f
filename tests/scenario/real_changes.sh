#!/usr/bin/env bash
# What others do to domains on real hosts, and what Emplace says of it: sizes, names and disks that change behind its back;
# moves of domains with and without a definition, found and its own, which are in the list at every moment; a move that is
# refused; one uuid that runs twice; two names of one libvirtd; pools on one file system; an unreachable host. Guests without
# an operating system do, but for the one whose memory is taken while it runs: only its balloon's driver can give it.
#
# usage: real_changes.sh BUILD_DIRECTORY
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
disk_of_host=""  # what the pools have is what this is about
more_hosts() {
  printf '[[host]]\nname = "c"\nuri = "%s"\n' "$(uri b)"
  printf '[[host]]\nname = "d"\nuri = "qemu+shh://nowhere/system"\n'
}
. "$here/real_bed.sh"
for pool in a/pool1 a/pool2 b/pool1; do
  mkdir -p "$VH_ROOT/$pool"
  V "${pool%/*}" pool-create-as "${pool#*/}" dir --target "$VH_ROOT/$pool" >/dev/null
done

vm() { curl -s -H "$auth" "$url/v1/vms?limit=1000" | python3 -c "
import json, sys
vms = [vm for vm in json.load(sys.stdin)['vms'] if vm['name'] == '$1' and vm['source'] != 'duplicate']
print(*(' '.join(str(vm[field]) for field in sys.argv[1:]) for vm in vms))" "${@:2}"; }
is() { [ "$(vm "$1" "${@:3}")" = "$2" ]; }
await() { wait_until 15 is "$@" || fail "$1: wanted '$2', found '$(vm "$1" "${@:3}")' (${*:3})"; }
host() { curl -s -H "$auth" "$url/v1/hosts/$1" | python3 -c "
import json, sys
host = json.load(sys.stdin)
print(eval('host' + sys.argv[1]))" "$2"; }
has_finding() { [[ $(host "$1" "['findings']") == *"'$2'"* ]]; }

# domain NAME UUID VCPUS MIB [DISK]. It boots Linux where `linux` is set. The emulator of the test bed, which moves can do
# without when nothing runs in the guest, gives a guest more memory than its definition says.
linux=
domain() {
  local os=
  [ -z "$linux" ] || os="<kernel>$VH_ROOT/guest/vmlinuz-cloud</kernel><initrd>$VH_ROOT/guest/initramfs-cloud.gz</initrd>
<cmdline>console=ttyS0 quiet</cmdline>"
  echo "<domain type='qemu'><name>$1</name>${2:+<uuid>$2</uuid>}<memory unit='MiB'>$4</memory><vcpu current='1'>$3</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type>$os</os><features><acpi/></features>
<cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model></cpu>
<devices>${5:+<disk type='file' device='disk'><source file='$5'/><target dev='vda' bus='virtio'/></disk>}
${linux:+<serial type='file'><source path='$work/console'/></serial>}<memballoon model='virtio'/></devices></domain>" >"$work/$1.xml"
}
move() { emplace vms migrate "$1" --to "$2" --option mode=p2p --option unsafe=true --wait --timeout 60; }
# Watches the list for a moment in which the vm is not in it.
watch_list() { while sleep 0.05; do [ -n "$(vm "$1" id)" ] || echo "$(date +%T.%N) $1 is not in the list" >>"$work/gaps"; done; }
moves_without_a_gap() {
  watch_list "$1" 2>/dev/null &
  local watcher=$!
  move "$1" "$2" || fail "$1 was not moved to $2"
  is "$1" "$2 running" host state || fail "$1 after its move: $(vm "$1" host state)"
  sleep 2
  kill "$watcher"
  [ ! -s "$work/gaps" ] || fail "$(cat "$work/gaps")"
}

echo "== sizes, names and disks of a found vm"
truncate -s 3G "$work/guest/found.img"
linux=yes domain found "" 4 256 "$work/guest/found.img"
V a define "$work/found.xml" && V a start found
await found "a running 1 4 256 3" host state vcpus vcpus_max memory_mib disk_gib
is_up() { grep -aq GUEST-UP "$work/console"; }
wait_until 120 is_up || fail "the guest did not come up"
V a setmem found 128M --live
await found 128 memory_mib
V a setvcpus found 2 --live
await found 2 vcpus
V a destroy found
domain found "$(V a domuuid found)" 16 512 "$work/guest/found.img"
V a define "$work/found.xml"
await found "stopped 1 16 512" state vcpus vcpus_max memory_mib
V a domrename found renamed
await renamed "a stopped" host state
V a start renamed
await renamed "running 512" state memory_mib
[ "$(host a "['used']['memory_mib']")" = 512 ] || fail "what it uses is not counted: $(host a "['used']")"
emplace vms --verify || fail "emplaced and libvirt disagree"

echo "== a stopped vm is not moved, and stays stopped"
V a destroy renamed
await renamed stopped state
! move renamed b 2>"$work/refused" || fail "a stopped vm was moved"
is renamed "a stopped" host state || fail "after a refused move: $(vm renamed host state)"
V a start renamed
await renamed running state

echo "== moves, there and back, with and without a definition"
for turn in 1 2 3; do
  moves_without_a_gap renamed b
  moves_without_a_gap renamed a
done
domain passing "" 1 64
V a create "$work/passing.xml"
await passing "a running found" host state source
for turn in 1 2 3; do
  moves_without_a_gap passing b
  moves_without_a_gap passing a
done
is passing found source || fail "a found vm became $(vm passing source) by its moves"
V a destroy passing
await passing "" id
moves_without_a_gap renamed b
V b destroy renamed && V b undefine renamed
await renamed "" id

echo "== a move that fails says why, and leaves the vm as it is"
truncate -s 64M "$work/guest/fixed.img"
domain fixed "" 1 64 "$work/guest/fixed.img"
V a create "$work/fixed.xml"
await fixed "a running" host state
! emplace vms migrate fixed --to b --option mode=p2p --wait --timeout 60 2>"$work/refused" || fail "an unsafe move was made"
await fixed "a running" host state
[[ $(vm fixed failure) == *"nsafe"* ]] || fail "the vm does not say why: $(vm fixed failure)"
[[ $(curl -s -H "$auth" "$url/v1/operations?vm=$(vm fixed id)&state=failed") == *nsafe* ]] || fail "the operation does not say why"
V a destroy fixed

echo "== one uuid on two hosts"
domain twice "5b0c9f1e-6a34-4b7e-9b8e-0000000000aa" 1 64
V a create "$work/twice.xml" && V b create "$work/twice.xml"
wait_until 20 has_finding a duplicate_vm || fail "no finding: $(host a "['findings']")"
wait_until 20 has_finding b duplicate_vm || fail "no finding: $(host b "['findings']")"
both_count() { [ "$(host a "['used']['memory_mib']") $(host b "['used']['memory_mib']")" = "64 64" ]; }
wait_until 10 both_count || fail "it does not count on both"
newest() { curl -s -H "$auth" "$url/metrics" | grep ^emplace_picture_event_seq; }
before=$(newest)
sleep 4
[ "$(newest)" = "$before" ] || fail "each poll writes anew"
[ "$(grep -c 'event=finding name=duplicate_vm' "$work/emplaced.log")" = 2 ] || fail "said more than once, or of a move"
V b destroy twice
not_found() { ! has_finding a "$1" && ! has_finding b "$1"; }
wait_until 20 not_found duplicate_vm || fail "the finding stays"
V a destroy twice

echo "== storage pools on one file system, two names of one libvirtd, a host that can't be reached"
wait_until 20 has_finding a shared_filesystem || fail "no finding: $(host a "['findings']")"
has_finding c same_hypervisor || fail "no finding: $(host c "['findings']")"
has_finding b same_hypervisor || fail "no finding: $(host b "['findings']")"
[ "$(host c "['state']")" = down ] || fail "the second name of b is $(host c "['state']")"
[ "$(host d "['state']")" = unreachable ] || fail "d is $(host d "['state']")"
emplace doctor >"$work/doctor" && fail "doctor is content"
for line in "FAIL  shared_filesystem  a: " "FAIL  same_hypervisor    b: " "FAIL  same_hypervisor    c: " "FAIL  host               d " "ok    host               a "; do
  [ "$(grep -c "^$line" "$work/doctor")" = 1 ] || fail "doctor does not say once '$line': $(cat "$work/doctor")"
done
for metric in 'duplicate_vm"} 0' 'same_hypervisor"} 2' 'shared_filesystem"} 1' 'unreachable"} 1'; do
  curl -s -H "$auth" "$url/metrics" | grep -qF "emplace_findings{name=\"$metric" || fail "the metrics do not say $metric"
done
[ "$(grep -c ^FAIL "$work/doctor")" = 4 ] || fail "doctor says more: $(cat "$work/doctor")"
read -r blocks free < <(stat -f -c '%b %f' "$VH_ROOT/a/pool1")
size=$(stat -f -c %S "$VH_ROOT/a/pool1")
capacity=$((blocks * size / 1073741824)) used=$(((blocks - free) * size / 1073741824))
is_once() { python3 -c "exit(not ($(host a "['disk_gib']") == $capacity and abs($(host a "['reserved_disk_gib']") - $used) <= 3))"; }
wait_until 10 is_once || fail "wanted $capacity GiB, $used used, found $(host a "['disk_gib']"), $(host a "['reserved_disk_gib']")"

echo "what others did was seen, moves were seen through, and what is wrong was said once"
