# For the tests beside it: waiting, and a daemon that ends with the test.

# Succeeds where the command fails. (A failure behind `!` does not end a script.)
not() {
    ! "$@"
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
