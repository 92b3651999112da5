# Completion of supervisor-fleet for fish, which the program itself describes.
supervisor-fleet completions fish 2>/dev/null | source
