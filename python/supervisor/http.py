"""The only part of the HTTP server that plug-ins use: the result of a deferred method that is not finished."""


class NOT_DONE_YET:
    """Returned (the class itself) by a deferred method that has no result yet."""
