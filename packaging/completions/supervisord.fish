# Completion of supervisord for fish: the options in its help.

function __supervisord_options
    supervisord --help | string match -rg -- '^(?:-[a-z]/)?(--[a-z_-]+).* -- (.*)' | while read -l option; read -l about
        printf '%s\t%s\n' $option $about
    end
end

complete -c supervisord -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__supervisord_options)'
