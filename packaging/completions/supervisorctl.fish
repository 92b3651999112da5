# Completion of supervisorctl for fish. Names of programs come from the daemon.

function __supervisorctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -e words[1]
    # What stands before the action belongs to supervisorctl, and says which daemon is meant.
    set -l options
    while set -q words[1]; and string match -q -- '-*' $words[1]
        set -a options $words[1]
        if contains -- $words[1] -c -s -u -p -r --configuration --serverurl --username --password --history_file --history-file --timeout
            set -a options $words[2]
            set -e words[1]
        end
        set -e words[1]
    end
    supervisorctl $options complete (string join ' ' -- $words $current) 2>/dev/null
end

complete -c supervisorctl -f -a '(__supervisorctl_complete)'
complete -c supervisorctl -s c -l configuration -r -F -d 'configuration file'
complete -c supervisorctl -s h -l help -d 'print the help and exit'
complete -c supervisorctl -l version -d 'print the version and exit'
complete -c supervisorctl -s i -l interactive -d 'ask before reload and shutdown, and for credentials'
complete -c supervisorctl -s s -l serverurl -x -d 'address of the daemon'
complete -c supervisorctl -s u -l username -x -d 'user name'
complete -c supervisorctl -s p -l password -x -d 'password'
complete -c supervisorctl -s r -l history-file -r -F -d 'history of the shell'
complete -c supervisorctl -l timeout -x -d 'seconds to wait for an answer'
