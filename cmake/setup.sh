# shellcheck shell=bash
# What ./run and ./check share: installing packages and building. Sourced from the root of the repository.

say() { printf '%s\n' "== $*"; }
die() {
  printf '%s\n' "${0##*/}: $*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# missing_packages LIST
missing_packages() {
  grep -v '^#' "$1" | while read -r package; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || printf '%s\n' "$package"
  done
}

# Debian's postgresql-15 makes a cluster that listens on port 5432. Emplace brings its own, private one; an operator who has
# already decided about the default cluster keeps that decision.
without_default_cluster() {
  local directory=/etc/postgresql-common
  grep -qsE '^[[:space:]]*create_main_cluster' "$directory"/createcluster.conf "$directory"/createcluster.d/*.conf && return
  say "telling postgresql-common to make no default cluster ($directory/createcluster.d/emplace.conf)"
  as_root mkdir -p "$directory/createcluster.d"
  echo 'create_main_cluster = false' | as_root tee "$directory/createcluster.d/emplace.conf" >/dev/null
  if [ -e "$directory/createcluster.conf" ] && ! grep -q '^include_dir' "$directory/createcluster.conf"; then
    echo 'create_main_cluster = false' | as_root tee -a "$directory/createcluster.conf" >/dev/null
  fi
}

# Debian's pgbouncer starts a service on port 6432, which only our tests' own ones are wanted for.
without_pgbouncer_service() {
  [ ! -e /etc/systemd/system/pgbouncer.service ] || return 0
  say "telling systemd not to start pgbouncer (systemctl unmask pgbouncer undoes it)"
  as_root mkdir -p /etc/systemd/system
  as_root ln -s /dev/null /etc/systemd/system/pgbouncer.service
}

# Where there is no systemd: the init script that the package has just run.
stop_pgbouncer_service() {
  [ ! -d /run/systemd/system ] && [ -x /etc/init.d/pgbouncer ] || return 0
  as_root /etc/init.d/pgbouncer stop >/dev/null 2>&1 || true
  as_root update-rc.d pgbouncer disable >/dev/null 2>&1 || true
}

# install_packages [LIST]
install_packages() {
  local list=${1:-cmake/packages.txt}
  command -v dpkg-query >/dev/null || die "wanted Debian 12 or newer, found no dpkg; the packages are listed in $list"
  local missing
  missing=$(missing_packages "$list" | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  say "installing: $missing"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "wanted root or sudo for: apt-get install $missing"
    say "asking sudo for that"
    sudo true || die "sudo refused; as root: apt-get install $missing"
  fi
  case $missing in *postgresql-15*) without_default_cluster ;; esac
  case $missing in *pgbouncer*) without_pgbouncer_service ;; esac
  local log=build/packages.log
  mkdir -p build
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=900)
  as_root "${apt[@]}" update >"$log" 2>&1 || fail_with_log "$log" "apt-get update failed"
  # shellcheck disable=SC2086
  as_root "${apt[@]}" install -y --no-install-recommends $missing >>"$log" 2>&1 || fail_with_log "$log" "apt-get install failed"
  case $missing in *pgbouncer*) stop_pgbouncer_service ;; esac
}

fail_with_log() {
  tail -n 30 "$1" >&2
  die "$2; the whole log is $1"
}

# A compiler cache, where there is one, then also serves other checkouts of the same sources.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

# build PRESET DIRECTORY [TARGET...]
build() {
  local preset=$1 directory=$2
  shift 2
  mkdir -p "$directory"
  say "building ($preset, $(nproc) cores; log: $directory/build.log)"
  # A checkout that was moved or copied must not reuse the cache of its old place.
  if [ -f "$directory/CMakeCache.txt" ] && ! grep -qx "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$directory/CMakeCache.txt"; then
    rm -rf "$directory/CMakeCache.txt" "$directory/CMakeFiles"
  fi
  cmake --preset "$preset" >"$directory/configure.log" 2>&1 || fail_with_log "$directory/configure.log" "cmake failed"
  local status=0
  cmake --build "$directory" ${1:+--target "$@"} 2>&1 | show_progress "$directory/build.log" || status=${PIPESTATUS[0]}
  [ "$status" = 0 ] || fail_with_log "$directory/build.log" "the build failed"
}

# ninja's "[12/345] ..." as one line that moves on a terminal, and a line per tenth elsewhere; everything goes to the log.
show_progress() {
  local log=$1 line last=-1 built all
  : >"$log"
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    built=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
    if [ -t 1 ]; then
      printf '\r   %s/%s ' "$built" "$all"
    elif [ $((built * 10 / all)) != "$last" ]; then
      last=$((built * 10 / all))
      printf '   %s/%s\n' "$built" "$all"
    fi
  done
  [ ! -t 1 ] || printf '\r'
}
