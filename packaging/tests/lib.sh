# For the tests beside it: waiting, a configuration, and a Debian in a directory.

# Succeeds where the command fails. (A failure behind `!` does not end a script.)
not() {
    ! "$@"
}

# of_release COMMAND...: what holds for programs that can be published, and not for those of another PROFILE.
of_release() {
    [ "${PROFILE:-release}" != release ] || "$@"
}

# megabytes FILE: its size, rounded.
megabytes() {
    echo $((($(stat -c %s "$1") + 500000) / 1000000))
}

# until_true COMMAND...: waits until it succeeds, for a minute at the most.
until_true() {
    local left=600
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { echo "never: $*"; return 1; }
        sleep 0.1
    done
}

# A configuration that needs nothing but a shell, in the current directory.
write_configuration() {
    cat >supervisord.conf <<'CONF'
[unix_http_server]
file=%(here)s/supervisor.sock
[supervisord]
logfile=%(here)s/supervisord.log
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%(here)s/supervisor.sock
[program:app]
command=sleep 1000
startsecs=0
CONF
}

# debian_root DIRECTORY: a small Debian there, from DEBIAN_ROOT (debootstrap --variant=minbase) or a mirror.
debian_root() {
    mkdir "$1"
    if [ -n "${DEBIAN_ROOT-}" ]; then
        cp -a "$DEBIAN_ROOT/." "$1/"
    else
        debootstrap --variant=minbase stable "$1" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
    fi
    cp /etc/resolv.conf "$1/etc/resolv.conf"
    cp /etc/apt/apt.conf.d/*proxy* "$1/etc/apt/apt.conf.d/" 2>/dev/null || true
}

# in_debian DIRECTORY SCRIPT [ARGUMENT...]: runs a script of bash there. It has process ids of its own: nothing that it starts is left.
in_debian() {
    local root=$1 script=$2
    shift 2
    unshare --mount --pid --fork --kill-child sh -c \
        'root=$1 script=$2; shift 2
        mount --make-rprivate / && mount -t proc proc "$root/proc" && exec chroot "$root" /bin/bash -euo pipefail -c "$script" - "$@"' \
        - "$root" "export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin; $script" "$@"
}

# later_package PACKAGE RESULT: the same Debian package with a later version, for an upgrade.
later_package() {
    dpkg-deb -R "$1" later
    sed -i "s/^Version: .*/Version: $VERSION-2/" later/DEBIAN/control
    dpkg-deb --root-owner-group -Zgzip --build later "$2"
}
