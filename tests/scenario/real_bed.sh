# What the scenarios on real hosts share, to be sourced by them with BUILD_DIRECTORY as $1, $here as their directory and
# $disk_of_host as lines of each [[host]] and more_hosts() to print others: two test hosts a and b brought up, emplaced and its `emplace` running, and functions to
# wait and fail with. Everything is taken down when the script ends. Skipped where the test bed does not come up.

build=$(cd "$1" && pwd)
testbed=$(cd "$here/../../.." && pwd)/shared/testbed/hosts

skip() {
  echo "skipped: $*"
  exit 77
}
fail() {
  echo "FAILED: $*" >&2
  for log in "$work/emplaced.log" "$work/second.log" "$work/console"; do
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
second=

clean_up() {
  local status=$?
  trap - EXIT
  for pid in $second $service; do
    kill -CONT "$pid" 2>/dev/null || true
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
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
$disk_of_host
[[host]]
name = "b"
uri = "$(uri b)"
peer_uri = "qemu+tcp://$NET.2/system"
migration_uri = "tcp://$NET.2"
zone = "z1"
rack = "r2"
$disk_of_host
$(more_hosts)
END
mkdir -p "$work/data"
chmod 0711 "$work/data"

echo "== starting emplaced"
coproc EMPLACED { exec "$build/bin/emplaced" --config "$work/emplaced.toml" 2>"$work/emplaced.log"; }
service=$EMPLACED_PID
IFS= read -r -t 60 line <&"${EMPLACED[0]}" || fail "emplaced did not start"
url=${line#*url=}
url=${url%% *}
auth="Authorization: Bearer $(cat "$work/data/admin.token")"
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
wait_until 60 both_enabled || fail "the hosts were not seen: $(emplace hosts)"
emplace hosts
