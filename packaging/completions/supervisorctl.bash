# Completion of supervisorctl and supervisord for bash. Names of programs come from the daemon.

_supervisorctl() {
    local line=${COMP_LINE:0:COMP_POINT} word rest options=() at=1
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    word=${words[-1]}
    # What stands before the action belongs to supervisorctl, and says which daemon is meant.
    while ((at < ${#words[@]} - 1)) && [[ ${words[at]} == -* ]]; do
        options+=("${words[at]}")
        case ${words[at]} in
        -c | -s | -u | -p | -r | --configuration | --serverurl | --username | --password | --history_file | --history-file | --timeout)
            at=$((at + 1))
            if ((at == ${#words[@]} - 1)); then
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                return
            fi
            options+=("${words[at]}")
            ;;
        esac
        at=$((at + 1))
    done
    if ((at == ${#words[@]} - 1)) && [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_supervisor_options supervisorctl)" -- "$word")
        return
    fi
    rest=${words[*]:at}
    mapfile -t COMPREPLY < <(supervisorctl "${options[@]}" complete "$rest" 2>/dev/null)
    # A number follows.
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    # bash replaces only what stands behind the last colon.
    if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*:}"}"}")
    fi
}

# The long options in the help of a program.
_supervisor_options() {
    "$1" --help | grep -oE -- '^(-[a-z]/)?--[a-z_-]+' | sed 's/^-[a-z]\///'
}

_supervisord() {
    local word=${COMP_WORDS[COMP_CWORD]}
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_supervisor_options supervisord)" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -F _supervisorctl supervisorctl
complete -o filenames -F _supervisord supervisord
