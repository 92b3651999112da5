# Completion of supervisor-fleet for bash, which the program itself describes.
eval "$(supervisor-fleet completions bash 2>/dev/null)"
