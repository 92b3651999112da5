# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_supervisor_fleet_global_optspecs
    string join \n nats= creds= user= password-file= ca= cert= key= H/hosts= json timeout= as= h/help V/version
end

function __fish_supervisor_fleet_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_supervisor_fleet_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_supervisor_fleet_using_subcommand
    set -l cmd (__fish_supervisor_fleet_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -s V -l version -d 'Print version'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "status" -d 'Show the programs on all hosts'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "start" -d 'Start programs'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "stop" -d 'Stop programs'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "restart" -d 'Restart programs, on all hosts at once or host by host'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "logs" -d 'Show the last output of programs'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "why" -d 'Explain why programs are in their states'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "health" -d 'Exit with 0 if every program that should run is running and healthy'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "events" -d 'Show the events of all hosts'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "agent" -d 'Run beside a daemon and join it to the fleet'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "hub" -d 'Serve a web page and /metrics for all hosts'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "setup" -d 'Create the bucket and the stream; the first agent does this too if it is allowed to'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand status" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand start" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand stop" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l batch -d 'with --rolling: how many hosts at a time [default: 1]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l settle -d 'with --rolling: how long a host may take to become healthy [default: 30]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l rolling -d 'restart host by host, and stop at the first host that does not come back healthy'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand restart" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -s n -l bytes -d 'how many bytes of existing output to print [default: 4096; at most 65536]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -s f -l follow -d 'keep printing what is appended'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l stderr -d 'show standard error instead of standard output'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand logs" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand why" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand health" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l since -d 'how far to go back [default: 3600; with -f: 0]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -s f -l follow -d 'keep printing new events'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand events" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l host -d 'name of this host [default: the host name of the system]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l label -d 'label to select this host by; may be repeated' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l daemon -d 'address of the daemon, unix:///PATH or http://HOST:PORT [$SUPERVISOR_SERVER_URL]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l token -d 'file with the daemon\'s token for the role viewer, operator or admin; may be repeated' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l state -d 'directory for the agent\'s state [default: /var/lib/supervisor-fleet]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand agent" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l listen -d 'address to listen on [default: 127.0.0.1:9080]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l people -d 'who may log in, one per line: NAME ROLE {SHA256}TOKEN [HOSTS]; without it, every user of this machine may read' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l python -d 'daemons of Supervisor 4 in Python, one per line: NAME http://[USER:PASSWORD@]HOST:PORT' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand hub" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l replicas -d 'how many servers of a cluster keep a copy [default: 1]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l nats -d 'NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l creds -d 'credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l user -d 'user name for the server [$SUPERVISOR_FLEET_USER]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l password-file -d 'file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l ca -d 'CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l cert -d 'client certificate [$SUPERVISOR_FLEET_CERT]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l key -d 'private key of the client certificate [$SUPERVISOR_FLEET_KEY]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -s H -l hosts -d 'hosts by name, pattern or label: web1, \'web*\', role=web,zone=eu*; may be repeated [default: all]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l timeout -d 'how long to wait for answers [default: 60]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l as -d 'name that the server knows you by [$SUPERVISOR_FLEET_AS; default: the user name]' -r
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -l json -d 'print JSON'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand setup" -s h -l help -d 'Print help'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "status" -d 'Show the programs on all hosts'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "start" -d 'Start programs'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "stop" -d 'Stop programs'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "restart" -d 'Restart programs, on all hosts at once or host by host'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "logs" -d 'Show the last output of programs'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "why" -d 'Explain why programs are in their states'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "health" -d 'Exit with 0 if every program that should run is running and healthy'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "events" -d 'Show the events of all hosts'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "agent" -d 'Run beside a daemon and join it to the fleet'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "hub" -d 'Serve a web page and /metrics for all hosts'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "setup" -d 'Create the bucket and the stream; the first agent does this too if it is allowed to'
complete -c supervisor-fleet -n "__fish_supervisor_fleet_using_subcommand help; and not __fish_seen_subcommand_from status start stop restart logs why health events agent hub setup help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
