"""The only thing of the HTTP server that plug-ins use: the answer of a deferred method that is not done."""


class NOT_DONE_YET:
    """Returned (the class itself) by a deferred method that has no result yet."""
